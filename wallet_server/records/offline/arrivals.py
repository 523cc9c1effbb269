"""Owns what tills without a network brought: the events that their devices signed, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.offline.till_devices import DeviceRow
from wallet_server.records.schema import (
    offline_devices,
    offline_events,
    offline_fates,
    staff,
    stores,
    tills,
)
from wallet_server.records.scope import Scope

WAITING, APPLIED, CONFLICT, REFUSED = "waiting", "applied", "conflict", "refused"
SALE, REDEMPTION, UNREADABLE = "sale", "redemption", "unreadable"
NO_NUMBER = 0
"""Of what stands outside the numbers of its device, which begin at 1."""
MOST_WAITING, MOST_OF_ONE = 20_000, 100
"""Looked at in one go, of all devices and of each; what of one is beyond has a higher number and waits for the next."""


@dataclass(frozen=True)
class NewEvent:
    """What a device signed; `cipher` holds the text as it came and as it was read."""

    public_id: str
    device_id: int
    sequence: int
    kind: str
    text_sha256: bytes
    signature: bytes
    at: datetime
    skew_ms: int
    received_at: datetime


@dataclass(frozen=True)
class EventRow:
    """An event and what became of it."""

    id: int
    public_id: str
    device_id: int
    device: str
    api_key: str
    account_id: int
    merchant_id: int
    till: str
    till_name: str
    store: str
    sequence: int
    kind: str
    cipher: str | None
    at: datetime
    received_at: datetime
    state: str
    why: str | None
    params: Mapping[str, Any]
    booked: str | None
    late: bool
    decision: str | None
    note: str | None
    decided_by: str | None
    decided_by_name: str | None
    decided_at: datetime | None


def add(tx: Tx, new: NewEvent, device: DeviceRow, cipher: str) -> int:
    """Store an event that waits to be applied, with the sealed text; its key."""
    key = tx.execute(sa.insert(offline_events).values(vars(new)).returning(offline_events.c.id)).scalar_one()
    fate = {"event_id": key, "account_id": device.account_id, "merchant_id": device.merchant_id, "params": {}}
    tx.execute(sa.insert(offline_fates).values({**fate, "text_cipher": cipher, "state": WAITING}))
    return int(key)


def received(tx: Tx, device_id: int, first: int, last: int) -> list[int]:
    """Which numbers from `first` to `last` are there."""
    own = offline_events.c.device_id == device_id
    query = sa.select(offline_events.c.sequence).where(own, offline_events.c.sequence.between(first, last)).distinct()
    return list(tx.execute(query).scalars())


_EVENTS = (
    sa.select(
        offline_events,
        *(one for one in offline_fates.c if one.name != "id"),
        offline_devices.c.public_id.label("device"),
        offline_devices.c.api_key,
        tills.c.public_id.label("till"),
        tills.c.name.label("till_name"),
        stores.c.name.label("store"),
        staff.c.name.label("decided_by_name"),
    )
    .join(offline_fates, offline_fates.c.event_id == offline_events.c.id)
    .join(offline_devices, offline_devices.c.id == offline_events.c.device_id)
    .join(tills, tills.c.id == offline_devices.c.till_id)
    .join(stores, stores.c.id == tills.c.store_id)
    .outerjoin(staff, offline_fates.c.decided_by == sa.literal("staff:") + staff.c.public_id)
)


def _event(r: sa.Row) -> EventRow:  # type: ignore[type-arg]
    return EventRow(
        r.id,
        r.public_id,
        r.device_id,
        r.device,
        r.api_key,
        r.account_id,
        r.merchant_id,
        r.till,
        r.till_name,
        r.store,
        r.sequence,
        r.kind,
        r.text_cipher,
        r.at,
        r.received_at,
        r.state,
        r.why,
        r.params or {},
        r.booked,
        r.late,
        r.decision,
        r.note,
        r.decided_by,
        r.decided_by_name,
        r.decided_at,
    )


def known(tx: Tx, scope: Scope, hashes: Collection[bytes]) -> dict[bytes, EventRow]:
    """Which of these texts devices of the caller's till brought before, by their SHA-256."""
    here = sa.and_(offline_devices.c.account_id == scope.account_id, offline_devices.c.till_id == scope.till_id)
    own = offline_events.c.device_id.in_(sa.select(offline_devices.c.id).where(here).scalar_subquery())
    query = _EVENTS.where(own, offline_events.c.text_sha256.in_(list(hashes)))
    return {bytes(r.text_sha256): _event(r) for r in tx.execute(query)}


def event_by_id(tx: Tx, key: int) -> EventRow:
    return _event(tx.execute(_EVENTS.where(offline_events.c.id == key)).one())


_NTH = (
    sa.select(
        offline_fates.c.event_id,
        sa.func.row_number()
        .over(partition_by=offline_events.c.device_id, order_by=(offline_events.c.sequence, offline_events.c.id))
        .label("nth"),
    )
    .join(offline_events, offline_events.c.id == offline_fates.c.event_id)
    .where(offline_fates.c.state == sa.literal_column("'waiting'"), offline_fates.c.account_id == b("account"))
    .subquery()
)


