"""Sentences for members and cashiers: plurals, numbers, money, elision."""

from __future__ import annotations

from typing import Any

import pytest

from wallet_server.rules.programme.program import Money, Plural, Programme, default_document, parse
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.sentences import (
    CashierKind,
    cashier_sentence,
    counted,
    money_text,
    noun_of,
    number,
    of,
    plural,
    reason_sentence,
    spoken,
    unit_params,
)

POINT = Plural("point", "points")
STAR = Plural("étoile", "étoiles", feminine=True)
NARROW, FIXED = "\u202f", "\u00a0"


def programme(money: dict[str, Any] | None = None, **rule: Any) -> Programme:
    document = default_document("Boulangerie Claire")
    document["earn"][0] |= rule
    document["money"] = money or document["money"]
    if rule:
        document["earn"] = document["earn"][:1]
    return parse(document)


@pytest.mark.parametrize(
    ("count", "french", "english"),
    [(0, "one", "other"), (1, "one", "one"), (-1, "one", "one"), (2, "other", "other"), (101, "other", "other")],
)
def test_plural_forms(count: int, french: str, english: str) -> None:
    assert (plural("fr", count), plural("en", count)) == (french, english)


def test_numbers_in_groups_of_three() -> None:
    assert [number(n, "fr") for n in (0, 999, 1000, -1234567)] == [
        "0", "999", f"1{NARROW}000", f"-1{NARROW}234{NARROW}567",
    ]  # fmt: skip
    assert [number(n, "en") for n in (999, 1000, -1234567)] == ["999", "1,000", "-1,234,567"]


def test_counts_with_their_noun() -> None:
    assert counted(0, POINT, "fr") == "0 point"
    assert counted(0, POINT, "en") == "0 points"
    assert counted(2, STAR, "fr") == "2 étoiles"
    assert counted(1_000_000, STAR, "fr") == f"1{NARROW}000{NARROW}000 d’étoiles"
    assert counted(3_000_000, POINT, "fr") == f"3{NARROW}000{NARROW}000 de points"
    assert counted(1_000_001, POINT, "fr") == f"1{NARROW}000{NARROW}001 points"
    assert counted(1_000_000, POINT, "en") == "1,000,000 points"


@pytest.mark.parametrize(
    ("minor", "money", "french", "english"),
    [
        (1234, Money("EUR", 2), f"12,34{FIXED}€", "€12.34"),
        (-5, Money("EUR", 2), f"-0,05{FIXED}€", "-€0.05"),
        (123456700, Money("GBP", 2), f"1{NARROW}234{NARROW}567,00{FIXED}£", "£1,234,567.00"),
        (500, Money("JPY", 0), f"500{FIXED}JPY", f"JPY{FIXED}500"),
        (1500, Money("TND", 3), f"1,500{FIXED}TND", f"TND{FIXED}1.500"),
    ],
)
def test_money_as_each_language_writes_it(minor: int, money: Money, french: str, english: str) -> None:
    assert (money_text(minor, money, "fr"), money_text(minor, money, "en")) == (french, english)


@pytest.mark.parametrize(
    ("name", "elided"),
    [
        ("Or", "d’Or"), ("Argent", "d’Argent"), ("Émeraude", "d’Émeraude"), ("Ivoire", "d’Ivoire"),
        ("Union", "d’Union"), ("Œillet", "d’Œillet"),
        ("Honneur", "d’Honneur"), ("Héros", "de Héros"), ("Bronze", "de Bronze"), ("1er rang", "de 1er rang"),
    ],
)  # fmt: skip
def test_elision(name: str, elided: str) -> None:
    assert of(name) == elided


@pytest.mark.parametrize(
    ("asked", "answered"), [("fr-CA", "fr"), ("FR", "fr"), ("fr_FR", "fr"), ("en-GB", "en"), ("de", "en"), ("", "en")]
)
def test_the_language_that_answers(asked: str, answered: str) -> None:
    assert spoken(asked) == answered


