"""Owns the cashier's page: a shell whose script calls the till's routes, and what it asks to know where it stands."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response

from wallet_server.actions import pages
from wallet_server.web.api.door import admit, answer, context, stamp
from wallet_server.web.rendering import language, press, render

till_page = Blueprint("till-page", __name__)
till_facts = Blueprint("till-facts", __name__)
till_facts.after_request(stamp)


@till_page.get("/till")
def page() -> Response:
    """The page; it holds no key and no card until a person gives them to it."""
    tongue = language()
    return render("till.html", tongue, spoken=press().words[tongue].till.script.json())


@till_facts.get("/till/counter")
def counter() -> Response:
    """The store of the till whose key calls, and the money of its programmes."""
    found = pages.counter(context(), admit("till"))
    return answer(asdict(found))
