"""Owns what is measured for whoever watches an installation: each figure by an index, none by walking a large table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.jobs import LANES, instant, micros
from wallet_server.records.schema import credential_sets, jobs
from wallet_server.records.vendors.credentials import APPLE

MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Depth:
    """One lane of the outbox; counts stop at `MOST_COUNTED`, and what a worker has in hand counts as due. `oldest` is
    when the job was due that waits for longest to be claimed."""

    lane: int
    due: int
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True)
class Ends:
    """When a certificate in use ends (UTC)."""

    public_id: str
    pass_type: str
    not_after: datetime


def depths(tx: Tx, now: datetime) -> list[Depth]:
    """Every lane, from the index by which jobs are claimed."""
    at = micros(now)
    found = []
    for lane in LANES:
        alive = sa.and_(jobs.c.lane == lane, jobs.c.dead_at.is_(None))
        free = sa.and_(alive, jobs.c.due_at <= at, jobs.c.leased_until <= at)
        oldest = tx.execute(sa.select(jobs.c.due_at).where(free).order_by(jobs.c.due_at).limit(1)).scalar()
        due, waiting = (_counted(tx, sa.and_(alive, when)) for when in (jobs.c.due_at <= at, jobs.c.due_at > at))
        since = None if oldest is None else instant(oldest)
        found.append(Depth(lane, due, waiting, since))
    return found


def dead(tx: Tx) -> int:
    """Jobs that were given up, up to `MOST_COUNTED`."""
    return _counted(tx, jobs.c.dead_at.is_not(None))


def _counted(tx: Tx, which: sa.ColumnElement[bool]) -> int:
    some = sa.select(sa.literal(1).label("one")).select_from(jobs).where(which).limit(MOST_COUNTED).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def certificates(tx: Tx) -> list[Ends]:
    """Every set in use; there are as many as merchants with a certificate of their own."""
    table = credential_sets
    query = sa.select(table.c.public_id, table.c.pass_type, table.c.not_after)
    query = query.where(table.c.retired_at.is_(None), table.c.wallet == APPLE)
    return [Ends(r.public_id, r.pass_type, r.not_after) for r in tx.execute(query.order_by(table.c.id))]
