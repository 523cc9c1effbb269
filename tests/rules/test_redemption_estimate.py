"""The estimate finds the share that a known behaviour leads to, is tried on months it has not seen, and says when the
data do not carry it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from wallet_server.rules.books import redemption
from wallet_server.rules.books.redemption import Cell, History, estimate

Hazard = Callable[[int, int], Fraction]


def grown(months: int, lives: int | None, hazard: Hazard, granted: int = 10_000) -> History:
    """A history of so many months, of each of which so many units are given; `hazard` is the part of what is
    outstanding that is redeemed, by calendar month and age."""
    found: dict[int, dict[int, Cell]] = {}
    for cohort in range(months):
        left, ages = granted, {}
        for age in range(months - cohort):
            redeemed = int(left * hazard(cohort + age, age))
            expired = left - redeemed if lives is not None and age == lives else 0
            ages[age] = Cell(granted if age == 0 else 0, redeemed, expired, times=40)
            left -= redeemed + expired
        found[cohort] = ages
    return found


def steady(month: int, age: int) -> Fraction:
    return Fraction(10, 100) if age < 6 else Fraction(2, 100)


def true_share(lives: int) -> Fraction:
    left, redeemed = Fraction(1), Fraction(0)
    for age in range(lives + 1):
        came = left * steady(0, age)
        redeemed, left = redeemed + came, left - came
    return redeemed


def test_a_steady_behaviour_is_found_and_predicted() -> None:
    found = estimate(grown(36, 12, steady), 36, 12)
    assert found.why is None
    assert found.trial is not None
    assert abs(found.share - true_share(12)) < Fraction(1, 500)
    assert found.low <= found.share <= found.high
    assert found.trial.months == 6
    assert found.trial.error < Fraction(1, 100)
    assert found.trial.actual > 0
    assert found.high - found.low < Fraction(2, 100)


def test_young_months_count_at_the_ages_they_have_reached() -> None:
    """After 13 months only one month of granting has run its full life; the share is right all the same."""
    found = estimate(grown(13, 12, steady), 13, 12)
    assert abs(found.share - true_share(12)) < Fraction(1, 100)


def test_what_is_left_is_expected_by_its_age() -> None:
    found = estimate(grown(36, 12, steady), 36, 12)
    assert found.ahead(0) == found.share
    assert found.ahead(6) < found.ahead(0) / 2
    assert found.ahead(13) == 0
    assert found.ahead(-1) == found.ahead(0)


def test_where_nothing_expires_the_last_ages_go_on() -> None:
    share = estimate(grown(24, None, lambda _month, _age: Fraction(5, 100)), 24, None).share
    assert share > Fraction(95, 100)
    stopped = estimate(
        grown(24, None, lambda _month, age: Fraction(5, 100) if age < 6 else Fraction(0)), 24, None
    ).share
    assert abs(stopped - (1 - Fraction(95, 100) ** 6)) < Fraction(1, 100)


def test_held_out_months_that_go_otherwise_make_it_unreliable() -> None:
    """From month 30 on nobody redeems any more: the trial sees it, and nothing is counted on."""

    def ended(month: int, age: int) -> Fraction:
        return steady(month, age) if month < 30 else Fraction(1, 1000)

    found = estimate(grown(36, 12, ended), 36, 12)
    assert (found.why, found.used, found.ahead(3)) == ("unreliable", 1, 1)
    assert found.trial is not None
    assert found.trial.predicted > 2 * found.trial.actual


def test_the_interval_is_wider_where_months_differ() -> None:
    def wild(month: int, age: int) -> Fraction:
        return steady(month, age) * (2 if (month - age) % 5 == 0 else 1)

    even, uneven = (estimate(grown(36, 12, each), 36, 12) for each in (steady, wild))
    assert uneven.high - uneven.low > 2 * (even.high - even.low)
    assert estimate(grown(36, 12, wild), 36, 12, spread=False).share == uneven.share


def test_too_few_data_are_said_and_all_counts() -> None:
    young = estimate(grown(11, 12, steady), 11, 12)
    assert (young.why, young.used, young.ahead(5)) == ("too-few-months", 1, 1)
    rare = {cohort: {age: Cell(c.granted, c.redeemed, c.expired, 0) for age, c in ages.items()}
            for cohort, ages in grown(24, 12, steady).items()}  # fmt: skip
    assert estimate(rare, 24, 12).why == "too-few-redemptions"
    assert estimate({}, 24, 12).why == "too-few-months"


def test_what_was_not_known_then_changes_nothing() -> None:
    """As of month 20, months after it are not looked at."""
    assert estimate(grown(36, 12, steady), 20, 12) == estimate(grown(20, 12, steady), 20, 12)


def test_every_outcome_is_a_sentence_in_both_languages() -> None:
    good = estimate(grown(36, 12, steady), 36, 12)
    assert redemption.sentence(good, "en").startswith("53.8% of what is given is expected to be redeemed (between 53")
    assert redemption.sentence(good, "fr").startswith("53,8\u00a0% des unités données devraient être utilisées (entre ")
    young = estimate(grown(3, 12, steady), 3, 12)
    assert redemption.sentence(young, "en") == (
        "There are too few data to estimate: 3 of 12 months. All that is left is counted."
    )
    assert "3 mois sur 12" in redemption.sentence(young, "fr")
