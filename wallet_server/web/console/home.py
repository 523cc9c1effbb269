"""Owns the console's first step after the door: the section where a person's day begins, and the list of all."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.staff import account
from wallet_server.web.console.door import console_page, sections, signed_in, within
from wallet_server.web.rendering import LANGUAGES, context, root

home = Blueprint("console-home", __name__)


@home.get("/console")
def first() -> Answer:
    """Where this person begins."""
    found = sections(signed_in("home"))
    return redirect(f"{root()}{found[0].path if found else '/console/more'}", 303)


@home.get("/console/more")
def more() -> Response:
    """Everything that a phone's bar has no room for."""
    return console_page("console/more.html", signed_in("home"), section="more")


@home.post("/console/language")
def speak() -> Answer:
    """Show everything in another language, on this browser and the next."""
    person = signed_in("home")
    wanted = request.form.get("language", "")
    if wanted in LANGUAGES:
        account.speak(context(), person, wanted)
    return redirect(within(request.form.get("next", "")), 303)
