"""A replay gives what a naive count gives, adds up however it is shared out, and says what speaks against a draft."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.year_figures import document, of_oracle, of_simulator
from benchmarks.year_oracle import TOBACCO, Article, Member
from tests.examples import examples
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.simulation import (
    Engine,
    Habit,
    Purchase,
    Report,
    Tally,
    complexity,
    pass_by,
    play,
    report,
    traits,
    warnings,
)
from wallet_server.rules.simulation.advice import MANY_RULES
from wallet_server.rules.simulation.customers import portrait, top_share
from wallet_server.rules.simulation.words import figures, warning_sentence

START = datetime(2025, 1, 1, 9, tzinfo=UTC)
NAMES = {"fr": {"one": "point", "other": "points"}, "en": {"one": "point", "other": "points"}}
Histories = dict[str, list[Purchase]]


def at(day: int, hour: int = 9) -> datetime:
    return START + timedelta(days=day, hours=hour - 9)


def bought(day: int, *amounts: int, category: str | None = None, hour: int = 9) -> Purchase:
    return Purchase(at(day, hour), "s", [Line(None, category, 1000, amount, 0, False) for amount in amounts])


def programme(**parts: Any) -> Programme:
    """Points for euros, worth 2 cents each, spent by 100 as 2 euros off."""
    document = default_document("Test")
    document["currencies"][0] |= {"worth": {"units": 50, "amount_minor": 100}, **parts.pop("points", {})}
    document["rewards"] = [
        {
            "code": "two",
            "kind": "amount",
            "names": {"fr": "une remise de 2 €", "en": "a €2 discount"},
            "cost": {"currency": "points", "amount": 100},
            "value_minor": 200,
        }
    ]
    return parse(document | parts)


def simulated(
    draft: Programme, histories: Histories, habit: Habit = "soon", unknown: Sequence[Purchase] = ()
) -> Report:
    return report(*counted(draft, histories, habit, unknown))


def counted(
    draft: Programme, histories: Histories, habit: Habit = "soon", unknown: Sequence[Purchase] = ()
) -> tuple[Engine, Tally]:
    engine, tally = Engine(draft, habit), Tally()
    last = max(one.at for purchases in (*histories.values(), unknown) for one in purchases)
    for name, purchases in histories.items():
        play(engine, tally, name, purchases, last)
        tally.traits.append(traits(name, purchases, last))
    pass_by(tally, unknown)
    return engine, tally


# ---------------------------------------------------------------------- one member, by hand


def test_points_pay_for_a_reward_the_next_time_and_the_rest_is_owed() -> None:
    found = simulated(programme(), {"ann": [bought(0, 15_000), bought(10, 4_000), bought(20, 1_000)]})

    # 150 points; 2 euros off on the 10th, so 38 more; 88 are left, 98 on the 20th with 10 more.
    assert found.costs == {"rewards": 200, "vouchers": 0, "deals": 0, "units": 0}
    assert found.months[-1].outstanding["points"] == 50 + 38 + 10
    assert found.held_minor == 98 * 2
    assert found.given_minor == 396
    assert found.rate == Fraction(396, 20_000)


def test_who_saves_or_never_spends_costs_less_and_is_owed_more() -> None:
    history = {"ann": [bought(day, 10_000) for day in range(0, 40, 10)]}
    soon, never = (simulated(programme(), history, habit) for habit in ("soon", "never"))  # type: ignore[arg-type]

    # What the reward takes off earns nothing: 98 are left after the second purchase, which is not enough for the third.
    assert soon.costs["rewards"] == 400
    assert never.costs["rewards"] == 0
    assert never.held_minor == 400 * 2


def test_units_that_no_reward_asks_for_pay_at_the_till_and_never_more_than_the_basket() -> None:
    draft = programme(rewards=[])
    found = simulated(draft, {"ann": [bought(0, 100_000), bought(1, 500), bought(2, 100)]})

    # 1,000 points are 20 euros: 5 on the first day after (it earns 5 points), 1 on the next.
    assert found.costs["units"] == 500 + 100
    assert found.months[-1].spent["points"] == 250 + 50
    assert found.held_minor == (1_000 - 250 + 5 - 50 + 1) * 2


def test_what_runs_out_is_counted_in_the_month_in_which_it_does() -> None:
    draft = programme(points={"expires_after_months": 2})
    found = simulated(draft, {"ann": [bought(0, 5_000), bought(100, 1_000)]})

    assert [(one.month, one.expired.get("points", 0)) for one in found.months] == [(1, 0), (2, 0), (3, 50), (4, 0)]
    assert [one.outstanding["points"] for one in found.months] == [50, 50, 0, 10]
    assert [one.owed_minor for one in found.months] == [100, 100, 0, 20]


def test_what_is_on_its_way_is_owed_and_cannot_be_spent() -> None:
    draft = programme(points={"pending_days": 14})
    found = simulated(draft, {"ann": [bought(0, 10_000), bought(10, 100), bought(15, 1_000)]})

    assert found.costs["rewards"] == 200
    assert [one.given_minor for one in found.months] == [200]
    assert simulated(draft, {"ann": [bought(0, 10_000), bought(13, 1_000)]}).costs["rewards"] == 0


def test_goods_that_come_back_take_back_what_they_earn_and_a_debt_is_repaid() -> None:
    back = [bought(0, 10_000), bought(1, 1_000), bought(2, -10_000), bought(3, 5_000)]
    owing = simulated(programme(), {"ann": back})
    # 100 spent on the second day (8 more for what was left to pay), 100 taken back: 92 are owed, 50 repaid.
    assert owing.months[-1].outstanding["points"] == 100 - 100 + 8 - 100 + 50
    assert owing.baskets.returns == 1
    assert owing.held_minor == 0

    borne = simulated(programme(refunds={"negative": "zero"}), {"ann": back})
    assert borne.months[-1].outstanding["points"] == 50


def test_vouchers_are_made_of_units_used_once_and_stop_a_rule_that_says_so() -> None:
    document_part = {
        "rewards": [],
        "conversions": [
            {
                "id": "bon",
                "currency": "points",
                "units": 200,
                "voucher": {
                    "title": {"fr": "Bon", "en": "Voucher"},
                    "terms": {"fr": "Une fois.", "en": "Once."},
                    "value_minor": 1000,
                    "minimum_minor": 2000,
                    "valid_days": 30,
                },
            }
        ],
    }
    draft = programme(**document_part)
    earn = [{**vars_of(rule), "not_with_rewards": True} for rule in default_document("x")["earn"]]
    strict = programme(**document_part, earn=earn)
    days = [bought(0, 25_000), bought(1, 1_900), bought(2, 5_000), bought(3, 5_000)]

    free, held = simulated(draft, {"ann": days}), simulated(strict, {"ann": days})
    assert (free.vouchers, free.costs["vouchers"]) == ((1, 1, 0), 1000)
    # 250 - 200 + 19, then 40 of what was left to pay, or nothing; then 50.
    assert free.months[-1].outstanding["points"] == 69 + 40 + 50
    assert held.months[-1].outstanding["points"] == 69 + 0 + 50
    late = simulated(draft, {"ann": [days[0], bought(31, 5_000)]})
    assert (late.vouchers, late.costs["vouchers"]) == ((1, 0, 1), 0)


def vars_of(rule: dict[str, Any]) -> dict[str, Any]:
    return dict(rule)


def test_who_had_a_deal_was_rewarded() -> None:
    deal = {"id": "ten", "names": {"fr": "10 %", "en": "10%"}, "percent": {"percent": 10, "minimum_minor": 1000}}
    histories = {"had": [bought(0, 2_000)], "has": [bought(1, 500)]}
    found = simulated(programme(deals=[deal]), histories)
    assert found.never.named == (("has", 500),)


def test_deals_and_caps_are_those_of_the_till() -> None:
    earn = default_document("x")["earn"]
    earn[0]["cap"] = {"units": 30, "window": "day"}
    draft = programme(
        earn=earn,
        deals=[{"id": "ten", "names": {"fr": "10 %", "en": "10%"}, "percent": {"percent": 10, "minimum_minor": 1000}}],
    )
    found = simulated(draft, {"ann": [bought(0, 2_000), bought(0, 3_000, hour=15), bought(1, 900)]})

    assert found.costs["deals"] == 200 + 300
    assert found.months[-1].earned["points"] == 30 + 9
    assert found.months[-1].earned["status"] == 18 + 27 + 9


def test_a_reward_is_had_as_often_as_its_limit_allows() -> None:
    rewards = [
        {
            "code": "coffee",
            "names": {"fr": "un café", "en": "a coffee"},
            "cost": {"currency": "points", "amount": 10},
            "value_minor": 250,
            "limit": {"count": 1, "window": "month"},
        }
    ]
    history = {"ann": [bought(day, 5_000) for day in range(0, 60, 5)]}
    assert simulated(programme(rewards=rewards), history).rewards == {"coffee": 2}, "January and February"


# ---------------------------------------------------------------------- many members, against a naive count

AMOUNTS = st.lists(st.integers(0, 30_000), min_size=1, max_size=4)
ONE = st.lists(st.tuples(st.integers(0, 400), AMOUNTS), min_size=1, max_size=12)
MANY = st.dictionaries(st.sampled_from([f"c{n}" for n in range(30)]), ONE, min_size=1, max_size=8)


def histories_of(drawn: dict[str, list[tuple[int, list[int]]]]) -> Histories:
    return {
        name: sorted((bought(day, *amounts) for day, amounts in days), key=lambda one: one.at)
        for name, days in drawn.items()
    }


def naive(history: list[Purchase], last: datetime, months: int) -> tuple[int, int, int]:
    """Given, expired units and units left of one member of `programme()` whose points last so long: one list of single
    points, each with the day on which it goes."""
    points: list[datetime] = []
    given_minor = expired = 0
    for one in history:
        total = sum(line.amount_minor for line in one.lines)
        kept = [ends for ends in points if ends > one.at]
        expired, points = expired + len(points) - len(kept), kept
        times = 0
        while len(points) >= 100 and total >= 200 and times < 20:
            points, total, given_minor, times = points[100:], total - 200, given_minor + 200, times + 1
        month = one.at.month - 1 + months
        ends = one.at.replace(year=one.at.year + month // 12, month=month % 12 + 1, day=min(one.at.day, 28))
        points += [ends] * (total // 100)
    kept = [ends for ends in points if ends > last]
    return given_minor, expired + len(points) - len(kept), len(kept)


@settings(max_examples=examples(30))
@given(MANY)
def test_a_replay_is_what_a_naive_count_says(drawn: dict[str, list[tuple[int, list[int]]]]) -> None:
    # Days of a month beyond the 28th are left out, as the naive count is naive about them too.
    histories = {
        name: [one for one in purchases if one.at.day <= 28] for name, purchases in histories_of(drawn).items()
    }
    histories = {name: purchases for name, purchases in histories.items() if purchases}
    if not histories:
        return
    found = simulated(programme(points={"expires_after_months": 3}), histories)
    last = max(one.at for purchases in histories.values() for one in purchases)
    expected = [naive(purchases, last, 3) for purchases in histories.values()]

    assert found.costs["rewards"] == sum(one[0] for one in expected)
    assert sum(month.expired.get("points", 0) for month in found.months) == sum(one[1] for one in expected)
    assert found.months[-1].outstanding["points"] == sum(one[2] for one in expected)
    assert found.held_minor == sum(one[2] * 2 for one in expected)
    spends = [sum(line.amount_minor for one in purchases for line in one.lines) for purchases in histories.values()]
    assert found.member_minor == sum(spends)
    totals = [sum(line.amount_minor for line in one.lines) for purchases in histories.values() for one in purchases]
    assert found.baskets.median_minor == Fraction(median(map(Fraction, totals)))


@settings(max_examples=examples(25))
@given(MANY, st.integers(1, 4))
def test_tallies_of_parts_add_up_to_that_of_all(drawn: dict[str, list[tuple[int, list[int]]]], parts: int) -> None:
    histories = histories_of(drawn)
    draft = programme(points={"expires_after_months": 3})
    last = max(one.at for purchases in histories.values() for one in purchases)
    engine, shares = Engine(draft), [Tally() for _ in range(parts)]
    for number, (name, purchases) in enumerate(histories.items()):
        play(engine, shares[number % parts], name, purchases, last)
        shares[number % parts].traits.append(traits(name, purchases, last))
    whole = Tally()
    for one in reversed(shares):
        whole.add(one)
    assert report(engine, whole) == simulated(draft, histories)


# ---------------------------------------------------------------------- what speaks against a draft


def said(draft: Programme, found: Report) -> dict[str, tuple[str, str]]:
    return {
        one.code: (warning_sentence(one, draft, "fr"), warning_sentence(one, draft, "en"))
        for one in warnings(draft, found)
    }


YEARS = st.lists(
    st.tuples(
        st.integers(0, 40_000),  # minutes after the one before
        st.lists(st.tuples(st.sampled_from([None, "BREAD", TOBACCO]), st.integers(0, 40_000)), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=examples(25))
@given(st.lists(YEARS, min_size=1, max_size=3))
def test_a_year_with_rewards_tiers_and_expiry_is_what_another_count_says(
    years: list[list[tuple[int, list[tuple[str | None, int]]]]],
) -> None:
    """The oracle shares no code with the product: rewards come off each line in turn, tiers count what was paid."""
    histories: dict[int, list[Purchase]] = {}
    members: dict[int, Member] = {}
    moments = [START]
    for home, drawn in enumerate(years):
        moment, member = START, members.setdefault(home, Member())
        for after, goods in drawn:
            moment += timedelta(minutes=after)
            articles = [Article(str(number), category, 1, cents) for number, (category, cents) in enumerate(goods)]
            member.buy(moment, articles, member.wishes(moment, articles))
            lines = [Line(one.sku, one.category, 1000, one.cents, 0, False) for one in articles]
            histories.setdefault(home, []).append(Purchase(moment, "", lines))
        moments.append(moment)
    until = max(moments) + timedelta(days=100)
    for home, found in of_simulator(parse(document()), histories, until):
        expected = of_oracle(members[home], until)
        assert {name: amount for name, amount in found.items() if amount} == {
            name: amount for name, amount in expected.items() if amount
        }


def test_a_give_back_of_a_third_of_a_percent_warns_and_a_whole_percent_does_not() -> None:
    history = {f"c{n}": [bought(day, 10_000) for day in range(0, 300, 10)] for n in range(5)}
    mean = programme(points={"worth": {"units": 1000, "amount_minor": 300}}, rewards=[])
    found = simulated(mean, history)
    assert found.rate is not None
    assert Fraction(28, 10_000) < found.rate <= Fraction(30, 10_000)
    french, english = said(mean, found)["low-rate"]
    assert "0,30\u00a0%" in french
    assert "0.30%" in english
    assert "par an pour le membre médian" in french
    fair = programme(points={"worth": {"units": 100, "amount_minor": 100}}, rewards=[])
    assert "low-rate" not in said(fair, simulated(fair, history))


@pytest.mark.parametrize(("threshold", "warned"), [(59, True), (60, False), (61, False)])
def test_a_first_tier_below_two_average_baskets_warns(threshold: int, warned: bool) -> None:
    levels = default_document("x")["tiers"]["levels"][:2]
    levels[1]["threshold"] = threshold
    draft = programme(tiers={"currency": "status", "levels": levels})
    found = simulated(draft, {"ann": [bought(0, 2_000), bought(9, 4_000)], "bob": [bought(3, 3_000)]})
    assert found.baskets.mean_minor == 3_000
    told = said(draft, found)
    assert ("first-tier-low" in told) == warned
    if warned:
        assert "< 2 paniers" in told["first-tier-low"][0]
        assert "60 points ou plus" in told["first-tier-low"][0]
        assert "Silver, from 59 points" in told["first-tier-low"][1]


def test_a_tier_by_spending_is_judged_by_money() -> None:
    levels = default_document("x")["tiers"]["levels"][:2]
    del levels[1]["threshold"]
    levels[1]["needs"] = {"metric": "spend", "at_least": 5_000, "window": "rolling-12-months"}
    draft = programme(tiers={"levels": levels})
    found = simulated(draft, {"ann": [bought(0, 4_000), bought(9, 2_000)], "bob": [bought(3, 3_000)]})
    assert "€50.00" in said(draft, found)["first-tier-low"][1]
    assert [one.members for one in found.tiers] == [1, 1]


def test_a_tier_that_hardly_anybody_reaches_warns() -> None:
    levels = default_document("x")["tiers"]["levels"][:2]
    levels[1]["threshold"] = 1_000
    draft = programme(tiers={"currency": "status", "levels": levels})
    many: Histories = {f"c{n}": [bought(n % 50, 1_000)] for n in range(100)}
    some = many | {"big": [bought(1, 200_000)]}
    assert "1 of 101" in said(draft, simulated(draft, some))["tier-rare"][1]
    assert "tier-rare" in said(draft, simulated(draft, many))
    two = {name: purchases for name, purchases in some.items() if name not in ("c0", "c1")}
    assert "tier-rare" not in said(draft, simulated(draft, two)), "1 of 99 is more than 1 %"


def test_nine_rules_are_too_complicated_and_eight_are_not() -> None:
    base = default_document("x")
    rule = base["earn"][0]
    earn = [{**rule, "id": f"rule-{n}"} for n in range(8)]
    eight, nine = programme(earn=earn), programme(earn=[*earn, {**rule, "id": "one-more"}])
    assert (complexity(eight).rules, complexity(nine).rules) == (8, MANY_RULES)
    found = simulated(eight, {"ann": [bought(0, 1_000)]})
    assert "complicated" not in said(eight, found)
    assert said(nine, found)["complicated"][0].startswith("Trop compliqué\u00a0: 9 règles")


def test_visits_are_no_reward_where_half_wait_more_than_a_year() -> None:
    earn = [{"id": "visit", "currency": "points", "visit": {"units": 1}}]
    visits, euros = programme(earn=earn), programme()
    rare = {f"c{n}": [bought(0, 90_000), bought(366 + n, 90_000)] for n in range(3)}
    assert "367 jours" in said(visits, simulated(visits, rare))["rare-visits"][0]
    assert "rare-visits" not in said(euros, simulated(euros, rare))
    often = {f"c{n}": [bought(0, 90_000), bought(300 + n, 90_000)] for n in range(3)}
    assert "rare-visits" not in said(visits, simulated(visits, often))


def test_purchases_of_nobody_known_count_as_turnover_alone() -> None:
    draft = programme()
    found = simulated(draft, {}, unknown=[bought(0, 5_000), bought(1, 1_000)])
    assert (found.turnover_minor, found.members, found.unknown_purchases, found.rate) == (6_000, 0, 2, None)
    assert "nobody-known" in said(draft, found)
    assert all(text for _, text in figures(found, draft, "fr"))


# ---------------------------------------------------------------------- customers


@given(st.lists(st.integers(-100, 10_000), min_size=1, max_size=40))
def test_the_top_fifth_is_that_of_a_sorted_list(spends: list[int]) -> None:
    found = top_share(spends)
    count = (len(spends) + 4) // 5
    assert found.count == count
    assert found.brought_minor == sum(sorted(spends)[-count:])
    if sum(spends) > 0:
        assert found.share == Fraction(found.brought_minor, sum(spends))


@settings(max_examples=examples(20))
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(100, 900)), min_size=10, max_size=30))
def test_the_portrait_compares_each_of_the_best_with_each_of_the_rest(drawn: list[tuple[int, int]]) -> None:
    everybody = [
        traits(f"c{n:02}", [bought(3 * k, amount, amount) for k in range(times)], at(40))
        for n, (times, amount) in enumerate(drawn)
    ]
    found = portrait(everybody, most=99)
    assert found is not None
    ranked = sorted(everybody, key=lambda one: (-one.turnover_minor, one.customer))
    best, rest = ranked[: found.best], ranked[found.best :]
    by_name = {one.name: one for one in found.traits}
    pairs = [(a.numbers["purchases"], b.numbers["purchases"]) for a in best for b in rest]
    likelihood = Fraction(sum(2 * (a > b) + (a == b) for a, b in pairs), 2 * len(pairs))
    if likelihood != Fraction(1, 2):
        assert by_name["purchases"].likelihood == likelihood
        assert by_name["purchases"].best == median(Fraction(one.numbers["purchases"], 1000) for one in best)
    else:
        assert "purchases" not in by_name
    strengths = [one.strength for one in found.traits]
    assert strengths == sorted(strengths, reverse=True)
    assert portrait(everybody[:9]) is None


def test_the_best_are_told_apart_by_what_they_do() -> None:
    everybody = []
    for number in range(40):
        best = number < 4
        amount, often, category = (5_000, 2, "wine") if best else (3_000, 30, "bread")
        days = [bought(day, amount, category=category, hour=19 if best else 9) for day in range(0, 300, often)]
        everybody.append(traits(f"c{number}", days, at(300)))
    found = portrait(everybody)
    assert found is not None
    assert (found.best, len(found.traits)) == (4, 5)
    names = {one.name for one in found.traits}
    assert names <= {
        "basket_minor", "category:bread", "category:wine", "evening", "interval_days", "months", "purchases",
        "recency_days", "tenure_days", "weekend",
    }  # fmt: skip
    assert {one.likelihood for one in found.traits} <= {Fraction(0), Fraction(1)}
