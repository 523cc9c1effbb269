"""A write from outside happens once, however often, from however many tills and however much at once it is sent."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from tests.world import NOON, Holder, World, together
from wallet_server.actions import keys
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.errors import Conflict, Unavailable
from wallet_server.records.counter import sales
from wallet_server.records.schema import requests
from wallet_server.records.schema import sales as sales_table


def _points(world: World, holder: Holder) -> int:
    return till.look_up(world.ctx, world.till, holder.code).balances["points"]


def _sales(world: World) -> int:
    with world.ctx.look() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(sales_table)).scalar_one())


def test_eight_writers_on_one_member_count_every_sale(world: World) -> None:
    holder = world.enrol()

    def sell() -> None:
        for _ in range(4):
            world.sell(holder, 1000)

    assert together(*[sell] * 8) == [None] * 8
    assert _points(world, holder) == 8 * 4 * 10
    assert upkeep.book_faults(world.ctx) == []


def test_of_eight_redemptions_at_once_a_balance_for_three_allows_three(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 3500)
    results = together(*[lambda: world.redeem(holder, 10)] * 8)
    refused = [fault for fault in results if isinstance(fault, Conflict)]
    assert len(refused) == 5
    assert {fault.code for fault in refused} == {"not-enough"}
    assert sum(isinstance(result, dict) for result in results) == 3
    assert _points(world, holder) == 5
    assert upkeep.book_faults(world.ctx) == []


def test_the_same_receipt_three_times_at_once_is_one_sale_a_till(world: World) -> None:
    holder = world.enrol()
    other = keys.authenticate(world.ctx, world.second_till())
    calls = [lambda: world.sell(holder, 1000, receipt="77")] * 3
    calls += [lambda: world.sell(holder, 1000, receipt="77", scope=other)] * 3
    results = together(*calls)
    assert {result["id"] for result in results[:3]} == {results[0]["id"]}
    assert {result["id"] for result in results[3:]} == {results[3]["id"]}
    assert results[0]["id"] != results[3]["id"]
    assert _sales(world) == 2
    assert _points(world, holder) == 20


def test_the_same_key_and_sale_through_two_tills_at_once_is_one_sale(world: World) -> None:
    holder = world.enrol()
    other = keys.authenticate(world.ctx, world.second_till())
    sale: dict[str, Any] = {"receipt": "77", "key": "k", "occurred_at": world.clock()}
    results = together(
        lambda: world.sell(holder, 1000, **sale),
        lambda: world.sell(holder, 1000, **sale, scope=other),
        lambda: world.sell(holder, 1000, **sale),
    )
    assert results[0] == results[1] == results[2]
    assert _sales(world) == 1


def test_two_tills_that_number_their_keys_alike_stay_apart(world: World) -> None:
    holder = world.enrol()
    other = keys.authenticate(world.ctx, world.second_till())
    first = world.sell(holder, 1000, receipt="1", key="1")
    second = world.sell(holder, 2000, receipt="1", key="1", scope=other)
    assert first["id"] != second["id"]


def test_two_equal_sales_at_two_tills_under_equal_numbers_are_two_sales(world: World) -> None:
    holder = world.enrol()
    other = keys.authenticate(world.ctx, world.second_till())
    world.sell(holder, 1000, receipt="12", key="12")
    world.sell(holder, 1000, receipt="12", key="12", scope=other)
    assert _points(world, holder) == 20


def test_what_is_sent_again_over_midnight_is_counted_once(world: World) -> None:
    holder = world.enrol()
    zone = ZoneInfo(world.till.zone)
    midnight = datetime.combine(NOON.astimezone(zone).date() + timedelta(days=1), time.min, zone)
    world.clock.at = midnight.astimezone(UTC) - timedelta(seconds=1)
    sale = world.sell(holder, 5000, receipt="9")
    spent = world.redeem(holder, 10, reference="9")
    world.clock.forward(seconds=2)
    assert world.sell(holder, 5000, receipt="9") == sale
    assert world.redeem(holder, 10, reference="9") == spent
    assert _points(world, holder) == 40
    world.clock.forward(hours=1)
    assert world.sell(holder, 5000, receipt="9")["id"] != sale["id"]  # a new day's ninth receipt


def _reused(call: Any) -> None:
    with pytest.raises(Conflict) as refusal:
        call()
    assert refusal.value.code == "key-reused"


def test_a_key_or_receipt_for_something_else_is_refused_and_changes_nothing(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    world.sell(holder, 1000, receipt="1", key="k1")
    _reused(lambda: world.sell(holder, 2000, receipt="2", key="k1"))  # another sale under the key
    _reused(lambda: world.sell(holder, 2000, receipt="1", key="k2"))  # another amount under the receipt
    _reused(lambda: world.sell(other, 1000, receipt="1"))  # another card under the receipt
    _reused(lambda: world.redeem(holder, 1, key="k1"))  # another route under the key
    world.redeem(holder, 1, reference="r")
    _reused(lambda: world.redeem(holder, 2, reference="r"))
    assert _sales(world) == 1
    assert (_points(world, holder), _points(world, other)) == (9, 0)


def test_a_receipt_raced_for_by_two_cards_is_one_sale_and_one_refusal(world: World) -> None:
    one, two = world.enrol(), world.enrol()
    for number in range(5):
        results = together(
            lambda n=number: world.sell(one, 1000, receipt=f"r{n}"),
            lambda n=number: world.sell(two, 1000, receipt=f"r{n}"),
        )
        refused = [fault for fault in results if isinstance(fault, Exception)]
        assert [getattr(fault, "code", repr(fault)) for fault in refused] == ["key-reused"]
    assert _points(world, one) + _points(world, two) == 50


def test_a_refused_write_leaves_its_key_and_number_free(world: World) -> None:
    holder = world.enrol()
    for _ in range(2):
        with pytest.raises(Conflict) as refusal:
            world.redeem(holder, 5, reference="r", key="k")
        assert refusal.value.code == "not-enough"
    world.sell(holder, 1000)
    assert world.redeem(holder, 5, reference="r", key="k")["balances"]["points"] == 5
    assert world.redeem(holder, 5, reference="r", key="k")["balances"]["points"] == 5
    assert _points(world, holder) == 5


def test_what_is_repeated_while_the_first_is_not_yet_committed_waits_and_is_replayed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stops in the middle of its transaction; the second comes; then the first goes on."""
    holder = world.enrol()
    middle, go_on = threading.Event(), threading.Event()
    add_sale = sales.add_sale

    def slow(*arguments: Any) -> int:
        number = add_sale(*arguments)
        if not middle.is_set():
            middle.set()
            go_on.wait(10)
        return number

    monkeypatch.setattr(sales, "add_sale", slow)

    def second() -> Any:
        middle.wait(10)
        threading.Timer(0.2, go_on.set).start()
        return world.sell(holder, 1000, receipt="1", key="k")

    first, replay = together(lambda: world.sell(holder, 1000, receipt="1", key="k"), second)
    assert first == replay
    assert _sales(world) == 1


