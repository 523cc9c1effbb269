"""What phones hold is noted in gathered transactions: nothing is lost by it, and what waited for the note goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.context import Context
from wallet_server.actions.passes import devices, noting, pacing
from wallet_server.actions.passes.noting import Notes
from wallet_server.errors import Unavailable
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.records.schema import publications


@contextmanager
def _noting(world: World) -> Iterator[Notes]:
    notes = Notes(world.ctx, pacing.Gauge(lambda _environ, _start: []))
    notes.start()
    try:
        yield notes
    finally:
        notes.stop()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _unseen(world: World) -> int:
    with world.ctx.look() as tx:
        behind = publications.c.seen < publications.c.number
        return int(tx.execute(sa.select(sa.func.count()).where(behind)).scalar_one())


def _changed(world: World, count: int) -> list[Phone]:
    phones = [
        Phone(world, world.enrol(), library=f"library-{n}", token=f"{n:02x}" * 32).add() for n in range(1, count + 1)
    ]
    for phone in phones:
        world.sell(phone.holder, 1000)
    world.work()
    return phones


def _fetch(world: World, phone: Phone) -> None:
    assert devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, None).body


def test_many_phones_are_noted_in_few_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phones = _changed(world, 6)
    assert _unseen(world) == 6
    written: list[int] = []
    real = noting.hold

    def seen(ctx: Context, tx: Tx, held: Sequence[tuple[int, int]]) -> None:
        written.append(len(held))
        real(ctx, tx, held)

    monkeypatch.setattr(noting, "hold", seen)
    with _noting(world):
        for phone in phones:
            _fetch(world, phone)
        _until(lambda: _unseen(world) == 0)
    assert sum(written) == 6
    assert len(written) < 6
    with world.ctx.look() as tx:
        assert limits.taken(tx, pacing.SERVED, int(world.clock().timestamp())) == 6


def test_a_server_that_ends_writes_what_it_holds(world: World) -> None:
    (phone,) = _changed(world, 1)
    with _noting(world):
        _fetch(world, phone)
    assert _unseen(world) == 0
    assert world.ctx.notes is None


@pytest.mark.slow
def test_a_database_that_is_away_loses_no_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (phone,) = _changed(world, 1)
    real, tries = world.ctx.database.change, [0]

    def busy() -> object:
        tries[0] += 1
        if tries[0] < 3:
            raise Unavailable("The database is busy.")
        return real()

    with _noting(world):
        monkeypatch.setattr(world.ctx.database, "change", busy)
        _fetch(world, phone)
        _until(lambda: _unseen(world) == 0)
    assert tries[0] >= 3


def test_what_is_overtaken_is_not_taken_for_seen(world: World) -> None:
    (phone,) = _changed(world, 1)
    world.clock.forward(seconds=60)
    world.sell(phone.holder, 1000)
    world.work()
    noting.seen(world.ctx, phone.holder.pass_id, 1)
    assert _unseen(world) == 1


def test_whatever_the_database_says_the_notes_are_written_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (phone,) = _changed(world, 1)
    real, tries = noting.hold, []

    def first_broken(ctx: Context, tx: Tx, held: Sequence[tuple[int, int]]) -> None:
        tries.append(len(held))
        if len(tries) == 1:
            raise sa.exc.InternalError("", {}, Exception("cache lookup failed"))
        real(ctx, tx, held)

    monkeypatch.setattr(noting, "hold", first_broken)
    monkeypatch.setattr(noting, "PAUSE_SECONDS", 0.01)
    with _noting(world):
        _fetch(world, phone)
        _until(lambda: _unseen(world) == 0)
    assert len(tries) == 2


def test_a_quiet_spell_before_a_wave_is_no_crowd() -> None:
    gauge = pacing.Gauge(lambda _environ, _start: [])
    now = time.monotonic()
    for second in range(600):
        gauge.add(now + second, 0.5)
    assert gauge.read() <= 1500
    gauge.add(time.monotonic(), 30.0)
    assert gauge.read() == 1000
    assert gauge.read() == 0
