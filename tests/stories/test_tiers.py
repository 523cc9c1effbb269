"""Tiers over the wire: on an iPhone, an Android and the web; by mixes of figures; by the side of other currencies."""

from __future__ import annotations

import copy
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import databases
from tests.stories.stage import Stage, shown
from wallet_server.rules.passes.card import Palette
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.wallets.drawing import Drawings

ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
KEEPER = "Allez, plus que 116 points et vous vous hisserez au statut de Gardien de la blancheur"
MIX = {
    "any": [
        {"all": [{"metric": "spend", "at_least": 30000}, {"metric": "orders", "at_least": 3}]},
        {"metric": "referrals", "at_least": 2},
    ]
}


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with (
        databases(request.config, folder) as new_database,
        Stage(folder, new_database("sqlite"), google=True) as raised,
    ):
        yield raised


def publish(stage: Stage, design: dict[str, Any] | None = None, **tiers: Any) -> dict[str, Any]:
    """The programme of the stage with these tiers in place of its own; the document."""
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document: dict[str, Any] = copy.deepcopy(stage.merchant("GET", programme).body["document"])
    document["tiers"] = {"currency": "status", **tiers}
    document["design"] = design or document["design"]
    answer = stage.merchant("POST", f"{programme}/versions", {"document": document})
    assert answer.status == 200, answer
    return document


def level(code: str, french: str, english: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "names": {"fr": french, "en": english}, **more}


def standing(stage: Stage, member: dict[str, Any], language: str = "fr") -> dict[str, Any]:
    answer = stage.merchant("GET", f"/v1/members/{member['member']}/standing?language={language}")
    assert answer.status == 200, answer
    return dict(answer.body)


def happened(stage: Stage, member: dict[str, Any], name: str) -> dict[str, Any]:
    answer = stage.merchant("POST", "/v1/events", {"name": name, "member": member["member"]})
    assert answer.status == 200, answer
    return dict(answer.body)


def page(address: str) -> str:
    request = urllib.request.Request(address, None, {"User-Agent": ANDROID})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
        return str(got.read().decode())


def module(phone: AndroidPhone, name: str) -> tuple[str, str]:
    """Header and body of a text on the Android's card, as it speaks French."""
    (card,) = phone.cards.values()
    found = next((one for one in card.body["textModulesData"] if one["id"] == name), None)
    if found is None:
        return "", ""
    return spoken(found, "header"), spoken(found, "body")


def spoken(part: dict[str, Any], name: str) -> str:
    own = part.get(f"localized{name.capitalize()}")
    if own is None:
        return str(part.get(name, ""))
    said = {one["language"]: one["value"] for one in [own["defaultValue"], *own.get("translatedValues", ())]}
    return str(said.get("fr", own["defaultValue"]["value"]))


def face(phone: Phone) -> dict[str, Any]:
    return dict(next(iter(phone.cards.values())).file.document)


