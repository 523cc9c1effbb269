"""The engine against a plain one in fractions, and what the times of a store, factors and caps mean."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.rules import rating_oracle
from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.occasions import celebrated, window
from wallet_server.rules.baskets.rating import Needs, Rater, Reported, recall
from wallet_server.rules.programme.document_types import MAX_MULTIPLIERS, MAX_RULES
from wallet_server.rules.programme.program import Programme, default_document, parse

PARIS = "Europe/Paris"
NOON = datetime(2026, 12, 4, 11, 0, tzinfo=UTC)
GOODS = ("bread", "tobacco", "medicine", None)
SKUS = ("1", "2", None)


def programme(*earn: dict[str, Any], **parts: Any) -> Programme:
    document = default_document("Boulangerie Claire") | parts
    document["earn"] = [{"currency": "points", **rule} for rule in earn]
    return parse(document)


EURO: dict[str, Any] = {"id": "euro", "per": {"amount_minor": 100, "points": 1}}


def bought(amount_minor: int, category: str | None = None, sku: str | None = None, tax_minor: int = 0) -> Line:
    return Line(sku, category, 1000, amount_minor, tax_minor, False)


def points(told: Programme, *lines: Line, state: State | None = None, **basket: Any) -> int:
    given_units = Rater(told).rate(Basket(lines, **{"at": NOON, "zone": PARIS, **basket}), state or State())
    return sum(award.amount for award in given_units.awards)


# --- against fractions -------------------------------------------------------------------------------------------

goods = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.lists(st.sampled_from(GOODS[:3]), min_size=1, max_size=2, unique=True),
        "skus": st.lists(st.sampled_from(SKUS[:2]), min_size=1, max_size=2, unique=True),
    },
)
caps = st.fixed_dictionaries({"units": st.integers(1, 60), "window": st.sampled_from(["sale", "day", "ever"])})
ways = st.one_of(
    st.fixed_dictionaries(
        {
            "per": st.fixed_dictionaries({"amount_minor": st.integers(1, 300), "points": st.integers(1, 9)}),
            "rounding": st.sampled_from(["down", "up", "half_up", "half_even"]),
            "scope": st.sampled_from(["basket", "line"]),
            "tax": st.sampled_from(["in", "out"]),
        }
    ),
    st.fixed_dictionaries(
        {"visit": st.fixed_dictionaries({"units": st.integers(1, 3), "minimum_minor": st.sampled_from([0, 500])})}
    ),
    st.fixed_dictionaries({"item": goods.map(lambda named: {"units": 2, **named})}),
)
rules = st.builds(
    lambda way, more: {**way, **more},
    ways,
    st.fixed_dictionaries(
        {},
        optional={
            "excluded_categories": st.just(["tobacco"]),
            "excluded_skus": st.just(["2"]),
            "cap": caps,
            "not_with_rewards": st.booleans(),
        },
    ),
)
multipliers = st.builds(
    lambda one, named: {**one, **named},
    st.fixed_dictionaries(
        {
            "factor": st.tuples(st.integers(1, 5), st.integers(1, 3)).map(list),
            "stacking": st.sampled_from(["multiply", "add", "highest"]),
        },
        optional={
            "rules": st.just(["rule-0"]),
            "tiers": st.just(["gold"]),
            "stores": st.just(["sto_a"]),
            "birthday": st.sampled_from(["day", "week", "month"]),
            "days": st.lists(st.sampled_from(["thu", "fri", "sat"]), min_size=1, max_size=2, unique=True),
            "hours": st.sampled_from([{"from": "17:00", "to": "19:00"}, {"from": "22:00", "to": "02:00"}]),
            "dates": st.just({"from": "2026-12-04", "to": "2026-12-05"}),
        },
    ),
    goods,
)


def of_parts(some: list[dict[str, Any]], factors: list[dict[str, Any]], excluded: dict[str, Any]) -> dict[str, Any]:
    return default_document("Boulangerie Claire") | {
        "earn": [{"id": f"rule-{n}", "currency": "points", **rule} for n, rule in enumerate(some)],
        "multipliers": [{"id": f"times-{n}", **one} for n, one in enumerate(factors)],
        "excluded": excluded,
    }


documents = st.builds(of_parts, st.lists(rules, min_size=1, max_size=3), st.lists(multipliers, max_size=3), goods)
always = st.builds(
    lambda above, below, how, named: {"factor": [above, below], "stacking": how, **named},
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["multiply", "add", "highest"]),
    st.sampled_from([{}, {"categories": ["bread"]}, {"skus": ["1"]}]),
)
sold = st.lists(
    st.builds(
        Line,
        st.sampled_from(SKUS),
        st.sampled_from(GOODS),
        st.sampled_from([250, 1000, 1500, 3000, -1000]),
        st.integers(-900, 9_000),
        st.integers(0, 300),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=7,
)
moments = st.integers(0, 72 * 60).map(lambda minutes: datetime(2026, 12, 3, tzinfo=UTC) + timedelta(minutes=minutes))
baskets = st.builds(Basket, sold, moments, st.just(PARIS), st.sampled_from(["sto_a", "sto_b"]), st.booleans())
states = st.builds(
    State,
    st.sampled_from(["bronze", "gold"]),
    given=st.fixed_dictionaries({}, optional={"rule-0": st.integers(-5, 40)}),
    celebrates=st.frozensets(st.sampled_from(["day", "week", "month"])),
)


@settings(max_examples=examples(100), deadline=None)
@given(document=documents, basket=baskets, state=states)
@pytest.mark.slow
def test_the_engine_gives_what_fractions_give(document: dict[str, Any], basket: Basket, state: State) -> None:
    told = parse(document)
    rater = Rater(told)
    expected = rating_oracle.earned(told, basket, state)
    rated = rater.rate(basket, state)
    assert {award.rule_id: award.amount for award in rated.awards} == expected
    assert dict(zip([rule.id for rule in rater.rules], rater.units(basket, state), strict=True)) == {
        rule.id: expected.get(rule.id, 0) for rule in rater.rules
    }
    flat = rater.flat(basket.lines, sum(line.amount_minor for line in basket.lines), basket.at, state.visits)
    assert flat is None or flat == rater.units(basket, state)
    # What was kept rates it again, and nothing else is needed.
    kept = json.loads(json.dumps(rater.remember(basket, state, rated)))
    assert rater.rate(*recall(kept, basket.lines, basket.at)) == rated


@settings(max_examples=examples(60), deadline=None)
@given(
    factors=st.lists(always, min_size=1, max_size=3),
    lines=st.lists(
        st.builds(
            Line,
            st.sampled_from(["1", None]),
            st.sampled_from(["bread", None]),
            st.sampled_from([500, 1000, 1500, 2000]),
            st.integers(-4, 40).map(lambda half: half * 50),
            st.sampled_from([0, 50, 70]),
            st.just(False),
        ),
        min_size=2,
        max_size=5,
    ),
)
def test_factors_and_roundings_give_what_fractions_give(factors: list[dict[str, Any]], lines: list[Line]) -> None:
    """Every way to earn at once, under factors that always hold: all that differs is the arithmetic."""
    per = {"amount_minor": 100, "points": 1}
    some: list[dict[str, Any]] = [
        {"per": per, "rounding": rounding, "scope": scope, "tax": tax}
        for rounding in ("down", "up", "half_up", "half_even")
        for scope in ("basket", "line")
        for tax in ("in", "out")
    ]
    some += [{"visit": {"units": 3}}, {"item": {"units": 3}}, {"item": {"units": 1, "categories": ["bread"]}}]
    told, basket = parse(of_parts(some, factors, {})), Basket(lines, NOON, PARIS)
    expected = rating_oracle.earned(told, basket, State())
    assert {award.rule_id: award.amount for award in Rater(told).rate(basket, State()).awards} == expected


# --- times of the store ------------------------------------------------------------------------------------------

HAPPY: dict[str, Any] = {"id": "happy", "factor": [2, 1], "hours": {"from": "17:00", "to": "19:00"}}


def at_clock(moment: str, *multiplier: dict[str, Any], zone: str = PARIS) -> int:
    """Points of 10 euros at a moment (in UTC) in a store of this zone."""
    told = programme(EURO, multipliers=list(multiplier))
    return points(told, bought(1000), at=datetime.fromisoformat(moment).replace(tzinfo=UTC), zone=zone)


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        ("2026-07-01T14:59:59", PARIS, 10),  # 16:59:59 in summer
        ("2026-07-01T15:00:00", PARIS, 20),
        ("2026-07-01T16:59:59", PARIS, 20),
        ("2026-07-01T17:00:00", PARIS, 10),  # 19:00: over
        ("2026-12-01T15:59:59", PARIS, 10),  # 16:59:59 in winter
        ("2026-12-01T16:00:00", PARIS, 20),
        ("2026-07-01T15:00:00", "Europe/London", 10),  # 16:00 there
        ("2026-07-01T16:00:00", "Europe/London", 20),
        # The day on which the clock goes back, and the one on which it goes forward: the wall clock decides.
        ("2026-10-25T15:59:59", PARIS, 10),
        ("2026-10-25T16:00:00", PARIS, 20),
        ("2026-03-29T14:59:59", PARIS, 10),
        ("2026-03-29T15:00:00", PARIS, 20),
    ],
)
def test_happy_hour_is_by_the_clock_on_the_wall_of_the_store(moment: str, zone: str, expected: int) -> None:
    assert at_clock(moment, HAPPY, zone=zone) == expected


def test_an_hour_that_comes_twice_counts_twice_and_one_that_never_comes_never_does() -> None:
    small = {"id": "small", "factor": [2, 1], "hours": {"from": "02:00", "to": "03:00"}}
    assert at_clock("2026-10-25T00:30:00", small) == 20  # 02:30 in summer time
    assert at_clock("2026-10-25T01:30:00", small) == 20  # 02:30 again, in winter time
    assert at_clock("2026-10-25T02:00:00", small) == 10
    assert at_clock("2026-03-29T00:59:59", small) == 10  # 01:59:59, and then
    assert at_clock("2026-03-29T01:00:00", small) == 10  # 03:00:00


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = {"id": "night", "factor": [3, 1], "days": ["fri"], "hours": {"from": "22:00", "to": "02:00"}}
    assert at_clock("2026-12-04T20:59:59", night) == 10  # Friday 21:59:59
    assert at_clock("2026-12-04T21:00:00", night) == 30
    assert at_clock("2026-12-05T00:59:59", night) == 30  # Saturday 01:59:59
    assert at_clock("2026-12-05T01:00:00", night) == 10
    assert at_clock("2026-12-05T22:00:00", night) == 10  # Saturday 23:00
    assert at_clock("2026-12-04T00:30:00", night) == 10  # Friday 01:30 is Thursday's night


def test_weekdays_and_dates_are_those_of_the_store() -> None:
    tuesday = {"id": "tuesday", "factor": [2, 1], "days": ["tue"]}
    assert at_clock("2026-12-01T22:59:00", tuesday) == 20  # 23:59 on Tuesday
    assert at_clock("2026-12-01T23:00:00", tuesday) == 10  # Wednesday in Paris
    advent = {"id": "advent", "factor": [2, 1], "dates": {"from": "2026-12-01", "to": "2026-12-24"}}
    assert at_clock("2026-11-30T22:59:00", advent) == 10
    assert at_clock("2026-11-30T23:00:00", advent) == 20
    assert at_clock("2026-12-24T22:59:00", advent) == 20
    assert at_clock("2026-12-24T23:00:00", advent) == 10


@pytest.mark.parametrize(
    ("birthday", "day", "spans"),
    [
        ((12, 4), "2026-12-04", {"day", "week", "month"}),
        ((12, 4), "2026-12-07", {"week", "month"}),
        ((12, 4), "2026-12-08", {"month"}),
        ((12, 4), "2026-11-30", set()),
        ((12, 2), "2026-11-30", {"week"}),
        ((1, 1), "2026-12-29", {"week"}),
        ((12, 31), "2027-01-03", {"week"}),
        ((2, 29), "2026-02-28", {"day", "week", "month"}),
        ((2, 29), "2026-03-01", {"week"}),
        ((2, 29), "2028-02-28", {"week", "month"}),
        ((2, 29), "2028-02-29", {"day", "week", "month"}),
        (None, "2026-12-04", set()),
    ],
)
def test_birthdays(birthday: tuple[int, int] | None, day: str, spans: set[str]) -> None:
    assert celebrated(birthday, date.fromisoformat(day)) == spans


@pytest.mark.parametrize(
    ("span", "moment", "since", "until"),
    [
        ("day", "2026-07-01T21:59:00", "2026-06-30T22:00:00", "2026-07-01T22:00:00"),
        ("day", "2026-03-29T12:00:00", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),  # 23 hours
        ("day", "2026-10-25T12:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),  # 25 hours
        ("week", "2026-12-06T22:30:00", "2026-11-29T23:00:00", "2026-12-06T23:00:00"),
        ("month", "2026-12-31T22:00:00", "2026-11-30T23:00:00", "2026-12-31T23:00:00"),
        ("year", "2026-12-31T23:30:00", "2026-12-31T23:00:00", "2027-12-31T23:00:00"),
    ],
)
def test_windows_are_of_the_calendar_of_the_store(span: Any, moment: str, since: str, until: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    expected = tuple(datetime.fromisoformat(edge).replace(tzinfo=UTC) for edge in (since, until))
    assert window(span, at, PARIS) == expected


def test_what_is_for_ever_or_one_sale_has_no_bounds() -> None:
    assert (window("ever", NOON, PARIS), window("sale", NOON, PARIS)) == (None, None)


# --- factors and caps --------------------------------------------------------------------------------------------


def times(name: str, above: int, below: int = 1, stacking: str = "multiply", **more: Any) -> dict[str, Any]:
    return {"id": name, "factor": [above, below], "stacking": stacking, **more}


def test_factors_stack_in_the_stated_order() -> None:
    add = [times("a", 2, stacking="add"), times("b", 3, stacking="add")]
    highest = [times("c", 2, stacking="highest"), times("d", 5, stacking="highest")]
    assert points(programme(EURO, multipliers=add), bought(1000)) == 40
    assert points(programme(EURO, multipliers=highest), bought(1000)) == 50
    assert points(programme(EURO, multipliers=[*add, *highest, times("e", 3, 2)]), bought(1000)) == 300
    # The exact units are multiplied, and then rounded: 1.5 points of 10.99 are 16, and not one and a half times 10.
    assert points(programme(EURO, multipliers=[times("e", 3, 2)]), bought(1099)) == 16


def test_what_goods_earn_is_multiplied_alone() -> None:
    told = programme(EURO, multipliers=[times("bread", 3, categories=["bread"])])
    assert points(told, bought(150, "bread"), bought(100, "cake")) == 5  # 4.5 and 1, rounded together


def test_excluded_goods_earn_nothing_and_reach_no_minimum() -> None:
    rule = EURO | {"when": "basket.amount_minor >= 2000"}
    told = programme(rule, excluded={"categories": ["medicine"]})
    assert points(told, bought(1500), bought(900, "medicine")) == 0
    assert points(told, bought(2000), bought(900, "medicine")) == 20


def test_tax_apart() -> None:
    assert points(programme(EURO | {"tax": "out"}), bought(1200, tax_minor=200)) == 10


def test_a_condition_on_lines_is_about_those_it_holds_for() -> None:
    told = programme(EURO | {"when": "line.amount_minor >= 500 && member.tier == 'gold'"})
    gold = State("gold")
    assert points(told, bought(499), bought(700), state=gold) == 7
    assert points(told, bought(499), bought(700), state=State("silver")) == 0
    twice = programme(EURO, multipliers=[times("big", 2, when="line.amount_minor > 500")])
    assert points(twice, bought(500), bought(700)) == 5 + 14


def test_a_condition_without_an_answer_counts_as_false_and_is_noted() -> None:
    told = programme(EURO | {"when": "basket.amount_minor / (member.visits - 3) > 1"})
    rater, basket = Rater(told), Basket([bought(1000)], NOON)
    assert rater.rate(basket, State(sales=3)) == ((), (), ("euro",), (("euro", "condition"),))
    assert rater.remember(basket, State(sales=3), rater.rate(basket, State(sales=3)))["unanswered"] == ["euro"]
    assert [award.amount for award in rater.rate(basket, State(sales=5)).awards] == [10]


def test_a_cap_leaves_what_is_left_of_it() -> None:
    told = programme(EURO | {"cap": {"units": 12, "window": "day"}})
    rater, basket = Rater(told), Basket([bought(1000)], NOON, PARIS)
    (award,) = rater.rate(basket, State(given={"euro": 5})).awards
    assert (award.amount, award.cut, award.exact) == (7, 3, Fraction(10))
    assert award.params == {"basis_minor": 1000, "lines": 1, "cut": 3}
    assert rater.rate(basket, State(given={"euro": 12})).awards == ()
    assert rater.rate(basket, State(given={"euro": 40})).awards == ()


def test_what_an_award_says_of_its_factors() -> None:
    told = programme(EURO, multipliers=[times("a", 3, 2), times("b", 2, categories=["bread"])])
    (award,) = Rater(told).rate(Basket([bought(1000)], NOON), State()).awards
    assert award.params == {"basis_minor": 1000, "lines": 1, "multipliers": "a", "factor": "3/2"}
    (award,) = Rater(told).rate(Basket([bought(1000), bought(100, "bread")], NOON), State()).awards
    assert award.params == {"basis_minor": 1100, "lines": 2, "multipliers": "a b"}
    assert (award.amount, award.multipliers) == (18, ("a", "b"))


def test_what_is_earned_waits_where_the_currency_says_so() -> None:
    document = default_document("Boulangerie Claire")
    document["currencies"][0]["pending_days"] = 14
    awards = Rater(parse(document)).rate(Basket([bought(1000)], NOON), State()).awards
    assert [award.pending_until for award in awards] == [NOON + timedelta(days=14), None]


def test_only_what_matters_is_looked_up_and_kept() -> None:
    plain = Rater(programme(EURO))
    assert plain.needs == Needs()
    basket, state = Basket([bought(1000)], NOON, PARIS, "sto_a"), State("gold")
    assert plain.remember(basket, state, plain.rate(basket, state)) == {"tier": "gold"}
    visit = {"id": "visit", "visit": {"units": 1, "interval_minutes": 60}}
    capped = EURO | {"cap": {"units": 50, "window": "week"}, "when": "member.tenure_days > 30 && member.visits > 2"}
    rich = Rater(programme(visit, capped, multipliers=[HAPPY | {"stores": ["sto_a"], "birthday": "day"}]))
    assert rich.needs == Needs(
        ("visit",), timedelta(hours=1), (("euro", "week"),), birthday=True, sales=True, tenure=True, store=True,
        zone=True,
    )  # fmt: skip


# --- events ------------------------------------------------------------------------------------------------------

WORKSHOP: dict[str, Any] = {
    "id": "workshop",
    "event": {"name": "workshop", "names": {"fr": "un atelier", "en": "a workshop"}, "units": 50, "proof": True},
}


def test_an_event_earns_by_its_name_its_condition_and_its_cap() -> None:
    rule = WORKSHOP | {"when": "event.fields.hours >= 2", "cap": {"units": 120, "window": "year"}}
    rater = Rater(programme(EURO, rule))
    assert (rater.knows_event("workshop"), rater.wants_proof("workshop"), rater.knows_event("review")) == (
        True,
        True,
        False,
    )
    assert rater.event_needs("workshop") == Needs(caps=(("workshop", "year"),))

    def given_for(state: State, **fields: Any) -> list[tuple[int, int]]:
        rated = rater.rate_event(Reported("workshop", fields, NOON, PARIS), state)
        return [(award.amount, award.cut) for award in rated.awards]

    assert given_for(State(), hours=2) == [(50, 0)]
    assert given_for(State(), hours=1) == []
    assert given_for(State()) == []
    assert given_for(State(given={"workshop": 100}), hours=2) == [(20, 30)]
    assert given_for(State(given={"workshop": 120}), hours=2) == []
    assert rater.rate(Basket([bought(1000)], NOON), State()).awards[0].rule_id == "euro"
    assert rater.rate_event(Reported("workshop", {}, NOON), State()).unanswered == ("workshop",)


def test_the_largest_programme_has_a_bit_for_each_rule_and_each_factor() -> None:
    rules = [EURO | {"id": f"r{n}", "excluded_categories": [f"c{n}"]} for n in range(MAX_RULES)]
    factors = [times(f"m{n}", 2, categories=[f"c{n}"]) for n in range(MAX_MULTIPLIERS)]
    told = programme(*rules, multipliers=factors)
    basket = Basket([bought(1000, f"c{n}") for n in range(MAX_RULES)], NOON)
    assert {a.rule_id: a.amount for a in Rater(told).rate(basket, State()).awards} == rating_oracle.earned(
        told, basket, State()
    )
