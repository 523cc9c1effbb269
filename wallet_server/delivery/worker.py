"""Owns the loop of every worker, embedded or a process of its own: claim, run, settle; one loop for each lane.

Lanes have loops and connections of their own, so that a phone at a counter is not rung behind a campaign, nor behind
a vendor that makes the cards wait which are put to it.
"""

from __future__ import annotations

import operator
import random
import threading
import time
from collections.abc import Sequence
from itertools import groupby

import structlog

from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.actions.outbox import Lease
from wallet_server.actions.passes import cards, pacing, refresh
from wallet_server.delivery.jobs import KINDS, OF_PASSES
from wallet_server.errors import Unavailable, WalletError

POLL_SECONDS = 0.5
"""How soon a job is noticed whose bell was lost or rung in another process."""
PAUSE_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""The bell rings in every lane at every sale. Where nobody stands at a counter, rings are gathered for so long: a look
at the database for each of them, in each lane, costs as much as the sale itself."""
MASS = 4_000
"""So many jobs of a mass change at most are claimed at once, as far as its pace allows. Phones are rung all together:
while the answers of some are on their way from far, others are being told."""
SLICE = 40
"""So many cards of a mass change are published in one transaction on SQLite, where whoever sells waits as long as it
lasts. Elsewhere it is a batch."""
DRIPPED = 25
"""So many cards at most are put to a vendor at its rate with one claim."""
AFAR_OF = {outbox.COUNTER: outbox.AFAR, outbox.BULK: outbox.DRIP}
"""Lanes to those that take what is put to a vendor out of them."""
KIND = operator.attrgetter("kind")
PACE_SECONDS = 0.05
"""How soon a mass change that is to wait is looked at again."""
_log = structlog.get_logger("delivery")


def run_once(
    ctx: Context,
    lane: int,
    stopping: threading.Event | None = None,
    most: int | None = None,
    *,
    paced: bool = False,
) -> int:
    """Claim one batch of a lane and work it; returns how many jobs were claimed, at most `most`. Of a mass change more
    may be claimed than a transaction is to hold; what was not begun when half of the lease is over is handed back.
    `paced`: `most` is what the pace allowed (see `outbox.claim`)."""
    stopping = stopping or threading.Event()
    leases = outbox.claim(ctx, lane, ctx.settings.batch_size if most is None else most, paced=paced)
    overdue = time.monotonic() + ctx.settings.lease_seconds / 2
    mine = leases if lane not in AFAR_OF else outbox.apart(ctx, leases, OF_PASSES, AFAR_OF[lane])
    for kind, group in groupby(sorted(mine, key=KIND), key=KIND):
        batch = list(group)
        size = len(batch)
        if lane == outbox.BULK and kind != refresh.RING:
            size = SLICE if kind == cards.REFRESH and ctx.database.sqlite else ctx.settings.batch_size
        for first in range(0, len(batch), size):
            if time.monotonic() > overdue or stopping.is_set():
                outbox.hand_back(ctx, batch[first:])
                break
            _work(ctx, kind, batch[first : first + size], stopping, overdue)
    return len(leases)


def _work(ctx: Context, kind: str, batch: Sequence[Lease], stopping: threading.Event, overdue: float) -> None:
    action = KINDS.get(kind)
    try:
        if action is None:
            raise LookupError(f"no action for jobs of kind {kind}")
        action(ctx, list(batch))
    except Exception as fault:  # noqa: BLE001 - a job must never end the loop; what went wrong is kept with it
        _log.error("job failed", kind=kind, jobs=len(batch), fault=type(fault).__name__, why=str(fault)[:300])
        if len(batch) > 1 and not isinstance(fault, Unavailable):
            # One bad job must not keep its neighbours: each half gets a turn of its own, and each half of it. However
            # late it is, one job at least is done with: else the same batch would fail in the same way for ever.
            middle = 0 if stopping.is_set() else len(batch) // 2
            if middle:
                _work(ctx, kind, batch[:middle], stopping, overdue)
            if stopping.is_set() or time.monotonic() > overdue:
                outbox.hand_back(ctx, batch[middle:])
            else:
                _work(ctx, kind, batch[middle:], stopping, overdue)
            return
        _set_aside(ctx, batch, fault)


def _set_aside(ctx: Context, batch: Sequence[Lease], fault: Exception) -> None:
    try:
        why, busy = f"{type(fault).__name__}: {fault}", isinstance(fault, Unavailable)
        outbox.bury_or_rest(ctx, batch, why, random.random(), hopeless=not busy)  # noqa: S311
    except WalletError as away:
        # The database is away too: the leases run out by themselves.
        _log.warning("job left to its lease", why=str(away))


class Worker:
    """Loops over the lanes in threads of its own until it is stopped; a batch that was begun is finished."""

    def __init__(self, ctx: Context, lanes: Sequence[int] = outbox.LANES) -> None:
        self._ctx, self._lanes = ctx, lanes
        self._stopping = threading.Event()
        self._bells = {lane: threading.Event() for lane in lanes}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; the process that calls this must not fork afterwards."""
        self._ctx.couriers.begin()
        for lane in self._lanes:
            thread = threading.Thread(target=self._loop, args=(lane,), name=f"delivery-{lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def ring(self) -> None:
        """The doorbell: something may be due now."""
        for bell in self._bells.values():
            bell.set()

    def stop(self, wait_seconds: float = 30.0) -> bool:
        """Finish what was begun, hand back the rest; True when all loops ended in time."""
        self._stopping.set()
        self.ring()
        end = time.monotonic() + wait_seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        back = self._ctx.couriers.stop(max(0.0, end - time.monotonic()))
        return back and not any(thread.is_alive() for thread in self._threads)

    def _loop(self, lane: int) -> None:
        bell = self._bells[lane]
        worked = 0
        while not self._stopping.is_set():
            bell.clear()
            try:
                most = self._most(lane, worked)
                if most <= 0:
                    self._stopping.wait(PACE_SECONDS)
                    continue
                worked = run_once(self._ctx, lane, self._stopping, most, paced=True)
            except Exception as fault:  # noqa: BLE001 - the loop outlives whatever happens to the database
                _log.warning("claim failed", lane=lane, why=str(fault)[:300])
                self._stopping.wait(PAUSE_SECONDS)
                continue
            if not worked and bell.wait(POLL_SECONDS) and lane not in (outbox.COUNTER, outbox.AFAR):
                self._stopping.wait(GATHER_SECONDS)

    def _most(self, lane: int, worked: int) -> int:
        """How many jobs to claim: a whole batch, but of a mass change no more than its pace allows. A lane that had
        nothing to do is not asked about its pace."""
        most = self._ctx.settings.batch_size
        if lane == outbox.DRIP:  # at its vendor's rate, which is another's business
            return min(most, DRIPPED)
        return min(MASS, pacing.allowed(self._ctx)) if lane == outbox.BULK and worked else most
