"""Instant deals: the cheapest pieces, each piece once, parts that add up to the whole, and what one more would do."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.deal_sentences import hint_sentence
from wallet_server.rules.baskets.deals import Deals, Dealt, deals_of, net_lines, parted
from wallet_server.rules.programme.program import Programme, default_document, parse

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
NAMES = {"fr": "2 achetés, 1 offert", "en": "Buy 2, get 1"}
THREE_FOR_TWO = {"id": "trio", "names": NAMES, "buy_get": {"buy": 2, "get": 1}, "categories": ["bread"]}


def programme(*deals: dict[str, Any], **more: Any) -> Programme:
    named = [{"id": f"deal{n}", "names": NAMES, **deal} for n, deal in enumerate(deals)]
    return parse(default_document("Boulangerie") | {"deals": named} | more)


def pieces(count: int, each: int, category: str | None = "bread", sku: str | None = None, **more: Any) -> Line:
    return Line(sku, category, 1000 * count, count * each, 0, more.get("excluded", False))


def dealt(
    lines: list[Line], *deals: dict[str, Any], at: datetime = NOON, tier: str | None = None, **more: Any
) -> Dealt:
    basket = Basket(lines, at, "Europe/Paris", "sto_1")
    return Deals(programme(*deals, **more)).apply(basket, State(tier=tier))


def off(found: Dealt) -> dict[int, int]:
    totals: dict[int, int] = {}
    for one in found.deals:
        for number, part in one.off.items():
            totals[number] = totals.get(number, 0) + part
    return totals


@pytest.mark.parametrize(("count", "free"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (7, 2), (9, 3)])
def test_of_every_third_piece_the_cheapest_is_free(count: int, free: int) -> None:
    (one,) = dealt([pieces(count, 120)], THREE_FOR_TWO).deals or [None]
    assert (sum(one.free.values()) if one else 0) == free
    assert (one.off[1] if one else 0) == 120 * free


def test_pieces_count_and_not_lines_and_of_equals_the_later_one_is_free() -> None:
    found = dealt([pieces(1, 300), pieces(2, 100), pieces(1, 90, "milk"), pieces(4, 100)], THREE_FOR_TWO)
    assert [(one.off, one.free) for one in found.deals] == [({4: 200}, {4: 2})]


def test_a_group_that_is_not_full_gives_what_it_has_reached() -> None:
    two_and_two = {"buy_get": {"buy": 2, "get": 2}}
    assert [off(dealt([pieces(n, 100)], two_and_two)).get(1, 0) for n in range(1, 8)] == [0, 0, 100, 200, 200, 200, 300]


def test_half_price_is_rounded_once_and_the_parts_add_up() -> None:
    half = {"buy_get": {"buy": 1, "get": 1, "percent": 50}}
    found = dealt([pieces(1, 33), pieces(1, 33), pieces(1, 35), pieces(1, 35)], half)
    assert off(found) == {1: 17, 2: 16}
    assert found.deals[0].free == {}


def test_no_piece_is_taken_twice_and_the_document_says_who_comes_first() -> None:
    tenth = {"percent": {"percent": 10}}
    lines = [pieces(3, 200), pieces(1, 500), pieces(1, 1000, "cake")]
    first = dealt(lines, THREE_FOR_TWO, tenth)
    assert [one.off for one in first.deals] == [{1: 200}, {2: 50, 3: 100}]
    other = dealt(lines, tenth, THREE_FOR_TWO)
    assert [one.off for one in other.deals] == [{1: 60, 2: 50, 3: 100}]


def test_what_is_excluded_weighed_or_worth_nothing_is_left_alone() -> None:
    lines = [
        pieces(3, 100, excluded=True),
        Line(None, "bread", 1500, 450, 0, False),
        pieces(2, 0),
        pieces(2, 100),
        pieces(3, 100, "medicine"),
    ]
    assert dealt(lines, THREE_FOR_TWO).deals == ()
    everything = {"percent": {"percent": 50}}
    assert off(dealt(lines, everything, excluded={"categories": ["medicine"]})) == {2: 225, 4: 100}


def test_goods_taken_back_are_not_counted() -> None:
    back = Line("b", "bread", -1000, -100, 0, False)
    assert dealt([pieces(3, 100, sku="b"), back], THREE_FOR_TWO).deals == ()
    assert off(dealt([pieces(3, 100, sku="b"), back], {"percent": {"percent": 10}})) == {1: 20}


def test_minimum_and_most() -> None:
    some = {"percent": {"percent": 10, "minimum_minor": 2000, "most_minor": 250}, "categories": ["bread"]}
    assert dealt([pieces(1, 1999)], some).deals == ()
    assert off(dealt([pieces(1, 500), pieces(1, 1500, "cake")], some)) == {1: 50}
    assert off(dealt([pieces(1, 9000)], some)) == {1: 250}
    euros = {"amount": {"amount_minor": 300, "minimum_minor": 1000}}
    assert off(dealt([pieces(1, 333), pieces(1, 333), pieces(1, 334)], euros)) == {1: 100, 2: 100, 3: 100}
    assert dealt([pieces(1, 999)], euros).deals == ()


def test_tier_hours_and_condition() -> None:
    document = default_document("Boulangerie")
    silver = document["tiers"]["levels"][1]["code"]
    lines = [pieces(3, 100)]
    ours = {**THREE_FOR_TWO, "tiers": [silver]}
    assert dealt(lines, ours).deals == ()
    assert dealt(lines, ours, tier=silver).deals
    happy = {**THREE_FOR_TWO, "hours": {"from": "17:00", "to": "19:00"}}
    assert dealt(lines, happy).deals == ()
    assert dealt(lines, happy, at=datetime(2026, 11, 18, 16, 30, tzinfo=UTC)).deals, "17:30 in Paris"
    asked = {**THREE_FOR_TWO, "when": "basket.amount_minor >= 400"}
    assert (dealt(lines, asked).deals, bool(dealt([*lines, pieces(1, 100, "milk")], asked).deals)) == ((), True)
    per_line = {**THREE_FOR_TWO, "when": "line.amount_minor >= 200"}
    assert dealt([pieces(1, 100), pieces(2, 100)], per_line).deals == ()


def test_one_more_is_said_of_the_cheapest_article() -> None:
    lines = [pieces(1, 300, sku="brioche"), pieces(1, 120, sku="baguette")]
    (hint,) = dealt(lines, THREE_FOR_TWO).hints
    assert (hint.deal, hint.line, hint.given) == ("trio", 2, 0)
    made = programme(THREE_FOR_TWO).deals[0]
    assert hint_sentence(hint, made, "baguette", "fr") == (
        "Encore un article et il est offert\u00a0: baguette (2 achetés, 1 offert)."
    )
    assert hint_sentence(hint, made, None, "en") == "One more and it is free: Buy 2, get 1."
    assert [dealt([pieces(n, 100)], THREE_FOR_TWO).hints != () for n in range(1, 7)] == [
        False, True, False, False, True, False,
    ]  # fmt: skip


def test_net_lines_lose_free_pieces_and_their_tax() -> None:
    lines = [Line("b", "bread", 3000, 330, 30, False), Line(None, "cake", 1000, 500, 50, False)]
    deals = (THREE_FOR_TWO, {"percent": {"percent": 100}, "categories": ["cake"]})
    assert net_lines(lines, dealt(lines, *deals).deals) == [
        Line("b", "bread", 2000, 220, 20, False),
        Line(None, "cake", 1000, 0, 0, True),
    ]


def test_the_deals_of_a_version_are_made_ready_once() -> None:
    made = programme(THREE_FOR_TWO)
    assert deals_of(made) is deals_of(made)
    assert not deals_of(programme())


baskets = st.lists(
    st.builds(
        Line,
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["bread", "cake", None]),
        st.sampled_from([1000, 2000, 3000, 7000, 1500, -1000]),
        st.integers(-300, 5000),
        st.just(0),
        st.booleans(),
    ),
    max_size=8,
)
few, share, money = st.integers(1, 4), st.integers(1, 100), st.integers(1, 3000)
groups = st.fixed_dictionaries({"buy": few, "get": few, "percent": share})
shares_off = st.fixed_dictionaries({"percent": share, "minimum_minor": money})
ways = st.lists(
    st.one_of(
        groups.map(lambda way: {"buy_get": way}),
        shares_off.map(lambda way: {"percent": way}),
        money.map(lambda off: {"amount": {"amount_minor": off, "minimum_minor": off}}),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=examples(50))
@given(baskets, ways)
def test_no_line_is_ever_overdrawn_and_pieces_only_grow(lines: list[Line], given_ways: list[dict[str, Any]]) -> None:
    found = dealt(lines, *given_ways)
    for number, part in off(found).items():
        line = lines[number - 1]
        assert 0 < part <= line.amount_minor
        assert not line.excluded
    after = net_lines(lines, found.deals)
    assert sum(line.amount_minor for line in after) == sum(x.amount_minor for x in lines) - sum(off(found).values())
    for one in found.deals:
        for number, count in one.free.items():
            assert 1000 * count <= lines[number - 1].quantity_milli


@settings(max_examples=examples(50))
@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**6), min_size=1, max_size=9))
def test_parts_are_the_whole(total: int, shares: list[int]) -> None:
    total = min(total, sum(shares))
    parts = parted(total, dict(enumerate(shares)))
    assert sum(parts.values()) == total
    for number, share in enumerate(shares):
        assert abs(parts[number] * sum(shares) - total * share) < sum(shares)


def test_a_condition_on_the_whole_basket_is_asked_once_however_many_lines_there_are() -> None:
    """Asked for each line it would go through all lines each time: a thousand lines would hold up the till."""
    deals = Deals(programme({"percent": {"percent": 10}, "when": "basket.lines.all(one, one.amount_minor > 0)"}))
    calls = 0

    def count(_frame: object, event: str, _given: object) -> None:
        nonlocal calls
        calls += event == "call"

    found = []
    for lines in (100, 200):
        calls = 0
        basket = Basket([pieces(1, 100) for _ in range(lines)], NOON, "Europe/Paris", "sto_1")
        sys.setprofile(count)
        try:
            assert deals.apply(basket, State()).deals
        finally:
            sys.setprofile(None)
        found.append(calls)
    assert found[1] < 3 * found[0]


@pytest.mark.parametrize(
    ("when", "silver", "gold"),
    [
        ("member.tier == 'gold'", False, True),
        ("basket.amount_minor >= 5000", True, True),
        ("line.category == 'bread' && member.tier == 'gold'", False, True),
        ("basket.line_count > 2 && member.tier == 'gold'", False, True),
        ("!(basket.rewards_used || member.tier == 'gold')", True, False),
        ("basket.lines.exists(one, one.sku == 'A') || basket.weekday == 'sunday'", True, True),
        ("size(basket.lines) > 2 && basket.hour < 10", False, False),
        ("member.visits / 0 == 1", False, False),
    ],
)
def test_before_there_are_goods_a_deal_is_on_that_some_goods_would_have(when: str, silver: bool, gold: bool) -> None:
    deals = Deals(programme({"percent": {"percent": 10}, "when": when}))
    nothing = Basket((), NOON, "Europe/Paris", "sto_1")
    assert [bool(deals.on_now(nothing, State(tier=tier))) for tier in ("silver", "gold")] == [silver, gold]
