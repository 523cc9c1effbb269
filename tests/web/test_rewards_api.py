"""Rewards over the interface: what a redemption may name, and what a look-up says of a stamp card and of points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.world import Holder, World, founded
from wallet_server.rules.programme.program import default_document

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """Points and vouchers for the same euros; two rewards, one for each."""
    document = default_document("Boulangerie")
    names = {tag: {"one": "ticket", "other": "tickets"} for tag in ("fr", "en")}
    document["currencies"].append({"code": "tickets", "kind": "stamps", "names": names})
    document["earn"].append({"id": "visits", "currency": "tickets", "visit": {"units": 2}})
    document["rewards"] = [
        {"code": "roll", "names": {"fr": "un croissant", "en": "a croissant"},
         "cost": {"currency": "points", "amount": 30}},
        {"code": "cake", "names": {"fr": "un gâteau", "en": "a cake"}, "cost": {"currency": "tickets", "amount": 2}},
    ]  # fmt: skip
    with founded(new_database("sqlite"), tmp_path, document=document) as made:
        yield made


def post(world: World, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = world.client().post(f"/v1/{path}", json=body, headers=world.bearer(world.founded.till_key))
    return answer.status_code, answer.get_json()


def holder(world: World) -> Holder:
    made = world.enrol()
    world.sell(made, 4200)
    return made


def test_a_look_up_says_what_can_be_had_and_what_is_missing(world: World) -> None:
    status, seen = post(world, "lookups", {"code": holder(world).code, "language": "fr"})
    assert status == 200
    assert seen["rewards"] == [
        {
            "code": "roll",
            "name": "un croissant",
            "kind": "product",
            "cost": {"currency": "points", "amount": 30},
            "missing": 0,
            "ready": 1,
            "stock": None,
            "until": None,
        },
        {
            "code": "cake",
            "name": "un gâteau",
            "kind": "product",
            "cost": {"currency": "tickets", "amount": 2},
            "missing": 0,
            "ready": 1,
            "stock": None,
            "until": None,
        },
    ]
    assert (seen["stamps"], seen["progress"]) == (None, None)


def test_a_reward_in_another_currency_is_said_in_that_currency(world: World) -> None:
    made = holder(world)
    status, given = post(world, "redemptions", {"code": made.code, "reward": "cake", "reference": "a"})
    assert status == 200
    assert given["sentence"] == "A cake: -2 tickets, new balance 0"
    assert given["balances"] == {"points": 42, "status": 42, "tickets": 0}
    assert [(one["code"], one["ready"], one["missing"]) for one in given["rewards"]] == [("roll", 1, 0), ("cake", 0, 2)]
    status, sold = post(world, "redemptions", {"code": made.code, "amount": 12, "reference": "b", "language": "fr"})
    assert (status, sold["reward"], sold["sentence"]) == (200, None, "-12 points, nouveau solde 30")


@pytest.mark.parametrize(
    "wrong", [{}, {"amount": 1, "reward": "roll"}, {"reward": "roll", "currency": "points"}, {"reward": ""}]
)
def test_a_redemption_names_one_thing(world: World, wrong: dict[str, Any]) -> None:
    made = world.enrol()
    status, refused = post(world, "redemptions", {"code": made.code, "reference": "a", **wrong})
    assert (status, refused["code"]) == (422, "invalid")


def test_an_unknown_reward_is_a_problem_with_its_place(world: World) -> None:
    status, refused = post(world, "redemptions", {"code": world.enrol().code, "reward": "pie", "reference": "a"})
    assert (status, refused["code"], refused["field"]) == (400, "unknown-reward", "reward")


def test_the_till_says_what_to_take_back_of_a_reward_that_is_undone(database_url: str, tmp_path: Path) -> None:
    document = default_document("Boulangerie")
    cost = {"currency": "points", "amount": 10}
    document["rewards"] = [
        {"code": "mug", "names": {"fr": "une tasse", "en": "a mug"}, "cost": cost},
        {"code": "back", "names": {"fr": "un euro", "en": "a euro"}, "cost": cost, "kind": "refund",
         "value_minor": 100},
        {"code": "euro", "names": {"fr": "un euro", "en": "a euro"}, "cost": cost, "kind": "amount",
         "value_minor": 100},
    ]  # fmt: skip
    with founded(database_url, tmp_path, document=document) as world:
        code = holder(world).code

        def undone(reward: str, language: str) -> list[str]:
            given = post(world, "redemptions", {"code": code, "reward": reward, "reference": world.number()})[1]
            status, told = post(world, f"redemptions/{given['id']}/reversal", {"language": language})
            assert (status, told["balances"]["points"]) == (200, 42)
            return list(told["instructions"])

        assert undone("mug", "en") == ["Take back: a mug."]
        assert undone("mug", "fr") == ["Reprenez\u00a0: une tasse."]
        assert undone("back", "en") == ["Take €1.00 back from the customer."]
        assert undone("back", "fr") == ["Reprenez 1,00\u00a0€ au client."]
        assert undone("euro", "en") == []
        spent = post(world, "redemptions", {"code": code, "amount": 5, "reference": "s"})[1]
        assert post(world, f"redemptions/{spent['id']}/reversal", {})[1]["instructions"] == []

        body = {"code": code, "receipt": "r", "currency": "EUR", "amount_minor": 500, "rewards": ["back", "mug"]}
        sold = post(world, "sales", body)[1]
        assert sold["instructions"] == ["Pay €1.00 back to the customer.", "Hand over: a mug."]
        told = post(world, f"sales/{sold['id']}/reversal", {})[1]
        assert (told["amount_minor"], told["balances"]["points"]) == (400, 42)
        assert told["instructions"] == ["Already taken off: €1.00 that the customer was paid.", "Take back: a mug."]
