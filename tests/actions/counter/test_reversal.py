"""Undoing at the counter: a sale whatever it booked, a redemption for as long as the key may, and each of them once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.world import World, together
from wallet_server.actions import overview
from wallet_server.actions.counter import pairing, till
from wallet_server.actions.keys import authenticate
from wallet_server.actions.operating import upkeep
from wallet_server.errors import Conflict
from wallet_server.records.schema import sale_reversals
from wallet_server.records.scope import Scope


def paired(world: World) -> Scope:
    """A device that was made a till by its link."""
    (one,) = pairing.tills(world.ctx, world.merchant)
    link = pairing.invite(world.ctx, world.merchant, one.row.public_id).link
    return authenticate(world.ctx, pairing.pair(world.ctx, link.partition("#")[2], "d" * 43, "Phone").key)


def test_a_sale_that_earned_nothing_is_reversed_once_and_leaves_the_day(world: World) -> None:
    ctx, holder = world.ctx, world.enrol()
    kept, nothing = world.sell(holder, 1000), world.sell(holder, 90)
    assert nothing["entries"] == []
    assert overview.today(ctx, world.merchant).sales.turnover_minor == {"EUR": 1090}
    facts, _ = till.reverse_sale(ctx, world.till, nothing["id"], "a")
    assert (facts["entries"], facts["balances"]) == ([], {"points": 10, "status": 10})
    day = overview.today(ctx, world.merchant).sales
    assert (day.sales, day.turnover_minor) == (1, {"EUR": 1000})
    assert till.reverse_sale(ctx, world.till, nothing["id"], "a") == (facts, True), (
        "the same request is the same answer"
    )
    other = authenticate(ctx, world.second_till())
    for sale in (nothing, kept):
        till.reverse_sale(ctx, world.till, sale["id"], None)
        with pytest.raises(Conflict) as refusal:
            till.reverse_sale(ctx, other, sale["id"], None)
        assert refusal.value.code == "already-reversed"
    assert upkeep.book_faults(ctx) == []


def test_two_tills_that_reverse_an_empty_sale_at_once_reverse_it_once(world: World) -> None:
    sale, other = world.sell(world.enrol(), 90)["id"], authenticate(world.ctx, world.second_till())
    found = together(*[lambda s=s: till.reverse_sale(world.ctx, s, sale, None) for s in (world.till, other)])
    assert sorted(getattr(one, "code", "done") for one in found) == ["already-reversed", "done"]
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(sale_reversals)).scalar_one() == 1


def test_a_paired_device_takes_a_redemption_back_for_two_minutes_and_a_tills_own_key_for_good(world: World) -> None:
    holder, device = world.enrol(), paired(world)
    assert (device.device, world.till.device) == (True, False)
    world.sell(holder, 10_000)
    late, soon = world.redeem(holder, 20), world.redeem(holder, 30)
    world.clock.forward(minutes=2)
    assert till.reverse_entry(world.ctx, device, soon["id"], None)[0]["balances"]["points"] == 80
    world.clock.forward(seconds=1)
    with pytest.raises(Conflict) as refusal:
        till.reverse_entry(world.ctx, device, late["id"], None)
    assert refusal.value.code == "undo-over"
    assert till.look_up(world.ctx, world.till, holder.code).balances["points"] == 80
    # What was answered in time stands, however late it is asked for again.
    assert till.reverse_entry(world.ctx, device, soon["id"], None)[1]
    world.clock.forward(days=3)
    assert till.reverse_entry(world.ctx, world.till, late["id"], None)[0]["balances"]["points"] == 100


def test_a_redemption_that_was_undone_is_not_answered_as_if_it_stood(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10_000)
    wanted = till.Redeemed(holder.code, None, 20, "R-1")
    given, _ = till.redeem(world.ctx, world.till, wanted, "k")
    assert till.redeem(world.ctx, world.till, wanted, "k") == (given, True)
    till.reverse_entry(world.ctx, world.till, given["id"], None)
    for key in ("k", None, "another"):
        with pytest.raises(Conflict) as refusal:
            till.redeem(world.ctx, world.till, wanted, key)
        assert refusal.value.code == "redemption-undone"
    world.clock.forward(minutes=5)
    again = till.redeem(world.ctx, world.till, replace(wanted, reference="R-2"), None)
    assert (again[0]["balances"]["points"], again[1]) == (80, False)
    assert world.clock() - world.ctx.now() == timedelta()


def test_a_sale_that_was_taken_back_is_not_answered_as_if_it_counted(world: World) -> None:
    holder = world.enrol()
    line = till.SaleLine(None, None, 1000, None, 1000, 0, False)
    sold = till.Sold(holder.code, "R-1", 1000, (line,), "EUR")
    counted, _ = till.sell(world.ctx, world.till, sold, "k")
    assert till.sell(world.ctx, world.till, sold, "k") == (counted, True)
    till.reverse_sale(world.ctx, world.till, counted["id"], None)
    for key in ("k", None):
        with pytest.raises(Conflict) as refusal:
            till.sell(world.ctx, world.till, sold, key)
        assert refusal.value.code == "sale-undone"
    again = till.sell(world.ctx, world.till, replace(sold, receipt="R-2"), None)
    assert (again[0]["balances"]["points"], again[1]) == (10, False)
