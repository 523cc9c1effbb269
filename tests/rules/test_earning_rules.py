"""What a sale earns: exact, bounded, and the same whichever way the lines are ordered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid
from wallet_server.rules.baskets.baskets import MAX_AMOUNT, MAX_LINES, Award, Basket, Line, State
from wallet_server.rules.baskets.earning import add_months, explain
from wallet_server.rules.baskets.rating import Rater
from wallet_server.rules.baskets.rating_ways import round_units
from wallet_server.rules.programme.program import Programme, default_document, parse

AT = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
ROUNDINGS = ("down", "up", "half_up", "half_even")


def line(amount_minor: int, category: str | None = None, *, excluded: bool = False) -> Line:
    return Line("sku", category, 1000, amount_minor, 0, excluded)


def rate(
    programme: Programme, lines: list[Line], at: datetime, visits: dict[str, datetime] | None = None
) -> tuple[Award, ...]:
    """What the lines earn; what a replay is told without awards is the same."""
    rater, basket, state = Rater(programme), Basket(lines, at), State(visits=visits or {})
    awards = rater.rate(basket, state).awards
    earned = {award.rule_id: award.amount for award in awards}
    assert [earned.get(rule.id, 0) for rule in rater.rules] == rater.units(basket, state)
    return awards


def programme(months: int | None = None, **rule: Any) -> Programme:
    document = default_document("Boulangerie Claire")
    document["earn"] = [document["earn"][0] | rule]
    document["currencies"][0]["expires_after_months"] = months
    return parse(document)


def earned(lines: list[Line], **rule: Any) -> int:
    awards = rate(programme(**rule), lines, AT)
    assert len(awards) <= 1
    return awards[0].amount if awards else 0


amounts = st.integers(-100_000, 100_000)
rules = st.fixed_dictionaries(
    {
        "per": st.fixed_dictionaries({"amount_minor": st.integers(1, 500), "points": st.integers(1, 50)}),
        "rounding": st.sampled_from(ROUNDINGS),
        "scope": st.sampled_from(["basket", "line"]),
    }
)


def test_a_point_per_euro_rounded_down_once_per_basket() -> None:
    awards = rate(parse(default_document("Boulangerie Claire")), [line(650), line(649)], AT)
    params = {"basis_minor": 1299, "lines": 2}
    assert awards == (
        Award("points", 12, "euro", "earn.sale", params, None, exact=Fraction(1299, 100)),
        Award("status", 12, "euro-status", "earn.sale", params, None, exact=Fraction(1299, 100)),
    )


@pytest.mark.parametrize(
    ("rounding", "scope", "points"),
    [
        ("down", "basket", 4),
        ("up", "basket", 5),
        ("half_up", "basket", 5),
        ("half_even", "basket", 4),
        ("down", "line", 1 + 2 + 0),
        ("up", "line", 2 + 3 + 1),
        ("half_up", "line", 2 + 3 + 1),
        ("half_even", "line", 2 + 2 + 0),
    ],
)
def test_each_rounding_in_each_scope(rounding: str, scope: str, points: int) -> None:
    assert earned([line(150), line(250), line(50)], rounding=rounding, scope=scope) == points


def test_excluded_lines_and_categories_earn_nothing() -> None:
    lines = [line(1000, "bread"), line(2000, "tobacco"), line(4000, None), line(8000, "bread", excluded=True)]
    assert earned(lines, excluded_categories=["tobacco"]) == 50
    assert earned(lines) == 70
    assert earned([line(2000, "tobacco")], excluded_categories=["tobacco"]) == 0


def test_an_award_of_nothing_is_left_out() -> None:
    assert rate(programme(), [line(99)], AT) == ()
    assert rate(programme(), [], AT) == ()
    assert rate(programme(), [line(-5000), line(100)], AT) == ()


def test_goods_taken_back_count_against_the_sale() -> None:
    assert earned([line(5000), line(-2000)]) == 30
    assert earned([line(150), line(150), line(-150)], scope="line", rounding="up") == 2


@settings(max_examples=examples(40))
@given(lines=st.lists(amounts, max_size=8), rule=rules)
def test_never_below_zero_and_the_order_of_the_lines_is_nothing(lines: list[int], rule: dict[str, Any]) -> None:
    forth = earned([line(amount) for amount in lines], **rule)
    back = earned([line(amount) for amount in reversed(lines)], **rule)
    assert forth == back
    assert forth >= 0


@settings(max_examples=examples(40))
@given(bought=st.lists(st.integers(1, 100_000), min_size=1, max_size=6), rule=rules)
def test_bought_and_taken_back_in_one_sale_cancel_exactly(bought: list[int], rule: dict[str, Any]) -> None:
    assert earned([line(amount) for amount in bought] + [line(-amount) for amount in bought], **rule) == 0


@settings(max_examples=examples(40))
@given(paid=st.lists(st.integers(0, 100_000), max_size=6), more=st.integers(0, 100_000), rule=rules)
def test_paying_more_never_earns_less(paid: list[int], more: int, rule: dict[str, Any]) -> None:
    lines = [line(amount) for amount in paid]
    assert earned([*lines, line(more)], **rule) >= earned(lines, **rule)


@given(exact=st.decimals(-10_000, 10_000, places=3))
def test_rounding_agrees_with_decimal_arithmetic(exact: Decimal) -> None:
    modes = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
    for rounding, mode in modes.items():
        expected = int(abs(exact).quantize(Decimal(1), rounding=mode)) * (-1 if exact < 0 else 1)
        whole = Fraction(exact)
        assert round_units(whole.numerator, whole.denominator, rounding) == expected  # type: ignore[arg-type]


@settings(max_examples=examples(40))
@given(times=st.integers(1, 1000), rule=rules)
def test_whole_multiples_earn_exactly_whatever_the_rounding(times: int, rule: dict[str, Any]) -> None:
    assert earned([line(times * rule["per"]["amount_minor"])], **rule) == times * rule["per"]["points"]


def test_an_amount_that_floats_would_get_wrong() -> None:
    assert earned([line(49)], per={"amount_minor": 49, "points": 1}) == 1


def test_amounts_beyond_exact_floats_stay_exact() -> None:
    assert earned([line(MAX_AMOUNT)], per={"amount_minor": 3, "points": 1}) == MAX_AMOUNT // 3
    assert earned([line(MAX_AMOUNT)], per={"amount_minor": 1, "points": 1}) == MAX_AMOUNT


def test_everything_too_large_is_named_at_once() -> None:
    lines = [line(MAX_AMOUNT + 1), line(1), Line(None, None, MAX_AMOUNT + 1, -MAX_AMOUNT - 1, 0, False)]
    with pytest.raises(Invalid) as refusal:
        rate(programme(), lines, AT)
    assert [fault.path for fault in refusal.value.faults] == [
        "lines.0.amount_minor",
        "lines.2.quantity_milli",
        "lines.2.amount_minor",
    ]


@pytest.mark.parametrize("lines", [[line(MAX_AMOUNT), line(1)], [line(-MAX_AMOUNT), line(-1)]])
def test_a_sum_too_large_is_refused(lines: list[Line]) -> None:
    with pytest.raises(Invalid):
        rate(programme(), lines, AT)


def test_an_award_or_a_basket_too_large_is_refused() -> None:
    with pytest.raises(Invalid):
        rate(programme(per={"amount_minor": 1, "points": 2}), [line(MAX_AMOUNT)], AT)
    assert earned([line(100)] * MAX_LINES) == MAX_LINES
    with pytest.raises(Invalid):
        rate(programme(), [line(100)] * (MAX_LINES + 1), AT)


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zone"):
        rate(programme(), [line(100)], AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("at", "months", "expires"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-08-31", 1, "2026-09-30"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2026-12-31", 120, "2036-12-31"),
        ("1999-12-31", 2, "2000-02-29"),
        ("2099-12-31", 2, "2100-02-28"),
    ],
)
def test_awards_expire_in_calendar_months(at: str, months: int, expires: str) -> None:
    moment = datetime.fromisoformat(f"{at}T09:26:53+00:00")
    (award,) = rate(programme(months), [line(1000)], moment)
    assert award.expires_at == datetime.fromisoformat(f"{expires}T09:26:53+00:00")


@given(at=st.integers(0, 3_786_912_000).map(lambda s: datetime.fromtimestamp(s, UTC)), months=st.integers(1, 120))
def test_expiry_lies_in_the_right_month_on_the_same_day_or_its_last(at: datetime, months: int) -> None:
    expires = add_months(at, months)
    assert (expires.year * 12 + expires.month) - (at.year * 12 + at.month) == months
    assert expires.timetz() == at.timetz()
    if expires.day != at.day:
        assert expires.day < at.day
        assert (expires + timedelta(days=1)).day == 1


def test_expiry_keeps_the_wall_clock_of_the_zone_it_was_asked_in() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert add_months(datetime(2026, 1, 31, 23, 30, tzinfo=paris), 6) == datetime(2026, 7, 31, 23, 30, tzinfo=paris)
    plain = timezone(timedelta(hours=2))
    assert add_months(datetime(2026, 1, 31, tzinfo=plain), 1) == datetime(2026, 2, 28, tzinfo=plain)


# --- visits and items ------------------------------------------------------------------------------------------


def other_way(name: str, **way: Any) -> Programme:
    document = default_document("Boulangerie Claire")
    document["earn"] = [{"id": name, "currency": "points", name: {"units": 1} | way}]
    return parse(document)


def visits(lines: list[Line], nearest: datetime | None = None, **way: Any) -> int:
    awards = rate(other_way("visit", **way), lines, AT, {} if nearest is None else {"visit": nearest})
    return sum(award.amount for award in awards)


def test_a_visit_counts_once_whatever_was_bought() -> None:
    assert visits([line(120), line(950)]) == 1
    assert visits([line(0)]) == 1
    assert visits([line(120)], units=3) == 3
    assert rate(other_way("visit"), [line(120), line(80)], AT)[0].params == {"basis_minor": 200, "lines": 2}


def test_a_visit_needs_its_minimum_of_what_counts() -> None:
    assert visits([line(499)], minimum_minor=500) == 0
    assert visits([line(500)], minimum_minor=500) == 1
    assert visits([line(900), line(-500)], minimum_minor=500) == 0
    assert visits([line(400), line(5000, excluded=True)], minimum_minor=500) == 0


def test_a_sale_of_what_earns_nothing_or_takes_back_more_is_no_visit() -> None:
    assert visits([line(500, excluded=True)]) == 0
    assert visits([]) == 0
    assert visits([line(100), line(-200)]) == 0


@given(apart=st.integers(-100_000, 100_000), minutes=st.integers(0, 44_640))
def test_two_sales_nearer_than_the_interval_are_one_visit_in_either_order(apart: int, minutes: int) -> None:
    nearest = AT - timedelta(seconds=apart)
    assert visits([line(100)], nearest, interval_minutes=minutes) == int(abs(apart) >= minutes * 60)


def test_only_the_rule_that_counted_waits() -> None:
    document = default_document("Boulangerie Claire")
    way = {"currency": "points", "visit": {"units": 1, "interval_minutes": 60}}
    document["earn"] = [{"id": "a", **way}, {"id": "b", **way}]
    awards = rate(parse(document), [line(100)], AT, {"a": AT - timedelta(minutes=59)})
    assert [award.rule_id for award in awards] == ["b"]


def test_the_longest_interval_is_how_far_one_has_to_look() -> None:
    assert Rater(programme()).needs.visit_span == timedelta(0)
    assert Rater(other_way("visit", interval_minutes=90)).needs.visit_span == timedelta(minutes=90)


def goods(
    quantity_milli: int, amount_minor: int = 250, category: str | None = "coffee", sku: str | None = None
) -> Line:
    return Line(sku, category, quantity_milli, amount_minor, 0, False)


def items(lines: list[Line], **way: Any) -> int:
    return sum(award.amount for award in rate(other_way("item", **way), lines, AT))


def test_items_of_the_named_goods_count_by_whole_pieces() -> None:
    lines = [goods(2000), goods(1000, category="tea"), goods(3000, category=None, sku="42"), goods(1000, category=None)]
    assert items(lines, categories=["coffee"]) == 2
    assert items(lines, skus=["42"]) == 3
    assert items(lines, categories=["coffee", "tea"], skus=["42"]) == 6
    assert items(lines) == 7
    assert items(lines, units=2, categories=["tea"]) == 2
    assert items([goods(400), goods(700)]) == 1
    assert items([goods(900)]) == 0
    assert items([goods(1000, 0)]) == 1


@settings(max_examples=examples(40))
@given(lines=st.lists(st.tuples(st.integers(0, 9_000), amounts), max_size=6), units=st.integers(1, 9))
def test_items_taken_back_cancel_and_never_go_below_zero(lines: list[tuple[int, int]], units: int) -> None:
    bought = [goods(quantity, abs(amount)) for quantity, amount in lines]
    back = [goods(-quantity, abs(amount)) for quantity, amount in lines]
    assert items(bought + back, units=units) == 0
    assert items(back, units=units) == 0
    assert items(bought, units=units) == units * (sum(quantity for quantity, _ in lines) // 1000)
    assert items(bought[::-1] + back[:1], units=units) == items(back[:1] + bought, units=units)
    assert items([goods(1000, -250), goods(1000)]) == 0


def test_an_award_is_explained_in_one_sentence() -> None:
    standard = parse(default_document("Boulangerie Claire"))
    award = rate(standard, [line(1299)], AT)[0]
    assert explain(award, "en", standard) == "Purchase of €12.99: 12 points (1 point per euro spent, rounded down)."
    assert explain(award, "fr", standard) == (
        "Achat de 12,99\u00a0€\u00a0: 12 points (1 point par euro dépensé, arrondi à l’inférieur)."
    )


def test_an_award_of_a_rule_that_is_gone_is_still_explained() -> None:
    award = Award("points", 1, "gone", "earn.goodwill", {}, None)
    assert explain(award, "en", programme()) == "Goodwill gesture: 1 point."
