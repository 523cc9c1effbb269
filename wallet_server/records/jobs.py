"""Owns the outbox: one row per (kind, key), written in the transaction of the change that caused it.

Every put bumps the row's generation. A worker leases a row; settling deletes it only at the generation that was
claimed, else it runs once more: an update that comes meanwhile is not lost. `due_at` is the later of what holds a job
back (its own time, a vendor's rest). A lease is told apart: a claim writes nothing that is indexed, so that PostgreSQL
changes the row in its place, and no index of a queue grows with every job that passes through it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.clocks import instant as instant  # noqa: PLC0414 - everybody has these two from here
from wallet_server.records.clocks import micros as micros  # noqa: PLC0414
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import jobs, passes

AFAR, COUNTER, SERVICE, BULK, OUT, DRIP = -1, 0, 1, 2, 3, 4
"""Lanes: someone at a counter looks at the phone, whose card is put to a vendor or is not; ordinary upkeep; thousands
at once; messages to merchants' own systems; thousands at a vendor's rate (`soonest`)."""
LANES = (COUNTER, SERVICE, BULK, AFAR, OUT, DRIP)
_NO_WISH = 2**62
"""`run_at` of a claimed job: whatever is put while it runs brings its own time, kept when the lease is given back."""
NEVER = 2**62
"""When what a job tells of is over, of one that tells of nothing that runs out."""


@dataclass(frozen=True)
class Put:
    """A wish: run `kind` for `key` at `run_at` (UTC) or as soon after it as can be."""

    kind: str
    key: str
    lane: int
    run_at: datetime


class Lease(NamedTuple):
    """A claimed job: only this attempt may settle it, and only at this generation does settling end it."""

    id: int
    kind: str
    key: str
    lane: int
    generation: int
    attempt: int
    failures: int
    runs_out_at: int = NEVER


@dataclass(frozen=True)
class Again:
    """A job that has run wants to run once more at `at`, in that lane."""

    at: datetime
    lane: int


@dataclass(frozen=True)
class Letter:
    """A job as an operator sees it; `due_at` is when it can be claimed, or claimed anew."""

    id: int
    kind: str
    key: str
    lane: int
    failures: int
    due_at: datetime
    dead: bool
    last_error: str | None


def _greatest(dialect: str, *values: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return (sa.func.max if dialect == "sqlite" else sa.func.greatest)(*values)


def least(dialect: str, *values: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return (sa.func.min if dialect == "sqlite" else sa.func.least)(*values)


def _put_statement(dialect: str) -> sa.Insert:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    insert = make(jobs).values(
        kind=b("kind"), key=b("key"), lane=b("lane"), run_at=b("run_at"), due_at=b("run_at"), generation=1
    )
    return or_put_again(insert, dialect)


def or_put_again(insert: Any, dialect: str, **more: sa.ColumnElement[int]) -> sa.Insert:
    """The same for jobs that stand already: put again, at the earlier time and in the more urgent lane of the two."""
    run_at = least(dialect, jobs.c.run_at, insert.excluded.run_at)
    return insert.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["kind", "key"],
        set_={
            "generation": jobs.c.generation + 1,
            "lane": least(dialect, jobs.c.lane, insert.excluded.lane),
            "run_at": run_at,
            # A vendor's rest is kept: a new wish cannot shorten it.
            "due_at": _greatest(dialect, run_at, jobs.c.rest_until),
            # A dead letter starts anew: with its old failures the first stumble would bury it again.
            "failures": sa.case((jobs.c.dead_at.is_(None), jobs.c.failures), else_=0),
            "dead_at": None,
            **more,
        },
    )


_PUT = Prepared(_put_statement)


def put(tx: Tx, wishes: Iterable[Put]) -> None:
    """Write jobs in the caller's transaction, in a fixed order (so that two writers never wait for each other)."""
    rows = [
        {"kind": w.kind, "key": w.key, "lane": w.lane, "run_at": micros(w.run_at)}
        for w in sorted(wishes, key=lambda w: (w.kind, w.key))
    ]
    if rows:
        _PUT.many(tx, rows)


FREE = jobs.c.leased_until <= b("now", type_=sa.BigInteger)
"""No worker has it in hand, or none any more."""
_WAITING = sa.select(jobs.c.id).where(jobs.c.lane == b("of_lane"), jobs.c.due_at <= b("now")).order_by(jobs.c.due_at)


