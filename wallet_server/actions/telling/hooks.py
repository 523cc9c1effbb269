"""Owns telling merchants' own systems what happened: an event with the change itself, and a job for each address.

Bodies hold ids and numbers, no personal data. What a merchant's till or system did is told to that merchant alone; what
concerns a member of the programme (`merchant_id` None) to every merchant that takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Put
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.telling import deliveries, webhooks
from wallet_server.records.telling.deliveries import NewEvent
from wallet_server.rules import webhooks as rules
from wallet_server.rules.webhooks import (
    COUNTED,
    EXPIRING,
    GOODWILL,
    ISSUED,
    JOINED,
    MERGED,
    REDEEMED,
    REFUNDED,
    REMOVED,
    SAVED,
    TIER,
    UNGIVEN,
    UNREDEEMED,
    UNUSED,
    USED,
)

__all__ = [
    "COUNTED",
    "DELIVER",
    "EXPIRING",
    "GOODWILL",
    "ISSUED",
    "JOINED",
    "MERGED",
    "REDEEMED",
    "REFUNDED",
    "REMOVED",
    "SAVED",
    "TIER",
    "UNGIVEN",
    "UNREDEEMED",
    "UNUSED",
    "USED",
    "tell",
    "tell_of_member",
    "tell_of_pass",
]

DELIVER = "webhook"
Facts = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
"""What a body says, or what gives it: asked only when somebody is to be told."""


def tell(
    ctx: Context, tx: Tx, kind: str, programme_id: int, merchant_id: int | None, now: datetime, facts: Facts
) -> None:
    """In the transaction of a change: tell it to whoever asked to be told. Costs no statement where nobody did (see
    `actions.telling.listeners` for what that guarantees); rings no bell, as the change itself does."""
    if ctx.listeners.wanting(tx, kind, programme_id, merchant_id):
        _write(ctx, tx, kind, programme_id, merchant_id, now, facts)


def tell_of_member(ctx: Context, tx: Tx, kind: str, member_id: int, now: datetime, facts: Facts) -> None:
    """The same for whoever knows only the key of the member, whose id the facts then begin with."""
    if not ctx.listeners.wanting(tx, kind, None, None):
        return
    member, programme_id = webhooks.member_named(tx, member_id)
    if ctx.listeners.wanting(tx, kind, programme_id, None):
        said = facts() if callable(facts) else facts
        _write(ctx, tx, kind, programme_id, None, now, {"member": member, **said})


def tell_of_pass(ctx: Context, tx: Tx, kind: str, row: PassRow, now: datetime) -> None:
    """A pass is on a device from now on, or on one less."""
    tell_of_member(ctx, tx, kind, row.member_id, now, {"pass": row.public_id, "of": row.kind, "wallet": row.wallet})


def _write(
    ctx: Context, tx: Tx, kind: str, programme_id: int, merchant_id: int | None, now: datetime, facts: Facts
) -> None:
    event = NewEvent(new_id("evt"), programme_id, merchant_id, kind, "", now)
    to = deliveries.wanting(tx, event)
    if to:
        known = webhooks.parties_of(tx, programme_id, merchant_id)
        said = facts() if callable(facts) else facts
        body = rules.body(event.public_id, kind, now, known.mode, known.merchant, known.programme, said)
        put(ctx, tx, replace(event, body=body), to)


def put(ctx: Context, tx: Tx, event: NewEvent, to: Sequence[int]) -> list[str]:
    """Write an event and, for each of these addresses, a delivery with its job; returns what the deliveries are
    called."""
    names = {key: new_id("del") for key in to}
    made = deliveries.add_event(tx, event, names, ctx.clock())
    # A job for each delivery: one for each address would be a row that all tills of a merchant wait for.
    jobs.put(tx, [Put(DELIVER, str(key), jobs.OUT, ctx.now()) for key in made])
    return list(names.values())
