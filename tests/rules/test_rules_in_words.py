"""Conditions, factors, limits and exclusions are part of the plain sentences that members read, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.earning import explain
from wallet_server.rules.baskets.rating import Rater
from wallet_server.rules.programme.program import Programme, default_document, parse
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.sentences import reason_sentence

FIXED = "\u00a0"
EURO: dict[str, Any] = {"id": "euro", "currency": "points", "per": {"amount_minor": 100, "points": 1}}


def programme(*earn: dict[str, Any], **parts: Any) -> Programme:
    return parse(default_document("Boulangerie") | {"earn": list(earn)} | parts)


@pytest.mark.parametrize(
    ("more", "french", "english"),
    [
        ({"tax": "out"}, "hors taxes", "without tax"),
        ({"not_with_rewards": True}, "sauf avec un bon ou une récompense", "not with a voucher or a reward"),
        ({"cap": {"units": 100, "window": "day"}}, "au plus 100 points par jour", "at most 100 points a day"),
        ({"cap": {"units": 1, "window": "ever"}}, "au plus 1 point en tout", "at most 1 point in all"),
        ({"when": "basket.amount_minor >= 2000"}, f"dès 20,00{FIXED}€ d’achat", "from €20.00 on"),
        ({"when": "basket.amount_minor > 1999"}, f"dès 20,00{FIXED}€ d’achat", "from €20.00 on"),
        (
            {"when": "member.tier in ['silver', 'gold'] && basket.weekday == 'tue'"},
            "pour les statuts Argent et Or, le mardi",
            "for Silver and Gold members, on Tuesdays",
        ),
        ({"when": "member.birthday_today"}, "le jour de votre anniversaire", "on your birthday"),
        ({"when": "line.category in ['bread', 'cake']"}, f"sur{FIXED}: bread, cake", "on: bread, cake"),
        (
            {"when": "basket.lines.exists(one, one.category == 'bread')"},
            f"avec dans le panier{FIXED}: bread",
            "with in the basket: bread",
        ),
        ({"when": "basket.amount_minor % 7 == 0 && member.birthday_today"}, "sous conditions", "on conditions"),
        ({"when": "basket.amount_minor < 2000"}, "sous conditions", "on conditions"),
        ({"when": "!member.birthday_today"}, "sous conditions", "on conditions"),
        ({"when": "member.tier != 'gold'"}, "sous conditions", "on conditions"),
    ],
)
def test_what_a_rule_asks_is_said(more: dict[str, Any], french: str, english: str) -> None:
    assert rule_sentences(programme(EURO | more)) == {
        "fr": f"1 point par euro dépensé, arrondi à l’inférieur, {french}.",
        "en": f"1 point per euro spent, rounded down, {english}.",
    }


@pytest.mark.parametrize(
    ("more", "french", "english"),
    [
        ({}, "Les points sont multipliés par 2.", "Points are multiplied by 2."),
        ({"factor": [3, 2]}, "Les points sont multipliés par 1,5.", "Points are multiplied by 1.5."),
        ({"factor": [4, 3]}, "Les points sont multipliés par 4/3.", "Points are multiplied by 4/3."),
        (
            {"days": ["tue", "sat"], "hours": {"from": "17:00", "to": "19:30"}},
            f"Les points sont multipliés par 2 le mardi et le samedi, de 17{FIXED}h à 19{FIXED}h{FIXED}30.",
            "Points are multiplied by 2 on Tuesdays and Saturdays, from 17:00 to 19:30.",
        ),
        (
            {"tiers": ["gold"], "stores": ["sto_x"]},
            "Les points sont multipliés par 2 pour le statut Or, dans certaines boutiques.",
            "Points are multiplied by 2 for Gold members, in some shops.",
        ),
        (
            {"dates": {"from": "2026-12-01", "to": "2026-12-24"}, "categories": ["cake"]},
            f"Les points sont multipliés par 2 sur{FIXED}: cake, du 1er décembre 2026 au 24 décembre 2026.",
            "Points are multiplied by 2 on: cake, from 1 December 2026 to 24 December 2026.",
        ),
    ],
)
def test_a_factor_is_said(more: dict[str, Any], french: str, english: str) -> None:
    told = programme(EURO, multipliers=[{"id": "x", "factor": [2, 1], **more}])
    said = rule_sentences(told)
    assert (said["fr"].partition(". ")[2], said["en"].partition(". ")[2]) == (french, english)


def test_stars_are_feminine_and_what_never_counts_is_said_once() -> None:
    status = EURO | {"id": "status", "currency": "status"}
    stars = default_document("Boulangerie")["currencies"]
    stars[1]["names"] = {
        "fr": {"one": "étoile", "other": "étoiles", "feminine": True},
        "en": {"one": "star", "other": "stars"},
    }
    never, twice = {"categories": ["medicine"]}, [{"id": "x", "factor": [2, 1]}]
    told = programme(status, currencies=stars, multipliers=twice, excluded=never)
    said = rule_sentences(told)["fr"]
    assert said.endswith(f"Les étoiles sont multipliées par 2. Ne comptent jamais{FIXED}: medicine.")
    both = programme(EURO, status, currencies=stars, multipliers=twice)
    assert "Les points et les étoiles sont multipliés par 2." in rule_sentences(both)["fr"]
    assert "Points and stars are multiplied by 2." in rule_sentences(both)["en"]


def test_an_award_says_its_factor_and_that_the_limit_was_reached() -> None:
    rule = EURO | {"cap": {"units": 15, "window": "day"}}
    told = programme(rule, multipliers=[{"id": "x", "factor": [3, 2], "tiers": ["gold"]}])
    basket = Basket([Line(None, None, 1000, 2000, 0, False)], datetime(2026, 12, 4, 11, tzinfo=UTC))
    (award,) = Rater(told).rate(basket, State("gold")).awards
    assert (award.amount, award.cut) == (15, 15)
    params = {**award.params, "receipt": "7"}
    assert reason_sentence("earn.sale", params, "fr", told) == (
        f"Achat de 20,00{FIXED}€ ×{FIXED}1,5, limite atteinte, ticket 7."
    )
    assert (
        reason_sentence("earn.sale", params, "en", told) == f"Purchase of €20.00 ×{FIXED}1.5, limit reached, receipt 7."
    )
    assert explain(award, "en", told) == (
        f"Purchase of €20.00 ×{FIXED}1.5, limit reached: 15 points (1 point per euro spent, rounded down, at most 15 "
        "points a day; points are multiplied by 1.5 for Gold members; 15 points beyond the limit)."
    )