def leased(which: sa.Select[Any], dialect: str) -> sa.Executable:
    """Lease the first `most` of these jobs until `until`; returns what a `Lease` is made of."""
    due = which.where(jobs.c.dead_at.is_(None), FREE).limit(b("most"))
    if dialect != "sqlite":
        due = due.with_for_update(skip_locked=True)
    return (
        sa.update(jobs)
        .where(jobs.c.id.in_(due.scalar_subquery()))
        .values(attempt=jobs.c.attempt + 1, leased_until=b("until"), run_at=_NO_WISH)
        .returning(
            jobs.c.id,
            jobs.c.kind,
            jobs.c.key,
            jobs.c.lane,
            jobs.c.generation,
            jobs.c.attempt,
            jobs.c.failures,
            jobs.c.runs_out_at,
        )
    )


_CLAIM = Prepared(lambda dialect: leased(_WAITING, dialect))


def claim(tx: Tx, lane: int, most: int, now: datetime, lease_seconds: float) -> list[Lease]:
    """Lease up to `most` due jobs of a lane, those that are due for longest; given in the order in which `put` locks,
    so that whoever walks the batch and rests or buries each keeps that order too."""
    until = micros(now + timedelta(seconds=lease_seconds))
    return leases(_CLAIM.plain(tx, {"of_lane": lane, "now": micros(now), "most": most, "until": until}))


def leases(rows: Sequence[Sequence[Any]]) -> list[Lease]:
    """What was claimed, in the order in which `put` locks."""
    return [*map(Lease._make, sorted(sorted(rows, key=operator.itemgetter(2)), key=operator.itemgetter(1)))]


place: Callable[[Lease], tuple[str, str]] = operator.attrgetter("kind", "key")
"""Where a job stands in the order in which rows are locked."""


_MINE = sa.and_(jobs.c.attempt == b("of_attempt"), jobs.c.generation == b("at_generation"))
_SETTLE = Prepared(sa.delete(jobs).where(jobs.c.id == b("job"), _MINE))

_PLACES = sa.collate(jobs.c.kind, "C"), sa.collate(jobs.c.key, "C")
_HOLD = Prepared(
    lambda dialect: sa.select(jobs.c.id).where(among(dialect, jobs.c.id)).order_by(*_PLACES).with_for_update()
)
_END = Prepared(lambda dialect: sa.delete(jobs).where(among(dialect, jobs.c.id), _MINE))
_LEFT = Prepared(lambda dialect: sa.select(jobs.c.id).where(among(dialect, jobs.c.id)))


@dataclass(frozen=True)
class Rest:
    """Nothing wakes the job before `until`."""

    until: datetime
    why: str


def settle(
    tx: Tx,
    leases: Sequence[Lease],
    again: Mapping[int, Again] | None = None,
    rests: Mapping[int, Rest] | None = None,
) -> None:
    """End these jobs. One that was put again meanwhile runs at the time of that put; one whose id is in `again`
    runs once more (or at the put's instant, if that is sooner); one whose id is in `rests` was sent away by a vendor,
    which is no failure of its own. In the order in which `put` locks, so that the two never wait for each other."""
    again, rests = again or {}, rests or {}
    if len(leases) > 1:
        leases = _settled_together(tx, leases, again.keys() | rests.keys())
    back: list[tuple[Lease, Again | None]] = []
    for lease in sorted(leases, key=place):
        if lease.id in rests:
            rest(tx, lease, rests[lease.id].until, rests[lease.id].why, failed=False)
        elif lease.id in again:
            back.append((lease, again[lease.id]))
        elif not _SETTLE.run(tx, {"job": lease.id, "of_attempt": lease.attempt, "at_generation": lease.generation}):
            back.append((lease, None))
    _run_again(tx, back)


def _settled_together(tx: Tx, leases: Sequence[Lease], apart: AbstractSet[int]) -> list[Lease]:
    """Hold them all in the order of `put`, then end those that nothing more is to be done with, a few statements for
    all; returns the others."""
    if tx.dialect.name != "sqlite":
        _HOLD.plain(tx, {"ids": [lease.id for lease in leases]})
    alike: dict[tuple[int, int], list[int]] = {}
    for lease in leases:
        if lease.id not in apart:
            alike.setdefault((lease.attempt, lease.generation), []).append(lease.id)
    ended: set[int] = set()
    for (attempt, generation), ids in alike.items():
        gone = _END.run(tx, {"ids": ids, "of_attempt": attempt, "at_generation": generation})
        ended.update(ids)
        if gone < len(ids):  # some were put again meanwhile, or are another worker's now
            ended.difference_update(key for (key,) in _LEFT.plain(tx, {"ids": ids}))
    return [lease for lease in leases if lease.id not in ended] if len(ended) < len(leases) else []


