"""Owns the page of the day: what happened in the shop today, refreshed while it is looked at, and the first steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from wallet_server.actions import overview
from wallet_server.actions.counter import watching
from wallet_server.actions.overview import Today
from wallet_server.actions.staff import CASHIER, OWNER, Person
from wallet_server.actions.staff.roles import PARTS
from wallet_server.actions.telling import webhooks
from wallet_server.actions.vendors import certificate_days, left_out, signing
from wallet_server.rules import sentences
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.console.plot import columns
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, part, press, root

today = Blueprint("console-today", __name__)

MARK = 16


@today.get("/console/today")
def page() -> Response:
    """The day so far."""
    person = signed_in("today")
    ending = certificate_days.ending(context(), person.scope)[:1] if person.role == OWNER else []
    return console_page("console/today.html", person, section="today", ending=ending, **_open(person), **_shown(person))


def _open(person: Person) -> dict[str, Any]:
    """Whether anybody can join at all; a cashier is not told, who could do nothing about it. And to the owner, which of
    the shop's own systems hear nothing any more; to who watches over the tills, how much looks odd; to a cashier, how
    much they gave this week."""
    owns = person.role == OWNER
    off = webhooks.turned_off(context(), person.scope) if owns else []
    return {
        "left_out": left_out.told(context(), person.scope, speaks(person)) if owns else [],
        "unsigned": person.role != CASHIER and bool(signing.unsigned(context(), person.scope)),
        "webhooks_off": off,
        "odd": watching.today(context(), person.scope) if person.role in PARTS["watch"].see else 0,
        "own": watching.own_gestures(context(), person) if person.role == CASHIER else None,
    }


@today.get("/console/today/now")
def now() -> Response:
    """The part of the page that changes; 204 while nothing did (`?was=`)."""
    person = signed_in("today")
    shown = _shown(person)
    if request.args.get("was") == shown["mark"]:
        return Response(status=204)
    body = part("console/_today.html", speaks(person), **shown)
    return Response(body, mimetype="text/html", headers={"Cache-Control": "no-store"})


def _shown(person: Person) -> dict[str, Any]:
    found = overview.today(context(), person.scope)
    tongue = speaks(person)
    say = Wording(tongue, found.zone)
    words = press().words[tongue].today
    turnover = sorted((iso, amount) for iso, amount in found.sales.turnover_minor.items() if amount)
    shown: dict[str, Any] = {
        "found": found,
        "say": say,
        "turnover": " + ".join(say.money(amount, iso) for iso, amount in turnover),
        "moved": list(_moved(found, tongue)),
        "rewards": sum(one.rewards for one in found.moved.values()),
        "plot": columns(
            [(say.day(day, "EEEEE"), one.sales, str(one.sales or "")) for day, one in found.fortnight]
        ),
        "plot_label": words.plot_label.format(
            sum(one.sales for _, one in found.fortnight),
            max((one.sales for _, one in found.fortnight), default=0),
        ),
        "campaigns": person.role in PARTS["announce"].see,
        "clients": person.role in PARTS["members"].see,
        "steps": _steps(found),
    }  # fmt: skip
    text = part("console/_today.html", tongue, **shown, mark="")
    return {**shown, "mark": hashlib.sha256(text.encode()).hexdigest()[:MARK]}


def _moved(found: Today, tongue: str) -> Iterator[dict[str, str | bool]]:
    """What was given of each currency that can be spent, once each: programmes may call theirs by one code."""
    owners = {one.code: programme for programme in reversed(found.programmes) for one in programme.currencies}
    for code, moved in found.moved.items():
        programme = owners.get(code)
        if programme is None or not programme.currency(code).spendable:
            continue
        noun = sentences.noun_of(programme, code, tongue)
        given = sentences.counted(moved.given, noun, tongue)
        number, _, name = (given, "", noun.other) if noun.money else given.partition(" ")
        yield {"given": number, "noun": name, "money": noun.money is not None}


def _steps(found: Today) -> list[tuple[str, bool, str]]:
    """The first three steps: (name, whether it is done, where it is done)."""
    return [
        ("make", found.published, f"{root()}/console/card"),
        ("poster", found.joined > 0 or found.begun, f"{root()}/console/poster"),
        ("pair", found.paired, f"{root()}/console/tills"),
    ]
