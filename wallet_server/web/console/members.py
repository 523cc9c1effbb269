"""Owns the pages of members: finding one, and one member with cards, consents and history."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.once import asked
from wallet_server.actions.passes import pass_doctor
from wallet_server.actions.people import card_return, journal, leaving
from wallet_server.actions.people.journal import Entry, OfCoupon, Portrait, Told
from wallet_server.actions.staff import Person, deeds
from wallet_server.errors import Invalid
from wallet_server.rules import sentences
from wallet_server.rules.counter import coupons
from wallet_server.rules.programme.program import Programme
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.console.wording import Wording
from wallet_server.web.diagnosed import Reader
from wallet_server.web.rendering import Words, context, in_language, press, root

members = Blueprint("console-members", __name__)

MOST_KEY = 18
FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")
NOTE_STANDS = timedelta(days=14)
SOURCES = {
    "join-page": "join_page",
    "card": "web_card",
    "web-card": "web_card",
    "stop-link": "stop_link",
    "stop-link-undo": "stop_link_undo",
    "letter": "letter",
    "counter": "counter",
    "api": "api",
    "left": "leaving",
    "import": "import_cards",
}
"""Where a consent was given, to the name of its text; another source is quoted: a merchant’s software named it."""
PURPOSES = {"promotions": "announcements", "contact": "contact", "standing": "letters"}
"""What a consent is for, to the name of its texts; another purpose is quoted."""


@members.get("/console/members")
def page() -> Response:
    """The newest members, or those who are found."""
    person = signed_in("members")
    asked = request.args.get("q", "")[: journal.MOST_QUERY]
    found = journal.search(context(), person.scope, asked, key("before"))
    tongue = speaks(person)
    return console_page(
        "console/members.html",
        person,
        section="members",
        found=found,
        asked=asked.strip(),
        rows=[
            (entry, balances(entry.programme, entry.balances, tongue), _tier(entry, tongue)) for entry in found.entries
        ],
        say=Wording(tongue, newsroom.zone_of(context(), person.scope)),
        first=key("before") is None,
    )


def key(name: str) -> int | None:
    """Where a list goes on, from the address."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_KEY else None


def balances(programme: Programme, held: Any, tongue: str) -> list[str]:
    """What a member holds, in words."""
    # What only counts for a status is told by the status.
    known = {currency.code for currency in programme.currencies if currency.spendable}
    return [
        sentences.counted(amount, sentences.noun_of(programme, code, tongue), tongue)
        for code, amount in sorted(held.items())
        if code == programme.balance_currency or (amount and code in known)
    ]


def _tier(entry: Entry | Portrait, tongue: str) -> str:
    level = entry.programme.ladder.level(entry.member.tier) if entry.programme.ladder else None
    return in_language(level.names, tongue) if level else ""


@members.get("/console/members/<member>")
def one(member: str) -> Response:
    """One member."""
    return _one(signed_in("members"), member)


def _one(person: Person, member: str, *, bad_name: bool = False, bad_note: str | None = None) -> Response:
    found = journal.portrait(context(), person.scope, member, key("before"))
    chart = pass_doctor.examine(context(), person.scope, member)
    tongue = speaks(person)
    say = Wording(tongue, newsroom.zone_of(context(), person.scope))
    words = press().words[tongue].members
    reader = Reader(press().words[tongue], say)
    return console_page(
        "console/member.html",
        person,
        section="members",
        found=found,
        holds=balances(found.programme, found.balances, tongue),
        tier=_tier(found, tongue),
        consents=[
            (_agreed(words, one.purpose, one.granted), _where(words, one.source), one.at) for one in found.consents
        ],
        lines=[
            _line(told, say, found.cashiers) if isinstance(told, Told) else _of_coupon(told, say)
            for told in found.history
        ],
        ends=_ends(found, tongue, say),
        done=request.args.get("done", ""),
        charts=[(card, reader.sentences(card), reader.moments(card, chart.at)) for card in chart.cards],
        say=say,
        given_back=card_return.made(context(), person.scope, member),
        bad_name=bad_name,
        bad_note=bad_note,
        form=secrets.token_urlsafe(18),
        most=offers.MAX_TEXT,
        status=400 if bad_name or bad_note is not None else 200,
        first=key("before") is None,
        address=f"{root()}/console/members/{found.member.public_id}",
    )


def _agreed(words: Words, purpose: str, granted: bool) -> str:
    """What was agreed to or declined: with where and when, what a shop shows to an authority."""
    said = words.granted if granted else words.refused
    return str(said.of(PURPOSES.get(purpose, ""), said.other.format(purpose)))


