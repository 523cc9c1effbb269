"""Owns what delivery and operators may do with jobs: claim, hand back, rest, bury, list, revive."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import pacing
from wallet_server.errors import Unavailable
from wallet_server.records import jobs
from wallet_server.records.jobs import AFAR, BULK, COUNTER, DRIP, LANES, SERVICE, Lease, Letter
from wallet_server.records.passes import soonest
from wallet_server.records.prepared import planned_once
from wallet_server.records.vendors import vendors

__all__ = [
    "AFAR",
    "BULK",
    "COUNTER",
    "DRIP",
    "LANES",
    "SERVICE",
    "Lease",
    "Letter",
    "apart",
    "bury_or_rest",
    "claim",
    "counts",
    "hand_back",
]

MOST_FAILURES = 12
LONGEST_REST = timedelta(minutes=15)


def claim(ctx: Context, lane: int, most: int, *, paced: bool = False) -> list[Lease]:
    """Lease due jobs of a lane; looks before it writes, so that an idle worker never takes the writer's lock. `paced`:
    `most` is what the pace allowed a moment ago; others may have had it since, and then it is no more than a batch."""
    now = ctx.now()
    with ctx.look() as tx:
        if not jobs.any_due(tx, lane, now):
            return []
    with ctx.change() as tx:
        if lane == DRIP:
            return soonest.claim(tx, most, now, ctx.settings.lease_seconds)
        if paced and lane == BULK and most > ctx.settings.batch_size:
            most = min(most, max(ctx.settings.batch_size, pacing.left(ctx, tx)))
        leases = jobs.claim(tx, lane, most, now, ctx.settings.lease_seconds)
        if lane == BULK and leases:
            pacing.told(ctx, tx, len(leases))
    return leases


def next_due(ctx: Context) -> datetime | None:
    """When the next job of any lane is due."""
    with ctx.look() as tx:
        found = [jobs.next_due(tx, lane) for lane in LANES]
    return min((at for at in found if at is not None), default=None)


def hand_back(ctx: Context, leases: Sequence[Lease]) -> None:
    """The worker is stopping: another may have these at once."""
    if leases:
        with ctx.change() as tx:
            jobs.release(tx, leases, ctx.now())


def apart(ctx: Context, leases: Sequence[Lease], kinds: Collection[str], lane: int) -> list[Lease]:
    """Leave jobs that put a card to a vendor to this lane, of their own; returns the others. A vendor may take its
    time, and may be waited for, but no phone at a counter, nor those of a mass change, is rung behind it. The keys of
    these kinds are pass keys."""
    keys = [int(lease.key) for lease in leases if lease.kind in kinds]
    if not keys or not ctx.pushed:
        return list(leases)
    try:
        with ctx.look() as tx:
            planned_once(tx)
            pushed = {str(key) for key in vendors.in_wallets(tx, keys, ctx.pushed)}
        going = {lease.id: lease for lease in leases if lease.kind in kinds and lease.key in pushed}
        if going:
            with ctx.change() as tx:
                jobs.release(tx, list(going.values()), ctx.now(), lane)
            ctx.ring()
    except Unavailable:
        return list(leases)  # they are leased already: worked here is sooner than when the lease is over
    return [lease for lease in leases if lease.id not in going]


def bury_or_rest(ctx: Context, leases: Sequence[Lease], why: str, jitter: float, *, hopeless: bool = True) -> None:
    """An action failed in a way nobody foresaw: try again later, ever later, and in the end leave it to an operator.

    `jitter` from 0 to 1 spreads the retries; a job that is not `hopeless` (the database was busy) is never given up.
    A batch in a transaction: whoever sells waits as long as one lasts.
    """
    now, size = ctx.now(), ctx.settings.batch_size
    for first in range(0, len(leases), size):
        with ctx.change() as tx:
            for lease in leases[first : first + size]:
                if hopeless and lease.failures + 1 >= MOST_FAILURES and jobs.bury(tx, lease, now, why):
                    continue
                pause = min(LONGEST_REST, timedelta(seconds=2 ** min(lease.failures, 12))) * (0.5 + jitter / 2)
                jobs.rest(tx, lease, now + pause, why)


def take_over(ctx: Context) -> int:
    """Make every leased job due now: this is the only process group at work, so whoever held a lease was killed."""
    with ctx.change() as tx:
        return jobs.break_leases(tx, ctx.now())


def letters(ctx: Context, *, dead: bool, most: int = 100) -> list[Letter]:
    """Waiting or dead jobs, for an operator."""
    with ctx.look() as tx:
        return jobs.letters(tx, dead=dead, most=most)


def revive(ctx: Context, kind: str | None = None) -> int:
    """Run dead letters again; returns how many."""
    with ctx.change() as tx:
        revived = jobs.revive(tx, ctx.now(), kind)
    ctx.ring()
    return revived


def counts(ctx: Context) -> dict[str, int]:
    """How many jobs are due, waiting and dead."""
    with ctx.look() as tx:
        return jobs.counts(tx, ctx.now())
