"""Owns the page on which a device becomes a till: it shows whose, asks what the device is called, and keeps the key.

The secret stands after the # of the link, so that it reaches this service in the body of a request alone.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from wallet_server.actions.counter import pairing
from wallet_server.errors import Invalid
from wallet_server.web.api.door import answer, stamp
from wallet_server.web.rendering import context, language, press, render

pair_page = Blueprint("pair-page", __name__)
pair_facts = Blueprint("pair-facts", __name__)
pair_facts.after_request(stamp)

KNOWN = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Macintosh", "Mac"), ("Windows", "PC"))


@pair_page.get("/pair")
def page() -> Response:
    """The page; it learns from its script what to pair with."""
    tongue = language()
    agent = request.user_agent.string
    guess = next((name for mark, name in KNOWN if mark in agent), "")
    return render("pair.html", tongue, spoken=press().words[tongue].pair.script.json(), guess=guess)


@pair_facts.post("/pair/greeting")
def greeting() -> Response:
    """Whose till the link makes of a device. Changes nothing."""
    return answer(asdict(pairing.greet(context(), _text("secret"))))


@pair_facts.post("/pair/key")
def key() -> Response:
    """The key of the new till; asked again by the same device, the same key."""
    made = pairing.pair(context(), _text("secret"), _text("device"), _text("name"))
    return answer({"key": made.key, "name": made.name, **asdict(made.place)})


def _text(name: str) -> str:
    body: Any = request.get_json(silent=True)
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, str) or len(found) > 200:
        raise Invalid(f"Send `{name}` as a text.", field=name)
    return found
