"""Owns looking members up: by address, card or id, one page of the newest, and one member with cards and history."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.counter import scanning
from wallet_server.actions.passes import cards, reissuing
from wallet_server.errors import Invalid, Misconfigured, NotFound
from wallet_server.records import jobs, parties
from wallet_server.records.counter import counter_deeds
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import journal, members, recovery
from wallet_server.records.people.journal import CardRow, ConsentRow, Line, Listed
from wallet_server.records.purse import coupons, ledger
from wallet_server.records.purse.coupons import HistoryRow
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.records.staff.deeds import DeedRow
from wallet_server.records.vendors import vendors
from wallet_server.rules.announcing.personal import MAX_NAME
from wallet_server.rules.counter import codes
from wallet_server.rules.programme.program import Programme

PAGE = 30
LINES = 25
MOST_CONSENTS = 20
MOST_QUERY = 320
MOST_OF_COUPONS = 100
ENDS = (deeds.CARD_ENDED, deeds.COUPON_ENDED, deeds.LEFT)


@dataclass(frozen=True)
class Entry:
    """A member in a list: what a shop may call them by, the balances, and the last visit."""

    member: Listed
    card: str
    email: str | None
    balances: Mapping[str, int]
    programme: Programme
    last_visit: object


@dataclass(frozen=True)
class Found:
    """A page of members; `more` is the key to go on before, `total` of all: counted for the first page of
    all of them alone."""

    entries: tuple[Entry, ...]
    more: int | None
    total: int | None


@dataclass(frozen=True)
class Told:
    """A line of a history with the programme version under which it was booked."""

    line: Line
    programme: Programme


@dataclass(frozen=True)
class OfCoupon:
    """What became of a coupon, with the programme version that promised it."""

    event: HistoryRow
    programme: Programme


@dataclass(frozen=True)
class Portrait:
    """All that a shop may know of one member; `ends` are who ended a card or let the member leave, `cashiers` who stood
    at the till, by the public id of the sale or of the entry."""

    member: Listed
    card: str
    email: str | None
    first_name: str | None
    home: str | None
    programme_id: str
    programme: Programme
    balances: Mapping[str, int]
    cards: tuple[tuple[CardRow, str], ...]
    consents: tuple[ConsentRow, ...]
    history: tuple[Told | OfCoupon, ...]
    more: int | None
    ends: tuple[DeedRow, ...]
    cashiers: Mapping[str, str]


def card_names(ctx: Context, tx: Tx, member_ids: Sequence[int]) -> dict[int, str]:
    """Member key to the end of the code on their newest card, as they may read it out: `7W3E`."""
    owned = journal.cards_of(tx, member_ids)
    newest = {member: found[0] for member, found in owned.items()}
    return {member: name for member, row in newest.items() if (name := _name(ctx, tx, row))}


def _name(ctx: Context, tx: Tx, row: CardRow) -> str:
    code = passes.newest_codes(tx, [row.id]).get(row.id)
    if code is None:
        return ""
    try:
        return codes.read(reissuing.opened(ctx, code.cipher, row.serial)[0]).reference[-4:]
    except Misconfigured:
        # The pass doctor says so, on a page that names the card: it must open.
        return ""


def search(ctx: Context, scope: Scope, asked: str, before: int | None = None) -> Found:
    """Members by e-mail address, by the code on a card, or by id; the newest for an empty question."""
    text = asked.strip()[:MOST_QUERY]
    with ctx.look() as tx:
        if not text:
            rows = journal.newest(tx, scope, before, PAGE + 1)
        elif "@" in text:
            value = unicodedata.normalize("NFC", text).casefold()
            rows = journal.with_identity(tx, scope, "email", value, PAGE)
        else:
            rows = journal.listed(tx, scope, _one(ctx, tx, scope, text))
        shown = rows[:PAGE]
        entries = _entries(ctx, tx, scope, shown)
        # Counting them all takes as long as there are many; whoever looks for one does not ask how many there are.
        total = None if text or before is not None else journal.count(tx, scope)
    more = shown[-1].id if len(rows) > PAGE else None
    return Found(tuple(entries), more, total)


def _one(ctx: Context, tx: Tx, scope: Scope, text: str) -> list[int]:
    try:
        if text.startswith("mem_"):
            return [members.member_by_public(tx, scope, text).id]
        found = scanning.found_by(tx, scope, text, ctx.now())
        return [] if found is None else [found.id]
    except (NotFound, Invalid):
        return []


def _entries(ctx: Context, tx: Tx, scope: Scope, rows: Sequence[Listed]) -> list[Entry]:
    ids = [row.id for row in rows]
    names, emails = card_names(ctx, tx, ids), journal.emails_of(tx, ids)
    amounts, visits = ledger.amounts(tx, ids), journal.last_visits(tx, scope, ids)
    versions = {row.id: row.version_id for row in members.members_by_id(tx, ids).values()}
    return [
        Entry(
            row,
            names.get(row.id, ""),
            emails.get(row.id),
            amounts.get(row.id, {}),
            ctx.programme(tx, versions[row.id]),
            visits.get(row.id),
        )
        for row in rows
    ]


def portrait(ctx: Context, scope: Scope, public_id: str, before: int | None = None) -> Portrait:
    """One member with a page of history (before that entry's key). Raises `NotFound` for a stranger's."""
    with ctx.look() as tx:
        found = members.member_by_public(tx, scope, public_id)
        row = journal.listed(tx, scope, [found.id])[0]
        owned = journal.cards_of(tx, [row.id]).get(row.id, [])
        lines = journal.history(tx, scope, row.id, before, LINES + 1)
        homes = parties.stores_by_id(tx, [] if found.home_store_id is None else [found.home_store_id])
        return Portrait(
            row,
            _name(ctx, tx, owned[0]) if owned else "",
            journal.emails_of(tx, [row.id]).get(row.id),
            members.first_names(tx, [row.id]).get(row.id),
            homes[0].name if homes else None,
            found.programme_public_id,
            ctx.programme(tx, found.version_id),
            ledger.amounts(tx, [row.id]).get(row.id, {}),
            tuple((card, _name(ctx, tx, card)) for card in owned),
            tuple(journal.consents_of(tx, row.id, MOST_CONSENTS)),
            _history(ctx, tx, scope, row.id, lines, before),
            lines[LINES - 1].id if len(lines) > LINES else None,
            tuple(deeds.about(tx, scope, row.public_id, ENDS)),
            counter_deeds.names(tx, scope, [about for line in lines for about in (line.sale, line.public_id) if about]),
        )


def _history(
    ctx: Context, tx: Tx, scope: Scope, member_id: int, lines: Sequence[Line], before: int | None
) -> tuple[Told | OfCoupon, ...]:
    """A page of what was booked, with what became of the member's coupons in the same time, the newest first."""
    shown = lines[:LINES]
    until = None if before is None else journal.recorded_at(tx, member_id, before)
    since = shown[-1].recorded_at if len(lines) > LINES else None
    events = coupons.history(tx, scope, member_id, since, until, MOST_OF_COUPONS)
    told: list[tuple[datetime, Told | OfCoupon]] = [
        *((line.recorded_at, Told(line, ctx.programme(tx, line.version_id))) for line in shown),
        *((event.at, OfCoupon(event, ctx.programme(tx, event.version_id))) for event in events),
    ]
    return tuple(one for _, one in sorted(told, key=lambda pair: pair[0], reverse=True))


def call(ctx: Context, scope: Scope, member: str, name: str) -> None:
    """How this member wants to be called; an empty name forgets it. Raises `Invalid` (`bad-name`) and `NotFound`."""
    name = " ".join(name.split())
    if len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(f"Write a first name of at most {MAX_NAME} letters.", code="bad-name", field="first_name")
    with ctx.change() as tx:
        found = members.member_by_public(tx, scope, member)
        members.lock_member(tx, found.id)
        members.set_first_name(tx, found.programme_id, found.id, name or None)
        _tell(ctx, tx, found.id)
    ctx.ring()


def _tell(ctx: Context, tx: Tx, member_id: int) -> None:
    """What stands on the member's cards may say the name; to a vendor that cards are pushed to it is told beside them,
    so that it is told again though they are the same, and of those too that are over. Passes first, then publications,
    then jobs, each in the order of their keys."""
    now = ctx.now()
    kept = vendors.put_of(tx, member_id, [name for name in ctx.wallets if ctx.pushes(name)])
    passes.lock_passes(tx, {*kept, *recovery.copies(tx, member_id)})
    turns = {key: max(now, quiet or now) for key, quiet in passes.bump(tx, member_id, 0)}
    for key in kept:
        passes.ring_again(tx, key, new_tag=False)
    turns = dict.fromkeys(kept, now) | turns
    jobs.put(tx, [jobs.Put(cards.REFRESH, str(key), jobs.SERVICE, at) for key, at in turns.items()])