def _where(words: Words, source: str) -> str:
    return str(words.sources.of(SOURCES.get(source, ""), words.sources.other.format(source)))


@members.post("/console/members/<member>/name")
def name(member: str) -> Answer:
    """How the member wants to be called."""
    person = signed_in("members")
    try:
        journal.call(context(), person.scope, member, request.form.get("first_name", "")[:200])
    except Invalid:
        return _one(person, member, bad_name=True)
    return redirect(f"{root()}/console/members/{member}", 303)


@members.post("/console/members/<member>/note")
def note(member: str) -> Answer:
    """A word for this member alone: kept as a draft, counted and sent like any other. The same form is one draft."""
    person = signed_in("members")
    found = journal.portrait(context(), person.scope, member)
    text = request.form.get("text", "").replace("\r\n", "\n").strip()[: 2 * offers.MAX_TEXT]
    ends_at = context().now() + NOTE_STANDS
    wanted = offers.Announcement(dict.fromkeys(found.programme.languages, text), None, ends_at, member)
    form = request.form.get("form", "")
    body = {"member": member, "text": text, "form": form}
    try:
        key = form if FORM.fullmatch(form) else secrets.token_urlsafe(18)
        wish = asked(person.scope, "note", body, key)
        facts, _ = offers.draft(context(), person.scope, found.programme_id, wanted, wish)
    except Invalid:
        return _one(person, member, bad_note=text)
    return redirect(f"{root()}/console/announce/{facts['announcement']}", 303)


@members.post("/console/members/<member>/cards/<card>/end")
def end(member: str, card: str) -> Answer:
    """One card or coupon is over, for good; the phone is told so without a sound."""
    person = signed_in("members")
    leaving.cancel(context(), person.scope, member, card)
    return redirect(f"{root()}/console/members/{member}?done=ended", 303)


@members.post("/console/members/<member>/leave")
def leave(member: str) -> Answer:
    """The member leaves: every card is over."""
    person = signed_in("members")
    leaving.leave(context(), person.scope, member)
    return redirect(f"{root()}/console/members/{member}?done=left", 303)


def _ends(found: Portrait, tongue: str, say: Wording) -> list[tuple[str, str]]:
    """Who ended a card, or let the member leave, and when."""
    words = press().words[tongue].team
    return [
        (
            words.deeds.of(one.what, one.what).format(who=one.who or words.by.of(deeds.by(one), "")),
            say.moment(one.at),
        )
        for one in found.ends
    ]


def _of_coupon(told: OfCoupon, say: Wording) -> dict[str, Any]:
    """What became of a coupon as a line of the history."""
    event = told.event
    title = in_language(coupons.promise_of(told.programme, event.promise).title, say.tongue)
    return {
        "id": event.id,
        "amount": "",
        "why": coupons.event_sentence(event.kind, title, say.tongue),
        "rule": _rule(event.promise or event.source, event.version, say),
        "where": " · ".join(part for part in (event.store, event.till) if part),
        "own": event.own,
        "at": event.at,
        **dict.fromkeys(("status", "sale", "visit", "late", "reverses", "reversed_by")),
    }


def _rule(rule: str, version: int, say: Wording) -> str:
    """By which rule of which version of the programme."""
    return str(press().words[say.tongue].members.by_rule.format(rule, version))


def _line(told: Told, say: Wording, cashiers: Mapping[str, str]) -> dict[str, Any]:
    """A line of the history as a sentence, with what was sold where and by whom."""
    line, programme = told.line, told.programme
    who = cashiers.get(line.sale or "") if line.reverses is None and line.sale else cashiers.get(line.public_id)
    known = any(currency.code == line.currency for currency in programme.currencies)
    noun = sentences.noun_of(programme, line.currency, say.tongue) if known else None
    units = sentences.counted(abs(line.amount), noun, say.tongue) if noun else f"{abs(line.amount)} {line.currency}"
    return {
        "id": line.public_id,
        "amount": f"{'+' if line.amount > 0 else '−' if line.amount < 0 else ''}{units}",
        "why": sentences.reason_sentence(line.reason, line.params, say.tongue, programme),
        "rule": _rule(line.rule, line.version, say),
        "where": " · ".join(part for part in (line.store, line.till, who) if part),
        "own": line.own,
        "status": any(currency.code == line.currency and not currency.spendable for currency in programme.currencies),
        "sale": say.money(line.sale_minor, programme.money.iso) if line.sale_minor else "",
        "visit": line.sale_minor == 0,
        "at": line.effective_at,
        "late": line.recorded_at if abs((line.recorded_at - line.effective_at).total_seconds()) > 300 else None,
        "reverses": line.reverses,
        "reversed_by": line.reversed_by,
    }
