"""Owns whose turn it is to apply what tills brought, in each account, and how far that has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import offline_devices, offline_queues


@dataclass(frozen=True)
class Queue:
    """The place of the last that was applied in an account, as (at, till, device, number), and who applies."""

    frontier: tuple[datetime, str, str, int] | None
    lease: int


def lease(tx: Tx, account_id: int, now: datetime, until: datetime) -> Queue | None:
    """Be the one who applies; None while somebody else is. Give it back by `release`."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    tx.execute(make(offline_queues).values(account_id=account_id).on_conflict_do_nothing(index_elements=["account_id"]))
    free = sa.or_(offline_queues.c.leased_until.is_(None), offline_queues.c.leased_until <= now)
    r = tx.execute(
        sa.update(offline_queues)
        .where(offline_queues.c.account_id == account_id, free)
        .values(leased_until=until, lease=offline_queues.c.lease + 1)
        .returning(offline_queues)
    ).first()
    if r is None:
        return None
    frontier = None
    if r.frontier_at is not None:
        frontier = (r.frontier_at, r.frontier_till, r.frontier_device, r.frontier_sequence)
    return Queue(frontier, r.lease)


def release(tx: Tx, account_id: int, lease: int) -> None:
    own = sa.and_(offline_queues.c.account_id == account_id, offline_queues.c.lease == lease)
    tx.execute(sa.update(offline_queues).where(own).values(leased_until=None))


def advance(
    tx: Tx,
    account_id: int,
    lease: int,
    until: datetime,
    device_id: int,
    at: datetime,
    place: tuple[datetime, str, str, int] | None,
) -> bool:
    """Something of this device was applied whose place in time is `at`; it is the last of all so far where its `place`
    is given. Whoever applies has until then for the next. False where somebody else applies by now: then what was done
    in this transaction must not stand."""
    values: dict[str, Any] = {"leased_until": until}
    if place is not None:
        names = ("frontier_at", "frontier_till", "frontier_device", "frontier_sequence")
        values |= dict(zip(names, place, strict=True))
    own = sa.and_(offline_queues.c.account_id == account_id, offline_queues.c.lease == lease)
    if tx.execute(sa.update(offline_queues).where(own).values(**values)).rowcount != 1:
        return False
    floor = sa.or_(offline_devices.c.floor_at.is_(None), offline_devices.c.floor_at < at)
    tx.execute(sa.update(offline_devices).where(offline_devices.c.id == device_id, floor).values(floor_at=at))
    return True


def hold_account(tx: Tx, account_id: int) -> None:
    """Until the end of the transaction nobody else reserves in this account."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    tx.execute(make(offline_queues).values(account_id=account_id).on_conflict_do_nothing(index_elements=["account_id"]))
    if tx.dialect.name != "sqlite":
        tx.execute(
            sa.select(offline_queues.c.account_id).where(offline_queues.c.account_id == account_id).with_for_update()
        )
