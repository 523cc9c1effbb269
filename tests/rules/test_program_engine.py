"""The parts of a programme that earn, reward and rank: what they become, and what they demand of each other."""

from __future__ import annotations

import json
import re
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from wallet_server.errors import Invalid
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_parts import (
    AllOf,
    AnyOf,
    AtLeast,
    BuyGet,
    Calendar,
    Cap,
    Event,
    Goods,
    Limit,
    Reach,
    RefundPolicy,
    Review,
    Weighted,
)

PAGE = Path(__file__).parents[2] / "docs" / "programme.md"


def document() -> dict[str, Any]:
    """The example of the documentation, which has a bit of everything."""
    found: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)[0])
    return found


def faults(changed: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        parse(changed)
    return {fault.path: fault.sentence for fault in refusal.value.faults}


def named(word: str) -> dict[str, str]:
    return {"fr": word, "en": word}


def test_a_document_of_before_promises_what_it_promised() -> None:
    plain = document()
    for part in ("multipliers", "deals", "conversions", "refunds", "holds", "excluded"):
        del plain[part]
    programme = parse(plain)
    assert (programme.multipliers, programme.deals, programme.conversions) == ((), (), ())
    assert programme.refunds == RefundPolicy("give_back", "cancel", "debt")
    assert not programme.excluded
    assert programme.hold_minutes == 1440


def test_worth_and_waiting_of_a_currency() -> None:
    points, status = parse(document()).currencies
    assert (points.worth, points.pending_days, points.warn_days) == (Fraction(5), 0, (30, 7))
    assert status.worth is None


def test_money_is_worth_itself_and_says_so_nowhere() -> None:
    changed = document()
    pot = {"code": "pot", "kind": "money", "names": {"fr": {"one": "euro", "other": "euros"}}, "pending_days": 14}
    pot["names"]["en"] = pot["names"]["fr"]
    changed["currencies"].append(pot)
    assert parse(changed).currency("pot").worth == 1
    changed["currencies"][-1] = {**pot, "worth": {"units": 1, "amount_minor": 1}}
    assert list(faults(changed)) == ["currencies.2.worth"]


def test_rules_say_what_caps_and_excludes_them() -> None:
    changed = document()
    changed["earn"].append(
        {"id": "workshop", "currency": "points", "event": {"name": "workshop", "names": named("x"), "units": 50}}
    )
    euro, _, workshop = parse(changed).earn
    assert euro.cap == Cap(500, "day")
    assert not euro.without_tax
    assert workshop.way == Event("workshop", named("x"), 50, False)
    changed["earn"][0]["tax"] = "out"
    assert parse(changed).earn[0].without_tax


def test_multipliers_deals_and_conversions_are_exact() -> None:
    programme = parse(document())
    happy, deal, voucher = programme.multipliers[0], programme.deals[0], programme.conversions[0]
    assert happy.factor == Fraction(2)
    assert happy.calendar == Calendar(frozenset({1}), (time(17), time(19)), None)
    assert deal.way == BuyGet(2, 1, 100)
    assert deal.goods == Goods(frozenset({"baguette"}), frozenset())
    assert (voucher.units, voucher.voucher.value_minor, voucher.voucher.minimum_minor) == (500, 1000, 2000)
    assert programme.excluded.hold("medicine", None)
    assert not programme.excluded.hold("bread", None)


def test_goods_without_names_are_all_goods() -> None:
    assert Goods().hold(None, None)
    assert Goods(skus=frozenset({"7"})).hold("bread", "7")
    assert not Goods(skus=frozenset({"7"})).hold("7", None)


def test_dates_are_days_that_exist() -> None:
    changed = document()
    changed["multipliers"][0]["dates"] = {"from": "2026-12-01", "to": "2026-12-24"}
    assert parse(changed).multipliers[0].calendar.dates == (date(2026, 12, 1), date(2026, 12, 24))
    changed["multipliers"][0]["dates"] = {"from": "2026-02-30", "to": "20261224"}
    assert list(faults(changed)) == ["multipliers.0.dates.from", "multipliers.0.dates.to"]


def needs(tree: dict[str, Any]) -> dict[str, Any]:
    changed = document()
    changed["tiers"]["levels"][2] = {"code": "gold", "names": named("Or"), "needs": tree}
    return changed


def test_needs_of_a_tier_become_a_tree() -> None:
    tree = {
        "any": [
            {
                "all": [
                    {"metric": "spend", "at_least": 30000, "window": "calendar-year"},
                    {"metric": "orders", "at_least": 3, "window": "rolling-12-months"},
                ]
            },
            {"weighted": [{"metric": "events:review", "weight": 2}, {"metric": "referrals"}], "at_least": 4},
        ]
    }
    assert parse(needs(tree)).ladder is not None
    ladder = parse(needs(tree)).ladder
    assert ladder is not None
    assert ladder.review == Review("at-once", 0, 0)
    assert ladder.levels[2].needs == AnyOf(
        (
            AllOf(
                (
                    AtLeast("spend", Reach("calendar-year"), 30000),
                    AtLeast("orders", Reach("rolling-months", 12), 3),
                )
            ),
            Weighted((("events:review", Reach("ever"), 2), ("referrals", Reach("ever"), 1)), 4),
        )
    )


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({}, "tiers.levels.2.needs"),
        ({"metric": "spend", "all": []}, "tiers.levels.2.needs.all"),
        ({"metric": "spend"}, "tiers.levels.2.needs.at_least"),
        ({"metric": "wealth", "at_least": 1}, "tiers.levels.2.needs.metric"),
        ({"metric": "spend", "at_least": 1, "window": "rolling-0-days"}, "tiers.levels.2.needs.window"),
        ({"metric": "earned:gems", "at_least": 1}, "tiers.levels.2.needs.metric"),
        ({"metric": "pot", "at_least": 1, "window": "calendar-year"}, "tiers.levels.2.needs.window"),
        ({"all": [{"metric": "spend", "at_least": 1}], "at_least": 2}, "tiers.levels.2.needs.at_least"),
        ({"weighted": [{"metric": "spend"}], "at_least": 1, "window": "ever"}, "tiers.levels.2.needs.window"),
    ],
)
def test_needs_that_say_nothing_or_two_things_are_refused_where_they_stand(tree: dict[str, Any], path: str) -> None:
    assert path in faults(needs(tree))