def test_the_default_rules_read_alike_and_are_said_once() -> None:
    assert rule_sentences(programme()) == {
        "fr": "1 point par euro dépensé, arrondi à l’inférieur.",
        "en": "1 point per euro spent, rounded down.",
    }


@pytest.mark.parametrize(
    ("rule", "french", "english"),
    [
        (
            {"per": {"amount_minor": 50, "points": 1}, "rounding": "up"},
            "2 points par euro dépensé, arrondi au supérieur.",
            "2 points per euro spent, rounded up.",
        ),
        (
            {"per": {"amount_minor": 1000, "points": 1}, "rounding": "half_up"},
            "1 point par tranche de 10 euros, arrondi au plus proche.",
            "1 point for every 10 euros spent, rounded to the nearest.",
        ),
        (
            {"per": {"amount_minor": 700, "points": 3}, "scope": "line"},
            "3 points par tranche de 7 euros, arrondi à l’inférieur, article par article.",
            "3 points for every 7 euros spent, rounded down, line by line.",
        ),
        (
            {"per": {"amount_minor": 150, "points": 1}},
            f"1 point par tranche de 1,50{FIXED}€, arrondi à l’inférieur.",
            "1 point for every €1.50 spent, rounded down.",
        ),
        (
            {"per": {"amount_minor": 1, "points": 1}, "excluded_categories": ["tobacco", "stamps"]},
            f"100 points par euro dépensé. Hors{FIXED}: stamps, tobacco.",
            "100 points per euro spent. Not counted: stamps, tobacco.",
        ),
    ],
)
def test_a_rule_in_words(rule: dict[str, Any], french: str, english: str) -> None:
    assert rule_sentences(programme(**rule)) == {"fr": french, "en": english}


def test_pounds_are_feminine_in_french_and_a_strange_money_is_shown_by_its_code() -> None:
    pounds = rule_sentences(programme({"iso": "GBP", "exponent": 2}, rounding="down"))
    assert pounds == {
        "fr": "1 point par livre dépensée, arrondi à l’inférieur.",
        "en": "1 point per pound spent, rounded down.",
    }
    yen = rule_sentences(programme({"iso": "JPY", "exponent": 0}, rounding="down"))
    assert yen["en"] == f"1 point for every JPY{FIXED}100 spent, rounded down."


@pytest.mark.parametrize(
    ("code", "params", "french", "english"),
    [
        (
            "earn.sale",
            {"basis_minor": 1299, "receipt": "R-7"},
            f"Achat de 12,99{FIXED}€, ticket R-7.",
            "Purchase of €12.99, receipt R-7.",
        ),
        ("earn.goodwill", {}, "Geste commercial.", "Goodwill gesture."),
        ("burn.redeem", {}, "Récompense utilisée.", "Reward redeemed."),
        ("reverse.sale", {"receipt": "R-7"}, "Achat annulé, ticket R-7.", "Purchase reversed, receipt R-7."),
        ("reverse.redeem", {}, "Récompense annulée.", "Reward reversed."),
        ("expire.lot", {"entry": "ent_1"}, "Arrivé à expiration.", "Expired."),
        ("reverse.expire", {"receipt": "R-7"}, "Expiration annulée, ticket R-7.", "Expiry reversed, receipt R-7."),
        ("later.kind", {}, "Autre mouvement (later.kind).", "Other movement (later.kind)."),
    ],
)
def test_reasons_of_the_ledger(code: str, params: dict[str, Any], french: str, english: str) -> None:
    assert reason_sentence(code, params, "fr", programme()) == french
    assert reason_sentence(code, params, "en", programme()) == english


def test_without_the_programme_no_money_is_named() -> None:
    assert reason_sentence("earn.sale", {"basis_minor": 1299}, "en") == "Purchase."


