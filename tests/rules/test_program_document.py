"""A programme document: what is accepted, and that every fault is named at once."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid, NotFound
from wallet_server.rules import sentences
from wallet_server.rules.announcing.announcing import Limits, Quiet
from wallet_server.rules.passes.card import Action, App, Beacon, Nfc, Palette
from wallet_server.rules.passes.compose import Holding, compose
from wallet_server.rules.programme.program import (
    Amount,
    Item,
    Per,
    Plural,
    Reward,
    Visit,
    default_document,
    document_schema,
    fingerprint,
    parse,
)
from wallet_server.rules.programme.program_simple import carry_over, document_of, simple_form_of, stamp_document

PAGE = Path(__file__).parents[2] / "docs" / "programme.md"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def sound() -> dict[str, Any]:
    return default_document("Boulangerie Claire")


def stamps() -> dict[str, Any]:
    names = {"fr": "un café", "en": "a coffee"}
    palette = Palette("#12372a", "#fbf7ec", "#b9dcc4")
    return stamp_document("Chez Marie", palette=palette, reward_names=names, reward_value_minor=250, welcome=1)


def coupon(**more: Any) -> dict[str, Any]:
    title, terms = {"fr": "Un café offert", "en": "A free coffee"}, {"fr": "Une fois.", "en": "Once."}
    return {"title": title, "terms": terms, **more}


def faults_of(document: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        parse(document)
    assert refusal.value.code == "invalid"
    paths = [fault.path for fault in refusal.value.faults]
    assert len(paths) == len(set(paths)), "a place is blamed once"
    return {fault.path: fault.sentence for fault in refusal.value.faults}


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the document with one place changed; `...` removes it."""
    changed = copy.deepcopy(document)
    spot: Any = changed
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        spot = spot[step]
    if value is ...:
        del spot[last]
    elif isinstance(spot, list) and last == len(spot):
        spot.append(value)
    else:
        spot[last] = value
    return changed


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2, from its definition of relative luminance."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_default_programme_is_the_promised_one() -> None:
    programme = parse(sound())
    assert programme.languages == ("fr", "en")
    assert (programme.money.iso, programme.money.exponent) == ("EUR", 2)
    assert [(rule.currency, rule.way) for rule in programme.earn] == [
        ("points", Per(Fraction(1, 100), "down", "basket")),
        ("status", Per(Fraction(1, 100), "down", "basket")),
    ]
    assert (programme.rewards, programme.welcome, programme.logo) == ((), None, None)
    assert programme.currency("points").spendable
    assert not programme.currency("status").spendable
    assert programme.ladder is not None
    assert [(level.code, level.threshold, level.names) for level in programme.ladder.levels] == [
        ("bronze", 0, {"fr": "Bronze", "en": "Bronze"}),
        ("silver", 300, {"fr": "Argent", "en": "Silver"}),
        ("gold", 1000, {"fr": "Or", "en": "Gold"}),
    ]
    assert programme.announce.limits == Limits(1, 3)
    assert programme.announce.quiet == Quiet(time(21), time(9))
    assert (programme.useful_distance_metres, programme.max_distance_metres, programme.website) == (50_000, None, None)


def test_what_only_apple_has_reaches_the_card() -> None:
    key = "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgAC" + "A" * 43 + "="
    apple = {
        "actions": [SHOP, {"kind": "call", "link": "tel:+33140000000"}],
        "beacons": [BEACON | {"uuid": BEACON["uuid"].lower(), "major": 7}],
        "nfc": {"public_key": key, "needs_unlocking": True},
        "app": {"store_id": 12, "launch_link": "claire://card"},
    }
    programme = parse(sound() | {"apple": apple})
    card, _ = compose(
        programme, Holding({}, None, None, None, (), 1, False, None, None), datetime(2026, 3, 14, tzinfo=UTC)
    )
    assert card.actions == (Action("shop", "https://a.example"), Action("call", "tel:+33140000000"))
    assert card.beacons == (Beacon(BEACON["uuid"], 7, None, BEACON["texts"]),)
    assert (card.nfc, card.app) == (Nfc(key, True), App(12, "claire://card"))


