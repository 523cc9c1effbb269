"""Stamps at the till: one a visit however often it is scanned, rewards for their cost, one welcome gift for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.phone import Phone, ringing
from tests.world import NOON, Holder, World, founded, together
from wallet_server.actions import keys, overview
from wallet_server.actions.counter import rating, till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import programs
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records.passes import passes
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_simple import stamp_document

INTERVAL = timedelta(minutes=10)


def document(**answers: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"reward_names": {"fr": "un café", "en": "a coffee"}, "reward_value_minor": 250}
    return stamp_document("Boulangerie", palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"), **plain | answers)


@pytest.fixture
def bakery(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A stamp card of ten with two stamps for joining, on SQLite."""
    with founded(new_database("sqlite"), tmp_path, document=document(welcome=2)) as made:
        yield made


def stamps(world: World, holder: Holder) -> int:
    return till.look_up(world.ctx, world.till, holder.code).balances["stamps"]


def visit(world: World, holder: Holder, **more: Any) -> dict[str, Any]:
    return world.sell(holder, 250, **more)


# --- one visit, one stamp --------------------------------------------------------------------------------------


def test_two_scans_within_the_interval_are_one_visit(bakery: World) -> None:
    holder = bakery.enrol()
    first = visit(bakery, holder)
    assert [(e["currency"], e["amount"], e["rule"]) for e in first["entries"]] == [("stamps", 1, "visit")]
    bakery.clock.forward(minutes=9, seconds=59)
    second = visit(bakery, holder)
    assert second["entries"] == []
    assert second["counted_before"] is True
    assert second["balances"] == {"stamps": 1}
    bakery.clock.forward(seconds=1)
    assert "counted_before" not in visit(bakery, holder)
    assert stamps(bakery, holder) == 2


def test_a_sale_that_arrives_late_is_a_visit_only_where_none_is_near(bakery: World) -> None:
    holder = bakery.enrol()
    visit(bakery, holder)
    bakery.clock.forward(hours=2)
    visit(bakery, holder)
    near, between, before = (
        visit(bakery, holder, occurred_at=NOON + timedelta(minutes=minutes)) for minutes in (112, 60, -9)
    )
    assert [len(sale["entries"]) for sale in (near, between, before)] == [0, 1, 0]
    assert stamps(bakery, holder) == 3


def test_a_visit_that_was_reversed_leaves_room_for_the_right_one(bakery: World) -> None:
    holder, other = bakery.enrol(), bakery.enrol()
    wrong = visit(bakery, holder)
    visit(bakery, other)
    assert visit(bakery, holder)["entries"] == []
    till.reverse_sale(bakery.ctx, bakery.till, wrong["id"], None)
    assert len(visit(bakery, holder)["entries"]) == 1
    assert stamps(bakery, holder) == 1


def test_two_tills_at_the_same_instant_count_one_visit(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path, document=document()) as world:
        holder = world.enrol()
        scopes = [world.till, keys.authenticate(world.ctx, world.second_till())]
        sales = together(*[lambda scope=scope, n=n: visit(world, holder, scope=scope, receipt=f"r{n}")  # type: ignore[misc]
                           for n in range(3) for scope in scopes])  # fmt: skip
        assert sorted(len(sale["entries"]) for sale in sales) == [0, 0, 0, 0, 0, 1]
        assert stamps(world, holder) == 1
        assert upkeep.book_faults(world.ctx) == []


def test_a_second_touch_is_no_sale_of_today_and_no_visit_to_rate(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path, document=document()) as world:
        holder = world.enrol()
        token = world.ctx.link("rate", holder.pass_public_id).rsplit("/", 1)[1]
        first = world.sell(holder, 0)
        assert rating.rate(world.ctx, token, 5, "")
        for _ in range(2):
            world.clock.forward(minutes=1)
            touch = world.sell(holder, 0)
            assert touch["counted_before"]
        found = overview.today(world.ctx, world.merchant)
        assert (found.sales.sales, found.guests[0].visit.times) == (1, 1)
        asked = rating.question(world.ctx, token)
        assert (asked.sale, asked.mark) == (first["id"], 5)
        assert not rating.rate(world.ctx, token, 1, "")
        with pytest.raises(NotFound):
            rating.rate(world.ctx, token, 1, "", sale=touch["id"])

        world.clock.forward(minutes=1)
        bought = world.sell(holder, 250)
        assert bought["counted_before"], "with an amount it is a sale all the same"
        assert overview.today(world.ctx, world.merchant).sales.sales == 2
        assert rating.question(world.ctx, token).sale == bought["id"]


def test_each_sale_is_a_visit_where_no_interval_is_asked_for(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, document=document(interval_minutes=0)) as world:
        holder = world.enrol()
        for _ in range(3):
            visit(world, holder)
        assert stamps(world, holder) == 3


# --- rewards ---------------------------------------------------------------------------------------------------


def filled(world: World, count: int) -> Holder:
    holder = world.enrol()
    for _ in range(count):
        visit(world, holder)
        world.clock.forward(minutes=10)
    return holder


def reward(world: World, holder: Holder, code: str = "reward", reference: str | None = None) -> dict[str, Any]:
    wanted = till.Redeemed(holder.code, None, 0, reference or world.number(), code)
    return till.redeem(world.ctx, world.till, wanted, None)[0]


