"""Owns the page of tickets: low marks that wait for somebody, and those that were seen to."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom
from wallet_server.actions.counter import rating
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, root

tickets = Blueprint("console-tickets", __name__)

MOST_NOTE = 1000


@tickets.get("/console/tickets")
def page() -> Answer:
    """Who waits for an answer, and who had one."""
    person = signed_in("tickets")
    found = rating.tickets(context(), person.scope)
    return console_page(
        "console/tickets.html",
        person,
        section="today",
        waiting=[one for one in found if one.state == "open"],
        closed=[one for one in found if one.state != "open"],
        done=request.args.get("done") == "1",
        say=Wording(speaks(person), newsroom.zone_of(context(), person.scope)),
        most=MOST_NOTE,
    )


@tickets.post("/console/tickets/<ticket>/close")
def close(ticket: str) -> Answer:
    """It was seen to."""
    person = signed_in("tickets")
    note = request.form.get("note", "")[: MOST_NOTE * 2]
    rating.close_ticket(context(), person.scope, ticket, note, person.staff_id)
    return redirect(f"{root()}/console/tickets?done=1", 303)
