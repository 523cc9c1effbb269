"""Owns the page on which a shop gives a member the card back: a QR code for the member's phone, once."""

from __future__ import annotations

from flask import Blueprint, Response

from wallet_server.actions.people import card_return as returning
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.rendering import context, press, root, symbol

card_return = Blueprint("console-card-return", __name__)


@card_return.post("/console/members/<member>/card-back")
def make(member: str) -> Response:
    """The QR code that gives this member the card back. It is in this answer and nowhere else.

    For those who look after members: a cashier's till sees no personal data, and could not tell who asks.
    """
    person = signed_in("members")
    made = returning.offer(context(), person.scope, member, person.staff_id)
    return console_page(
        "console/card_return.html",
        person,
        section="members",
        link=made.address,
        drawn=symbol(made.address, press().words[speaks(person)].card_return.symbol),
        minutes=int(returning.LIVES.total_seconds() // 60),
        back_to=f"{root()}/console/members/{made.member}",
    )
