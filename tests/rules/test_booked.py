"""The report of one currency from what was booked: what waits or is put aside changes no cohort, prices follow their
month, and every view of the same flows agrees."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.books.booked import LOTS, SALES, Flow, Reckoning, Subject, Terms, cohorts, history, movement
from wallet_server.rules.books.liability import Worth
from wallet_server.rules.books.redemption import Cell

POINTS, OTHER, SHOP = 1, 2, 7


def flow(month: int, side: str, amount: int, cohort: int, *, reason: str = "earn.sale", currency: int = POINTS) -> Flow:
    return Flow(LOTS, month, currency, SHOP, side, reason, cohort, amount, 1)


def price(month: int, amount: int) -> Flow:
    return Flow(SALES, month, None, SHOP, "sold", "sale", month, amount, 1)


def terms(currency: int = POINTS, rate: Fraction | None = Fraction(1)) -> Terms:
    worth = None if rate is None else Worth(rate)
    return Terms(currency, 12, lambda _month: worth, worth, {})


def test_what_was_confirmed_is_of_the_month_in_which_it_was_earned() -> None:
    flows = [flow(10, "issued", 100, 10), flow(11, "confirm", -100, 10), flow(11, "confirm", 100, 10)]
    (one,) = cohorts(flows, POINTS)
    assert (one.granted, one.redeemed, one.outstanding) == (100, 0, 100)
    assert movement(flows[:1], flows, POINTS).moved == 0


def test_what_is_put_aside_counts_as_used_until_it_is_given_back() -> None:
    aside = [flow(10, "issued", 100, 10), flow(11, "hold", -40, 10), flow(11, "hold", 40, 11, reason="hold.open")]
    lot, held = cohorts(aside, POINTS)
    assert (lot.redeemed, lot.outstanding, held.outstanding) == (40, 60, 40)
    taken = [*aside, flow(11, "redeemed", -30, 11, reason="hold.open")]
    back = [*taken, flow(11, "release", -10, 11, reason="hold.open"), flow(11, "release", 10, 10)]
    lot, held = cohorts(back, POINTS)
    assert (lot.redeemed, lot.outstanding, held.outstanding) == (30, 70, 0)
    assert history(back, POINTS)[10][1] == Cell(0, 30, 0, 2)
    told = movement([], back, POINTS)
    assert (told.redeemed, told.moved, told.closing, told.adds_up) == (30, 0, 70, True)


def test_two_currencies_of_the_same_sales_share_their_price() -> None:
    flows = [flow(10, "issued", 100, 10), flow(10, "issued", 150, 10, currency=OTHER), price(10, 1_000)]
    subject = Subject(flows, flows, [], 10, 10)
    both = Reckoning(subject, [terms(), terms(OTHER)])
    first, second = (both.told(key).money for key in (POINTS, OTHER))
    assert first is not None
    assert second is not None
    assert (first.allocated_minor, second.allocated_minor) == (80, 120)
    alone = Reckoning(subject, [terms(), terms(OTHER, None)])
    shown = alone.told(POINTS).money
    assert shown is not None
    assert shown.allocated_minor == 91
    assert alone.told(OTHER).money is None


def test_a_frozen_expectation_is_what_prices_are_shared_by() -> None:
    flows = [flow(10, "issued", 100, 10), price(10, 1_000)]
    frozen = Terms(POINTS, 12, lambda _month: Worth(Fraction(1)), Worth(Fraction(1)), {10: Fraction(1, 2)})
    (line,) = Reckoning(Subject(flows, flows, [], 11, 11), [frozen]).lines(POINTS, flows, 11)
    assert line.allocated == Fraction(1_000 * 50, 1_050)


SIDES = st.sampled_from([("issued", 1), ("redeemed", -1), ("breakage", -1), ("goodwill", 1)])
FLOWS = st.lists(
    st.builds(
        lambda month, age, side, units, reason: flow(month + age, side[0], side[1] * units, month, reason=reason),
        st.integers(1, 20), st.integers(0, 5), SIDES, st.integers(1, 1000),
        st.sampled_from(["earn.sale", "earn.welcome", "of.the.future"]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=examples(40))
@given(FLOWS, st.integers(1, 25))
def test_every_view_of_the_same_flows_agrees(flows: list[Flow], since: int) -> None:
    before = [one for one in flows if one.month < since]
    told = Reckoning(Subject(flows, flows, before, 26, since), [terms()]).told(POINTS)
    assert told.movement.adds_up
    assert told.outstanding == told.movement.closing == sum(one.amount for one in flows)
    assert told.outstanding == sum(age.units for age in told.ages)
    assert told.series == () or told.series[-1].units == told.outstanding
    assert 0 <= told.coming <= max(0, told.outstanding)
