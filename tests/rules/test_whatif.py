"""What a card would have cost is what a naive count says, never more than every purchase could earn, and exact."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.simulation.whatif import (
    Offer,
    PointsCard,
    Purchase,
    Row,
    StampCard,
    purchases_of,
    replay,
)

START = date(2025, 1, 1).toordinal()
PURCHASES = st.lists(
    st.builds(
        Purchase,
        st.integers(START, START + 500),
        st.integers(-3000, 20000),
        st.sampled_from([None, "a", "b", "c", "d"]),
    ),
    min_size=1,
    max_size=60,
).map(lambda found: sorted(found, key=lambda one: one.day))
STAMPS = st.builds(StampCard, st.integers(1, 12), st.integers(0, 900), st.integers(0, 1000))
POINTS = st.builds(
    PointsCard,
    st.fractions(0, 3, max_denominator=200),
    st.fractions(0, 20, max_denominator=100),
)


def naive_units(purchases: list[Purchase], offer: Offer) -> dict[str | None, int]:
    """Each customer's gifts or points, counted customer by customer in plain words."""
    known = any(one.customer is not None for one in purchases)
    baskets: dict[str | None, list[int]] = defaultdict(list)
    for one in purchases:
        if one.customer is not None or not known:
            baskets[one.customer].append(one.amount_minor)
    units = {}
    for who, amounts in baskets.items():
        if isinstance(offer, StampCard):
            stamps = sum(1 for amount in amounts if amount > 0 and amount >= offer.minimum_minor)
            gifts = 0
            while stamps >= offer.paid:
                stamps -= offer.paid
                gifts += 1
            units[who] = gifts
        else:
            points = 0
            for amount in amounts:
                step = int(abs(amount) * offer.per_minor)
                points = points + step if amount > 0 else max(0, points - step)
            units[who] = points
    return units


@given(PURCHASES, STAMPS | POINTS)
def test_the_replay_agrees_with_a_naive_count(purchases: list[Purchase], offer: Offer) -> None:
    outcome = replay(purchases, offer)
    units = naive_units(purchases, offer)
    each = Fraction(offer.gift_minor) if isinstance(offer, StampCard) else offer.worth_minor
    assert outcome.units == sum(units.values())
    assert outcome.most_minor == int(outcome.units * each)
    assert outcome.turnover_minor == sum(one.amount_minor for one in purchases)
    assert outcome.known == any(one.customer for one in purchases)
    assert outcome.months[-1].so_far_minor == outcome.most_minor
    assert sum(month.given_minor for month in outcome.months) == outcome.most_minor
    assert sum(month.turnover_minor for month in outcome.months) == outcome.turnover_minor
    if outcome.known:
        assert outcome.customers == len(units) == sum(band.customers for band in outcome.bands)
        assert outcome.least_minor == outcome.most_minor
        for band in outcome.bands:
            values = [n if isinstance(offer, StampCard) else int(n * each) for n in units.values()]
            inside = [value for value in values if band.low <= value and (band.high is None or value < band.high)]
            assert band.customers == len(inside)
        days = purchases[-1].day - purchases[0].day + 1
        if days >= 28:
            assert outcome.median_units_year == Fraction(median(Fraction(n) for n in units.values())) * 365 / days
        else:
            assert outcome.median_units_year is None
        top = sorted((int(n * each) for n in units.values()), reverse=True)[: outcome.top_customers]
        assert outcome.top_given_minor == sum(top)
        assert 10 * outcome.top_customers >= outcome.customers > 10 * (outcome.top_customers - 1)
    else:
        assert outcome.least_minor == int(int(outcome.units * Fraction(2, 5)) * each)
        assert outcome.bands == ()


@given(PURCHASES, st.integers(1, 11), st.integers(1, 900))
def test_a_longer_card_never_costs_more_and_a_gift_costs_what_it_is_worth(
    purchases: list[Purchase], paid: int, gift: int
) -> None:
    short, long = replay(purchases, StampCard(paid, gift)), replay(purchases, StampCard(paid + 1, gift))
    assert long.most_minor <= short.most_minor
    assert replay(purchases, StampCard(paid, 2 * gift)).most_minor == 2 * short.most_minor


def test_ten_and_one_for_a_regular_and_a_passer_by() -> None:
    regular = [Purchase(START + 7 * week, 450, "regular") for week in range(21)]
    passer = [Purchase(START + 3, 450, "passer-by")]
    outcome = replay(sorted([*regular, *passer], key=lambda one: one.day), StampCard(10, 300))
    assert (outcome.units, outcome.most_minor) == (2, 600)
    assert [(band.low, band.customers) for band in outcome.bands] == [(0, 1), (1, 0), (2, 1)]
    assert outcome.rate == (Fraction(600, 22 * 450), Fraction(600, 22 * 450))
    assert [(m.month, m.given_minor) for m in outcome.months] == [(1, 0), (2, 0), (3, 300), (4, 0), (5, 300)]
    assert (outcome.top_customers, outcome.top_given_minor) == (1, 600)


def test_lines_of_one_receipt_are_one_purchase_with_the_customer_of_any_line() -> None:
    rows = [
        Row(START, 300, None, "17"),
        Row(START, 200, "a", "17"),
        Row(START + 1, 100, "a", "17"),  # the numbers began again the next day
        Row(START, 50, "b", None),
        Row(START, 60, "b", None),
    ]
    assert sorted(purchases_of(rows)) == sorted(
        [
            Purchase(START, 500, "a"),
            Purchase(START + 1, 100, "a"),
            Purchase(START, 50, "b"),
            Purchase(START, 60, "b"),
        ]
    )


def test_nothing_cannot_be_replayed_and_refunds_alone_have_no_rate() -> None:
    with pytest.raises(ValueError, match="nothing"):
        replay([], StampCard(10, 300))
    assert replay([Purchase(START, -500, "a")], PointsCard(Fraction(1, 100), Fraction(5))).rate is None
