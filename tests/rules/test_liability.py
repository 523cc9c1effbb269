"""Deferred revenue comes out to the unit on published examples, and holds together whatever is given and taken."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.books import liability
from wallet_server.rules.books.liability import Cohort, Money, Movement, Worth, allocated, earned_since, owed, rounded
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document


def test_ifric_13_as_kpmg_tells_it_on_examples_10a_and_10b() -> None:
    """KPMG, Revenue: IFRS 15 handbook, Examples 10A and 10B (after IFRIC 13 IE): 9,000 are deferred on 10,000 points,
    of which 9,700 are expected."""
    first = earned_since(0, 9_000, 4_500, 9_700)
    assert first == 4_175
    assert earned_since(first, 9_000, 8_500, 9_900) == 3_552
    assert earned_since(first, 9_000, 8_500, 9_200) == 4_140
    # The example rounds the ratio to 9%; shared out exactly it is somewhat less.
    assert rounded(allocated(100_000, 100_000, 9_700)) == 8_842


def test_ifrs_15_illustrative_example_52() -> None:
    """IE267 to IE270: 100,000 of sales with 10,000 points of a stand-alone price of 0.95 each."""
    points = rounded(allocated(100_000, 100_000, 10_000 * Fraction(95, 100)))
    assert (points, 100_000 - points) == (8_676, 91_324)
    first = earned_since(0, points, 4_500, 9_500)
    assert (first, points - first) == (4_110, 4_566)
    second = earned_since(first, points, 8_500, 9_700)
    assert (second, points - first - second) == (3_493, 1_073)


def test_a_cohort_tells_the_same_as_the_examples() -> None:
    """The report's own way: the cohort of Example 52 a year later and two years later."""
    rate, share = Fraction(1), Fraction(95, 100)
    after = owed(Cohort(0, True, 10_000, 4_500, 0, 100_000), rate, share, Fraction(5_000, 5_500))
    assert (rounded(after.allocated), rounded(after.earned), after.coming) == (8_676, 4_110, 5_000)
    later = owed(Cohort(0, True, 10_000, 8_500, 0, 100_000), rate, share, Fraction(1_200, 1_500))
    assert rounded(later.earned) == 4_110 + 3_493
    assert later.breakage == 300


def test_what_nobody_paid_for_is_provided_for_and_not_deferred() -> None:
    gift = owed(Cohort(0, False, 100, 20, 10), Fraction(1, 2), Fraction(1), Fraction(1, 2))
    assert (gift.coming, gift.provision, gift.allocated) == (35, Fraction(35, 2), 0)
    assert liability.total([gift]) == Money(0, 0, 18)


def test_when_all_is_gone_all_is_earned() -> None:
    for cohort in (Cohort(0, True, 100, 100, 0, 1_000), Cohort(0, True, 100, 0, 100, 1_000)):
        line = owed(cohort, Fraction(1), Fraction(1), Fraction(1))
        assert (line.deferred, line.coming) == (0, 0)


COHORTS = st.builds(
    lambda month, sold, granted, redeemed, expired, price: Cohort(
        month, sold, granted, min(redeemed, granted), min(expired, max(0, granted - redeemed)), price if sold else 0
    ),
    st.integers(0, 40), st.booleans(), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6),
    st.integers(0, 10**8),
)  # fmt: skip
SHARES = st.fractions(0, 1, max_denominator=1000)


@settings(max_examples=examples(50))
@given(st.lists(COHORTS, max_size=6), st.fractions(Fraction(1, 1000), 100, max_denominator=1000), SHARES, SHARES)
def test_nothing_is_earned_before_nor_beyond_what_was_paid(
    cohorts: list[Cohort], rate: Fraction, first: Fraction, ahead: Fraction
) -> None:
    lines = [owed(one, rate, first, ahead) for one in cohorts]
    for line in lines:
        assert 0 <= line.earned <= line.allocated <= line.cohort.price_minor
        assert 0 <= line.coming <= max(0, line.cohort.outstanding)
        assert line.provision >= 0
    total = liability.total(lines)
    assert total.deferred_minor + total.earned_minor == total.allocated_minor
    ages = liability.ageing(lines, 40)
    assert sum(age.units for age in ages) == sum(one.outstanding for one in cohorts)
    assert sum(age.liability_minor for age in ages) == total.liability_minor


@settings(max_examples=examples(50))
@given(st.integers(0, 10**9), st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_however_expectations_change_the_periods_add_up_to_the_last_view(
    deferred: int, redeemed: int, expectations: list[int]
) -> None:
    shown = 0
    for expected in expectations:
        shown += earned_since(shown, deferred, redeemed, expected)
        assert shown == rounded(liability.recognised(deferred, redeemed, expected))


def test_halves_go_up_and_their_reversal_goes_back() -> None:
    assert [rounded(Fraction(n, 2)) for n in (1, 3, -1, -3, 0)] == [1, 2, -1, -2, 0]


def test_two_currencies_of_one_sale_share_its_price() -> None:
    """What is given besides makes each share smaller: 1,000 paid, goods 1,000, units worth 100 and 150."""
    one = owed(Cohort(0, True, 100, 0, 0, 1_000), Fraction(1), Fraction(1), Fraction(1), Fraction(150))
    other = owed(Cohort(0, True, 150, 0, 0, 1_000), Fraction(1), Fraction(1), Fraction(1), Fraction(100))
    assert one.allocated == Fraction(1_000 * 100, 1_250)
    assert one.allocated + other.allocated + Fraction(1_000 * 1_000, 1_250) == 1_000


def test_a_unit_is_worth_what_the_programme_says_or_the_reward_that_gives_most() -> None:
    document = default_document("Boulangerie")
    assert known(document, "points") is None
    document["rewards"] = [
        {"code": "small", "names": {"fr": "un café", "en": "a coffee"}, "cost": {"currency": "points", "amount": 10},
         "value_minor": 150},
        {"code": "large", "names": {"fr": "un gâteau", "en": "a cake"}, "cost": {"currency": "points", "amount": 100},
         "value_minor": 2000},
    ]  # fmt: skip
    assert known(document, "points") == Worth(Fraction(20), "large")
    points = next(one for one in document["currencies"] if one["code"] == "points")
    points["worth"] = {"units": 400, "amount_minor": 200}
    assert known(document, "points") == Worth(Fraction(1, 2))
    assert known(document, "status") is None


def known(document: dict, code: str) -> Worth | None:  # type: ignore[type-arg]
    programme = parse(document)
    return liability.worth(programme, programme.currency(code))


@pytest.mark.parametrize(("moved", "adds_up"), [(0, True), (1, False)])
def test_a_movement_says_whether_it_is_told_in_full(moved: int, adds_up: bool) -> None:
    assert Movement(5, {"earn.sale": 10}, 3, 2, moved, 10).adds_up is adds_up


def test_months_read_as_they_are_written() -> None:
    for name in ("2026-01", "2026-12", "0001-01"):
        assert liability.month_name(liability.month_read(name)) == name
