"""What tiers are measured by: windows, needs, and the words for what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.programme.program import Programme, default_document, parse
from wallet_server.rules.programme.program_build import reach
from wallet_server.rules.programme.program_parts import AllOf, AnyOf, AtLeast, Need, Weighted
from wallet_server.rules.tiers.metrics import (
    EVER,
    Measures,
    Missing,
    Person,
    anniversary,
    met,
    missing,
    months_before,
    needed,
    next_look,
    next_turn,
    progress,
    since,
    tenure_days,
)
from wallet_server.rules.tiers.progress_spoken import lacking
from wallet_server.rules.tiers.tiers import gauge, level_for

PARIS = Person("Europe/Paris", datetime(2024, 2, 29, 9, tzinfo=UTC))
SPEND, ORDERS, REFERRALS = ("spend", EVER), ("orders", EVER), ("referrals", EVER)
MIX = {
    "any": [
        {"all": [{"metric": "spend", "at_least": 30000}, {"metric": "orders", "at_least": 3}]},
        {"metric": "referrals", "at_least": 2},
    ]
}


def moments(first: int, last: int) -> st.SearchStrategy[datetime]:
    seconds = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (first, last)]
    return st.integers(*seconds).map(lambda second: datetime.fromtimestamp(second, UTC))


def laddered(needs: dict[str, Any], name: str = "Or", **more: Any) -> Programme:
    document = default_document("Boulangerie Claire")
    first = document["tiers"]["levels"][0]
    top = {"code": "gold", "names": {"fr": name, "en": "Gold"}, **more}
    document["tiers"]["levels"] = [first, top | ({"needs": needs} if needs else {})]
    return parse(document)


def said(needs: dict[str, Any], found: Measures, name: str = "Or", language: str = "fr") -> str:
    programme = laddered(needs, name)
    assert programme.ladder is not None
    drawn = gauge(programme, found, programme.ladder.levels[0], ("fr", "en"))
    assert drawn is not None
    return drawn.sentence[language]


@pytest.mark.parametrize(
    ("window", "at", "begins"),
    [
        ("rolling-90-days", "2026-06-15T10:00", "2026-03-17T11:00"),  # the same hour in Paris, before summer time
        ("rolling-1-months", "2026-03-31T10:00", "2026-02-28T11:00"),
        ("rolling-12-months", "2028-02-29T12:00", "2027-02-28T12:00"),
        ("calendar-year", "2026-12-31T23:30", "2026-12-31T23:00"),  # in Paris the new year has begun
        ("calendar-quarter", "2026-06-30T21:59", "2026-03-31T22:00"),
        ("calendar-quarter", "2026-06-30T22:00", "2026-06-30T22:00"),
        ("calendar-month", "2026-11-18T12:00", "2026-10-31T23:00"),
        ("anniversary-year", "2026-11-18T12:00", "2026-02-27T23:00"),
        ("anniversary-year", "2028-02-28T12:00", "2027-02-27T23:00"),  # in a leap year the 28th is a day too early
        ("anniversary-year", "2028-02-29T12:00", "2028-02-28T23:00"),
        ("anniversary-year", "2024-03-01T12:00", "2024-02-28T23:00"),
    ],
)
def test_when_a_window_begins(window: str, at: str, begins: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert since(reach(window), moment, PARIS) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@settings(max_examples=examples(40))
@given(
    at=moments(2000, 2090),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "UTC"]),
    joined=moments(1995, 2000),
    days=st.integers(1, 400),
)
def test_windows_begin_in_the_past_and_calendars_at_midnight(
    at: datetime, zone: str, joined: datetime, days: int
) -> None:
    person = Person(zone, joined)
    for window in ("calendar-year", "calendar-quarter", "calendar-month", "anniversary-year"):
        begins = since(reach(window), at, person)
        assert begins is not None
        assert begins <= at < begins + timedelta(days=367)
        turn = next_look([("spend", reach(window))], at, person)
        assert turn is not None
        assert at < turn
    rolling = since(reach(f"rolling-{days}-days"), at, person)
    assert rolling is not None
    assert abs(at - rolling - timedelta(days=days)) <= timedelta(hours=1), "but for a change of the clocks"
    for kind in ("calendar-year", "anniversary"):
        turn = next_turn(kind, at, person)
        assert at < turn <= at + timedelta(days=367)
        assert since(reach("calendar-year" if kind == "calendar-year" else "anniversary-year"), turn, person) == turn
    assert tenure_days(at, person) >= 0
    assert months_before(at.date(), 12).year == at.year - 1


def test_a_29_february_is_a_28th_in_other_years() -> None:
    assert [anniversary(date(2024, 2, 29), year).day for year in (2025, 2026, 2027, 2028, 2100)] == [28, 28, 28, 29, 28]


def test_a_ladder_asks_for_each_figure_once() -> None:
    wanted = needed(laddered(MIX).ladder)  # type: ignore[arg-type]
    assert wanted == (SPEND, ORDERS, REFERRALS)
    assert needed(parse(default_document("Claire")).ladder) == (("balance:status", EVER),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spend", "orders", "referrals", "tier"),
    [
        (30000, 3, 0, "gold"), (29999, 3, 0, "bronze"), (90000, 2, 1, "bronze"),
        (0, 0, 2, "gold"), (0, 0, 1, "bronze"), (30000, 3, 2, "gold"),
    ],
)  # fmt: skip
def test_three_hundred_euros_and_three_orders_or_two_referrals(
    spend: int, orders: int, referrals: int, tier: str
) -> None:
    ladder = laddered(MIX).ladder
    assert ladder is not None
    assert level_for(ladder, {SPEND: spend, ORDERS: orders, REFERRALS: referrals}).code == tier


def test_a_tier_by_invitation_is_never_reached() -> None:
    programme = laddered({}, invitation=True)
    assert programme.ladder is not None
    assert level_for(programme.ladder, 10**9).code == "bronze"
    assert gauge(programme, 10**9, programme.ladder.levels[0], ("fr",)) is None, "nor is there a way to it"


@pytest.mark.parametrize(
    ("needs", "found", "french", "english"),
    [
        ({"metric": "spend", "at_least": 30000}, {SPEND: 18400}, "plus que 116\u00a0€", "€116"),
        ({"metric": "spend", "at_least": 30000}, {SPEND: 18450}, "plus que 115,50\u00a0€", "€115.50"),
        ({"metric": "orders", "at_least": 3}, {ORDERS: 2}, "plus qu’une commande", "1 order"),
        ({"metric": "visits", "at_least": 3}, {}, "plus que 3 visites", "3 visits"),
        ({"metric": "referrals", "at_least": 2}, {REFERRALS: 1}, "plus qu’un parrainage", "1 referral"),
        ({"metric": "balance:status", "at_least": 1000}, {("balance:status", EVER): 884},
         "plus que 116 points", "116 points"),
        ({"metric": "events:atelier", "at_least": 2}, {}, "plus que 2 fois «\u00a0atelier\u00a0»",
         "2 times “atelier”"),
        (MIX, {SPEND: 18400, ORDERS: 2}, "plus que 116\u00a0€ et une commande,", "€116 and 1 order"),
        (MIX, {SPEND: 18400, REFERRALS: 1}, "plus qu’un parrainage", "1 referral"),
        ({"weighted": [{"metric": "visits", "weight": 10}, {"metric": "referrals", "weight": 100}], "at_least": 250},
         {("visits", EVER): 3, REFERRALS: 1}, "plus que 2 parrainages", "2 referrals"),
    ],
)  # fmt: skip
def test_what_is_missing_in_words(needs: dict[str, Any], found: Measures, french: str, english: str) -> None:
    assert said(needs, found) == f"Allez, {french} et vous vous hisserez au statut d’Or"
    assert said(needs, found, language="en") == f"Only {english} to go to reach Gold"


def test_the_way_to_the_keeper_of_whiteness() -> None:
    document = default_document("Pressing")
    document["tiers"]["levels"][2] |= {
        "names": {"fr": "Gardien de la blancheur", "en": "Keeper of whiteness"},
        "reward": {"fr": "un détachage offert", "en": "a free stain removal"},
    }
    programme = parse(document)
    assert programme.ladder is not None
    drawn = gauge(programme, 884, programme.ladder.levels[1], ("fr", "en"))
    assert drawn is not None
    assert (drawn.percent, drawn.value, drawn.goal) == (88, 884, 1000)
    assert (
        drawn.sentence["fr"] == "Allez, plus que 116 points et vous vous hisserez au statut de Gardien de la blancheur"
    )
    assert drawn.label == {"fr": "À la clé\u00a0: un détachage offert", "en": "Next: a free stain removal"}


def test_a_mix_is_drawn_in_percent_and_money_in_euros() -> None:
    programme = laddered(MIX)
    assert programme.ladder is not None
    drawn = gauge(programme, {SPEND: 15000, ORDERS: 3}, programme.ladder.levels[0], ("fr",))
    assert drawn is not None
    assert (drawn.percent, drawn.value, drawn.goal) == (75, 75, 100)
    programme = laddered({"metric": "spend", "at_least": 30050})
    drawn = gauge(programme, {SPEND: 18499}, programme.ladder.levels[0], ("fr",))  # type: ignore[union-attr]
    assert drawn is not None
    assert (drawn.value, drawn.goal) == (184, 301)


def test_what_is_missing_alone() -> None:
    programme = laddered(MIX)
    assert (
        lacking([Missing("spend", 11600), Missing("orders", 1)], programme, "fr")
        == "Il manque 116\u00a0€ et une commande."
    )
    assert lacking([], programme, "en") == "Nothing is missing."


METRICS = st.sampled_from(["spend", "orders", "visits", "referrals"])
ATOMS = st.builds(lambda metric, value: AtLeast(metric, EVER, value), METRICS, st.integers(1, 50))
SUMS = st.builds(
    lambda terms, value: Weighted(tuple((metric, EVER, weight) for metric, weight in terms), value),
    st.lists(st.tuples(METRICS, st.integers(1, 9)), min_size=1, max_size=3, unique_by=lambda term: term[0]),
    st.integers(1, 200),
)
NEEDS: st.SearchStrategy[Need] = st.recursive(
    ATOMS | SUMS,
    lambda part: st.builds(lambda kind, parts: kind(tuple(parts)), st.sampled_from([AllOf, AnyOf]),
                           st.lists(part, min_size=1, max_size=3)),
    max_leaves=6,
)  # fmt: skip
FOUND = st.dictionaries(METRICS.map(lambda metric: (metric, EVER)), st.integers(-5, 60))


@settings(max_examples=examples(50))
@given(need=NEEDS, found=FOUND, more=METRICS)
def test_a_need_is_met_exactly_where_nothing_is_missing(need: Need, found: dict[Any, int], more: str) -> None:
    share, lacks = progress(need, found), missing(need, found)
    assert 0 <= share <= 1
    assert (share == 1) == met(need, found) == (not lacks)
    assert all(one.units >= 1 for one in lacks)
    after = dict(found)
    for one in lacks:
        after[one.metric, EVER] = after.get((one.metric, EVER), 0) + one.units
    assert met(need, after), "what is said to be missing is enough"
    raised = found | {(more, EVER): found.get((more, EVER), 0) + 1}
    assert progress(need, raised) >= share, "more of anything never takes away"