def listing(most_of_one: int) -> sa.Select[Any]:
    """The query for what waits in an account, up to so many of each device."""
    return (
        _EVENTS.join(_NTH, _NTH.c.event_id == offline_events.c.id)
        .where(_NTH.c.nth <= most_of_one)
        .order_by(offline_events.c.device_id, offline_events.c.sequence, offline_events.c.id)
        .limit(MOST_WAITING)
    )


_WAITING = listing(MOST_OF_ONE)


def waiting(tx: Tx, account_id: int) -> list[EventRow]:
    """What waits to be applied in this account, device by device in the order of their numbers, up to `MOST_OF_ONE` of
    each."""
    return [_event(r) for r in tx.execute(_WAITING, {"account": account_id})]


def missing_since(tx: Tx, device_ids: Collection[int]) -> dict[int, datetime]:
    """Device to when the first came that is numbered higher than what is missing of it; nothing where none is."""
    query = (
        sa.select(offline_events.c.device_id, sa.func.min(offline_events.c.received_at).label("since"))
        .join(offline_devices, offline_devices.c.id == offline_events.c.device_id)
        .where(
            offline_events.c.device_id.in_(list(device_ids)),
            offline_events.c.sequence >= offline_devices.c.next_sequence,
        )
        .group_by(offline_events.c.device_id)
    )
    return {r.device_id: r.since for r in tx.execute(query)}


def waits(tx: Tx, account_id: int) -> bool:
    """Whether anything waits."""
    query = sa.select(offline_fates.c.event_id).where(
        offline_fates.c.state == sa.literal_column("'waiting'"), offline_fates.c.account_id == account_id
    )
    return tx.execute(query.limit(1)).first() is not None


def accounts_waiting(tx: Tx, most: int) -> list[int]:
    """Accounts in which something waits."""
    query = sa.select(offline_fates.c.account_id).where(offline_fates.c.state == sa.literal_column("'waiting'"))
    return list(tx.execute(query.distinct().limit(most)).scalars())


@dataclass(frozen=True)
class Fate:
    """What became of an event: `why` and `params` are the code and the facts of what stands against it."""

    state: str
    why: str | None = None
    params: Mapping[str, Any] | None = None
    booked: str | None = None
    late: bool = False


def settle(tx: Tx, event_id: int, fate: Fate, now: datetime) -> bool:
    """It waits no more; whether it did until now. What was settled before stays so."""
    values = {**vars(fate), "params": dict(fate.params or {}), "settled_at": now}
    waits_still = sa.and_(offline_fates.c.event_id == event_id, offline_fates.c.state == WAITING)
    return tx.execute(sa.update(offline_fates).where(waits_still).values(values)).rowcount == 1


def forget_texts(tx: Tx, before: datetime, most: int) -> int:
    """Throw away up to `most` texts of what was counted or refused before then; how many."""
    done = sa.and_(offline_fates.c.text_cipher.is_not(None), offline_fates.c.settled_at < before)
    some = sa.select(offline_fates.c.id).where(done, offline_fates.c.state.in_((APPLIED, REFUSED))).limit(most)
    return tx.execute(
        sa.update(offline_fates).where(offline_fates.c.id.in_(some.scalar_subquery())).values(text_cipher=None)
    ).rowcount


def decide(tx: Tx, event_id: int, values: Mapping[str, Any]) -> None:
    """A person settled it, or noted something."""
    tx.execute(sa.update(offline_fates).where(offline_fates.c.event_id == event_id).values(**values))


def decide_own(tx: Tx, event_id: int, by: str, at: datetime, values: Mapping[str, Any]) -> bool:
    """The same by whoever began to settle it then; whether it is still theirs to settle."""
    own = sa.and_(offline_fates.c.decided_by == by, offline_fates.c.decided_at == at)
    still = sa.and_(offline_fates.c.event_id == event_id, offline_fates.c.state == CONFLICT, own)
    return tx.execute(sa.update(offline_fates).where(still).values(**values)).rowcount == 1


def conflicts(tx: Tx, scope: Scope, most: int, after: int = 0) -> list[EventRow]:
    """What waits for a person of this merchant's, the oldest first."""
    query = _EVENTS.where(
        offline_fates.c.state == sa.literal_column("'conflict'"),
        offline_fates.c.merchant_id == scope.merchant_id,
        offline_fates.c.event_id > after,
    )
    return [_event(r) for r in tx.execute(query.order_by(offline_fates.c.event_id).limit(most))]


def settled_by_hand(tx: Tx, scope: Scope, most: int) -> list[EventRow]:
    """What people settled last, the newest first."""
    by_hand = sa.and_(offline_fates.c.decided_at.is_not(None), offline_fates.c.state != CONFLICT)
    query = _EVENTS.where(by_hand, offline_fates.c.merchant_id == scope.merchant_id)
    newest = offline_fates.c.decided_at.desc(), offline_fates.c.event_id.desc()
    return [_event(r) for r in tx.execute(query.order_by(*newest).limit(most))]


def event_in(tx: Tx, scope: Scope, public_id: str, *, hold: bool = False) -> EventRow:
    """One of this merchant's. Raises `NotFound`."""
    query = _EVENTS.where(offline_events.c.public_id == public_id, offline_fates.c.merchant_id == scope.merchant_id)
    if hold and tx.dialect.name != "sqlite":
        query = query.with_for_update(of=offline_fates)
    found = tx.execute(query).first()
    if found is None:
        raise NotFound("There is no such event.", field="id")
    return _event(found)