def test_a_balance_of_money_knows_its_currency() -> None:
    money = {"code": "gift", "kind": "money", "names": sound()["currencies"][0]["names"]}
    document = sound() | {"currencies": [*sound()["currencies"], money], "balance_currency": "gift"}
    holding = Holding({"gift": 1250}, None, None, None, (), 1, False, None, None)
    card, _ = compose(parse(document), holding, datetime(2026, 3, 14, tzinfo=UTC))
    assert (card.balance.value, card.balance.iso, card.balance.exponent) == (1250, "EUR", 2)


def test_every_default_palette_can_be_read() -> None:
    programme = parse(sound())
    assert programme.ladder is not None
    palettes = [programme.palette, *(level.palette for level in programme.ladder.levels)]
    for palette in palettes:
        assert palette is not None
        assert contrast(palette.foreground, palette.background) >= 7
        assert contrast(palette.label, palette.background) >= 4.5


@pytest.mark.parametrize("languages", [("fr",), ("en",), ("en", "fr")])
def test_the_default_programme_is_sound_in_each_choice_of_languages(languages: tuple[str, ...]) -> None:
    programme = parse(default_document("Chez {0} & Fils", languages))
    assert programme.languages == languages
    assert set(programme.description) == set(languages)
    assert "Chez {0} & Fils" in programme.description[languages[0]]


def test_the_default_programme_is_refused_in_a_language_nobody_speaks_here() -> None:
    with pytest.raises(Invalid):
        default_document("Boulangerie", ("de",))


def test_two_default_documents_share_nothing() -> None:
    before = copy.deepcopy(sound())
    first = sound()
    first["palette"]["background"] = "#000000"
    first["tiers"]["levels"][0]["palette"]["label"] = "#000000"
    first["tiers"]["levels"][0]["benefits"][0]["fr"] = "Rien"
    first["tiers"]["levels"][0]["names"]["fr"] = "Fer"
    first["currencies"][0]["names"]["fr"]["one"] = "grain"
    first["earn"][0]["per"]["points"] = 9
    assert sound() == before