def test_needs_stand_in_each_other_four_deep_and_no_deeper() -> None:
    tree: dict[str, Any] = {"metric": "spend", "at_least": 1}
    for _ in range(3):
        tree = {"all": [tree]}
    parse(needs(tree))
    assert "tiers.levels.2.needs.all.0.all.0.all.0.all.0" in faults(needs({"all": [tree]}))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda d: d["multipliers"][0].update(rules=["nowhere"]), "multipliers.0.rules.0"),
        (lambda d: d["multipliers"][0].update(tiers=["platinum"]), "multipliers.0.tiers.0"),
        (lambda d: d["multipliers"][0].update(hours={"from": "17:00", "to": "17:00"}), "multipliers.0.hours.to"),
        (lambda d: d["multipliers"][0].update(factor=[2]), "multipliers.0.factor"),
        (lambda d: d["multipliers"].append(dict(d["multipliers"][0])), "multipliers.1.id"),
        (lambda d: d["deals"][0].update(percent={"percent": 10}), "deals.0"),
        (lambda d: d["deals"][0].update(id="happy"), "deals.0.id"),
        (lambda d: d["deals"][0].update(buy_get=None, amount={"amount_minor": 5}), "deals.0.amount.minimum_minor"),
        (lambda d: d["deals"][0]["names"].pop("fr"), "deals.0.names.fr"),
        (lambda d: d["conversions"][0].update(currency="status"), "conversions.0.currency"),
        (lambda d: d["conversions"].append({**d["conversions"][0], "id": "two"}), "conversions.1.currency"),
        (lambda d: d["conversions"][0]["voucher"].update(percent=5), "conversions.0.voucher.percent"),
        (lambda d: d["rewards"][0].update(kind="percent"), "rewards.0.percent"),
        (lambda d: d["rewards"][0].update(percent=10), "rewards.0.percent"),
        (lambda d: d["rewards"][0].update(kind="voucher"), "rewards.0.voucher"),
        (lambda d: d["excluded"].update(categories=["a", "a"]), "excluded.categories.1"),
        (lambda d: d["tiers"]["levels"][1].pop("threshold"), "tiers.levels.1.threshold"),
        (lambda d: d["tiers"]["levels"][0].update(needs={"metric": "spend", "at_least": 1}), "tiers.levels.0.needs"),
        (lambda d: d["tiers"].update(review={"at": "never"}), "tiers.review.at"),
        (lambda d: d["earn"][1].update(event={"name": "x", "names": named("x"), "units": 1}), "earn.1"),
        (lambda d: d["holds"].update(minutes=0), "holds.minutes"),
    ],
)
def test_what_contradicts_the_rest_is_named_with_its_place(change: Any, path: str) -> None:
    changed = document()
    change(changed)
    assert path in faults(changed)


def test_a_reward_has_a_kind_a_stock_and_a_limit() -> None:
    changed = document()
    changed["rewards"][0].update(kind="service", stock=0, limit={"count": 2, "window": "month"})
    reward = parse(changed).rewards[0]
    assert (reward.kind, reward.stock, reward.limit) == ("service", 0, Limit(2, "month"))