def test_a_member_rises_and_every_card_says_how_far_it_is(stage: Stage) -> None:
    document = publish(
        stage,
        levels=[
            level("bronze", "Bronze", "Bronze", threshold=0),
            level("pro", "Pro du propre", "Cleaning pro", threshold=300,
                  palette={"background": "#dfe4ea", "foreground": "#1c2733", "label": "#48566a"},
                  benefits=[{"fr": "Pressing en 24 h", "en": "Cleaned in 24 hours"}]),
            level("keeper", "Gardien de la blancheur", "Keeper of whiteness", threshold=1000,
                  reward={"fr": "Un détachage offert", "en": "A free stain removal"}),
        ],
    )  # fmt: skip
    member = stage.enrol(language="fr")
    iphone, pixel = stage.phone(member, "fr"), stage.android(member, "fr")
    banner = next(iter(pixel.cards.values())).body["heroImage"]
    code = stage.code(iphone)
    assert face(iphone)["backgroundColor"] != "rgb(223, 228, 234)"

    sold = stage.sell(code, 88_400)
    assert (sold.body["tier"], sold.body["balances"]) == ("pro", {"points": 884, "status": 884})
    stage.until(lambda: shown(iphone, "gauge") == KEEPER, "the iPhone says what is missing")
    stage.until(lambda: module(pixel, "gauge")[1] == KEEPER, "so does the Android")
    assert KEEPER in page(member["card_url"]), "and the card on the web"
    assert shown(iphone, "tier") == "Pro du propre"
    assert face(iphone)["backgroundColor"] == "rgb(223, 228, 234)"
    ground = Palette("#dfe4ea", "#1c2733", "#48566a")
    bar = next(iter(iphone.cards.values())).file.image("strip", "fr")
    assert (
        bar == Drawings().gauge("points", 1, ground, 88).pngs[-1] != Drawings().gauge("points", 1, ground, 87).pngs[-1]
    )
    assert next(iter(pixel.cards.values())).body["heroImage"] != banner
    assert "Pressing en 24 h" in str(shown(iphone, "detail.benefits"))
    assert "Pressing en 24 h" in module(pixel, "detail-benefits")[1]
    stage.until(lambda: any("Pro du propre" in one.text for one in iphone.lock_screen), "the iPhone says so")
    stage.until(lambda: len(pixel.lock_screen) >= 1, "the Android rings")
    assert [one.text for one in pixel.lock_screen] == ["Votre solde a changé"], "once for the sale: of three a day"

    assert 'value="88"' in page(member["card_url"]), "the bar on the web"
    assert shown(iphone, "progress") == "884 / 1\u202f000"
    assert shown(iphone, "detail.teaser") == module(pixel, "detail-teaser")[1] == "Un détachage offert"
    assert module(pixel, "detail-teaser")[0] == "Ce qui vous attend au statut de Gardien de la blancheur"
    assert module(pixel, "gauge")[0] == "À la clé\u00a0: Un détachage offert"

    given = {"code": code, "amount": 500, "reference": "C1"}
    assert stage.call("POST", "/v1/redemptions", given, stage.facts["till_key"]).status == 200
    seen = stage.call("POST", "/v1/lookups", {"code": code}, stage.facts["till_key"]).body
    assert (seen["tier"], seen["balances"]) == ("pro", {"points": 384, "status": 884}), "status is never spent"
    refused = stage.call(
        "POST", "/v1/redemptions", given | {"currency": "status", "reference": "C2"}, stage.facts["till_key"]
    )
    assert (refused.status, refused.body["code"]) == (409, "not-spendable")
    assert stage.sell(code, 11_500).status == 200
    one = "Allez, plus qu’un point et vous vous hisserez au statut de Gardien de la blancheur"
    stage.until(lambda: shown(iphone, "gauge") == one == module(pixel, "gauge")[1], "one is one")
    assert standing(stage, member)["next"]["sentence"] == one
    assert document["currencies"][1]["spendable"] is False


def test_three_hundred_euros_and_three_orders_or_two_referrals(stage: Stage) -> None:
    publish(stage, levels=[level("bronze", "Bronze", "Bronze", threshold=0), level("gold", "Or", "Gold", needs=MIX)])
    sales = {
        "spender": [30_000], "regular": [10_000, 10_000, 9_999], "both": [10_000, 10_000, 10_000],
        "friend": [], "alone": [], "many": [100, 100, 100, 29_700],
    }  # fmt: skip
    members = {name: stage.enrol(language="fr") for name in sales}
    last: dict[str, str] = {}
    for name, amounts in sales.items():
        code = stage.code(stage.phone(members[name], "fr")) if amounts else ""
        for amount in amounts:
            sold = stage.sell(code, amount)
            assert sold.status == 200
            last[name] = sold.body["id"]
    assert [happened(stage, members["friend"], "referral")["tier"] for _ in range(2)] == ["bronze", "gold"]
    happened(stage, members["alone"], "referral")
    found = {name: standing(stage, member) for name, member in members.items()}
    assert {name: one["tier"] for name, one in found.items()} == {
        "spender": "bronze", "regular": "bronze", "both": "gold", "friend": "gold", "alone": "bronze", "many": "gold",
    }  # fmt: skip
    said = {name: one["next"]["sentence"] for name, one in found.items() if one["next"]}
    assert said == {
        "spender": "Allez, plus que 2 commandes et vous vous hisserez au statut d’Or",
        "regular": "Allez, plus que 0,01\u00a0€ et vous vous hisserez au statut d’Or",
        "alone": "Allez, plus qu’un parrainage et vous vous hisserez au statut d’Or",
    }
    assert found["both"]["why"] == "Statut Or, gagné avec 300\u00a0€ et 3 commandes."

    back = {"reference": "B1", "amount_minor": 1}
    refunded = stage.call("POST", f"/v1/sales/{last['both']}/refunds", back, stage.facts["till_key"])
    assert (refunded.status, refunded.body["tier"]) == (200, "bronze"), "what is given back counts no longer"
    assert standing(stage, members["both"])["next"]["missing"][0]["amount"] == 1