SHOP = {"kind": "shop", "link": "https://a.example"}
BEACON: dict[str, Any] = {"uuid": "E2C56DB5-DFFB-48D2-B060-D0F5A71096E0", "texts": {"fr": "Bonjour", "en": "Hello"}}
FAULTY: list[tuple[str, Any, str, str]] = [
    ("format", 2, "format", "1"),
    ("format", "1", "format", "1"),
    ("organisation", ..., "organisation", "missing"),
    ("organisation", "  ", "organisation", "blank"),
    ("organisation", "x" * 61, "organisation", "60"),
    ("organisation", "a\nb", "organisation", "one line"),
    ("surprise", 1, "surprise", "no such field"),
    ("languages", [], "languages", "At least 1"),
    ("languages", ["fr", "de"], "languages.1", "'en'"),
    ("languages", ["fr", "en", "fr"], "languages.2", "twice"),
    ("money.iso", "eur", "money.iso", "EUR"),
    ("money.exponent", 3, "money.exponent", "EUR has 2 decimals"),
    ("money.exponent", 2.0, "money.exponent", "whole number"),
    ("money.exponent", True, "money.exponent", "whole number"),
    ("design.version", 0, "design.version", "at least 1"),
    ("palette.background", "green", "palette.background", "#12372a"),
    ("palette.label", "#12372a\n", "palette.label", "#12372a"),
    ("description.fr", ..., "description.fr", "missing"),
    ("description.de", "Treue", "description.de", "not among the languages"),
    ("description.en", "x" * 201, "description.en", "200"),
    ("currencies", [], "currencies", "At least 1"),
    ("currencies.2", sound()["currencies"][1], "currencies.2.code", "another code"),
    ("currencies.0.names.en", ..., "currencies.0.names.en", "missing"),
    ("currencies.0.names.en.one", 5, "currencies.0.names.en.one", "text"),
    ("currencies.0.iso", "EUR", "currencies.0.iso", "kind money"),
    ("currencies.0.expires_after_months", 0, "currencies.0.expires_after_months", "at least 1"),
    ("currencies.0.spendable", "no", "currencies.0.spendable", "true or false"),
    ("currencies.0.kind", "miles", "currencies.0.kind", "stamps"),
    ("balance_currency", "euros", "balance_currency", "There is no currency “euros”"),
    ("earn.0.currency", "miles", "earn.0.currency", "There is no currency “miles”"),
    ("earn.1.id", "euro", "earn.1.id", "another id"),
    ("earn.0.per.points", 0, "earn.0.per.points", "at least 1"),
    ("earn.0.per.amount_minor", -100, "earn.0.per.amount_minor", "at least 1"),
    ("earn.0.rounding", "nearest", "earn.0.rounding", "half_even"),
    ("earn.0.excluded_categories", ["tobacco", "tobacco"], "earn.0.excluded_categories.1", "twice"),
    ("earn", [sound()["earn"][0] | {"id": f"r{n}"} for n in range(21)], "earn", "At most 20"),
    ("tiers.currency", "miles", "tiers.currency", "There is no currency “miles”"),
    ("tiers.levels", [], "tiers.levels", "At least 1"),
    ("tiers.levels.0.threshold", 5, "tiers.levels.0.threshold", "write 0"),
    ("tiers.levels.0.threshold", -5, "tiers.levels.0.threshold", "at least 0"),
    ("tiers.levels.2.threshold", 300, "tiers.levels.2.threshold", "more than 300"),
    ("tiers.levels.1.code", "bronze", "tiers.levels.1.code", "another code"),
    ("tiers.levels.1.names.fr", ..., "tiers.levels.1.names.fr", "missing"),
    ("tiers.levels.1.benefits.0.fr", ..., "tiers.levels.1.benefits.0.fr", "missing"),
    ("tiers.levels.1.palette.label", "#12", "tiers.levels.1.palette.label", "#12372a"),
    ("links", {"website": "http://claire.example"}, "links.website", "https://"),
    ("links", {"website": "https://"}, "links.website", "https://"),
    ("links", {"website": "https://claire@evil.example"}, "links.website", "https://"),
    ("announce", {"per_day": 4}, "announce.per_week", "4 or more"),
    ("announce", {"quiet": {"from": "21:00", "to": "24:00"}}, "announce.quiet.to", "HH:MM"),
    ("announce", {"quiet": {"from": "09:00", "to": "09:00"}}, "announce.quiet.to", "null"),
    ("useful_distance_metres", 0, "useful_distance_metres", "at least 1"),
    ("max_distance_metres", "100", "max_distance_metres", "whole number"),
    ("design.id", "coupon", "design.id", "members' cards"),
    ("design.id", "gift", "balance_currency", "kind money"),
    ("apple", {"wallet": 1}, "apple.wallet", "no such field"),
    ("apple", {"actions": [{"kind": "dance", "link": "https://a.example"}]}, "apple.actions.0.kind", "shop"),
    ("apple", {"actions": [{"kind": "shop", "link": "http://a.example"}]}, "apple.actions.0.link", "https://"),
    ("apple", {"actions": [{"kind": "call", "link": "https://a.example"}]}, "apple.actions.0.link", "tel:"),
    ("apple", {"actions": [{"kind": "place", "link": "https://a.example"}]}, "apple.actions.0.link", "Apple Maps"),
    ("apple", {"actions": [SHOP, SHOP]}, "apple.actions.1.kind", "twice"),
    ("apple", {"actions": [SHOP, SHOP | {"kind": "order"}, SHOP | {"kind": "bookCar"}]}, "apple.actions", "At most 2"),
    ("apple", {"beacons": [BEACON | {"uuid": "E2C5"}]}, "apple.beacons.0.uuid", "8-4-4-4-12"),
    ("apple", {"beacons": [BEACON | {"major": 65_536}]}, "apple.beacons.0.major", "at most 65535"),
    ("apple", {"beacons": [BEACON | {"minor": 1}]}, "apple.beacons.0.minor", "write major"),
    ("apple", {"beacons": [BEACON | {"texts": {"fr": "Bonjour"}}]}, "apple.beacons.0.texts.en", "missing"),
    ("apple", {"beacons": [BEACON] * 11}, "apple.beacons", "At most 10"),
    ("apple", {"nfc": {"public_key": "MFkw"}}, "apple.nfc.public_key", "Base64"),
    ("apple", {"app": {"store_id": 0}}, "apple.app.store_id", "at least 1"),
]


@pytest.mark.parametrize(("path", "value", "at", "word"), FAULTY, ids=[f"{n}-{f[2]}" for n, f in enumerate(FAULTY)])
def test_one_fault_is_named_where_it_is_and_nothing_else_is_blamed(path: str, value: Any, at: str, word: str) -> None:
    faults = faults_of(put(sound(), path, value))
    assert word in faults.pop(at)
    assert faults == {}


