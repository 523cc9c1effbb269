"""Rewards in words: one plain sentence from the document, in the grammar of each language."""

from __future__ import annotations

from typing import Any

import pytest

from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.gifts import english, french
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.rules.programme.program_simple import stamp_document
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.sentences import (
    progress_sentence,
    reason_sentence,
    reward_sentences,
    waiting_sentence,
)

FIXED = "\u00a0"


def card(fr: str = "un café", en: str = "a coffee", **more: Any) -> Programme:
    answers: dict[str, Any] = {"reward_names": {"fr": fr, "en": en}, "reward_value_minor": 250} | more
    return parse(stamp_document("Chez Marie", palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"), **answers))


def test_the_rule_of_a_stamp_card_is_one_plain_sentence_made_from_the_document() -> None:
    assert reward_sentences(card()) == {
        "fr": f"10 tampons = un café offert (valeur 2,50{FIXED}€).",
        "en": "10 stamps = a free coffee (worth €2.50).",
    }
    changed = card(stamps=8, reward_value_minor=None)
    assert reward_sentences(changed) == {"fr": "8 tampons = un café offert.", "en": "8 stamps = a free coffee."}


@pytest.mark.parametrize(
    ("answers", "fr", "en"),
    [
        ({}, "1 tampon à chaque visite.", "1 stamp for each visit."),
        (
            {"minimum_minor": 500},
            f"1 tampon à chaque visite dès 5,00{FIXED}€ d’achat.",
            "1 stamp for each visit of €5.00 or more.",
        ),
        (
            {"interval_minutes": 240},
            "1 tampon à chaque visite, au plus une fois toutes les 4 heures.",
            "1 stamp for each visit, at most once every 4 hours.",
        ),
        (
            {"interval_minutes": 60},
            "1 tampon à chaque visite, au plus une fois par heure.",
            "1 stamp for each visit, at most once an hour.",
        ),
        (
            {"interval_minutes": 90},
            "1 tampon à chaque visite, au plus une fois toutes les 90 minutes.",
            "1 stamp for each visit, at most once every 90 minutes.",
        ),
        (
            {"interval_minutes": 1440},
            "1 tampon à chaque visite, au plus une fois toutes les 24 heures.",
            "1 stamp for each visit, at most once every 24 hours.",
        ),
        (
            {"interval_minutes": 4320},
            "1 tampon à chaque visite, au plus une fois tous les 3 jours.",
            "1 stamp for each visit, at most once every 3 days.",
        ),
        ({"per": "item"}, "1 tampon par article acheté.", "1 stamp for each item bought."),
    ],
)
def test_how_stamps_are_earned(answers: dict[str, Any], fr: str, en: str) -> None:
    assert rule_sentences(card(**answers)) == {"fr": fr, "en": en}


def test_the_goods_of_an_item_rule_are_named() -> None:
    document = stamp_document("M", palette=Palette("#000000", "#ffffff", "#ffffff"), reward_names={"fr": "un thé"},
                              per="item", languages=["fr"])  # fmt: skip
    document["earn"][0]["item"] |= {"categories": ["thé", "café"], "skus": ["42"]}
    document["earn"][0]["excluded_categories"] = ["tabac"]
    said = rule_sentences(parse(document))["fr"]
    assert said == f"1 tampon par article acheté parmi{FIXED}: 42, café, thé. Hors{FIXED}: tabac."


@pytest.mark.parametrize(
    ("name", "offered", "given", "waiting"),
    [
        ("un café", "un café offert", "un café vous est offert", "Votre café offert vous attend"),
        ("Une brioche.", "une brioche offerte", "une brioche vous est offerte", "Votre brioche offerte vous attend"),
        ("un café offert", "un café offert", "un café vous est offert", "Votre café offert vous attend"),
        ("une formule gratuite", "une formule offerte", "une formule vous est offerte",
         "Votre formule offerte vous attend"),
        ("2 baguettes offertes", "2 baguettes offertes", "2 baguettes vous sont offertes",
         "Vos 2 baguettes offertes vous attendent"),
        ("Deux croissants", "deux croissants en cadeau", None, "Vos deux croissants vous attendent"),
        ("les cafés offerts", "les cafés offerts", "les cafés vous sont offerts", "Vos cafés offerts vous attendent"),
        ("la galette", "la galette offerte", "la galette vous est offerte", "Votre galette offerte vous attend"),
        ("l'entrée", "l’entrée en cadeau", None, "Votre entrée vous attend"),
        ("1 café", "1 café en cadeau", None, "Votre café vous attend"),
        ("10 % de remise", "10 % de remise", None, f"Votre récompense vous attend{FIXED}: 10 % de remise"),
        ("Un cadeau surprise", "Un cadeau surprise", None, f"Votre récompense vous attend{FIXED}: Un cadeau surprise"),
        ("Café crème", f"un cadeau{FIXED}: Café crème", None, f"Votre récompense vous attend{FIXED}: Café crème"),
        ("Café offert", "café offert", None, f"Votre récompense vous attend{FIXED}: café offert"),
    ],
)  # fmt: skip
def test_a_french_reward_agrees_with_its_article(name: str, offered: str, given: str | None, waiting: str) -> None:
    gift = french(name)
    assert (gift.offered, gift.given, gift.waiting) == (offered, given, waiting)


@pytest.mark.parametrize(
    ("name", "offered", "waiting"),
    [
        ("a coffee", "a free coffee", "Your free coffee is waiting"),
        ("An espresso.", "a free espresso", "Your free espresso is waiting"),
        ("a free coffee", "a free coffee", "Your free coffee is waiting"),
        ("two croissants", "two free croissants", "Your two free croissants are waiting"),
        ("Coffee", "free coffee", "Waiting for you: free coffee"),
        ("Paris-Brest", "free Paris-Brest", "Waiting for you: free Paris-Brest"),
        ("the dish of the day", "the dish of the day, free", "Waiting for you: the dish of the day, free"),
        ("10% off", "10% off", "Waiting for you: 10% off"),
        ("an early gift", "an early gift", "Your early gift is waiting"),
    ],
)
def test_an_english_reward_takes_its_article(name: str, offered: str, waiting: str) -> None:
    assert (english(name).offered, english(name).waiting) == (offered, waiting)


@pytest.mark.parametrize(
    ("name", "missing", "fr"),
    [
        ("un café", 3, "Plus que 3 tampons et un café vous est offert"),
        ("un café", 1, "Plus qu’un tampon et un café vous est offert"),
        ("une brioche", 2, "Plus que 2 tampons et une brioche vous est offerte"),
        ("2 baguettes", 1, f"Plus qu’un tampon avant votre récompense{FIXED}: 2 baguettes"),
        ("10 % de remise", 4, f"Plus que 4 tampons avant votre récompense{FIXED}: 10 % de remise"),
    ],
)
def test_what_is_missing_in_french(name: str, missing: int, fr: str) -> None:
    programme = card(name)
    assert progress_sentence(programme.rewards[0], missing, programme, "fr") == fr


def test_what_is_missing_in_english_and_that_a_reward_waits() -> None:
    programme = card()
    (reward,) = programme.rewards
    assert progress_sentence(reward, 3, programme, "en-GB") == "Only 3 stamps to go and you get a free coffee"
    assert progress_sentence(reward, 1, programme, "en") == "Only 1 stamp to go and you get a free coffee"
    assert waiting_sentence(reward, 1, programme, "fr") == "Votre café offert vous attend"
    assert waiting_sentence(reward, 2, programme, "fr") == (
        f"2 récompenses vous attendent{FIXED}: 2 fois un café offert"
    )
    assert waiting_sentence(reward, 2, programme, "en") == "2 rewards are waiting: 2 times a free coffee"


@pytest.mark.parametrize(
    ("name", "fr", "en"),
    [
        ("un café offert", "un café offert", "un café offert"),
        ("un café", "un café offert", "un café offert"),
        ("a coffee", "a free coffee", "a free coffee"),
        ("Café crème", f"un cadeau{FIXED}: Café crème", "Café crème"),
        ("2 cookies", "2 cookies en cadeau", "2 cookies"),
    ],
)
def test_a_name_of_one_language_keeps_its_own_words_in_the_other(name: str, fr: str, en: str) -> None:
    programme = card(name, name, reward_value_minor=None)
    assert reward_sentences(programme) == {"fr": f"10 tampons = {fr}.", "en": f"10 stamps = {en}."}
    (reward,) = programme.rewards
    if name.startswith("un "):
        assert progress_sentence(reward, 3, programme, "en") == "Only 3 stamps to go and you get un café offert"
        assert waiting_sentence(reward, 1, programme, "en") == "Waiting for you: un café offert"


def test_a_card_of_one_language_speaks_its_own_grammar_to_everybody() -> None:
    document = stamp_document("M", palette=Palette("#000000", "#ffffff", "#ffffff"), reward_names={"fr": "un thé"},
                              languages=["fr"])  # fmt: skip
    programme = parse(document)
    assert progress_sentence(programme.rewards[0], 2, programme, "en").endswith("and you get un thé offert")


def test_the_reward_stands_in_the_history() -> None:
    params = {"reward": "reward", "receipt": "7"}
    assert reason_sentence("burn.reward", params, "fr", card()) == (f"Récompense utilisée{FIXED}: un café, ticket 7.")
    assert reason_sentence("burn.reward", params, "en", card()) == "Reward redeemed: a coffee, receipt 7."
    assert reason_sentence("burn.reward", {"reward": "gone"}, "en", card()) == "Reward redeemed."
    assert reason_sentence("earn.welcome", {}, "fr", card()) == "Cadeau de bienvenue."
