"""Workers share the jobs, outlive whatever an action does, and leave to an operator what cannot work."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.vendor import add_vendor
from tests.world import World, together
from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.actions.operating import upkeep
from wallet_server.actions.outbox import Lease
from wallet_server.actions.passes import cards, pacing, saving
from wallet_server.delivery import jobs as table
from wallet_server.delivery.worker import Worker, run_once
from wallet_server.errors import Invalid, Unavailable
from wallet_server.records import jobs, limits
from wallet_server.records.jobs import AFAR, BULK, COUNTER, Put
from wallet_server.rules.announcing.pacing import FIRST

Action = Callable[[Context, list[Lease]], object]


def _put(world: World, *keys: str, kind: str = "try") -> None:
    with world.ctx.change() as tx:
        jobs.put(tx, [Put(kind, key, COUNTER, world.clock()) for key in keys])


def _kind(monkeypatch: pytest.MonkeyPatch, action: Action) -> None:
    """A kind of job of this test's own, beside the product's."""
    monkeypatch.setitem(table.KINDS, "try", action)  # type: ignore[arg-type]


def _settle(ctx: Context, leases: list[Lease]) -> None:
    with ctx.change() as tx:
        jobs.settle(tx, leases)


@pytest.mark.parametrize("fault", [RuntimeError("boom"), Invalid("This card cannot be composed.")], ids=str)
def test_one_bad_job_does_not_keep_its_neighbours(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def action(ctx: Context, leases: list[Lease]) -> None:
        if any(lease.key == "bad" for lease in leases):
            raise fault
        _settle(ctx, leases)

    _kind(monkeypatch, action)
    _put(world, "a", "bad", "c")
    assert run_once(world.ctx, COUNTER) == 3
    (left,) = outbox.letters(world.ctx, dead=False)
    assert (left.key, left.failures) == ("bad", 1)
    assert str(fault) in str(left.last_error)


def test_a_bad_job_among_many_is_found_by_halves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def action(ctx: Context, leases: list[Lease]) -> None:
        seen.append(len(leases))
        if any(lease.key == "40" for lease in leases):
            raise RuntimeError("boom")
        _settle(ctx, leases)

    _kind(monkeypatch, action)
    _put(world, *map(str, range(64)))
    assert run_once(world.ctx, COUNTER) == 64
    (left,) = outbox.letters(world.ctx, dead=False)
    assert left.key == "40"
    assert sorted(seen, reverse=True) == [64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1, 1]


def test_what_was_not_begun_when_half_of_the_lease_is_over_is_handed_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(ctx: Context, leases: list[Lease]) -> None:
        _settle(ctx, leases)
        time.sleep(0.6)

    _kind(monkeypatch, slowly)
    world.ctx.settings = dataclasses.replace(world.ctx.settings, lease_seconds=1.0, batch_size=2)
    with world.ctx.change() as tx:
        jobs.put(tx, [Put("try", str(n), BULK, world.clock()) for n in range(6)])
    assert run_once(world.ctx, BULK, most=6) == 6
    left = outbox.letters(world.ctx, dead=False)
    assert [(one.due_at, one.lane, one.failures) for one in left] == [(world.clock(), BULK, 0)] * 4


def test_a_database_that_is_away_is_no_fault_of_a_single_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def action(ctx: Context, leases: list[Lease]) -> None:
        seen.append(len(leases))
        raise Unavailable("The database is busy.")

    _kind(monkeypatch, action)
    _put(world, "a", "b", "c")
    run_once(world.ctx, COUNTER)
    assert seen == [3]


def test_a_job_that_never_works_is_rested_ever_longer_and_then_left_to_an_operator(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(ctx: Context, leases: list[Lease]) -> None:
        raise RuntimeError("never")

    _kind(monkeypatch, fail)
    _put(world, "a")
    pauses = []
    while outbox.letters(world.ctx, dead=False):
        before = world.clock()
        assert run_once(world.ctx, COUNTER) == 1
        waiting = outbox.letters(world.ctx, dead=False)
        if waiting:
            pauses.append((waiting[0].due_at - before).total_seconds())
            world.clock.at = waiting[0].due_at
    assert len(pauses) == outbox.MOST_FAILURES - 1
    assert pauses[0] <= 1
    assert all(pause <= 900 for pause in pauses)
    assert pauses[-1] >= 450
    (dead,) = outbox.letters(world.ctx, dead=True)
    assert "never" in str(dead.last_error)
    _kind(monkeypatch, _settle)
    assert outbox.revive(world.ctx) == 1
    assert run_once(world.ctx, COUNTER) == 1
    assert outbox.counts(world.ctx) == {"due": 0, "waiting": 0, "dead": 0}


def test_a_kind_nobody_knows_waits_for_an_operator_and_harms_nobody(world: World) -> None:
    holder = world.enrol()
    _put(world, "x", kind="from-a-newer-version")
    world.sell(holder, 1000)
    assert run_once(world.ctx, COUNTER) == 2
    (left,) = outbox.letters(world.ctx, dead=False)
    assert "from-a-newer-version" in str(left.last_error)


def test_a_worker_that_dies_in_the_middle_is_taken_over_when_its_lease_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    ran: list[str] = []

    def die_once(ctx: Context, leases: list[Lease]) -> None:
        ran.append("run")
        if len(ran) == 1:
            raise Killed
        _settle(ctx, leases)

    _kind(monkeypatch, die_once)
    _put(world, "a")
    with pytest.raises(Killed):
        run_once(world.ctx, COUNTER)
    assert run_once(world.ctx, COUNTER) == 0
    world.clock.forward(seconds=world.ctx.settings.lease_seconds)
    assert run_once(world.ctx, COUNTER) == 1
    assert ran == ["run", "run"]
    assert outbox.letters(world.ctx, dead=False) == []


def test_a_worker_that_is_told_to_stop_hands_back_what_it_has_not_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()

    def stop_after_me(ctx: Context, leases: list[Lease]) -> None:
        _settle(ctx, leases)
        stopping.set()

    monkeypatch.setitem(table.KINDS, "a-first", stop_after_me)  # type: ignore[arg-type]
    _kind(monkeypatch, _settle)
    _put(world, "1", kind="a-first")
    _put(world, "2")
    run_once(world.ctx, COUNTER, stopping)
    (left,) = outbox.letters(world.ctx, dead=False)
    assert (left.kind, left.due_at, left.failures) == ("try", world.clock(), 0)


def test_no_phone_at_a_counter_is_rung_behind_a_vendor(world: World) -> None:
    vendor = add_vendor(world)
    holder, iphone = world.enrol(), world.enrol()
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    serial = saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]
    world.work()
    vendor.calls.clear()
    for _ in range(2):  # what is put again meanwhile waits in the same lane
        world.sell(holder, 1000)
        world.sell(iphone, 1000)
        while run_once(world.ctx, COUNTER):
            pass
        assert vendor.calls == []
        due = [one for one in outbox.letters(world.ctx, dead=False) if one.due_at <= world.clock()]
        assert [(one.kind, one.lane) for one in due] == [(cards.REFRESH, AFAR)]
    run_once(world.ctx, AFAR)
    assert vendor.calls == [("patch", serial)]
    assert vendor.objects[serial].balance.value == 20


def test_two_workers_at_once_run_every_job_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: Counter[str] = Counter()

    def action(ctx: Context, leases: list[Lease]) -> None:
        ran.update(lease.key for lease in leases)
        _settle(ctx, leases)

    _kind(monkeypatch, action)
    _put(world, *(str(n) for n in range(250)))

    def work() -> None:
        while run_once(world.ctx, COUNTER):
            pass

    assert together(work, work) == [None, None]
    assert set(ran.values()) == {1}
    assert len(ran) == 250


def test_the_embedded_worker_runs_what_is_put_and_stops_when_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = threading.Event()

    def action(ctx: Context, leases: list[Lease]) -> None:
        _settle(ctx, leases)
        ran.set()

    _kind(monkeypatch, action)
    worker = Worker(world.ctx)
    world.ctx.ring = worker.ring
    worker.start()
    start = time.monotonic()
    _put(world, "a")
    world.ctx.ring()
    assert ran.wait(5)
    assert time.monotonic() - start < 5
    assert worker.stop(10)
    _put(world, "b")
    time.sleep(0.05)
    assert outbox.counts(world.ctx)["due"] == 1


def test_a_worker_outlives_a_database_that_is_away_for_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, failed = threading.Event(), threading.Event()

    def action(ctx: Context, leases: list[Lease]) -> None:
        _settle(ctx, leases)
        ran.set()

    _kind(monkeypatch, action)
    monkeypatch.setattr("wallet_server.delivery.worker.PAUSE_SECONDS", 0.01)
    real, away = world.ctx.database.look, [True]

    def look() -> Any:
        if away[0]:
            failed.set()
            raise Unavailable("The database is away.")
        return real()

    monkeypatch.setattr(world.ctx.database, "look", look)
    _put(world, "a")
    worker = Worker(world.ctx)
    worker.start()
    assert failed.wait(5)
    away[0] = False
    assert ran.wait(5)
    assert worker.stop(10)


def test_a_mass_change_keeps_to_the_pace_that_all_processes_share(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: Counter[str] = Counter()

    def action(ctx: Context, leases: list[Lease]) -> None:
        ran.update(lease.key for lease in leases)
        _settle(ctx, leases)

    _kind(monkeypatch, action)
    world.ctx.settings = dataclasses.replace(world.ctx.settings, cards_per_second=20_000)
    with world.ctx.change() as tx:
        jobs.put(tx, [Put("try", str(n), BULK, world.clock()) for n in range(1_000)])
    workers = [Worker(world.ctx, [BULK]) for _ in range(2)]
    for worker in workers:
        worker.start()
    end = time.monotonic() + 120
    while len(ran) < FIRST and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    # The clock stands at the beginning of a second: beside each worker's first batch its first quarter is all there is.
    assert len(ran) <= 2 * world.ctx.settings.batch_size + FIRST // 4
    world.clock.forward(seconds=1)
    with world.ctx.change() as tx:
        limits.take(tx, pacing.TOLD, int(world.clock().timestamp()) - 1, 10_000)
    # Now a quarter is more than there is. The clock stands: no lease runs out, however slow the machine.
    end = time.monotonic() + 120
    while len(ran) < 1_000 and time.monotonic() < end:
        time.sleep(0.02)
    assert [worker.stop(60) for worker in workers] == [True, True]
    assert set(ran.values()) == {1}
    assert len(ran) == 1_000


def test_the_nightly_work_stands_once_and_comes_again_each_night(world: World) -> None:
    world.sell(world.enrol(), 1000)
    world.work()
    upkeep.schedule(world.ctx)
    upkeep.schedule(world.ctx)
    for _ in range(2):
        (job,) = outbox.letters(world.ctx, dead=False)
        assert job.kind == upkeep.NIGHTLY
        assert job.due_at.hour == 1
        world.clock.at = job.due_at
        world.work()
    assert upkeep.book_faults(world.ctx) == []
