"""Units put aside: nobody else spends them, they are used once, and whatever happens none is made or lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import NewDatabase
from tests.examples import examples
from tests.world import Holder, World, founded, together
from wallet_server.actions.counter import till
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import Facts
from wallet_server.actions.operating import upkeep
from wallet_server.actions.purse import holding
from wallet_server.actions.purse.holding import Wanted
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.purse import ledger, pending
from wallet_server.records.schema import lots
from wallet_server.rules.programme.program_default import default_document

WHY = {"rule": "hold", "version": 1, "language": "fr"}


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    base = default_document("Boulangerie")
    currencies = [{**one, "expires_after_months": 1} for one in base["currencies"]]
    document = {**base, "currencies": currencies, "holds": {"minutes": 60}}
    with founded(new_database("sqlite"), tmp_path, document=document) as made:
        yield made


def aside(world: World, holder: Holder, amount: int, **more: Any) -> Facts:
    wanted = Wanted(holder.code, None, amount, world.number(), more.get("minutes"))
    return holding.authorise(world.ctx, world.till, wanted, more.get("key"))[0]


def points(world: World, holder: Holder) -> tuple[int, int]:
    """What can be spent, and what is put aside."""
    with world.ctx.look() as tx:
        held = pending.waiting(tx, [holder.member_id]).get(holder.member_id, {}).get("points", pending.Waiting()).held
    return till.look_up(world.ctx, world.till, holder.code).balances["points"], held


def rest(world: World) -> list[int]:
    """What is left of the lots of what can be spent, the first to run out first."""
    with world.ctx.look() as tx:
        found = tx.execute(sa.select(lots).where(lots.c.expires_at.is_not(None)).order_by(lots.c.expires_at, lots.c.id))
        return [r.remaining for r in found if r.amount % 10 == 0]


STEPS = st.one_of(
    st.tuples(st.just("sell"), st.integers(1, 30)),
    st.tuples(st.just("hold"), st.integers(1, 40)),
    st.tuples(st.just("capture"), st.integers(0, 3), st.none() | st.integers(1, 40)),
    st.tuples(st.just("release"), st.integers(0, 3)),
    st.tuples(st.just("spend"), st.integers(1, 20)),
    st.tuples(st.just("undo"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2, 24 * 20])),
)


@pytest.mark.slow
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example([("sell", 30), ("hold", 20), ("wait", 480), ("sell", 10), ("wait", 480), ("spend", 5), ("wait", 2)])
@example([("sell", 30), ("hold", 20), ("capture", 0, 12), ("undo", 0), ("hold", 30), ("wait", 2), ("spend", 20)])
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_what_is_available_held_spent_and_gone_is_what_was_given(world: World, steps: list[tuple[Any, ...]]) -> None:
    holder = world.enrol()
    earned = spent = 0
    world.clock.forward(days=40)
    _by_time(world)  # nothing of others runs out from here on
    open_holds: list[str] = []
    used: list[tuple[str, int]] = []
    gone_before = _gone(world)
    for step in steps:
        try:
            match step:
                case ("sell", amount):
                    world.sell(holder, amount * 100)
                    earned += amount
                case ("hold", amount):
                    open_holds.append(aside(world, holder, amount)["id"])
                case ("capture", which, amount) if which < len(open_holds):
                    facts, _ = holding.capture(world.ctx, world.till, open_holds[which], amount, None)
                    if facts["entries"][0]["id"] not in [entry for entry, _ in used]:
                        used.append((facts["entries"][0]["id"], facts["hold"]["captured"]))
                        spent += facts["hold"]["captured"]
                case ("release", which) if which < len(open_holds):
                    holding.release(world.ctx, world.till, open_holds[which], None)
                case ("spend", amount):
                    world.redeem(holder, amount)
                    spent += amount
                case ("undo", which) if which < len(used):
                    facts, _ = till.reverse_entry(world.ctx, world.till, used[which][0], world.number())
                    spent -= used[which][1]
                    used[which] = (used[which][0], 0)
                case ("wait", hours):
                    world.clock.forward(hours=hours)
                    _by_time(world)
        except Conflict as refusal:
            assert refusal.code in ("not-enough", "hold-over", "more-than-held", "already-reversed", "key-reused")
        available, held = points(world, holder)
        assert available >= 0
        assert held >= 0
        assert available + held + spent + _gone(world) - gone_before == earned
    assert upkeep.book_faults(world.ctx) == []


def _by_time(world: World) -> None:
    now = world.clock()
    with world.ctx.change() as tx:
        holding.lapse_due(world.ctx, tx, now)
        upkeep.book_expired(world.ctx, tx, now)


def _gone(world: World) -> int:
    """What ran out, of everybody."""
    lines = {(one.currency, one.purpose): one.amount for one in upkeep.trial_balance(world.ctx)}
    return lines.get(("points", "breakage"), 0)


def test_a_part_is_used_and_the_rest_goes_back_to_the_lots_that_it_came_from(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 1000)
    world.clock.forward(days=3)
    world.sell(holder, 2000)
    facts = aside(world, holder, 25)
    assert (facts["balances"]["points"], points(world, holder), rest(world)[:3:2]) == (5, (5, 25), [0, 5])
    assert facts["hold"]["state"] == "open"
    with pytest.raises(Conflict) as refusal:
        world.redeem(holder, 6)
    assert refusal.value.code == "not-enough", "what is put aside is nobody else's"
    with pytest.raises(Conflict) as beyond:
        holding.capture(world.ctx, world.till, facts["id"], 26, None)
    assert (beyond.value.code, beyond.value.facts) == ("more-than-held", {**WHY, "held": 25, "asked": 26})
    done, _ = holding.capture(world.ctx, world.till, facts["id"], 12, None)
    assert [(e["amount"], e["reason"]) for e in done["entries"]] == [(-12, "burn.hold"), (13, "release.hold")]
    assert (done["hold"]["state"], done["hold"]["captured"], points(world, holder)) == ("captured", 12, (18, 0))
    assert rest(world)[:3:2] == [0, 18], "what runs out first was used first"
    assert holding.capture(world.ctx, world.till, facts["id"], 12, None) == (done, True)
    with pytest.raises(Conflict) as over:
        holding.release(world.ctx, world.till, facts["id"], None)
    assert (over.value.code, over.value.facts) == ("hold-over", {**WHY, "state": "captured"})
    till.reverse_entry(world.ctx, world.till, done["entries"][0]["id"], None)
    assert rest(world)[:3:2] == [10, 20], "a capture that is undone gives back where it came from"
    assert upkeep.book_faults(world.ctx) == []


def test_what_comes_back_fits_into_an_account_or_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = world.enrol()
    world.sell(holder, 3000)
    facts = aside(world, holder, 25)
    monkeypatch.setattr(ledger, "MAX_BALANCE", 29)
    with pytest.raises(Conflict) as refusal:
        holding.release(world.ctx, world.till, facts["id"], None)
    assert refusal.value.code == "balance-too-large"
    assert points(world, holder) == (5, 25), "and nothing was moved"
    monkeypatch.undo()
    holding.release(world.ctx, world.till, facts["id"], None)
    assert points(world, holder) == (30, 0)


def test_a_hold_is_over_at_its_time_and_what_ran_out_meanwhile_goes_with_the_night(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 1000)
    world.clock.forward(days=29, hours=23, minutes=40)
    facts = aside(world, holder, 10, minutes=6000)
    ends = (world.clock() + timedelta(minutes=60)).isoformat()
    assert facts["hold"]["expires_at"] == ends, "at most what the programme allows"
    world.clock.forward(minutes=59)
    world.work()
    assert points(world, holder) == (0, 10)
    world.clock.forward(minutes=1)
    with pytest.raises(Conflict) as refusal:
        holding.capture(world.ctx, world.till, facts["id"], None, None)
    assert refusal.value.facts == {**WHY, "state": "expired"}
    world.work()
    assert points(world, holder) == (10, 0)
    with pytest.raises(Conflict):
        world.redeem(holder, 10)
    with world.ctx.change() as tx:
        upkeep.book_expired(world.ctx, tx, world.clock())
    assert points(world, holder) == (0, 0)
    assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_tills_that_use_it_at_once_one_does(new_database: NewDatabase, tmp_path: Path, kind: str) -> None:
    with founded(new_database(kind), tmp_path) as world:
        holder = world.enrol()
        world.sell(holder, 5000)
        hold = aside(world, holder, 30)["id"]
        other = authenticate(world.ctx, world.second_till())
        found = together(
            lambda: holding.capture(world.ctx, world.till, hold, 10, None),
            lambda: holding.release(world.ctx, other, hold, None),
        )
        assert sorted(getattr(one, "code", "done") for one in found) == ["done", "hold-over"]
        assert points(world, holder)[0] in (40, 50)
        assert upkeep.book_faults(world.ctx) == []


def test_the_same_request_puts_aside_once_and_a_stranger_finds_nothing(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 5000)
    wanted = Wanted(holder.code, None, 30, "order-1")
    first = holding.authorise(world.ctx, world.till, wanted, None)
    assert holding.authorise(world.ctx, world.till, wanted, "again") == (first[0], True)
    assert points(world, holder) == (20, 30)
    holding.release(world.ctx, world.till, first[0]["id"], None)
    with pytest.raises(Conflict) as over:
        holding.authorise(world.ctx, world.till, wanted, "again")
    assert (over.value.code, over.value.facts["state"]) == ("hold-over", "released")
    with pytest.raises(NotFound):
        holding.capture(world.ctx, world.till, "hld_00000000000000000000", None, None)
