"""Owns the clocks of accounts that only try things out: how far each is ahead, and whose time a piece of work is in.

Everything that a merchant's trade knows (sales, awards, ends, tiers) is in the account's own time; what the world
outside knows (jobs, signatures, certificates, pushes) is in everybody's. Jobs are kept in everybody's time whoever puts
them, by `micros` and `instant`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.operating import counters
from wallet_server.records.schema import account_clocks, announcements, jobs, members, passes, programmes
from wallet_server.records.schema import counters as counter_table

CHANGES = "account-clocks"
"""The counter that moves, in the same transaction, whenever a clock does; 0 while there is none."""
_ZERO = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD: ContextVar[timedelta] = ContextVar("ahead", default=_ZERO)
_BEHIND: ContextVar[timedelta] = ContextVar("behind", default=_ZERO)
SLICE = 500
_FAR = 2**61
"""Beyond this a job's time is no time but a mark."""


def ahead() -> timedelta:
    """How far the account whose work this is stands ahead of everybody's time."""
    return _AHEAD.get()


def enter(offset: timedelta) -> None:
    """From here on, in this thread, work is done in the time of an account that is so far ahead."""
    _AHEAD.set(offset - _BEHIND.get())


@contextmanager
def shifted(offset: timedelta) -> Iterator[None]:
    """The same for what is done inside."""
    before = _AHEAD.get()
    enter(offset)
    try:
        yield
    finally:
        _AHEAD.set(before)


@contextmanager
def behind(by: timedelta) -> Iterator[None]:
    """Inside, an account that is entered is not there yet, by so much: its clock was moved, and what fell due on the
    way is being done. Jobs are kept by where it stands."""
    before = _BEHIND.get()
    _BEHIND.set(by)
    try:
        yield
    finally:
        _BEHIND.set(before)


def micros(at: datetime) -> int:
    """Microseconds since 1970, UTC, of everybody's time: `at` is in the time of the work that is being done."""
    return (at - _AHEAD.get() - _BEHIND.get() - _EPOCH) // timedelta(microseconds=1)


def instant(value: int) -> datetime:
    """Inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=value) + _AHEAD.get() + _BEHIND.get()


def here(at: datetime | None) -> datetime | None:
    """An instant of everybody's time in that of the work that is being done."""
    return None if at is None else at + _AHEAD.get()


_CHANGES = sa.select(counter_table.c.total).where(counter_table.c.name == CHANGES)


def any_clock(tx: Tx) -> bool:
    """Whether any account was ever ahead."""
    return bool(tx.execute(_CHANGES).scalar())


def of_account(tx: Tx, account_id: int, *, hold: bool = False) -> timedelta:
    """How far an account is ahead; `hold` keeps others from moving its clock until the end of this transaction."""
    query = sa.select(account_clocks.c.offset_seconds).where(account_clocks.c.account_id == account_id)
    if hold and tx.dialect.name != "sqlite":
        query = query.with_for_update()
    return timedelta(seconds=tx.execute(query).scalar() or 0)


def of_member(tx: Tx, member_id: int) -> timedelta:
    """How far the account of this member's programme is ahead."""
    query = (
        sa.select(account_clocks.c.offset_seconds)
        .join(programmes, programmes.c.account_id == account_clocks.c.account_id)
        .join(members, members.c.programme_id == programmes.c.id)
        .where(members.c.id == member_id)
    )
    return timedelta(seconds=tx.execute(query).scalar() or 0)


def of_passes(tx: Tx, pass_ids: Sequence[int]) -> Mapping[int, timedelta]:
    """How far the accounts of these passes are ahead; those that are not are left out."""
    query = (
        sa.select(passes.c.id, account_clocks.c.offset_seconds)
        .join(members, members.c.id == passes.c.member_id)
        .join(programmes, programmes.c.id == members.c.programme_id)
        .join(account_clocks, account_clocks.c.account_id == programmes.c.account_id)
        .where(passes.c.id.in_(list(pass_ids)), account_clocks.c.offset_seconds > 0)
    )
    return {r.id: timedelta(seconds=r.offset_seconds) for r in tx.execute(query)}


def everyone(tx: Tx) -> Mapping[int, timedelta]:
    """Every account that is ahead, by its key."""
    query = sa.select(account_clocks).where(account_clocks.c.offset_seconds > 0).order_by(account_clocks.c.account_id)
    return {r.account_id: timedelta(seconds=r.offset_seconds) for r in tx.execute(query)}


def begin(tx: Tx, account_id: int, at: datetime) -> None:
    """See to it that the account has a clock, which `of_account` can hold."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(account_clocks)
    row = {"account_id": account_id, "offset_seconds": 0, "moved_at": at}
    tx.execute(insert.on_conflict_do_nothing(index_elements=["account_id"]), row)


def move(tx: Tx, account_id: int, offset: timedelta, at: datetime) -> None:
    """The account is so far ahead from now on; it is held."""
    values = {"offset_seconds": int(offset.total_seconds()), "moved_at": at}
    tx.execute(sa.update(account_clocks).where(account_clocks.c.account_id == account_id).values(**values))
    counters.add(tx, {CHANGES: 1})


def bring_forward(
    tx: Tx, account_id: int, step: timedelta, of_passes: Collection[str], of_announcements: Collection[str]
) -> int:
    """What waits for a time of this account's comes earlier by this step; returns how many jobs. Their kinds: those
    whose keys are passes, and those whose keys begin with an announcement."""
    found = sorted(_waiting(tx, account_id, of_passes, of_announcements))  # the order in which jobs are locked
    by = int(step.total_seconds()) * 1_000_000
    greatest = sa.func.max if tx.dialect.name == "sqlite" else sa.func.greatest
    earlier = jobs.c.run_at - by
    values = {"run_at": earlier, "due_at": greatest(earlier, jobs.c.rest_until)}
    places = (sa.collate(jobs.c.kind, "C"), sa.collate(jobs.c.key, "C"))
    for first in range(0, len(found), SLICE):
        some = jobs.c.id.in_([key for _, _, key in found[first : first + SLICE]])
        if tx.dialect.name != "sqlite":
            tx.execute(sa.select(jobs.c.id).where(some).order_by(*places).with_for_update())
        tx.execute(sa.update(jobs).where(some, jobs.c.run_at < _FAR).values(**values))
    return len(found)


def _waiting(
    tx: Tx, account_id: int, of_passes: Collection[str], of_announcements: Collection[str]
) -> Iterator[tuple[str, str, int]]:
    """Kind, key and row of each job of this account's that waits for a time."""
    alive = sa.select(jobs.c.kind, jobs.c.key, jobs.c.id).where(jobs.c.dead_at.is_(None), jobs.c.run_at < _FAR)
    ours = programmes.c.account_id == account_id
    cards = (
        sa.select(passes.c.id)
        .join(members, members.c.id == passes.c.member_id)
        .join(programmes, programmes.c.id == members.c.programme_id)
        .where(ours)
    )
    keys = [str(key) for key in tx.execute(cards).scalars()]
    for first in range(0, len(keys), SLICE):
        some = jobs.c.key.in_(keys[first : first + SLICE])
        for r in tx.execute(alive.where(jobs.c.kind.in_(list(of_passes)), some)):
            yield r.kind, r.key, r.id
    said = sa.select(announcements.c.id).join(programmes, programmes.c.id == announcements.c.programme_id).where(ours)
    own = set(tx.execute(said).scalars())
    for r in tx.execute(alive.where(jobs.c.kind.in_(list(of_announcements)))):
        if int(r.key.partition(":")[0]) in own:
            yield r.kind, r.key, r.id
