"""Owns the team's page: who is in it, who was invited, and help for who is locked out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.counter import cashiers
from wallet_server.actions.staff import ROLES, Person, deeds, links
from wallet_server.actions.staff import team as crew
from wallet_server.actions.staff.deeds import Deed
from wallet_server.actions.staff.roles import AT_TILL, PARTS
from wallet_server.errors import Conflict, Invalid, WalletError
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.sign_in import status_of, typed
from wallet_server.web.rendering import Words, context, press, root, symbol

team = Blueprint("console-team", __name__)

REFUSALS = (Invalid, Conflict)
PLACES = {
    **dict.fromkeys(("sent", "recalled"), "announce"),
    **dict.fromkeys(("card_back", "card_ended", "card_limited", "coupon_ended", "goodwill", "left"), "members"),
    **dict.fromkeys(("gesture_undone", "gesture_refused", "anomaly"), "members"),
}
"""Under which page of the console that stands which a deed is about."""
WITH_ROLE = ("invited", "joined", "role")


@team.get("/console/team")
def page() -> Response:
    """People, invitations, and the form for a further one."""
    return _page(signed_in("team"), None)


def _page(person: Person, fault: WalletError | None) -> Response:
    return console_page(
        "console/team.html",
        person,
        section="team",
        status=status_of(fault),
        fault=fault and words(fault, "team"),
        roles=ROLES,
        at_till=AT_TILL,
        people=crew.people(context(), person),
        waiting=crew.waiting(context(), person),
        new_secret=links.new_secret,
        done=request.args.get("done", ""),
        **_history(person),
    )


def _history(person: Person) -> dict[str, Any]:
    """Who did what: each as a sentence, with the address of what it is about if that has a page."""
    before = request.args.get("before", "")
    known = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    listed, more = deeds.history(context(), person.scope, known)
    spoken = press().words[speaks(person)]
    told = spoken.team
    lines = []
    for one in listed:
        who = one.who or told.by.of(one.by, one.by)
        detail = _detail(one, spoken)
        sentence = told.deeds.of(one.what, one.what).format(who=who, whom=one.whom, detail=detail)
        place = PLACES.get(one.what)
        seen = place is not None and one.about is not None and person.role in PARTS[place].see
        lines.append({"sentence": sentence, "at": one.at, "about": seen and f"{root()}/console/{place}/{one.about}"})
    return {"deeds": lines, "more": more, "older": known is not None}


def _detail(one: Deed, spoken: Words) -> str | None:
    """What of a deed is kept as a code, in words."""
    if one.what in WITH_ROLE:
        return str(spoken.team.roles.of(one.detail or "", ""))
    if one.what == "anomaly":
        pattern, _, found = (one.detail or "").partition(":")
        return str(spoken.watch.odd.of(pattern, pattern).format(who=one.whom, found=found))
    if one.what == "gesture_refused":
        gesture, _, budget = (one.detail or "").partition(", ")
        return f"{gesture} ({spoken.watch.budgets.of(budget, budget)})"
    return one.detail


def _back(done: str) -> Answer:
    return redirect(f"{root()}/console/team?done={done}", 303)


def _link_page(person: Person, kind: str, link: str, name: str) -> Response:
    spoken = press().words[person.language].team.link.symbol
    return console_page(
        "console/team_link.html", person, section="team", kind=kind, link=link, name=name, drawn=symbol(link, spoken)
    )


@team.post("/console/team/invitations")
def invite() -> Answer:
    """Invite by role; shows the link this once."""
    person = signed_in("team")
    try:
        link = crew.invite(context(), person, typed("role"), typed("email"), typed("secret"))
    except REFUSALS as fault:
        return _page(person, fault)
    return _link_page(person, "invite", link, typed("email"))


@team.post("/console/team/invitations/<invitation>/end")
def take_back(invitation: str) -> Answer:
    """End an invitation."""
    crew.take_back(context(), signed_in("team"), invitation)
    return _back("taken_back")


@team.post("/console/team/<colleague>/role")
def give_role(colleague: str) -> Answer:
    """Change what somebody may do."""
    person = signed_in("team")
    try:
        crew.give_role(context(), person, colleague, typed("role"))
    except REFUSALS as fault:
        return _page(person, fault)
    return _back("role")


@team.post("/console/team/<colleague>/disable")
def disable(colleague: str) -> Answer:
    """Keep somebody out."""
    person = signed_in("team")
    try:
        crew.disable(context(), person, colleague)
    except REFUSALS as fault:
        return _page(person, fault)
    return _back("disabled")


@team.post("/console/team/<colleague>/enable")
def enable(colleague: str) -> Answer:
    """Let somebody in again, or end the wait of who failed too often."""
    crew.enable(context(), signed_in("team"), colleague)
    return _back("enabled")


@team.post("/console/team/<colleague>/pin")
def pin(colleague: str) -> Answer:
    """Give a colleague a PIN for the tills; they change it at its first use."""
    person = signed_in("team")
    try:
        cashiers.give(context(), person, colleague, typed("pin"))
    except REFUSALS as fault:
        return _page(person, fault)
    return _back("pin")


@team.post("/console/team/<colleague>/reset")
def reset(colleague: str) -> Answer:
    """Make a link by which a colleague chooses a new password; shows it this once."""
    person = signed_in("team")
    lost = typed("lost") == "yes"
    try:
        link = crew.reset_link(context(), person, colleague, typed("secret"), lost=lost)
    except REFUSALS as fault:
        return _page(person, fault)
    name = next((one.name for one in crew.people(context(), person) if one.public_id == colleague), "")
    return _link_page(person, "reset", link, name)
