"""Owns the applying of what tills brought: one at a time in each account, in the order of `rules.offline`, each once.

What may not be applied yet waits for the tills that could still bring something earlier, and for none of them longer
than the window. Whatever is refused is kept for a person; nothing is lost, and nothing blocks what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.offline import allowances, booking
from wallet_server.actions.offline.allowances import APPLY
from wallet_server.actions.offline.booking import Finish
from wallet_server.errors import TooMany, Unavailable, WalletError
from wallet_server.records import clocks, jobs
from wallet_server.records.clocks import shifted
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease, Put
from wallet_server.records.offline import allowances as stakes
from wallet_server.records.offline import arrivals, queues, till_devices
from wallet_server.records.offline.arrivals import CONFLICT, EventRow, Fate
from wallet_server.records.offline.queues import Queue
from wallet_server.records.offline.till_devices import DeviceRow
from wallet_server.rules.offline import order as rules
from wallet_server.rules.offline.order import Device, Patience, Turn, Waiting

LEASE = timedelta(seconds=60)
SLICE = 500
MOST_ACCOUNTS = 1000
KEPT = timedelta(days=31)
"""How long after it was settled a text is kept; its hash, its signature and what became of it stay."""
SOON = timedelta(seconds=2)
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What booking may raise that this version of the product has left unforeseen: a person looks at it, others go on."""
_log = structlog.get_logger("offline")


def apply(ctx: Context, account_id: int, most: int = SLICE) -> None:
    """Apply up to `most` of what may be applied in this account, and see to it that the rest is. Whoever comes while
    another is at it leaves it to that one and to the job."""
    now = ctx.now()
    with ctx.look() as tx:
        waits, over = arrivals.waits(tx, account_id), stakes.over(tx, account_id, now, 1)
    if over and not waits:
        with ctx.change() as tx:
            allowances.close_over(tx, account_id, now)
    if not waits:
        return
    again = _apply(ctx, account_id, most)
    if again is not None:
        with ctx.change() as tx:
            jobs.put(tx, [Put(APPLY, str(account_id), jobs.COUNTER, again)])


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """Apply in these accounts, and give back what was reserved for a time that is over."""
    for lease in leases:
        account = int(lease.key)
        with ctx.look() as tx:
            offset = clocks.of_account(tx, account)
        with shifted(offset):
            again = _apply(ctx, account, SLICE)
            with ctx.change() as tx:
                allowances.close_over(tx, account, ctx.now())
                jobs.settle(tx, [lease], {} if again is None else {lease.id: Again(again, lease.lane)})
    ctx.ring()


def run_own(ctx: Context, account_id: int, now: datetime) -> None:
    """The same for one account whose clock was moved."""
    _apply(ctx, account_id, SLICE)
    with ctx.change() as tx:
        allowances.close_over(tx, account_id, now)


def nudge(ctx: Context, tx: Tx) -> list[Put]:
    """Jobs for the accounts in which something waits or is reserved beyond its time: a job may have been lost. Texts
    that nobody needs any more are thrown away."""
    now = ctx.now()
    arrivals.forget_texts(tx, now - KEPT, SLICE)
    found = {*arrivals.accounts_waiting(tx, MOST_ACCOUNTS), *stakes.accounts_over(tx, now, MOST_ACCOUNTS)}
    return [Put(APPLY, str(account), jobs.SERVICE, now) for account in sorted(found)]


def _apply(ctx: Context, account_id: int, most: int) -> datetime | None:
    """The same; when it is worth looking again, None where nothing waits."""
    now = ctx.now()
    with ctx.change() as tx:
        queue = queues.lease(tx, account_id, now, now + LEASE)
    if queue is None:
        return now + SOON
    try:
        return _drain(ctx, account_id, queue, most)
    finally:
        with ctx.change() as tx:
            queues.release(tx, account_id, queue.lease)