@pytest.mark.parametrize(
    ("kind", "amount", "balance", "french", "english"),
    [
        ("sold", 12, 130, "+12 points, nouveau solde 130", "+12 points, new balance 130"),
        ("sold", 1, 1130, f"+1 point, nouveau solde 1{NARROW}130", "+1 point, new balance 1,130"),
        ("sold", 0, 130, "Aucun point pour cet achat, solde 130", "No points for this sale, balance 130"),
        ("already-counted", 12, 130, f"Déjà compté{FIXED}: +12 points, solde 130",
         "Already counted: +12 points, balance 130"),
        ("redeemed", 50, 80, "-50 points, nouveau solde 80", "-50 points, new balance 80"),
        ("reversed", -12, 118, f"Annulé{FIXED}: -12 points, nouveau solde 118",
         "Reversed: -12 points, new balance 118"),
        ("reversed", 50, 180, f"Annulé{FIXED}: +50 points, nouveau solde 180", "Reversed: +50 points, new balance 180"),
        (
            "insufficient", 200, 130,
            f"Pas assez de points{FIXED}: 130 sur la carte, 200 nécessaires",
            "Not enough points: 130 on the card, 200 needed",
        ),
        (
            "insufficient", 1, 0,
            f"Pas assez de points{FIXED}: 0 sur la carte, 1 nécessaire",
            "Not enough points: 0 on the card, 1 needed",
        ),
    ],
)  # fmt: skip
def test_what_the_till_says(kind: CashierKind, amount: int, balance: int, french: str, english: str) -> None:
    params = {"amount": amount, "balance": balance}
    assert cashier_sentence(kind, params, "fr") == french
    assert cashier_sentence(kind, params, "en-GB") == english


def test_the_till_uses_the_noun_of_the_currency() -> None:
    document = default_document("Boulangerie Claire")
    document["currencies"][0]["names"] = {
        "fr": {"one": "étoile", "other": "étoiles", "feminine": True},
        "en": {"one": "star", "other": "stars"},
    }
    stars = parse(document)
    french, english = unit_params(stars, "points", "fr"), unit_params(stars, "points", "en")
    assert (
        cashier_sentence("sold", {"amount": 0, "balance": 3} | french, "fr") == "Aucune étoile pour cet achat, solde 3"
    )
    assert cashier_sentence("insufficient", {"amount": 9, "balance": 3} | french, "fr").startswith(
        "Pas assez d’étoiles"
    )
    assert cashier_sentence("sold", {"amount": 1, "balance": 3} | english, "en") == "+1 star, new balance 3"


def test_a_kind_or_a_number_that_is_missing_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="singing"):
        cashier_sentence("singing", {"amount": 1, "balance": 1}, "en")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        cashier_sentence("sold", {"amount": 1}, "en")


def test_a_french_only_programme_answers_an_english_reader_with_its_own_nouns() -> None:
    french = parse(default_document("Boulangerie Claire", ("fr",)))
    assert unit_params(french, "points", "en") == {"one": "point", "other": "points", "feminine": 0}


def test_money_is_written_as_money_wherever_units_are_counted() -> None:
    pot = {"code": "pot", "kind": "money", "names": {"fr": {"one": "euro", "other": "euros"}}}
    document = default_document("Boulangerie")
    pot["names"]["en"] = {"one": "euro", "other": "euros"}
    programme = parse({**document, "currencies": [*document["currencies"], pot]})
    french, english = unit_params(programme, "pot", "fr"), unit_params(programme, "pot", "en")
    spent = {"amount": 350, "balance": 650}
    assert cashier_sentence("redeemed", spent | french, "fr") == "-3,50\u00a0€, nouveau solde 6,50\u00a0€"
    assert cashier_sentence("insufficient", spent | english, "en") == (
        "Not enough euros: €6.50 on the card, €3.50 needed"
    )
    assert cashier_sentence("sold", {"amount": 0, "balance": 650} | french, "fr") == (
        "Aucun euro pour cet achat, solde 6,50\u00a0€"
    )
    assert counted(116, noun_of(programme, "pot", "en"), "en") == "€1.16"


def test_what_was_counted_before_says_when() -> None:
    params = {"amount": 12, "balance": 130, "at": "14:02"}
    french = cashier_sentence("already-counted", params, "fr")
    assert french == f"Déjà compté à 14:02{FIXED}: +12 points, solde 130"
    assert cashier_sentence("already-counted", params, "en") == "Already counted at 14:02: +12 points, balance 130"
