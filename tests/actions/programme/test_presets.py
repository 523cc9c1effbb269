"""The programmes that are shipped can be published as they are, and give what the published ones promise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from wallet_server import resources
from wallet_server.actions.programme.presets import PUBLISHED, preset, presets, shipped
from wallet_server.actions.programme.simulating import simulate_purchases
from wallet_server.errors import NotFound
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.passes.compose import Holding, compose
from wallet_server.rules.programme.program import Programme, Visit, parse, publishable
from wallet_server.rules.simulation import Purchase, Report, complexity, warnings
from wallet_server.wallets.apple import checking as apple
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.google import checking as google

START = datetime(2025, 1, 7, 12, tzinfo=UTC)  # a Tuesday
EMPTY = Holding({}, None, None, None, (), 1, False, None, None)


def bought(day: int, amount: int, category: str | None = None, pieces: int = 1) -> Purchase:
    return Purchase(START + timedelta(days=day), "s", [Line("a", category, 1000 * pieces, amount, 0, False)])


def replayed(name: str, purchases: Sequence[Purchase]) -> Report:
    return simulate_purchases(parse(preset(name)), {"ann": purchases})[0]


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_sound_in_both_languages_and_its_design_stands(name: str) -> None:
    programme = publishable(preset(name))

    assert programme.languages == ("fr", "en")
    assert shipped(name).about.endswith(".")
    assert not complexity(programme).too_much
    designs = {(one.name, one.version) for one in load_designs(resources.templates())}
    assert (programme.design_id, programme.design_version) in designs
    card, _ = compose(programme, EMPTY, START)
    for language in ("fr", "en"):
        assert all(part.label[language] and part.text[language] for part in card.details)


@pytest.mark.parametrize("design", sorted({parse(preset(name)).design_id for name in presets()}))
def test_the_designs_of_presets_pass_their_check(design: str) -> None:
    found = next(one for one in load_designs(resources.templates()) if one.name == design)
    assert not apple.check(found).faults
    assert not google.check(found).faults


def test_unknown_presets_are_named() -> None:
    with pytest.raises(NotFound, match="voucher-400"):
        preset("nothing")
    assert set(PUBLISHED) < set(presets())


# ---------------------------------------------------------------------- what the published programmes promise


def test_400_points_are_2_euros() -> None:
    found = replayed("voucher-400", [bought(0, 39_999), bought(1, 100), bought(2, 1_000), bought(3, 1_000)])
    # 399 points; 400 with the next euro; 2 euros off the third purchase, of which 8 euros earn.
    assert found.rewards == {"two-euros": 1}
    assert found.costs["rewards"] == 200
    assert found.months[-1].outstanding == {"points": 8 + 10}


def test_10_euros_are_a_point_of_20_cents() -> None:
    found = replayed("tens", [bought(0, 9_999), bought(1, 1_000), bought(2, 50)])
    # 9 points = 1.80, all of it off the second purchase, which earns one; its 20 cents off the third.
    assert [one.given_minor for one in found.months] == [180 + 20]
    assert found.held_minor == 0


def test_a_euro_is_a_point_of_one_and_a_half_cents_and_is_debited_on_return() -> None:
    kept = replayed("dispatch", [bought(0, 20_000)])
    assert (kept.months[-1].outstanding, kept.held_minor) == ({"points": 200}, 300)
    returned = replayed("dispatch", [bought(0, 20_000), bought(3, -5_000)])
    assert (returned.months[-1].outstanding, returned.held_minor) == ({"points": 150}, 225)
    spent = replayed("dispatch", [bought(0, 20_000), bought(1, 300), bought(3, -20_000)])
    # The 200 points paid the 3 euros of the second purchase, which earned 3: 197 are owed.
    assert spent.months[-1].outstanding == {"points": -197}


def test_200_miles_are_10_euros_and_a_purchase_with_a_voucher_earns_none() -> None:
    found = replayed("miles", [bought(0, 25_000), bought(1, 30_000), bought(2, 5_000)])
    assert found.vouchers == (1, 1, 0)
    assert found.costs["vouchers"] == 1_000
    # 250 - 200 left of the first; nothing by the second, which used the voucher; 50 by the third.
    assert found.months[-1].outstanding == {"miles": 50 + 0 + 50}
    late = replayed("miles", [bought(0, 15_000), bought(740, 100)])
    assert sum(one.expired.get("miles", 0) for one in late.months) == 150, "miles last 24 months"


def test_10_stamps_are_a_meal() -> None:
    found = replayed("stamps-meal", [bought(day, 1_400) for day in range(21)])
    assert found.rewards == {"meal": 2}
    assert found.costs["rewards"] == 2 * 1_200
    assert found.months[-1].outstanding == {"stamps": 1}
    small = replayed("stamps-meal", [bought(0, 400), bought(1, 500)])
    assert small.months[-1].outstanding == {"stamps": 1}, "from 5 euros"


# ---------------------------------------------------------------------- the demonstration merchants


def test_medicines_earn_nothing_at_the_pharmacy() -> None:
    mixed = Purchase(
        START,
        "s",
        [Line("a", "medicine", 1000, 5_000, 0, False), Line("b", "care", 1000, 1_500, 0, False)],
    )
    assert replayed("pharmacy", [mixed]).months[-1].outstanding == {"points": 15}


def test_pizzas_are_stamps_and_on_tuesdays_the_third_is_half_price() -> None:
    found = replayed("pizzeria", [bought(0, 3_000, "pizza", 3), bought(1, 3_000, "pizza", 3)])
    assert found.costs["deals"] == 500
    assert found.months[-1].outstanding == {"stamps": 6}


def test_bubbles_are_said_by_their_own_name() -> None:
    programme = parse(preset("bubbles"))
    card, _ = compose(programme, EMPTY, START)
    said = [text for part in card.details for text in part.text.values()] + list(card.balance.label.values())
    assert card.balance.label == {"fr": "Bulles", "en": "Bubbles"}
    assert not [text for text in said if "point" in text.lower()]


def test_furniture_has_no_rule_of_frequency_and_is_not_warned_of_one() -> None:
    programme: Programme = parse(preset("furniture"))
    assert not any(isinstance(rule.way, Visit) for rule in programme.earn)
    assert not [rule.id for rule in programme.earn if "visit" in (rule.when or "")]
    rare = {f"c{n}": [bought(0, 90_000), bought(500 + n, 120_000)] for n in range(5)}
    found, _ = simulate_purchases(programme, rare)
    assert "rare-visits" not in {one.code for one in warnings(programme, found)}
    assert [one.members for one in found.tiers] == [0, 5, 0], "a year of tenure and nothing else"
    bakery = parse(preset("bakery"))
    assert "rare-visits" in {one.code for one in simulate_purchases(bakery, rare)[1]}


def test_whoever_buys_the_membership_has_its_perks_for_twelve_months() -> None:
    fee = bought(1, 4_900, "membership")
    found = replayed("membership", [bought(0, 10_000), fee, bought(2, 10_000), bought(365, 10_000)])
    # 100 before; 5 % off and two points for each of the 95 euros within the year; the reward's 5 euros off the last.
    assert found.months[0].outstanding["points"] == 100 + 190
    assert found.costs["deals"] == 500 + 500
    assert [one.members for one in found.tiers] == [0, 1]
    over = replayed("membership", [bought(0, 10_000), fee, bought(2, 10_000), bought(367, 10_000)])
    assert over.costs["deals"] == 500
    assert [one.members for one in over.tiers] == [1, 0]
    renewed = replayed("membership", [fee, bought(300, 4_900, "membership"), bought(400, 10_000)])
    assert renewed.costs["deals"] == 500, "of the purchase, and never of the fee"


def test_a_coalition_has_one_currency_and_a_status_for_who_buys_from_both() -> None:
    one_alone = replayed("coalition", [bought(0, 30_000, "bread"), bought(1, 100, "coffee")])
    assert [one.members for one in one_alone.tiers] == [1, 0]
    both = replayed("coalition", [bought(0, 10_000, "bread"), bought(1, 10_000, "book"), bought(2, 1_000, "book")])
    assert [one.members for one in both.tiers] == [0, 1]
    # 100 points of the bakery buy a croissant at the bookshop's till; then half as many again.
    assert both.rewards == {"croissant": 2}
    assert both.months[-1].outstanding["points"] == 100 - 75 + 100 - 75 + 15


def test_a_stay_counts_its_nights_and_what_it_earns_waits_until_it_is_over() -> None:
    stay = bought(0, 60_000, "night", pieces=5)  # a Tuesday, between seasons
    found = replayed("destination", [stay])
    assert [one.members for one in found.tiers] == [0, 1, 0]
    assert found.months[-1].outstanding == {"peaks": 2_400, "nights": 5}
    soon = replayed("destination", [stay, bought(5, 60_000, "night", pieces=5), bought(10, 1_000)])
    assert soon.rewards == {}, "nothing of it can be spent for fourteen days"
    later = replayed("destination", [stay, bought(5, 60_000, "night", pieces=5), bought(30, 1_000)])
    assert later.rewards == {"lift-day": 1}
