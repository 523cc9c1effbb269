"""What thousands of jobs that were claimed at once must not hold up: a till, another worker, the end of the process."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.phone import Phone
from tests.world import World, together
from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.actions.passes import pacing, refresh, ringing
from wallet_server.delivery import jobs as table
from wallet_server.delivery.worker import run_once
from wallet_server.errors import Unavailable
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, COUNTER, DRIP, Lease, Put
from wallet_server.records.passes import passes
from wallet_server.wallets.port import Later, Report, Shown, Stale

FEW = 2


@pytest.fixture
def world(world: World) -> World:
    world.ctx.settings = dataclasses.replace(world.ctx.settings, batch_size=FEW)
    return world


def _seen(monkeypatch: pytest.MonkeyPatch, name: str, many: Callable[[Any], int]) -> list[int]:
    """How many jobs each call of this has, which does what it always does."""
    counts: list[int] = []
    plain = getattr(jobs, name)

    def counted(tx: Tx, what: Any, *more: Any, **named: Any) -> Any:
        counts.append(many(what))
        return plain(tx, what, *more, **named)

    monkeypatch.setattr(jobs, name, counted)
    return counts


def _to_be_rung(world: World, count: int, *, new_tag: bool) -> None:
    """Cards with a phone each, which owe it what it was told already."""
    keys = [Phone(world, world.enrol()).add().holder.pass_id for _ in range(count)]
    world.work()
    with world.ctx.change() as tx:
        for key in keys:
            passes.ring_again(tx, key, new_tag=new_tag)
        jobs.put(tx, [Put(refresh.RING, str(key), BULK, world.clock()) for key in keys])
    world.told.rung.clear()


def _end(ctx: Context, leases: list[Lease]) -> None:
    with ctx.change() as tx:
        jobs.settle(tx, leases)


def _shown(stale: Stale) -> Report:
    return Report(stale.ref, Shown(), stale.remote_state, tuple(handle.ref for handle in stale.handles))


def _later(stale: Stale) -> Report:
    return Report(stale.ref, Later(60.0, "slow down"), stale.remote_state)


@pytest.mark.parametrize(("answer", "new_tag"), [(_later, False), (_shown, True)], ids=["put off", "tagged anew"])
def test_cards_of_which_more_is_to_be_said_than_that_they_were_rung_are_a_batch_in_a_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Callable[[Stale], Report], new_tag: bool
) -> None:
    _to_be_rung(world, 5, new_tag=new_tag)
    world.told.verdict = answer
    settled = _seen(monkeypatch, "settle", len)
    assert run_once(world.ctx, BULK, most=100) == 5
    assert settled == [2, 2, 1]
    assert len(world.told.rung) == 5
    left = outbox.letters(world.ctx, dead=False)
    assert [one.last_error for one in left if one.kind == refresh.RING] == ["slow down"] * (0 if new_tag else 5)


def _put(world: World, count: int, lane: int = BULK) -> None:
    with world.ctx.change() as tx:
        jobs.put(tx, [Put("try", f"{number:04}", lane, world.clock()) for number in range(count)])


def test_a_failure_of_many_is_noted_a_batch_in_a_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(ctx: Context, leases: list[Lease]) -> None:
        raise Unavailable("The database is busy.")

    monkeypatch.setitem(table.KINDS, "ring", busy)
    with world.ctx.change() as tx:
        jobs.put(tx, [Put("ring", str(number), BULK, world.clock()) for number in range(5)])
    by_transaction: Counter[int] = Counter()
    rested: list[Tx] = []  # kept, so that no two have one identity
    rest = jobs.rest

    def counted(tx: Tx, lease: Lease, *more: Any) -> None:
        transaction = tx.get_transaction()
        rested.append(transaction)  # type: ignore[arg-type]
        by_transaction[id(transaction)] += 1
        rest(tx, lease, *more)

    monkeypatch.setattr(jobs, "rest", counted)
    assert run_once(world.ctx, BULK, most=100) == 5
    assert sorted(by_transaction.values()) == [1, 2, 2]
    assert [one.failures for one in outbox.letters(world.ctx, dead=False)] == [1] * 5


@pytest.mark.parametrize("meanwhile", [True, False])
def test_a_job_that_is_put_at_a_counter_while_it_is_moved_to_a_slower_lane_stays_with_the_counter(
    world: World, meanwhile: bool
) -> None:
    _put(world, 2)
    leases = outbox.claim(world.ctx, BULK, 2)
    if meanwhile:
        with world.ctx.change() as tx:
            jobs.put(tx, [Put("try", "0001", COUNTER, world.clock())])
    with world.ctx.change() as tx:
        jobs.release(tx, leases, world.clock(), DRIP)
    left = {one.key: one.lane for one in outbox.letters(world.ctx, dead=False)}
    assert left == {"0000": DRIP, "0001": COUNTER if meanwhile else DRIP}


def test_a_batch_that_fails_while_the_worker_is_told_to_stop_is_handed_back_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping, ran = threading.Event(), []

    def fail(ctx: Context, leases: list[Lease]) -> None:
        ran.append(len(leases))
        if len(ran) == 3:
            stopping.set()
        raise RuntimeError("boom")

    monkeypatch.setitem(table.KINDS, "try", fail)
    _put(world, 64, COUNTER)
    run_once(world.ctx, COUNTER, stopping, 64)
    assert ran == [64, 32, 16]
    left = outbox.letters(world.ctx, dead=False)
    assert [(one.due_at, one.failures) for one in left] == [(world.clock(), 0)] * 64


def test_a_batch_that_fails_slowly_is_not_halved_beyond_half_of_its_lease_but_one_job_is_done_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def fail_slowly(ctx: Context, leases: list[Lease]) -> None:
        ran.append(len(leases))
        time.sleep(0.6)
        raise RuntimeError("boom")

    monkeypatch.setitem(table.KINDS, "try", fail_slowly)
    world.ctx.settings = dataclasses.replace(world.ctx.settings, lease_seconds=1.0)
    _put(world, 8, COUNTER)
    run_once(world.ctx, COUNTER, most=8)
    assert ran == [8, 4, 2, 1]
    left = outbox.letters(world.ctx, dead=False)
    assert sorted((one.failures, one.due_at > world.clock()) for one in left) == [(0, False)] * 7 + [(1, True)]


def test_workers_that_ask_for_the_pace_at_one_moment_share_what_it_allows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table.KINDS, "try", _end)
    world.ctx.settings = dataclasses.replace(world.ctx.settings, cards_per_second=200)
    _put(world, 300)
    with world.ctx.change() as tx:
        limits.take(tx, pacing.TOLD, int(world.clock().timestamp()) - 1, 200)
    allowed = [pacing.allowed(world.ctx) for _ in range(4)]
    assert allowed == [50] * 4
    claimed = together(*[partial(run_once, world.ctx, BULK, None, most, paced=True) for most in allowed])
    assert sorted(claimed) == [FEW, FEW, FEW, 50]


def test_what_was_told_is_noted_while_the_others_are_on_their_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def until_killed(stale: Stale) -> Report:
        if len(world.told.rung) > 4:
            raise Killed
        return _shown(stale)

    monkeypatch.setattr(ringing, "PORTION", FEW)
    _to_be_rung(world, 6, new_tag=False)
    world.told.verdict = until_killed
    with pytest.raises(Killed):
        run_once(world.ctx, BULK, most=6)
    assert len(outbox.letters(world.ctx, dead=False)) == 2
    world.told.verdict = _shown
    world.told.rung.clear()
    world.clock.forward(seconds=world.ctx.settings.lease_seconds)
    assert run_once(world.ctx, BULK, most=6) == 2
    assert len(world.told.rung) == 2
    assert outbox.letters(world.ctx, dead=False) == []
