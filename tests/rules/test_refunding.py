"""The money of goods that come back: nobody is asked for any, portions give no less than all at once, and only a deal
that asks for a basket of some size makes a difference between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.baskets import refunding
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.baskets.refunding import Part, Sale, Wish
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document

NAMES = {"fr": "Une offre", "en": "A deal"}
SIZED = {"id": "sized", "names": NAMES, "percent": {"percent": 50, "minimum_minor": 1_000}}
PLAIN = {"id": "plain", "names": NAMES, "percent": {"percent": 30}}
THREE = {"id": "three", "names": NAMES, "buy_get": {"buy": 2, "get": 1}}

LINES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9).map(lambda price: price * 100)), min_size=1, max_size=5)
"""Pieces, and what one costs."""
PORTIONS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True), max_size=8)
"""Which lines give a piece back, portion by portion."""


def sale(lines: Sequence[tuple[int, int]], deal: dict[str, Any]) -> Sale:
    programme = parse(default_document("Boulangerie") | {"deals": [deal]})
    sold = tuple(Line(None, None, pieces * 1000, pieces * price, 0, False) for pieces, price in lines)
    return Sale(programme, sold, datetime(2026, 11, 20, 12, tzinfo=UTC), {"deals": ["any"]})


def given_back(sold: Sale, portions: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[int], list[int]]:
    """The money of each portion (line and pieces), and the price of what was left before all and after each."""
    came_back: tuple[Part, ...] = ()
    prices = [refunding.left(sold).amount_minor]
    held, money = prices[0], []
    for portion in portions:
        wishes = [Wish(number, pieces * 1000) for number, pieces in portion]
        back = refunding.of_lines(sold, came_back, held, wishes)
        came_back, held = (*came_back, *back.parts), held - back.amount_minor
        money.append(back.amount_minor)
        prices.append(refunding.left(sold, came_back).amount_minor)
    return money, prices


def possible(lines: Sequence[tuple[int, int]], wanted: Sequence[Sequence[int]]) -> list[list[tuple[int, int]]]:
    """Those portions of a piece each that there are pieces for."""
    left = [pieces for pieces, _ in lines]
    found = []
    for portion in wanted:
        mine = [line for line in portion if line < len(lines) and left[line]]
        for line in mine:
            left[line] -= 1
        if mine:
            found.append([(line + 1, 1) for line in mine])
    return found


def at_once(portions: Sequence[Sequence[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """The same goods in one portion."""
    sums: dict[int, int] = {}
    for portion in portions:
        for number, pieces in portion:
            sums[number] = sums.get(number, 0) + pieces
    return [list(sums.items())] if sums else []


@settings(max_examples=examples(150))
@given(LINES, PORTIONS)
@example([(1, 900), (1, 100), (1, 100)], [[1], [2]])
def test_what_is_kept_is_the_least_that_what_was_left_ever_cost(
    lines: list[tuple[int, int]], wanted: list[list[int]]
) -> None:
    sold, portions = sale(lines, SIZED), possible(lines, wanted)
    money, prices = given_back(sold, portions)
    assert all(one >= 0 for one in money), "nobody is asked for money"
    assert prices[0] - sum(money) == min(prices)
    together, _ = given_back(sold, at_once(portions))
    assert sum(money) >= sum(together), "portions give no less than all at once"
    if sum(pieces for pieces, _ in lines) == sum(len(one) for one in portions):
        assert sum(money) == sum(together) == prices[0], "all of it gives all back"


@settings(max_examples=examples(150))
@given(LINES, PORTIONS, st.sampled_from([PLAIN, THREE]))
def test_without_a_smallest_basket_neither_order_nor_portions_matter(
    lines: list[tuple[int, int]], wanted: list[list[int]], deal: dict[str, Any]
) -> None:
    sold, portions = sale(lines, deal), possible(lines, wanted)
    found = {
        sum(given_back(sold, one)[0]) for one in (portions, portions[::-1], at_once(portions), at_once(portions[::-1]))
    }
    assert len(found) == 1


def test_a_deal_that_is_lost_takes_more_at_once_than_in_portions() -> None:
    """9 + 1 + 1, half off from 10 on: 5.50 was paid. The first 1 gives 0.50 back; without the second the rest would
    cost 9, which nobody is asked for. Both at once give nothing back: what is left costs more than was paid."""
    sold = sale([(1, 900), (1, 100), (1, 100)], SIZED)
    assert given_back(sold, [[(2, 1)], [(3, 1)]]) == ([50, 0], [550, 500, 900])
    assert given_back(sold, [[(2, 1), (3, 1)]]) == ([0], [550, 900])