def _drain(ctx: Context, account_id: int, queue: Queue, most: int) -> datetime | None:
    turns = _Turns(ctx, account_id, queue)
    for _ in range(most):
        line = _line(ctx, account_id)
        if not line.waits:
            return None
        todo = [one for one in line.ready if one[1].device_id not in turns.resting][:most]
        try:
            for turn, event in todo:
                turns.take(turn, event)
        except (LeaseLost, Unavailable):
            return ctx.now() + SOON
        most -= len(todo)
        if not todo:
            return min([line.until, *turns.resting.values()])
        if most <= 0:
            break
    return ctx.now()


class LeaseLost(Exception):
    """Somebody else applies in this account by now: whoever did so before stops, and what it was at is not booked."""


@dataclass
class _Turns:
    """One after the other, as long as nobody else is at it. `resting` are devices whose next is one too many for now,
    and until when: it is not refused for that, and holds up nothing but what the same device did after it."""

    ctx: Context
    account_id: int
    queue: Queue
    resting: dict[int, datetime] = field(default_factory=dict)

    def take(self, turn: Turn, event: EventRow) -> None:
        """Settle this one, or let its device rest. Raises `Unavailable` and `LeaseLost`: then it waits on."""
        if event.device_id in self.resting:
            return
        frontier = None if self.queue.frontier is None else Turn(*self.queue.frontier)
        late = frontier is not None and turn < frontier
        place = None if late else (turn.at, turn.till, turn.device, turn.sequence)

        def finish(tx: Tx, fate: Fate) -> None:
            now, until = self.ctx.now(), self.ctx.now() + LEASE
            stands = arrivals.settle(tx, event.id, replace(fate, late=late), now)
            if not stands or not queues.advance(
                tx, self.account_id, self.queue.lease, until, event.device_id, turn.at, place
            ):
                raise LeaseLost

        try:
            _settle(self.ctx, event, finish)
        except TooMany as rest:
            self.resting[event.device_id] = self.ctx.now() + max(SOON, timedelta(seconds=rest.retry_after_seconds))
            return
        if place is not None:
            self.queue = replace(self.queue, frontier=place)


@dataclass(frozen=True)
class _Line:
    """What may be applied now, whether anything waits, and when somebody is not waited for any more."""

    ready: list[tuple[Turn, EventRow]]
    waits: bool
    until: datetime


def _line(ctx: Context, account_id: int) -> _Line:
    now = ctx.now()
    with ctx.look() as tx:
        waiting = arrivals.waiting(tx, account_id)
        if not waiting:
            return _Line([], False, now + SOON)
        patience = Patience(allowances.window(ctx, tx, account_id), now)
        bringing = {one.device_id for one in waiting}
        rows = till_devices.devices_to_wait_for(tx, account_id, now - patience.window, bringing, now)
        since = arrivals.missing_since(tx, bringing)
    devices = [_device(row, [one for one in waiting if one.device_id == row.id], since.get(row.id)) for row in rows]
    events = {(one.device, one.sequence): one for one in waiting}
    found = [(turn, events[turn.device, turn.sequence]) for turn in rules.ready(devices, patience)]
    until = rules.waits_for(devices, patience)
    return _Line(found, True, now + SOON if until is None else max(until, now + SOON))


def _device(row: DeviceRow, waiting: Sequence[EventRow], missing_since: datetime | None) -> Device:
    line = tuple(Waiting(one.sequence, one.at) for one in waiting)
    ended, more = row.replaced or not row.live, len(line) == arrivals.MOST_OF_ONE
    return Device(
        row.till, row.public_id, row.horizon_at, row.next_sequence, ended, row.floor_at, line, missing_since, more
    )


def _settle(ctx: Context, event: EventRow, finish: Finish) -> None:
    """Book an event where it can be, else leave it to a person. Raises `Unavailable`, `TooMany` and what `finish`
    does: then it waits on."""
    try:
        booking.book(ctx, event, finish)
        return
    except (TooMany, Unavailable):
        raise
    except WalletError as refusal:
        fate = Fate(CONFLICT, refusal.code, refusal.facts)
    except UNREADABLE:
        _log.exception("an event of an offline till could not be booked", event_id=event.public_id)
        fate = Fate(CONFLICT, "unforeseen")
    with ctx.change() as tx:
        finish(tx, fate)