MENDED: list[tuple[str, Any, str, str]] = [
    ("earn.0.per", {"amount_minor": 100, "points": 1}, "earn.0", "exactly one way"),
    ("earn.0.visit", ..., "earn.0", "exactly one way"),
    ("earn.0.visit.units", 0, "earn.0.visit.units", "at least 1"),
    ("earn.0.visit.minimum_minor", -1, "earn.0.visit.minimum_minor", "at least 0"),
    ("earn.0.visit.interval_minutes", 44_641, "earn.0.visit.interval_minutes", "at most 44640"),
    ("earn.0.visit.interval_minutes", 1.5, "earn.0.visit.interval_minutes", "whole number"),
    ("earn.0.visit.points", 1, "earn.0.visit.points", "no such field"),
    ("earn.0.scope", "line", "earn.0.scope", "Only a rule with per"),
    ("earn.0.rounding", "up", "earn.0.rounding", "Only a rule with per"),
    ("earn.0.id", "welcome", "earn.0.id", "welcome gift"),
    ("rewards.1", stamps()["rewards"][0], "rewards.1.code", "another code"),
    ("rewards.0.names.en", ..., "rewards.0.names.en", "missing"),
    ("rewards.0.names.de", "ein Kaffee", "rewards.0.names.de", "not among the languages"),
    ("rewards.0.names.fr", " ", "rewards.0.names.fr", "blank"),
    ("rewards.0.value_minor", 0, "rewards.0.value_minor", "at least 1"),
    ("rewards.0.cost.currency", "miles", "rewards.0.cost.currency", "There is no currency “miles”"),
    ("rewards.0.cost.amount", 21, "rewards", "2 to 20"),
    ("rewards.0.cost.amount", 1, "rewards", "2 to 20"),
    ("rewards", [], "rewards", "2 to 20"),
    ("welcome.currency", "miles", "welcome.currency", "There is no currency “miles”"),
    ("welcome.currency", None, "welcome.currency", "needs both a currency and an amount"),
    ("welcome", {}, "welcome", "Promise units (currency and amount), a coupon, or both"),
    ("welcome.coupon", coupon(title={"en": "A coffee"}), "welcome.coupon.title.fr", "missing"),
    ("welcome.coupon", coupon(valid_days=0), "welcome.coupon.valid_days", "at least 1"),
    ("welcome.coupon", coupon(value_minor=2.5), "welcome.coupon.value_minor", "Write a whole number."),
    ("welcome.coupon", coupon(points=5), "welcome.coupon.points", "There is no such field"),
    ("welcome.coupon", coupon(terms={"fr": "Une fois", "en": " "}), "welcome.coupon.terms.en", "blank"),
    ("welcome.amount", 0, "welcome.amount", "at least 1"),
    ("branding.logo", "A" * 64, "branding.logo", "64 small hexadecimal digits"),
    ("branding.colour", "#fff", "branding.colour", "no such field"),
    ("currencies.0.kind", "points", "balance_currency", "of kind stamps"),
]


@pytest.mark.parametrize(("path", "value", "at", "word"), MENDED, ids=[f"{n}-{f[2]}" for n, f in enumerate(MENDED)])
def test_a_fault_of_a_stamp_card_is_named_alone(path: str, value: Any, at: str, word: str) -> None:
    document = stamps() if path == "rewards.0.cost.currency" else stamps() | {"design": {"id": "stamps", "version": 1}}
    faults = faults_of(put(document, path, value))
    assert word in faults.pop(at)
    assert set(faults) <= ({"rewards"} if path == "rewards.0.cost.currency" else set())


def test_a_stamp_card_says_what_earns_what_it_gives_and_how_it_begins() -> None:
    programme = parse(stamps() | {"branding": {"logo": "ab" * 32}})
    assert [rule.way for rule in programme.earn] == [Visit(1, 0, timedelta(minutes=10))]
    names = {"fr": "un café", "en": "a coffee"}
    assert programme.rewards == (Reward("reward", names, Amount("stamps", 10), 250),)
    assert programme.reward("reward") == programme.rewards[0]
    assert programme.reward("gone") is None
    assert programme.welcome == Amount("stamps", 1)
    assert programme.logo == "ab" * 32


