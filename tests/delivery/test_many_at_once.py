"""What thousands of jobs that were claimed at once must not hold up: a till, another worker, the end of the process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tests.phone import Phone
from tests.world import World
from wallet_server.actions import outbox
from wallet_server.actions.passes import refresh
from wallet_server.delivery.worker import run_once
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, Put
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
