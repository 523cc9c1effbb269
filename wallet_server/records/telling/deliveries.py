"""Owns the rows of what merchants' addresses are told: the events, their deliveries and every try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    participations,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"


@dataclass(frozen=True)
class NewEvent:
    """Something that happened; `merchant_id` None where it concerns every merchant of the programme."""

    public_id: str
    programme_id: int | None
    merchant_id: int | None
    kind: str
    body: str
    at: datetime


@dataclass(frozen=True)
class DeliveryRow:
    """One event on its way to one address; `round` moves with every replay."""

    id: int
    public_id: str
    endpoint_id: int
    event: str
    kind: str
    body: str
    state: str
    round: int
    tries: int
    attempts: int
    created_at: datetime
    next_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True)
class AttemptRow:
    """One try: the status and the beginning of the answer, or why there was none."""

    number: int
    at: datetime
    status: int | None
    milliseconds: int
    answer: str | None
    fault: str | None


def wanting(tx: Tx, event: NewEvent) -> list[int]:
    """Keys of the addresses that are to be told of this, oldest first."""
    table = webhook_endpoints
    query = (
        sa.select(table.c.id, table.c.kinds)
        .join(participations, participations.c.merchant_id == table.c.merchant_id)
        .where(
            table.c.enabled,
            table.c.deleted_at.is_(None),
            participations.c.programme_id == event.programme_id,
            participations.c.left_at.is_(None),
            *([] if event.merchant_id is None else [table.c.merchant_id == event.merchant_id]),
        )
        .order_by(table.c.id)
    )
    return [r.id for r in tx.execute(query) if event.kind in r.kinds]


def add_event(tx: Tx, event: NewEvent, to: Mapping[int, str], now: datetime) -> list[int]:
    """Write an event and its delivery to each of these addresses (by key: the public id of the delivery); returns the
    keys of the deliveries. `now` is everybody's time, which the event's own may be ahead of."""
    made = tx.execute(sa.insert(webhook_events).returning(webhook_events.c.id), vars(event)).scalar_one()
    plain = {"event_id": made, "state": WAITING, "created_at": now, "next_at": now}
    statement = sa.insert(webhook_deliveries).returning(webhook_deliveries.c.id)
    return [
        int(tx.execute(statement, {**plain, "endpoint_id": key, "public_id": name}).scalar_one())
        for key, name in to.items()
    ]


_DELIVERY = sa.select(
    webhook_deliveries, webhook_events.c.public_id.label("event"), webhook_events.c.kind, webhook_events.c.body
).join(webhook_events, webhook_events.c.id == webhook_deliveries.c.event_id)


def deliveries_by_id(tx: Tx, ids: Sequence[int]) -> dict[int, DeliveryRow]:
    return {r.id: _delivery(r) for r in tx.execute(_DELIVERY.where(webhook_deliveries.c.id.in_(list(ids))))}


def deliveries_of(
    tx: Tx, endpoint_id: int, state: str | None, before: int | None, most: int, kind: str | None = None
) -> list[DeliveryRow]:
    """The newest deliveries to an address, before the one with this key."""
    table = webhook_deliveries
    query = _DELIVERY.where(table.c.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(table.c.state == state)
    if kind is not None:
        query = query.where(webhook_events.c.kind == kind)
    if before is not None:
        query = query.where(table.c.id < before)
    return [_delivery(r) for r in tx.execute(query.order_by(table.c.id.desc()).limit(most))]


def delivery_in(tx: Tx, endpoint_id: int, public_id: str) -> DeliveryRow:
    """One delivery to an address. Raises `NotFound`."""
    table = webhook_deliveries
    row = tx.execute(_DELIVERY.where(table.c.endpoint_id == endpoint_id, table.c.public_id == public_id)).first()
    if row is None:
        raise NotFound("There is no such delivery to this webhook.", field="delivery")
    return _delivery(row)


def _delivery(r: Any) -> DeliveryRow:
    return DeliveryRow(
        r.id,
        r.public_id,
        r.endpoint_id,
        r.event,
        r.kind,
        r.body,
        r.state,
        r.round,
        r.tries,
        r.attempts,
        r.created_at,
        r.next_at,
        r.settled_at,
    )


def add_attempt(tx: Tx, row: DeliveryRow, attempt: AttemptRow, state: str, next_at: datetime | None) -> None:
    """Note a try, and how the delivery stands by it unless it was replayed while the try went on."""
    table = webhook_deliveries
    # First: two workers at one delivery (a lease that ran out) take turns here and count on.
    number = tx.execute(
        sa.update(table).where(table.c.id == row.id).values(attempts=table.c.attempts + 1).returning(table.c.attempts)
    ).scalar_one()
    tx.execute(sa.insert(webhook_attempts), {**vars(attempt), "number": number, "delivery_id": row.id})
    settled = None if state == WAITING else attempt.at
    tx.execute(
        sa.update(table)
        .where(table.c.id == row.id, table.c.round == row.round, table.c.state == WAITING)
        .values(state=state, tries=table.c.tries + 1, next_at=next_at, settled_at=settled)
    )


def bury(tx: Tx, row: DeliveryRow, at: datetime) -> None:
    """Nobody is to be told any more: the address was turned off."""
    table = webhook_deliveries
    tx.execute(
        sa.update(table)
        .where(table.c.id == row.id, table.c.round == row.round, table.c.state == WAITING)
        .values(state=DEAD, next_at=None, settled_at=at)
    )


def attempts_of(tx: Tx, delivery_ids: Sequence[int], most: int) -> dict[int, list[AttemptRow]]:
    """The tries of these deliveries, the newest `most` of each, oldest first."""
    table, found = webhook_attempts, {key: list[AttemptRow]() for key in delivery_ids}
    newest = webhook_deliveries.c.attempts - most
    rows = tx.execute(
        sa.select(table)
        .join(webhook_deliveries, webhook_deliveries.c.id == table.c.delivery_id)
        .where(table.c.delivery_id.in_(list(delivery_ids)), table.c.number > newest)
        .order_by(table.c.delivery_id, table.c.number)
    )
    for r in rows:
        found[r.delivery_id].append(AttemptRow(r.number, r.at, r.status, r.milliseconds, r.answer, r.fault))
    return found


def replay(
    tx: Tx,
    endpoint_id: int,
    now: datetime,
    *,
    span: tuple[datetime, datetime],
    states: Sequence[str],
    after: int,
    most: int,
) -> list[int]:
    """Make up to `most` deliveries that were settled, of events told within this span, wait anew; returns their
    keys."""
    table = webhook_deliveries
    query = (
        sa.select(table.c.id)
        .where(
            table.c.endpoint_id == endpoint_id,
            table.c.created_at.between(*span),
            table.c.state.in_(list(states)),
            table.c.id > after,
        )
        .order_by(table.c.id)
        .limit(most)
    )
    ids = list(tx.execute(query).scalars())
    put_again(tx, ids, now)
    return ids


def put_again(tx: Tx, ids: Sequence[int], now: datetime) -> None:
    """These deliveries wait anew, with all their tries before them."""
    table = webhook_deliveries
    fresh = {"state": WAITING, "round": table.c.round + 1, "tries": 0, "next_at": now, "settled_at": None}
    if ids:
        tx.execute(sa.update(table).where(table.c.id.in_(list(ids))).values(**fresh))


def forget_deliveries(tx: Tx, before: datetime, most: int) -> int:
    """Throw away up to `most` deliveries that were taken or given up before then, with their tries, and each event with
    the last of its deliveries; returns how many. What happened stands in the books and in the journals: an event is
    what was said of it."""
    table, events = webhook_deliveries, webhook_events
    old = sa.select(table.c.id, table.c.event_id).where(
        table.c.state.in_((DELIVERED, DEAD)), table.c.settled_at < before
    )
    found = tx.execute(old.order_by(table.c.id).limit(most)).all()
    if found:
        ids = [r.id for r in found]
        tx.execute(sa.delete(webhook_attempts).where(webhook_attempts.c.delivery_id.in_(ids)))
        tx.execute(sa.delete(table).where(table.c.id.in_(ids)))
        told = sa.exists().where(table.c.event_id == events.c.id)
        tx.execute(sa.delete(events).where(events.c.id.in_({r.event_id for r in found}), ~told))
    return len(found)


def forget_attempts(tx: Tx, before: datetime, most: int) -> int:
    """Throw away up to `most` tries that are older; what an address answered may hold anything."""
    table = webhook_attempts
    old = tx.execute(sa.select(table.c.delivery_id, table.c.number).where(table.c.at < before).limit(most)).all()
    for r in old:
        tx.execute(sa.delete(table).where(table.c.delivery_id == r.delivery_id, table.c.number == r.number))
    return len(old)