def _run_again(tx: Tx, wishes: Sequence[tuple[Lease, Again | None]]) -> None:
    """Give leases back: each runs at its wish, in that lane, or sooner at the instant of a put that came meanwhile."""
    wished = [
        {"job": lease.id, "of_attempt": lease.attempt, "claimed": lease.generation, "at": micros(w.at), "to": w.lane}
        for lease, w in wishes
        if w is not None
    ]
    if wished:
        _AGAIN_AT.many(tx, wished)
    others = [{"job": lease.id, "of_attempt": lease.attempt, "at": _NO_WISH} for lease, w in wishes if w is None]
    if others:
        _AGAIN.many(tx, others)


def _again(dialect: str) -> sa.Update:
    run_at = least(dialect, jobs.c.run_at, b("at", type_=sa.BigInteger))
    free = {"leased_until": 0, "rest_until": 0, "failures": 0, "last_error": None, "run_at": run_at, "due_at": run_at}
    return sa.update(jobs).where(jobs.c.id == b("job"), jobs.c.attempt == b("of_attempt")).values(**free)


# What was urgent has been done. Left in its lane, a job that only waits for a date would draw the next mass change of
# its key into the counter's lane.
_TO = sa.func.coalesce(b("to", type_=sa.SmallInteger), jobs.c.lane)
_LANE = sa.case((jobs.c.generation == b("claimed"), _TO), else_=jobs.c.lane)
_AGAIN, _AGAIN_AT = Prepared(_again), Prepared(lambda dialect: _again(dialect).values(lane=_LANE))


def rest(tx: Tx, lease: Lease, until: datetime, why: str, *, failed: bool = True) -> None:
    """Nothing wakes this job before `until`; `failed` counts it towards the failures that bury a job."""
    tx.execute(
        sa.update(jobs)
        .where(jobs.c.id == lease.id, jobs.c.attempt == lease.attempt)
        .values(
            run_at=least(tx.dialect.name, jobs.c.run_at, sa.literal(micros(until))),
            rest_until=micros(until),
            due_at=micros(until),
            leased_until=0,
            failures=jobs.c.failures + int(failed),
            last_error=why[:500],
        )
    )


_RELEASE = Prepared(
    sa.update(jobs)
    .where(jobs.c.id == b("job"), jobs.c.attempt == b("of_attempt"))
    .values(leased_until=0, run_at=b("at"), due_at=b("at"), lane=_LANE)
)


def release(tx: Tx, leases: Sequence[Lease], now: datetime, lane: int | None = None) -> None:
    """Hand jobs back untouched, for others or for another lane: they are due at once. One that was put again meanwhile
    stays in the lane of that put: somebody may be at a counter. Locks in the order of `put`."""
    rows = [
        {"job": one.id, "of_attempt": one.attempt, "claimed": one.generation, "at": micros(now), "to": lane}
        for one in sorted(leases, key=place)
    ]
    _RELEASE.many(tx, rows)