def test_an_item_rule_names_each_of_its_goods_once() -> None:
    item = {"units": 2, "categories": ["coffee", "tea"], "skus": ["42"]}
    document = put(put(stamps(), "earn.0.visit", ...), "earn.0.item", item)
    (rule,) = parse(document).earn
    assert rule.way == Item(2, frozenset({"coffee", "tea"}), frozenset({"42"}))
    twice = put(put(document, "earn.0.item.categories.2", "tea"), "earn.0.item.skus.1", "42")
    assert list(faults_of(twice)) == ["earn.0.item.categories.2", "earn.0.item.skus.1"]


def test_what_cannot_be_spent_buys_no_reward() -> None:
    reward = {"code": "cake", "names": {"fr": "un gâteau", "en": "a cake"}, "cost": {"currency": "status", "amount": 5}}
    assert list(faults_of(sound() | {"rewards": [reward]})) == ["rewards.0.cost.currency"]


def test_all_faults_of_shape_and_sense_are_named_at_once() -> None:
    document = sound()
    at_once = [
        "money.exponent", "palette.background", "description.fr", "currencies.2.code", "earn.0.currency",
        "earn.0.per.points", "tiers.levels.2.threshold", "useful_distance_metres",
    ]  # fmt: skip
    for path, value, at, _ in FAULTY:
        if at in at_once:
            document = put(document, path, value) if path != "description.fr" else document
    del document["description"]["fr"]
    assert sorted(faults_of(document)) == sorted(at_once)


def test_a_second_tier_below_zero_is_measured_against_the_highest_before_it() -> None:
    document = put(put(sound(), "tiers.levels.1.threshold", 2000), "tiers.levels.2.threshold", 1000)
    document["tiers"]["levels"].append(document["tiers"]["levels"][2] | {"code": "jet", "threshold": 1500})
    sentence = "Each tier starts higher than the one before; write more than 2000."
    assert faults_of(document) == {f"tiers.levels.{index}.threshold": sentence for index in (2, 3)}


@pytest.mark.parametrize("junk", [None, [], 3, "x", {}, {1: 2}, {"format": 1, "currencies": [None], "tiers": [1]}])
def test_what_is_no_document_is_refused(junk: Any) -> None:
    assert faults_of(junk)


@settings(max_examples=examples(40))
@given(junk=JSON)
def test_junk_is_refused_and_never_raises_anything_else(junk: Any) -> None:
    assert faults_of(junk)


@settings(max_examples=examples(40))
@given(data=st.data())
def test_a_document_with_junk_anywhere_is_accepted_or_refused_with_sentences(data: st.DataObject) -> None:
    document = sound() | {"links": {}, "announce": {"quiet": {"from": "21:00", "to": "09:00"}}}
    spot: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        inside = isinstance(spot[key], dict | list) and len(spot[key]) > 0
        if not inside or data.draw(st.booleans()):
            break
        spot = spot[key]
    spot[key] = data.draw(JSON)
    try:
        programme = parse(document)
    except Invalid as refused:
        faults = refused.faults
    else:
        assert set(programme.description) == set(programme.languages)
        return
    assert faults
    assert all(fault.path and fault.sentence for fault in faults)


def test_a_language_that_is_no_text_is_blamed_where_it_stands() -> None:
    assert list(faults_of(put(sound(), "description", {"fr": "Carte", "en": "Card", 1: "Karte"}))) == ["description.1"]


def test_a_deeply_nested_document_is_refused() -> None:
    deep: Any = {}
    for _ in range(50_000):
        deep = {"a": deep}
    assert faults_of(sound() | {"links": deep})
    with pytest.raises(Invalid):
        fingerprint({"a": deep})


def test_a_money_currency_takes_the_money_of_the_programme_or_names_its_own_whole() -> None:
    names = {"fr": {"one": "centime", "other": "centimes"}, "en": {"one": "cent", "other": "cents"}}
    cash = {"code": "cashback", "kind": "money", "names": names}
    own = parse(put(sound(), "currencies.2", cash)).currency("cashback")
    assert (own.iso, own.exponent) == ("EUR", 2)
    other = parse(put(sound(), "currencies.2", cash | {"iso": "JPY", "exponent": 0})).currency("cashback")
    assert (other.iso, other.exponent) == ("JPY", 0)
    assert list(faults_of(put(sound(), "currencies.2", cash | {"iso": "JPY"}))) == ["currencies.2"]
    wrong = put(sound(), "currencies.2", cash | {"iso": "JPY", "exponent": 2})
    assert list(faults_of(wrong)) == ["currencies.2.exponent"]


