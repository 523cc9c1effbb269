"""What looks odd at the tills: each pattern from its number on, noted in the journal once a day with the name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actions.counter.test_gestures import document
from tests.conftest import mostly_on
from tests.examples import examples
from tests.tills import on_shift
from tests.world import Holder, World, founded
from wallet_server.actions.counter import watching
from wallet_server.records.staff import deeds
from wallet_server.rules.counter import watching as rules
from wallet_server.rules.counter.watching import BURNED, EARNED

START = datetime(2026, 11, 18, 9, tzinfo=UTC)


def test_a_reward_right_after_its_sale_is_a_round_trip() -> None:
    """Of one cashier for one member, within so many minutes, and a sale once."""
    deeds_of_a_day = [
        (1, 7, EARNED, START),
        (2, 7, BURNED, START + timedelta(minutes=1)),  # another cashier
        (1, 7, BURNED, START + timedelta(minutes=10)),
        (1, 7, BURNED, START + timedelta(minutes=10)),  # of which sale?
        (1, 8, EARNED, START + timedelta(minutes=20)),
        (1, 8, BURNED, START + timedelta(minutes=31)),  # too late
        (2, 8, EARNED, START + timedelta(minutes=40)),
        (2, 8, BURNED, START + timedelta(minutes=40)),
    ]
    assert rules.round_trips(deeds_of_a_day, 10) == {1: 1, 2: 1}


_DEEDS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from((EARNED, BURNED)), st.integers(0, 200)), max_size=40
)


@given(_DEEDS, st.integers(1, 60))
@settings(max_examples=examples(50))
def test_there_are_never_more_round_trips_than_sales_and_rewards(found: list[Any], minutes: int) -> None:
    ordered = [(who, whom, what, START + timedelta(minutes=at)) for who, whom, what, at in sorted(found, key=_at)]
    trips = rules.round_trips(ordered, minutes)
    for cashier in (1, 2, 3):
        for what in (EARNED, BURNED):
            assert trips.get(cashier, 0) <= sum(1 for one in ordered if (one[0], one[2]) == (cashier, what))
    assert sum(rules.round_trips(ordered, minutes).values()) <= sum(rules.round_trips(ordered, minutes + 60).values())


def _at(one: tuple[int, int, str, int]) -> int:
    return one[3]


def _post(world: World, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    answer = world.client().post(path, json=body, headers=headers)
    return answer.json


def _buy(world: World, holder: Holder, headers: dict[str, str]) -> str:
    body = {"code": holder.code, "receipt": world.number(), "currency": "EUR", "amount_minor": 5000}
    return str(_post(world, "/v1/sales", body, headers)["id"])


@mostly_on("sqlite")
def test_each_pattern_is_told_from_its_number_on_and_noted_once(database_url: str, tmp_path: Any) -> None:
    budgets = [{"whose": "member", "window": "day", "count": 5}]
    with founded(database_url, tmp_path, document=document(budgets)) as world:
        _, anna = on_shift(world, "Anna")
        # The same member, nine times in a day, and rewards right after five of the sales.
        friend, others = world.enrol(), [world.enrol() for _ in range(3)]
        for number in range(9):
            _buy(world, friend, anna)
            if number < 5:
                body = {"code": friend.code, "amount": 10, "reference": world.number()}
                assert "id" in _post(world, "/v1/redemptions", body, anna)
        for holder in others * 2:
            _post(world, f"/v1/sales/{_buy(world, holder, anna)}/reversal", {}, anna)
        for _ in range(8):
            _post(world, "/v1/gestures", _gesture(world, friend), anna)
        found = {one.pattern: one for one in watching.oversee(world.ctx, world.merchant).odd}
        assert {name: (one.who, one.found) for name, one in found.items()} == {
            "scans": (None, 9),
            "gestures": ("Anna", 5),
            "refunds": ("Anna", 6),
            "refusals": ("Anna", 3),
            "round_trips": ("Anna", 5),
        }
        assert found["scans"].member == friend.member
        assert _noted(world) == []
        world.clock.forward(minutes=6)
        world.work()
        of_anna = ("gestures:5", "refunds:6", "refusals:3", "round_trips:5")
        expected = {("scans:9", None, friend.member), *((detail, "Anna", None) for detail in of_anna)}
        assert set(_noted(world)) == expected
        world.clock.forward(minutes=6)
        world.work()
        assert len(_noted(world)) == 5, "once a day"
        world.clock.forward(days=1)
        assert watching.today(world.ctx, world.merchant) == 0
        assert len(watching.oversee(world.ctx, world.merchant).odd) == 5, "yesterday's"


def _gesture(world: World, holder: Holder) -> dict[str, Any]:
    return {"code": holder.code, "gesture": "scoop", "reference": world.number()}


def _noted(world: World) -> list[tuple[str | None, str | None, str | None]]:
    with world.ctx.look() as tx:
        rows = deeds.of_merchant(tx, world.merchant, 100)
    return [(row.detail, row.whom, row.about) for row in rows if row.what == deeds.ANOMALY]