def test_a_reward_takes_its_cost_and_says_which_it_was(bakery: World) -> None:
    holder = filled(bakery, 11)
    given = reward(bakery, holder, reference="R-1")
    (entry,) = given["entries"]
    assert (entry["amount"], entry["rule"], entry["reason"]) == (-10, "reward", "burn.reward")
    assert entry["params"] == {"receipt": "R-1", "reward": "reward"}
    assert (given["reward"], given["balances"]) == ("reward", {"stamps": 1})
    assert reward(bakery, holder, reference="R-1") == given, "the same reference again is the same reward"
    with pytest.raises(Conflict) as refusal:
        reward(bakery, holder)
    assert refusal.value.code == "not-enough"
    why = {"rule": "reward", "version": 1, "language": "fr"}
    assert refusal.value.facts == {**why, "available": 1, "asked": 10}
    till.reverse_entry(bakery.ctx, bakery.till, given["id"], None)
    assert stamps(bakery, holder) == 11
    assert upkeep.book_faults(bakery.ctx) == []


def test_a_reward_that_there_is_not_and_a_card_that_was_replaced_give_nothing(bakery: World) -> None:
    holder = filled(bakery, 10)
    with pytest.raises(Invalid) as refusal:
        reward(bakery, holder, "cake")
    assert (refusal.value.code, refusal.value.field) == ("unknown-reward", "reward")
    with bakery.ctx.change() as tx:
        passes.retire_pass(tx, holder.pass_id)
    with pytest.raises(Conflict, match="replaced"):
        reward(bakery, holder)
    assert stamps(bakery, holder) == 10


def test_the_price_is_that_of_the_programme_that_stands(bakery: World) -> None:
    holder = filled(bakery, 8)
    wish = bakery.wish("publish")
    programs.publish_version(bakery.ctx, bakery.merchant, bakery.programme, document(stamps=8), wish)
    assert reward(bakery, holder)["entries"][0]["amount"] == -8


def test_one_reward_is_not_given_twice_at_once(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path, document=document()) as world:
        holder = filled(world, 10)
        wanted = [till.Redeemed(holder.code, None, 0, f"R-{n}", "reward") for n in range(4)]
        scope = world.till
        answers = together(*[lambda w=w: till.redeem(world.ctx, scope, w, None) for w in wanted])  # type: ignore[misc]
        assert sum(isinstance(answer, tuple) for answer in answers) == 1
        assert all(isinstance(answer, tuple | Conflict) for answer in answers)
        assert stamps(world, holder) == 0


# --- the welcome gift ------------------------------------------------------------------------------------------


def test_the_first_phone_brings_the_gift_as_its_first_live_update(bakery: World) -> None:
    holder = bakery.enrol()
    assert stamps(bakery, holder) == 0
    phone = Phone(bakery, holder).add()
    assert stamps(bakery, holder) == 2
    bakery.work()
    assert phone.rung()
    assert phone.pull()
    assert phone.value("points") == "2 / 10"
    assert phone.heard == ["points"]


def test_a_sale_just_before_does_not_hold_the_gift_back(bakery: World) -> None:
    holder = bakery.enrol()
    visit(bakery, holder)
    bakery.work()
    visit(bakery, holder, occurred_at=NOON - timedelta(hours=1))
    phone = Phone(bakery, holder).add()
    bakery.work()
    assert phone.rung(), "at once, without the clock moving on"
    assert phone.pull()
    assert phone.value("points") == "4 / 10"
    assert ringing(phone.card) == ["points"]


def test_the_gift_comes_once_for_ever(bakery: World) -> None:
    holder = bakery.enrol()
    phone = Phone(bakery, holder).add()
    phone.unregister()
    phone.register()
    Phone(bakery, holder, "library-2", "cd" * 32).add()
    phone.token = "ef" * 32
    phone.register()
    assert stamps(bakery, holder) == 2


def test_two_phones_at_once_bring_one_gift(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path, document=document(welcome=2)) as world:
        holder = world.enrol()
        phones = [Phone(world, holder, f"library-{n}", f"{n:02x}" * 32) for n in range(4)]
        assert together(*[phone.register for phone in phones]) == [True] * 4
        assert stamps(world, holder) == 2
        assert upkeep.book_faults(world.ctx) == []


def test_a_gift_is_for_those_to_whom_it_was_promised(bakery: World) -> None:
    early = bakery.enrol()
    bakery.clock.forward(seconds=1)
    publish = programs.publish_version
    publish(bakery.ctx, bakery.merchant, bakery.programme, document(), bakery.wish("publish"))
    late = bakery.enrol()
    Phone(bakery, early).add()
    Phone(bakery, late, "library-2", "cd" * 32).add()
    assert (stamps(bakery, early), stamps(bakery, late)) == (2, 0)


def test_a_card_that_was_replaced_brings_no_gift(bakery: World) -> None:
    holder = bakery.enrol()
    with bakery.ctx.change() as tx:
        passes.retire_pass(tx, holder.pass_id)
    phone = Phone(bakery, holder)
    phone.register()
    assert stamps(bakery, holder) == 0


# --- the card --------------------------------------------------------------------------------------------------


def test_the_card_is_full_at_ten_and_begins_anew_at_eleven(bakery: World) -> None:
    holder = filled(bakery, 7)
    phone = Phone(bakery, holder).add()
    bakery.work()
    phone.pull()
    assert phone.value("points") == "9 / 10"
    shown = []
    for step in (visit, visit, reward):
        step(bakery, holder)
        bakery.clock.forward(minutes=10)
        bakery.work()
        assert phone.pull()
        shown.append((phone.value("points"), phone.value("reward")))
    assert shown == [
        ("10 / 10", "Votre café offert vous attend"),
        ("1 / 10", "Votre café offert vous attend"),
        ("1 / 10", "Plus que 9 tampons et un café vous est offert"),
    ]
