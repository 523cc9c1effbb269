"""Owns what of a time without a network is for a person: shown with what stands against it, and settled once, by
somebody whose name stands in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import rotating, scanning
from wallet_server.actions.offline import booking
from wallet_server.actions.staff.roles import AT_TILL, VOUCH
from wallet_server.errors import Conflict, Forbidden, Invalid, WalletError
from wallet_server.records.counter import shifts
from wallet_server.records.database import Tx
from wallet_server.records.offline import arrivals
from wallet_server.records.offline.arrivals import APPLIED, CONFLICT, REFUSED, EventRow, Fate
from wallet_server.records.scope import Cashier, Scope
from wallet_server.records.staff import deeds

ACCEPT, REFUSE, NOTE = "accept", "refuse", "note"
MOST, MOST_SETTLED, MOST_NOTE = 200, 20, 500
BUSY = timedelta(seconds=60)
"""How long somebody else waits for one who is having an event booked."""


@dataclass(frozen=True)
class Case:
    """An event that a person settles or settled. `number` is its receipt or reference, `money` and `amount_minor` of a
    sale, `units` or `reward` of a redemption, `member` who holds the card, as far as that is known."""

    id: str
    kind: str
    at: datetime
    received_at: datetime
    store: str
    till: str
    device: str
    sequence: int
    state: str
    why: str | None
    number: str
    money: str | None
    amount_minor: int | None
    units: int | None
    reward: str | None
    member: str | None
    late: bool
    booked: str | None
    decision: str | None
    note: str | None
    by: str | None
    decided_at: datetime | None


def cases(ctx: Context, scope: Scope) -> list[Case]:
    """What waits for a person, the oldest first."""
    with ctx.look() as tx:
        return [_case(ctx, tx, scope, row) for row in arrivals.conflicts(tx, scope, MOST)]


def settled(ctx: Context, scope: Scope) -> list[Case]:
    """What people settled last."""
    with ctx.look() as tx:
        return [_case(ctx, tx, scope, row) for row in arrivals.settled_by_hand(tx, scope, MOST_SETTLED)]


def _case(ctx: Context, tx: Tx, scope: Scope, row: EventRow) -> Case:
    said = _said(ctx, row)
    return Case(
        row.public_id,
        row.kind,
        row.at,
        row.received_at,
        row.store,
        row.till_name,
        row.device,
        row.sequence,
        row.state,
        row.why,
        said.get("receipt") or said.get("reference") or "",
        said.get("money"),
        said.get("amount_minor"),
        said.get("amount") or None,
        said.get("reward"),
        _member(ctx, tx, scope, said.get("code")),
        row.late,
        row.booked,
        row.decision if row.state != CONFLICT else None,
        row.note,
        row.decided_by_name,
        row.decided_at,
    )


def _said(ctx: Context, row: EventRow) -> Mapping[str, Any]:
    if row.cipher is None:
        return {}
    found: Mapping[str, Any] | None = orjson.loads(ctx.keyring.open(row.cipher, f"offline:{row.public_id}"))["said"]
    return found or {}


def _member(ctx: Context, tx: Tx, scope: Scope, code: str | None) -> str | None:
    if code is None:
        return None
    try:
        found = scanning.found_by(tx, scope, rotating.bare(code), ctx.now())
    except WalletError:
        return None
    return None if found is None else found.public_id


def settle(ctx: Context, scope: Scope, event: str, decision: str, note: str | None) -> Case:
    """Have an event booked after all (`accept`), leave it unbooked for good (`refuse`), or write something beside it
    (`note`). Who and when stands in the journal; the same again changes nothing.

    The word of a person who may vouch is a second proof for an older issue of a card. Raises `Conflict`
    (`already-settled`, `being-settled`; and as `booking.book` does, when it cannot be booked: then it waits on),
    `Forbidden` (`vouch-needed`: who accepts it may not vouch) and `NotFound`.
    """
    keys.require(scope, "manage")
    if decision not in (ACCEPT, REFUSE, NOTE):
        raise Invalid("Accept it, refuse it, or write a note.", code="unknown-decision", field="decision")
    if decision == NOTE and not note:
        raise Invalid("Write the note.", code="note-needed", field="note")
    now = ctx.now()
    row = _claim(ctx, scope, event, decision, note, now)
    if row is not None and decision == ACCEPT:
        _accept(ctx, scope, row, now)
    ctx.ring()
    with ctx.look() as tx:
        return _case(ctx, tx, scope, arrivals.event_in(tx, scope, event))


def _claim(ctx: Context, scope: Scope, event: str, decision: str, note: str | None, now: datetime) -> EventRow | None:
    """The event, now this person's to settle; None where it was settled so before."""
    with ctx.change() as tx:
        row = arrivals.event_in(tx, scope, event, hold=True)
        words = {} if note is None else {"note": note[:MOST_NOTE]}
        if decision == NOTE:
            arrivals.decide(tx, row.id, words)
            deeds.add(tx, scope, deeds.OFFLINE_NOTED, now, about=event)
            return None
        if row.state != CONFLICT:
            if row.decision == decision:
                return None
            raise Conflict("Somebody settled this already.", code="already-settled", facts={"state": row.state})
        if row.decision is not None and row.decided_at is not None and now - row.decided_at < BUSY:
            raise Conflict("Somebody is settling this at the moment.", code="being-settled")
        values = {"decision": decision, "decided_by": scope.principal, "decided_at": now, **words}
        if decision == REFUSE:
            values["state"] = REFUSED
            deeds.add(tx, scope, deeds.OFFLINE_REFUSED, now, about=event)
        arrivals.decide(tx, row.id, values)
        return row


def _accept(ctx: Context, scope: Scope, row: EventRow, since: datetime) -> None:
    """Book it, as long as it is this person's to settle, who began `since` then: who came after them has the say."""

    def finish(tx: Tx, fate: Fate) -> None:
        if not arrivals.decide_own(tx, row.id, scope.principal, since, _values(fate)):
            raise Conflict("Somebody else has settled this meanwhile.", code="already-settled")
        deeds.add(tx, scope, deeds.OFFLINE_ACCEPTED, ctx.now(), about=row.public_id)

    with ctx.look() as tx:
        word = _word(tx, scope)
    try:
        booking.book(ctx, row, finish, by_hand=True, word=word)
    except WalletError as refusal:
        with ctx.change() as tx:
            nobody = {"decision": None, "decided_by": None, "decided_at": None}
            arrivals.decide_own(tx, row.id, scope.principal, since, nobody)
        if refusal.code != "second-proof-needed":
            raise
        sentence = "This card is not up to date: an owner, signed in to the console, may vouch for its holder."
        raise Forbidden(sentence, code="vouch-needed") from refusal


def _word(tx: Tx, scope: Scope) -> Cashier | None:
    """Who accepts, where it is a person whose role may vouch for a member."""
    kind, _, person = scope.principal.partition(":")
    row = shifts.person(tx, scope, person) if kind == "staff" else None
    may = frozenset() if row is None else AT_TILL.get(row.role, frozenset())
    return Cashier(row.id, row.public_id, row.name, row.role, may, "") if row is not None and VOUCH in may else None


def _values(fate: Fate) -> dict[str, Any]:
    return {"state": APPLIED, "params": dict(fate.params or {}), "booked": fate.booked}
