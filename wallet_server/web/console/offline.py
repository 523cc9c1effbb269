"""Owns the console's page of what tills did without a network and what a person has to settle of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom
from wallet_server.actions.offline import settling
from wallet_server.actions.offline.settling import Case
from wallet_server.actions.staff import Person
from wallet_server.actions.staff.roles import PARTS
from wallet_server.errors import WalletError
from wallet_server.rules.offline import spoken
from wallet_server.rules.programme.program import Money
from wallet_server.rules.sentences import money_text
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.sign_in import status_of
from wallet_server.web.console.wording import EXPONENTS
from wallet_server.web.rendering import context, press, root

offline = Blueprint("console-offline", __name__)

PART, PATH = "offline", "/console/offline"


@offline.get(PATH)
def page() -> Response:
    """What waits, and what was settled last."""
    return _page(signed_in(PART), None)


def _page(person: Person, fault: WalletError | None, about: str = "") -> Response:
    ctx, tongue = context(), speaks(person)
    names = _rewards(person, tongue)
    waiting = [_shown(one, person, tongue, names) for one in settling.cases(ctx, person.scope)]
    return console_page(
        "console/offline.html",
        person,
        section=PART,
        status=status_of(fault),
        fault=_fault(fault, tongue),
        about=about if any(one["id"] == about for one in waiting) else "",
        typed=request.form.get("note", ""),
        waiting=waiting,
        settled=[_shown(one, person, tongue, names) for one in settling.settled(ctx, person.scope)],
        done=request.args.get("done", ""),
    )


def _fault(fault: WalletError | None, tongue: str) -> str | None:
    """What stands against booking it is said in the words of the list, what else in those of the page."""
    if fault is None:
        return None
    known = fault.code in spoken.reasons()
    return spoken.why(fault.code, tongue) if known else words(fault, PART)


def _rewards(person: Person, tongue: str) -> dict[str, str]:
    """Reward to its name."""
    programmes = [column.programme for column in newsroom.columns(context(), person.scope)]
    return {
        one.code: one.names.get(tongue) or one.names[programme.languages[0]]
        for programme in programmes
        for one in programme.rewards
    }


def _shown(one: Case, person: Person, tongue: str, rewards: dict[str, str]) -> dict[str, Any]:
    told = press().words[tongue].offline
    seen = one.member is not None and person.role in PARTS["members"].see
    return {
        "id": one.id,
        "kind": one.kind,
        "title": told.kinds.of(one.kind, one.kind).format(one.number),
        "worth": _worth(one, told, tongue, rewards),
        "why": spoken.why(one.why, tongue),
        "place": told.at.format(store=one.store, till=one.till),
        "at": one.at,
        "member": one.member,
        "address": f"{root()}/console/members/{one.member}" if seen else "",
        "note": one.note,
        "decision": told.decisions.of(one.decision, one.decision) if one.decision else "",
        "by": one.by,
        "decided_at": one.decided_at,
    }


def _worth(one: Case, told: Any, tongue: str, rewards: dict[str, str]) -> str:
    if one.amount_minor is not None and one.money:
        return money_text(one.amount_minor, Money(one.money, EXPONENTS.get(one.money, 2)), tongue)
    if one.reward is not None:
        return str(told.reward.format(rewards.get(one.reward, one.reward)))
    return str(told.count("units", one.units)) if one.units is not None else ""


@offline.post(f"{PATH}/<event>")
def settle(event: str) -> Answer:
    """Have it counted, refuse it, or keep a note."""
    person = signed_in(PART)
    decision, note = request.form.get("decision", ""), request.form.get("note", "").strip()
    try:
        settling.settle(context(), person.scope, event, decision, note or None)
    except WalletError as fault:
        return _page(person, fault, event)
    return redirect(f"{root()}{PATH}?done={decision}", 303)