def test_an_answer_stands_for_the_card_as_it_was_then(world: World) -> None:
    holder = world.enrol()
    first = world.sell(holder, 1000, receipt="1")
    world.sell(holder, 5000)
    assert world.sell(holder, 1000, receipt="1") == first


def test_two_reversals_at_once_reverse_once(world: World) -> None:
    holder = world.enrol()
    sale = world.sell(holder, 1000)["id"]
    other = keys.authenticate(world.ctx, world.second_till())
    results = together(
        lambda: till.reverse_sale(world.ctx, world.till, sale, "a"),
        lambda: till.reverse_sale(world.ctx, other, sale, "b"),
        lambda: till.reverse_sale(world.ctx, world.till, sale, "a"),
    )
    refused = [fault for fault in results if isinstance(fault, Exception)]
    assert {getattr(fault, "code", repr(fault)) for fault in refused} <= {"already-reversed"}
    assert _points(world, holder) == 0
    assert upkeep.book_faults(world.ctx) == []


def test_a_sale_a_redemption_and_a_reversal_at_once_leave_true_books(world: World) -> None:
    holder = world.enrol()
    sold = [world.sell(holder, 1000)["id"] for _ in range(4)]
    results = together(
        *[lambda s=sale: till.reverse_sale(world.ctx, world.till, s, None) for sale in sold[:3]],
        *[lambda: world.redeem(holder, 15)] * 2,
        *[lambda: world.sell(holder, 2000)] * 2,
    )
    assert not any(isinstance(result, Unavailable) for result in results), results
    redeemed = sum(isinstance(result, dict) for result in results[3:5])
    assert _points(world, holder) == 10 + 40 - 15 * redeemed
    assert upkeep.book_faults(world.ctx) == []


def test_what_is_kept_of_an_answer_holds_ids_and_numbers_and_no_sentence(world: World) -> None:
    holder = world.enrol(email="ada@example.org")
    world.sell(holder, 1000, receipt="1")
    with world.ctx.look() as tx:
        answers = " ".join(tx.execute(sa.select(requests.c.answer)).scalars())
    assert holder.code not in answers
    assert "ada@example.org" not in answers
    assert "Purchase" not in answers
