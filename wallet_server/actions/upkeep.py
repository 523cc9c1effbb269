"""Owns what happens by itself: the nightly snapshot of balances and the throwing away of what is no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from wallet_server.actions.context import Context
from wallet_server.records import audit, jobs, limits
from wallet_server.records.jobs import Again, Lease

NIGHTLY = "nightly"
SLICE = 1000
_AT = time(1, 30, tzinfo=UTC)


def schedule(ctx: Context) -> None:
    """See to it that the nightly job stands; called when a worker starts."""
    with ctx.change() as tx:
        if not jobs.stands(tx, NIGHTLY, "all"):
            jobs.put(tx, [jobs.Put(NIGHTLY, "all", jobs.SERVICE, _next_night(ctx.now()))])


def _next_night(now: datetime) -> datetime:
    tonight = datetime.combine(now.date(), _AT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def nightly(ctx: Context, leases: Sequence[Lease]) -> None:
    """Snapshot yesterday's balances in slices, then forget old rate windows; runs again tomorrow."""
    now = ctx.now()
    yesterday = now.date() - timedelta(days=1)
    after: int | None = 0
    while after is not None:
        with ctx.change() as tx:
            after = audit.snapshot(tx, yesterday, after, SLICE)
    with ctx.change() as tx:
        limits.forget_windows(tx, int(now.timestamp()) // 60 - 60)
        jobs.settle(tx, leases, {lease.id: Again(_next_night(now), lease.lane) for lease in leases})


def book_faults(ctx: Context) -> list[str]:
    """Sentences for everything in the books that does not add up; empty when they are true."""
    with ctx.look() as tx:
        return list(audit.faults(tx))


def trial_balance(ctx: Context) -> list[audit.TrialLine]:
    """The sums of every kind of account; per currency they add up to zero."""
    with ctx.look() as tx:
        return audit.trial_balance(tx)