def test_an_unknown_currency_is_not_found() -> None:
    with pytest.raises(NotFound):
        parse(sound()).currency("miles")


def test_feminine_nouns_are_kept() -> None:
    document = put(sound(), "currencies.0.names.fr", {"one": "étoile", "other": "étoiles", "feminine": True})
    assert parse(document).currency("points").names["fr"] == Plural("étoile", "étoiles", feminine=True)


def test_no_quiet_hours_and_no_tiers_are_possible() -> None:
    programme = parse(sound() | {"announce": {"per_day": 3, "quiet": None}, "tiers": None})
    assert programme.announce.quiet is None
    assert programme.announce.limits == Limits(3, 3)
    assert programme.ladder is None


def test_the_fingerprint_knows_the_document_and_not_its_order() -> None:
    document = sound()
    shuffled = dict(reversed(document.items()))
    assert list(shuffled) != list(document)
    assert fingerprint(shuffled) == fingerprint(json.loads(json.dumps(document))) == fingerprint(document)
    assert fingerprint(put(document, "earn.0.per.points", 2)) != fingerprint(document)
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(document))


@pytest.mark.parametrize("beyond", [{"a": float("nan")}, {"a": time(9)}, {"a": {1, 2}}, {"a": 1, 2: 3}])
def test_no_fingerprint_of_what_json_cannot_hold(beyond: Any) -> None:
    with pytest.raises(Invalid):
        fingerprint(beyond)


def test_the_schema_accepts_what_the_parser_accepts_and_refuses_a_strange_field() -> None:
    schema = document_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    assert checker.is_valid(sound())
    for path, value in [("surprise", 1), ("earn.0.per.points", 0), ("palette.label", "red"), ("format", 2)]:
        assert not checker.is_valid(put(sound(), path, value))


def test_the_languages_of_documents_are_those_that_sentences_speak() -> None:
    schema = document_schema()
    assert set(schema["properties"]["languages"]["items"]["enum"]) == set(sentences.LANGUAGES)


def test_toml_is_read_like_json() -> None:
    text = """
        format = 1
        organisation = "Boulangerie Claire"
        languages = ["fr"]
        balance_currency = "grains"
        description = { fr = "Carte de fidélité" }
        money = { iso = "EUR", exponent = 2 }
        design = { id = "points", version = 1 }
        palette = { background = "#12372A", foreground = "#ffffff", label = "#dddddd" }
        [[currencies]]
        code = "grains"
        kind = "points"
        names = { fr = { one = "grain", other = "grains" } }
        [[earn]]
        id = "euro"
        currency = "grains"
        per = { amount_minor = 150, points = 2 }
    """
    programme = parse(tomllib.loads(text))
    assert programme.earn[0].way == Per(Fraction(2, 150), "down", "basket")
    assert programme.palette.background == "#12372a"


def test_the_documentation_shows_a_whole_document_that_is_accepted_and_names_every_field() -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 1
    document = json.loads(examples[0])
    parse(document)
    schema = document_schema()
    shapes = [schema, *schema["$defs"].values()]
    fields = {field for shape in shapes for field in shape["properties"]}
    assert {field for field in fields if f"`{field}`" not in page} == set()
    assert set(document) == set(schema["properties"])


def test_a_welcome_is_units_or_a_coupon_or_both() -> None:
    units = {"currency": "stamps", "amount": 1}
    for welcome in (units, {"coupon": coupon()}, {**units, "coupon": coupon(valid_days=30, value_minor=250)}):
        programme = parse(stamps() | {"welcome": welcome})
        assert programme.welcome == (Amount("stamps", 1) if "currency" in welcome else None)
        promised = programme.welcome_coupon
        assert (promised is not None) == ("coupon" in welcome)
        if "currency" in welcome and promised is not None:
            assert (promised.title["en"], promised.valid_days, promised.value_minor) == ("A free coffee", 30, 250)


def test_the_form_says_a_coupon_and_takes_it_away() -> None:
    before = stamps() | {"welcome": {"coupon": coupon(valid_days=30, value_minor=250)}}
    form = simple_form_of(before)
    assert form is not None
    assert form.coupon == parse(before).welcome_coupon
    assert parse(document_of(form)) == parse(before)
    assert carry_over(stamps(), before)["welcome"] == {"currency": "stamps", "amount": 1}
