"""A card composed from a programme and what a member holds."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.passes.card import Card, card_from_json, card_to_json
from wallet_server.rules.passes.compose import Holding, Store, compose
from wallet_server.rules.programme.program import Programme, default_document, parse

AT = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
HOME = Store("Rue Lepic", 48.8860, 2.3340, None, "s1")
NEAR = Store("Rue Cler", 48.8570, 2.3060, {"fr": "Pain chaud à 17 h", "en": "Warm bread at 5 pm"}, "s2")
ONLINE = Store("En ligne", None, None, None, "s3")
NICE = Store("Nice", 43.7102, 7.2620, None, "s4")
PLAIN = Holding(
    balances={"points": 130, "status": 884},
    tier=None,
    news=None,
    home=HOME,
    stores=(NICE, NEAR, HOME, ONLINE),
    code_issue=1,
    voided=False,
    stop_link="https://claire.example/stop/x",
    web_link="https://claire.example/card/x",
)


def standard(**changes: Any) -> Programme:
    return parse(default_document("Boulangerie Claire") | changes)


def composed(programme: Programme | None = None, **changes: Any) -> Card:
    return compose(programme or standard(), dataclasses.replace(PLAIN, **changes), AT)[0]


def back(card: Card) -> dict[str, Any]:
    return {detail.key: detail for detail in card.details}


def test_the_front_of_a_card() -> None:
    card = composed()
    assert (card.languages, card.organisation, card.design, card.design_version) == (
        ("fr", "en"), "Boulangerie Claire", "points", 1,
    )  # fmt: skip
    assert card.description["fr"] == "Carte de fidélité Boulangerie Claire"
    assert (card.balance.key, card.balance.label, card.balance.value) == (
        "points", {"fr": "Points", "en": "Points"}, 130,
    )  # fmt: skip
    assert card.tier is not None
    assert (card.tier.code, card.tier.label, card.tier.name) == (
        "silver", {"fr": "Statut", "en": "Status"}, {"fr": "Argent", "en": "Silver"},
    )  # fmt: skip
    assert card.gauge is not None
    assert (card.gauge.percent, card.gauge.value, card.gauge.goal) == (88, 884, 1000)
    assert card.news is None
    assert (card.code_issue, card.voided, card.max_distance_metres) == (1, False, None)


def test_each_tier_has_its_colours_and_a_tier_without_keeps_those_of_the_programme() -> None:
    silver, gold = composed().palette, composed(balances={"status": 1000}).palette
    assert silver.background != gold.background
    document = default_document("Boulangerie Claire")
    document["tiers"]["levels"][1]["palette"] = None
    programme = parse(document)
    assert composed(programme).palette == programme.palette
    assert composed(standard(tiers=None)).palette == programme.palette


def test_without_a_ladder_there_is_neither_tier_nor_gauge() -> None:
    card = composed(standard(tiers=None))
    assert card.tier is None
    assert card.gauge is None
    assert "benefits" not in back(card)


def test_a_tier_held_back_is_shown_as_it_was_with_a_full_gauge() -> None:
    card = composed(tier="silver", balances={"points": 10, "status": 1200})
    assert card.tier is not None
    assert card.gauge is not None
    assert (card.tier.code, card.gauge.percent, card.gauge.goal) == ("silver", 100, 1000)


def test_a_tier_that_is_gone_from_the_programme_gives_way_to_the_one_reached() -> None:
    card = composed(tier="platinum")
    assert card.tier is not None
    assert card.tier.code == "silver"


def test_a_member_without_any_movement_has_a_card_of_nothing() -> None:
    card = composed(balances={})
    assert card.tier is not None
    assert card.gauge is not None
    assert (card.balance.value, card.tier.code, card.gauge.percent) == (0, "bronze", 0)


def test_the_news_are_shown_in_every_language() -> None:
    news = {"fr": "Galette samedi", "en": "King cake on Saturday"}
    card = composed(news=news)
    assert card.news is not None
    assert (card.news.text, card.news.label["fr"]) == (news, "Actualité")
    french = composed(news={"fr": "Galette samedi"}).news
    assert french is not None
    assert french.text == {"fr": "Galette samedi", "en": "Galette samedi"}
    english = composed(news={"en": "King cake", "de": "Kuchen"}).news
    assert english is not None
    assert english.text == {"fr": "King cake", "en": "King cake"}


def test_the_back_of_a_card() -> None:
    details = back(composed(standard(links={"website": "https://claire.example/"})))
    assert list(details) == ["rules", "benefits", "stores", "website", "web", "stop"]
    assert details["rules"].text["en"] == "1 point per euro spent, rounded down."
    assert details["benefits"].label == {"fr": "Vos avantages au statut Argent", "en": "Your Silver benefits"}
    assert details["benefits"].text["fr"] == "• Des points à chaque achat\n• Nos nouveautés en avant-première"
    assert details["stores"].text["fr"] == "En ligne\nNice\nRue Cler\nRue Lepic"
    assert details["website"].link == "https://claire.example/"
    assert details["web"].link == "https://claire.example/card/x"
    assert details["stop"].link == "https://claire.example/stop/x"
    assert "Boulangerie Claire" in details["stop"].text["en"]


def test_what_can_be_spent_beside_the_balance_stands_on_the_back() -> None:
    nouns = {"fr": {"one": "cagnotte", "other": "cagnottes"}, "en": {"one": "purse", "other": "purses"}}
    star = {"fr": {"one": "étoile", "other": "étoiles"}, "en": {"one": "star", "other": "stars"}}
    programme = standard(
        currencies=[
            *default_document("x")["currencies"],
            {"code": "pot", "kind": "money", "names": nouns},
            {"code": "stars", "kind": "stamps", "names": star},
        ]
    )
    held = {"points": 130, "status": 884, "pot": 250, "stars": 3}
    beside = back(composed(programme, balances=held))["beside"]
    assert beside.label == {"fr": "Vous avez aussi", "en": "You also have"}
    assert beside.text["en"] == "€2.50 to spend\n3 stars"
    assert beside.text["fr"].replace("\u202f", "\u00a0") == "2,50\u00a0€ à dépenser\n3 étoiles"
    assert "beside" not in back(composed(programme, balances=held, voided=True))
    assert "beside" not in back(composed(programme, balances=held | {"pot": 0, "stars": 0}))


def test_what_is_not_there_is_not_on_the_back() -> None:
    card = composed(standard(earn=[], tiers=None), stop_link=None, web_link=None, stores=())
    assert card.details == ()


def test_a_long_list_of_stores_is_cut() -> None:
    many = tuple(Store(f"Store {n:03}", None, None, None, f"s{n}") for n in range(200))
    assert len(back(composed(stores=many))["stores"].text["fr"].split("\n")) == 20


def test_the_places_are_the_nearest_useful_ones() -> None:
    places = composed().places
    assert [(place.latitude, place.text["fr"]) for place in places] == [
        (48.8860, "Rue Lepic est tout près"),
        (48.8570, "Pain chaud à 17 h"),
    ]
    assert places[0].text["en"] == "Rue Lepic is close by"
    assert len(composed(standard(useful_distance_metres=1_000_000)).places) == 3
    assert len(composed(stores=tuple(dataclasses.replace(HOME, ref=f"r{n}") for n in range(30))).places) == 10


def test_a_place_text_in_one_language_is_shown_in_all() -> None:
    store = dataclasses.replace(HOME, text={"en": "Warm bread"})
    assert composed(stores=(store,)).places[0].text == {"fr": "Warm bread", "en": "Warm bread"}


def test_a_voided_card_says_so_first() -> None:
    card = composed(voided=True)
    assert card.voided
    assert card.details[0].key == "voided"


def test_the_card_names_the_next_moment_at_which_it_changes() -> None:
    instants = [AT + timedelta(days=3), AT, AT - timedelta(days=1), AT + timedelta(days=2)]
    assert compose(standard(), PLAIN, AT, instants)[1] == AT + timedelta(days=2)
    assert compose(standard(), PLAIN, AT, [AT])[1] is None
    assert compose(standard(), PLAIN, AT)[1] is None


@pytest.mark.parametrize(
    "change",
    [
        {"balances": {"points": 131, "status": 884}}, {"balances": {"points": 130, "status": 885}}, {"tier": "gold"},
        {"news": {"fr": "x", "en": "x"}}, {"home": NICE}, {"stores": (HOME,)}, {"code_issue": 2}, {"voided": True},
        {"stop_link": None}, {"web_link": None},
    ],
)  # fmt: skip
def test_whatever_changes_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert composed(**change).fingerprint() != composed().fingerprint()


def test_the_order_in_which_stores_are_given_is_nothing() -> None:
    assert composed(stores=PLAIN.stores[::-1]).fingerprint() == composed().fingerprint()


@pytest.mark.slow
def test_the_fingerprint_is_the_same_in_another_process() -> None:
    script = (
        "from datetime import UTC, datetime\n"
        "from wallet_server.rules.passes.compose import Holding, Store, compose\n"
        "from wallet_server.rules.programme.program import default_document, parse\n"
        "programme = parse(default_document('Boulangerie Claire') | {'earn': default_document('x')['earn'] + [{\n"
        "  'id': 'z', 'currency': 'points', 'per': {'amount_minor': 7, 'points': 1},\n"
        "  'excluded_categories': ['c', 'b', 'a', 'e', 'd']}]})\n"
        "holding = Holding({'points': 1}, None, None, None, (Store('a', 1.0, 2.0, None, 'a'),), 1, False, None, None)\n"
        "print(compose(programme, holding, datetime(2026, 3, 14, tzinfo=UTC))[0].fingerprint())\n"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, check=True, text=True, timeout=60,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(prints) == 1
    assert len(prints.pop().strip()) == 64


@settings(max_examples=examples(40))
@given(
    points=st.integers(0, 2**53),
    status=st.integers(0, 2000),
    tier=st.sampled_from([None, "bronze", "silver", "gold", "gone"]),
    news=st.none() | st.dictionaries(st.sampled_from(["fr", "en", "de"]), st.text(min_size=1), min_size=1),
    stores=st.lists(st.sampled_from([HOME, NEAR, ONLINE, NICE]), max_size=6),
    voided=st.booleans(),
)
def test_every_card_survives_being_written_down_and_has_every_text_in_every_language(
    points: int, status: int, tier: str | None, news: dict[str, str] | None, stores: list[Store], voided: bool
) -> None:
    card = composed(
        balances={"points": points, "status": status}, tier=tier, news=news, stores=tuple(stores), voided=voided
    )  # fmt: skip
    again = card_from_json(card_to_json(card))
    assert again == card
    assert again.fingerprint() == card.fingerprint()
    texts = [card.description, card.balance.label]
    texts += [text for detail in card.details for text in (detail.label, detail.text)]
    texts += [place.text for place in card.places]
    if card.gauge is not None:
        texts += [card.gauge.label, card.gauge.sentence]
    if card.news is not None:
        texts += [card.news.label, card.news.text]
    assert all(set(text) == {"fr", "en"} and all(text.values()) for text in texts)
