"""Owns the console's page that watches over the tills: what looks odd, what was given and refused, and from when on."""

from __future__ import annotations

from typing import Any

from babel.dates import format_date
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom
from wallet_server.actions.counter import watching
from wallet_server.actions.counter.watching import GivenLine, Odd
from wallet_server.actions.staff import Person
from wallet_server.actions.staff.roles import PARTS
from wallet_server.errors import Invalid, WalletError
from wallet_server.rules.counter import watching as rules
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.sentences import money_text
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.sign_in import status_of
from wallet_server.web.rendering import context, press, root

watch = Blueprint("console-watch", __name__)

PATH = "/console/watch"


@watch.get(PATH)
def page() -> Response:
    """The last days of the tills."""
    return _page(signed_in("watch"), None)


def _page(person: Person, fault: WalletError | None) -> Response:
    found = watching.oversee(context(), person.scope)
    tongue = speaks(person)
    programmes = [column.programme for column in newsroom.columns(context(), person.scope)]
    return console_page(
        "console/watch.html",
        person,
        section="watch",
        status=status_of(fault),
        fault=fault and words(fault, "watch"),
        wrong=fault.field if fault else "",
        odd=[_odd(one, person, tongue) for one in found.odd],
        given=[_given(one, programmes, person, tongue) for one in found.given],
        sums=[(one.who, one.count, _money(one.cost_minor, programmes, tongue)) for one in found.sums],
        limits=[(name, found.limits[name], request.form.get(name, found.limits[name])) for name in rules.PLAIN],
        bounds=(rules.LEAST, rules.MOST),
        done=request.args.get("done", ""),
    )


def _address(person: Person, member: str | None) -> str:
    """The member's page, for whom it is: an auditor is given the number alone."""
    seen = member is not None and person.role in PARTS["members"].see
    return f"{root()}/console/members/{member}" if seen else ""


def _odd(one: Odd, person: Person, tongue: str) -> dict[str, Any]:
    said = press().words[tongue].watch.odd.of(one.pattern, one.pattern)
    return {
        "sentence": said.format(who=one.who or "", found=one.found),
        "member": one.member,
        "address": _address(person, one.member),
        "day": format_date(one.day, "EEEE d MMMM", locale=tongue),
        "allowed": one.allowed,
    }


def _given(one: GivenLine, programmes: list[Programme], person: Person, tongue: str) -> dict[str, Any]:
    known = [(programme, gesture) for programme in programmes if (gesture := programme.gesture(one.gesture))]
    name, reason = one.gesture, one.reason or ""
    if known:
        programme, gesture = known[0]
        name = gesture.names.get(tongue) or gesture.names[programme.languages[0]]
        why = gesture.reason(one.reason) if one.reason else None
        reason = "" if why is None else why.names.get(tongue) or why.names[programme.languages[0]]
    budget = "" if one.budget is None else press().words[tongue].watch.budgets.of(one.budget, one.budget)
    return {
        "at": one.at,
        "who": one.who,
        "name": name,
        "reason": reason,
        "member": one.member,
        "address": _address(person, one.member),
        "undone": one.undone,
        "complaint": one.complaint if person.role in PARTS["members"].see else None,
        "budget": budget,
    }


def _money(amount_minor: int, programmes: list[Programme], tongue: str) -> str:
    return money_text(amount_minor, programmes[0].money, tongue) if programmes and amount_minor else ""


@watch.post(PATH)
def choose() -> Answer:
    """Choose the thresholds."""
    person = signed_in("watch")
    try:
        watching.choose(context(), person, {name: request.form.get(name, "") for name in rules.PLAIN})
    except Invalid as fault:
        return _page(person, fault)
    return redirect(f"{root()}{PATH}?done=kept", 303)
