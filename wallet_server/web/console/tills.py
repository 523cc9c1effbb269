"""Owns the console's page of tills: making one, pairing a device with it by a one-time QR code, and unpairing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.counter import pairing
from wallet_server.errors import Invalid
from wallet_server.web import trying
from wallet_server.web.api.door import answer
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.rendering import context, press, root, symbol

tills = Blueprint("console-tills", __name__)
SECTION = "tills"


@tills.get("/console/tills")
def page(fault: Invalid | None = None) -> Response:
    """Every till with the devices that stand at it."""
    person = signed_in("tills")
    return console_page(
        "console/tills.html",
        person,
        section=SECTION,
        status=400 if fault else 200,
        tills=pairing.tills(context(), person.scope),
        stores=pairing.stores(context(), person.scope),
        fault=fault,
        done=request.args.get("done", ""),
        named=_naming(speaks(person)),
        when=_speaking(speaks(person), person.scope.zone),
    )


def _naming(tongue: str) -> Callable[[str], str]:
    """The name of a till; the first one of a shop has but a number."""
    return lambda name: press().words[tongue].tills.numbered.format(name) if name.isdigit() else name


def _speaking(tongue: str, zone: str) -> Callable[[datetime], str]:
    """Times as the shop's clock shows them."""
    return lambda at: format_datetime(at, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=tongue)


@tills.post("/console/tills")
def make() -> Answer:
    """A further till."""
    person = signed_in("tills")
    try:
        made = pairing.make_till(context(), person.scope, request.form.get("store", ""), request.form.get("name", ""))
    except Invalid as fault:
        return page(fault)
    return redirect(f"{root()}/console/tills?done=made#{made}", 303)


@tills.post("/console/tills/<till>/pairing")
def invite(till: str) -> Response:
    """The QR code that pairs one device. It is in this answer and nowhere else."""
    person = signed_in("tills")
    made = pairing.invite(context(), person.scope, till, person.staff_id)
    words = press().words[speaks(person)].tills
    return console_page(
        "console/pairing.html",
        person,
        section=SECTION,
        invitation=made,
        drawn=symbol(made.link, words.symbol),
        minutes=int(pairing.LIVES.total_seconds() // 60),
        named=_naming(speaks(person)),
        spoken=words.script.json(),
        alone=trying.alone(),
        command="",
    )


@tills.get("/console/tills/pairings/<pairing_id>")
def progress(pairing_id: str) -> Response:
    """How an invitation stands, for the page that shows it."""
    person = signed_in("tills")
    response = answer(asdict(pairing.progress(context(), person.scope, pairing_id)))
    response.headers["Cache-Control"] = "no-store"
    return response


@tills.post("/console/tills/devices/<device>/end")
def revoke(device: str) -> Answer:
    """Unpair a device; at its next request it learns that it is no till any more."""
    person = signed_in("tills")
    pairing.revoke(context(), person.scope, device)
    return redirect(f"{root()}/console/tills?done=ended", 303)