def test_old_customers_followers_and_friends_have_a_tier_of_their_own(stage: Stage) -> None:
    levels = [
        level("bronze", "Bronze", "Bronze", threshold=0),
        level("fan", "Fidèle", "Fan", needs={"any": [
            {"metric": "tenure_days", "at_least": 3650},
            {"metric": "events:follow", "at_least": 1},
            {"metric": "referrals", "at_least": 3},
        ]}),
    ]  # fmt: skip
    publish(stage, levels=levels)
    old = stage.enrol(language="fr", customer_since="2009-03-14")
    assert old["tier"] == "fan"
    assert shown(stage.phone(old, "fr"), "tier") == "Fidèle"
    young = stage.enrol(language="fr", customer_since="2026-01-02")
    phone = stage.phone(young, "fr")
    assert shown(phone, "tier") == "Bronze"
    assert happened(stage, young, "follow")["tier"] == "fan"
    stage.until(lambda: shown(phone, "tier") == "Fidèle", "the phone follows")
    other = stage.enrol()
    assert [happened(stage, other, "referral")["tier"] for _ in range(3)] == ["bronze", "bronze", "fan"]

    trial = {"tier": "fan", "until": "2099-01-01T00:00:00Z", "reason": "press"}
    nobody = stage.enrol(language="fr")
    assert stage.merchant("POST", f"/v1/members/{nobody['member']}/tier", trial).status == 400
    assert (
        stage.merchant("POST", f"/v1/members/{nobody['member']}/tier", {"tier": "fan", "reason": "press"}).status == 200
    )
    assert standing(stage, nobody)["why"] == "Statut Fidèle, offert."
    assert stage.book_faults() == []


def test_long_names_are_whole_in_a_row_of_their_own_and_short_where_there_is_none(stage: Stage) -> None:
    maniac, jedi = "Maître maniaque perfectionniste", "Grand Maître Jedi du nettoyage"
    longest = "Maître maniaque du propre et de la vapeu"
    levels = [
        level("jedi", jedi, jedi, threshold=0),
        level("maniac", maniac, maniac, threshold=300),
        level("steam", longest, longest, threshold=1000, short_names={"fr": "Maître vapeur", "en": "Steam master"}),
    ]
    publish(stage, levels=levels, design={"id": "ranks", "version": 1})
    member = stage.enrol(language="fr")
    iphone, pixel = stage.phone(member, "fr"), stage.android(member, "fr")
    code = stage.code(iphone)
    for name, amount in ((jedi, 0), (maniac, 30_000)):
        if amount:
            assert stage.sell(code, amount).status == 200
        stage.until(lambda name=name: primary(iphone) == name, "the iPhone has it where nothing else stands")  # type: ignore[misc]
        stage.until(lambda name=name: on_row(pixel) == name, "and so has the Android")  # type: ignore[misc]
        assert name in page(member["card_url"])
    (card,) = pixel.cards.values()
    rows = card.above["classTemplateInfo"]["cardTemplateOverride"]["cardRowTemplateInfos"]
    assert [*rows[0]] == ["oneItem"]

    publish(stage, levels=levels, design={"id": "points", "version": 1})
    assert stage.sell(code, 70_000).status == 200
    stage.until(lambda: shown(iphone, "tier") == "Maître vapeur", "the short form, beside the name of the shop")
    stage.until(lambda: on_row(pixel) == "Maître vapeur", "and beside the points")
    assert shown(iphone, "detail.tier") == module(pixel, "detail-tier")[1] == longest


def primary(phone: Phone) -> Any:
    return face(phone)["storeCard"]["primaryFields"][0]["value"]


def on_row(phone: AndroidPhone) -> str:
    """The status on the front: a text of its own, or the second balance where it reads alike in every language."""
    (card,) = phone.cards.values()
    return module(phone, "tier")[1] or str(card.body["secondaryLoyaltyPoints"]["balance"]["string"])