def _in_order(tx: Tx, *which: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """Keys of these jobs, their rows locked in the order of `put` before the statement around it changes any.

    By code point, as Python sorts: the collation of a database may pass over the colon of a key. SQLite has one writer.
    """
    query = sa.select(jobs.c.id).where(*which)
    if tx.dialect.name != "sqlite":
        query = query.order_by(*_PLACES).with_for_update()
    return query.scalar_subquery()


def lift_rests(tx: Tx, credential_set_id: int, now: datetime) -> int:
    """What a vendor's refusal holds back of the cards of this set is due now, or at its own time; returns how many."""
    ours = sa.select(sa.cast(passes.c.id, sa.String)).where(passes.c.credential_set_id == credential_set_id)
    of_cards = sa.and_(jobs.c.kind.in_(("refresh", "ring")), jobs.c.key.in_(ours))
    to_all = sa.and_(jobs.c.kind == "announce-everybody", jobs.c.key.like(f"%:{credential_set_id}"))
    resting = _in_order(tx, jobs.c.rest_until > 0, jobs.c.dead_at.is_(None), sa.or_(of_cards, to_all))
    # What had no other wish than to be tried again was given the end of its rest as its time.
    run_at = sa.case((jobs.c.run_at >= jobs.c.rest_until, micros(now)), else_=jobs.c.run_at)
    free = {"rest_until": 0, "run_at": run_at, "due_at": run_at}
    return tx.execute(sa.update(jobs).where(jobs.c.id.in_(resting)).values(**free)).rowcount


def break_leases(tx: Tx, now: datetime) -> int:
    """End every lease, whoever holds it; returns how many."""
    leased = _in_order(tx, jobs.c.leased_until > 0, jobs.c.dead_at.is_(None))
    free = {"leased_until": 0, "run_at": micros(now), "due_at": micros(now)}
    return tx.execute(sa.update(jobs).where(jobs.c.id.in_(leased)).values(**free)).rowcount


def bury(tx: Tx, lease: Lease, now: datetime, why: str) -> bool:
    """Set a job aside for an operator, with the reason; a new put of the same key revives it.

    False when it was put again while it ran: that wish is not buried with this attempt. One row; whoever buries
    several goes by the order in which `claim` gave them.
    """
    mine = (jobs.c.id == lease.id, jobs.c.attempt == lease.attempt, jobs.c.generation == lease.generation)
    buried = (
        sa.update(jobs)
        .where(*mine)
        .values(dead_at=micros(now), leased_until=0, last_error=why[:500], failures=jobs.c.failures + 1)
    )
    return bool(tx.execute(buried).rowcount)


def revive(tx: Tx, now: datetime, kind: str | None = None) -> int:
    """Run dead letters again (all, or of one kind); returns how many."""
    which = [jobs.c.dead_at.is_not(None), *([jobs.c.kind == kind] if kind else [])]
    alive = {"dead_at": None, "failures": 0, "rest_until": 0, "run_at": micros(now), "due_at": micros(now)}
    return tx.execute(sa.update(jobs).where(jobs.c.id.in_(_in_order(tx, *which))).values(**alive)).rowcount


def letters(tx: Tx, *, dead: bool, most: int = 100) -> list[Letter]:
    """Waiting or dead jobs, the longest due first."""
    rows = tx.execute(
        sa.select(jobs)
        .where(jobs.c.dead_at.is_not(None) if dead else jobs.c.dead_at.is_(None))
        .order_by(jobs.c.due_at)
        .limit(most)
    )
    return [
        Letter(r.id, r.kind, r.key, r.lane, r.failures, claimable(r), r.dead_at is not None, r.last_error) for r in rows
    ]


def claimable(row: Any) -> datetime:
    """When the job of this row can be claimed, or claimed anew."""
    return instant(max(row.due_at, row.leased_until))


def counts(tx: Tx, now: datetime) -> dict[str, int]:
    """How many jobs are due, waiting for their time or in hand, and dead."""
    alive, at = jobs.c.dead_at.is_(None), micros(now)
    row = tx.execute(
        sa.select(
            sa.func.count().filter(alive & (jobs.c.due_at <= at) & (jobs.c.leased_until <= at)).label("due"),
            sa.func.count().filter(alive & ((jobs.c.due_at > at) | (jobs.c.leased_until > at))).label("waiting"),
            sa.func.count().filter(jobs.c.dead_at.is_not(None)).label("dead"),
        )
    ).one()
    return {"due": row.due, "waiting": row.waiting, "dead": row.dead}


def stands(tx: Tx, kind: str, key: str) -> bool:
    """Whether this job is waiting, leased or dead."""
    return tx.execute(sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.key == key)).first() is not None


_ALIVE = sa.and_(jobs.c.lane == b("of_lane"), jobs.c.dead_at.is_(None))
_DUE = Prepared(sa.select(jobs.c.id).where(_ALIVE, jobs.c.due_at <= b("now"), FREE).order_by(jobs.c.due_at).limit(1))
_HELD = sa.case((jobs.c.due_at < jobs.c.leased_until, jobs.c.leased_until), else_=jobs.c.due_at)
_NEXT_DUE = sa.select(sa.func.min(_HELD)).where(_ALIVE)


def any_due(tx: Tx, lane: int, now: datetime) -> bool:
    """Whether there is anything to claim in a lane; costs next to nothing."""
    return _DUE.first(tx, {"of_lane": lane, "now": micros(now)}) is not None


def next_due(tx: Tx, lane: int) -> datetime | None:
    """When the next job of a lane can be claimed; None when the lane is empty. Looks at every job of the lane."""
    value = tx.execute(_NEXT_DUE, {"of_lane": lane}).scalar()
    return None if value is None else instant(value)
