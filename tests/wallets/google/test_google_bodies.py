"""What the shipped designs make of cards in Google Wallet, written out, and judged by Google's own schema.

`WRITE_GOLDEN=1 python -m pytest tests/wallets/google/test_google_bodies.py` writes them anew; read the difference
before it is committed, for it is what phones will show.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.wallets.gallery import GALLERY
from tests.wallets.google.making import (
    BANNER,
    ISSUER,
    LOGO,
    SAMPLES,
    class_of,
    copy_of,
    design,
    judged,
    kind_of,
    object_of,
)
from tests.wallets.samples import NOW, sample_card
from wallet_server.rules.addresses import is_web_address
from wallet_server.rules.passes.card import Action, AndroidApp, App, Balance, Card, Detail, Tier
from wallet_server.wallets.google import classes, limits, objects
from wallet_server.wallets.google.objects import Pictures
from wallet_server.wallets.google.options import GoogleShape
from wallet_server.wallets.specimens import specimens

FOLDER = Path(__file__).parent / "golden"


def test_every_sample_has_a_golden_body_and_no_other_is_kept() -> None:
    assert {f"{file.parent.name}/{file.stem}" for file in FOLDER.glob("*/*.json")} == {"/".join(s) for s in SAMPLES}


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_the_bodies_are_the_golden_ones_and_nobody_finds_fault(name: str, sample: str) -> None:
    card = GALLERY[name][sample]
    found = {"class": class_of(card), "object": object_of(card)}
    written = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    file = FOLDER / name / f"{sample}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")
    for what, body in (("Class", found["class"]), ("Object", found["object"])):
        kind = kind_of(card, what)
        assert limits.faults(body, kind, ISSUER) == []
        assert judged(body, f"{kind[0].upper()}{kind[1:]}") == []


@pytest.mark.parametrize("name", GALLERY)
def test_specimens_in_every_state_are_sound_too(name: str) -> None:
    for specimen in specimens(design(name)):
        for what, body in (("Class", class_of(specimen.card)), ("Object", object_of(specimen.card))):
            kind = kind_of(specimen.card, what)
            assert limits.faults(body, kind, ISSUER) == []
            assert judged(body, f"{kind[0].upper()}{kind[1:]}") == []


# --- parts of a card -------------------------------------------------------------------------------------------


def test_each_kind_of_card_is_googles_own_kind() -> None:
    kinds = {name: kind_of(next(iter(cards.values())), "Object") for name, cards in GALLERY.items()}
    assert kinds == {
        **dict.fromkeys(("points", "stamps", "tiers", "club", "ranks"), "loyaltyObject"),
        "gift": "giftCardObject",
        "event": "eventTicketObject",
        "coupon": "offerObject",
    }
    no_money = replace(GALLERY["gift"]["euros"], balance=sample_card().balance)
    assert kind_of(no_money, "Object") == "loyaltyObject"


def test_a_card_that_is_over_says_so_and_comes_forward_nowhere() -> None:
    gone = object_of(GALLERY["points"]["voided"])
    assert gone["state"] == "INACTIVE"
    assert not gone.keys() & {"merchantLocations", "messages", "valueAddedModuleData", "appLinkData", "linkedOfferIds"}
    coupon = GALLERY["coupon"]["welcome"]
    assert object_of(coupon)["state"] == "ACTIVE"
    assert object_of(replace(coupon, expires_at="2026-11-20T10:00:00Z"))["state"] == "COMPLETED"
    assert object_of(replace(GALLERY["gift"]["euros"], expires_at="2026-11-20T10:00:00Z"))["state"] == "EXPIRED"


def test_a_status_may_have_a_class_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    card = GALLERY["tiers"]["silver"]
    own = replace(design("tiers"), google=GoogleShape(tier="class", rows=[["tier"]]))
    monkeypatch.setattr("tests.wallets.google.making.design", lambda _: own)
    shared, below = class_of(card), object_of(card)
    assert below["classId"] == shared["id"] == f"{ISSUER}.p_7k3qzd_tier_silver"
    assert (shared["rewardsTier"], shared["hexBackgroundColor"]) == ("Argent", card.palette.background)
    assert "secondaryLoyaltyPoints" not in below
    assert judged(shared, "LoyaltyClass") == limits.faults(shared, "loyaltyClass", ISSUER) == []


def test_switches_of_a_design(monkeypatch: pytest.MonkeyPatch) -> None:
    said = GoogleShape(
        rotating_barcode=True, screenshots=False, unlock_to_view=True, shimmer=True, group=False, holders="many",
        picture="garland",
    )  # fmt: skip
    card, own = sample_card(), replace(design("points"), google=said)
    below = objects.compose(copy_of(card), own, ISSUER, NOW, banner=None)
    above = classes.compose(card, own, f"{ISSUER}.p", "Léa", Pictures(LOGO, wide=BANNER))
    assert "barcode" not in below, "a code that stands still would let a picture of it pass"
    assert "accountId" not in below
    assert below["rotatingBarcode"]["totpDetails"]["periodMillis"] == "30000"
    assert below["passConstraints"] == {"screenshotEligibility": "INELIGIBLE"}
    assert "groupingInfo" not in below
    assert above["viewUnlockRequirement"] == "UNLOCK_REQUIRED_TO_VIEW"
    assert above["multipleDevicesAndHoldersAllowedStatus"] == "MULTIPLE_HOLDERS"
    assert above["imageModulesData"][0]["mainImage"]["sourceUri"]["uri"] == BANNER
    assert judged(above, "LoyaltyClass") == limits.faults(above, "loyaltyClass", ISSUER) == []
    assert judged(below, "LoyaltyObject") == limits.faults(below, "loyaltyObject", ISSUER) == []


def test_an_app_a_beginning_a_picture_of_ones_own_and_what_is_linked() -> None:
    app = AndroidApp("example.lea.card", "https://fleuriste-été.fr/app")
    said = GoogleShape(picture="stamps", coupons="objects")
    card = replace(GALLERY["stamps"]["seven"], android=app, valid_from="2026-11-01T00:00:00Z")
    own = replace(design("stamps"), google=said)
    copy = replace(copy_of(card), linked=("c0ffee", "decade"))
    body = objects.compose(copy, own, ISSUER, NOW, banner=None, wide=BANNER)
    assert body["appLinkData"]["androidAppLinkInfo"]["appTarget"] == {
        "packageName": "example.lea.card",
        "targetUri": {"uri": "https://xn--fleuriste-t-kbbb.fr/app", "description": "Ouvrir l’application"},
    }
    assert body["validTimeInterval"] == {"start": {"date": "2026-11-01T00:00:00Z"}}
    assert body["imageModulesData"][0]["mainImage"]["sourceUri"]["uri"] == BANNER
    assert body["linkedObjectIds"] == [f"{ISSUER}.c0ffee", f"{ISSUER}.decade"]
    assert "linkedOfferIds" not in body
    assert judged(body, "LoyaltyObject") == limits.faults(body, "loyaltyObject", ISSUER) == []
    many = objects.compose(replace(copy, linked=tuple(f"s{n}" for n in range(60))), own, ISSUER, NOW, banner=None)
    assert limits.faults(many, "loyaltyObject", ISSUER) == []
    over = objects.compose(replace(copy, card=replace(card, voided=True)), own, ISSUER, NOW, banner=None)
    assert "linkedObjectIds" in over, "what is linked is never unlinked"
    assert "appLinkData" not in over


def test_more_coupons_than_a_card_may_name_keep_no_card_back_and_the_newest_are_named() -> None:
    copy = replace(copy_of(sample_card()), offers=tuple(f"s{number}" for number in range(60)))
    body = objects.compose(copy, design("points"), ISSUER, NOW, banner=None)
    assert limits.faults(body, "loyaltyObject", ISSUER) == []
    assert body["linkedOfferIds"] == [f"{ISSUER}.s{number}" for number in range(10, 60)]


@given(pence=st.integers(-(10**6), 10**6))
@settings(max_examples=examples(25), deadline=None)
def test_no_balance_is_ever_a_fraction_in_binary(pence: int) -> None:
    card = replace(sample_card(), balance=Balance("x", {"fr": "Solde"}, pence, "EUR", 2))
    assert "double" not in object_of(card)["loyaltyPoints"]["balance"]


def test_what_is_more_than_google_shows_is_joined_and_nothing_is_lost() -> None:
    details = tuple(
        Detail(f"d.{number}", {"fr": f"Titre {number}", "en": f"Title {number}"}, {"fr": "Oui", "en": "Yes"})
        for number in range(14)
    )
    modules = object_of(replace(sample_card(), details=details))["textModulesData"]
    assert len(modules) == objects.MOST_MODULES
    said = json.dumps(modules, ensure_ascii=False)
    assert all(f"Titre {number}" in said and f"Title {number}" in said for number in range(14))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://fleuriste-été.fr/é", "https://xn--fleuriste-t-kbbb.fr/%C3%A9"),
        ("HTTPS://shop.example/a", "https://shop.example/a"),
        ("https://shop.example/a<b", "https://shop.example/a%3Cb"),
        ("https://shop.example/%C3%A9?a=b#c", "https://shop.example/%C3%A9?a=b#c"),
    ],
)
def test_an_address_that_a_programme_may_have_is_sent_as_google_takes_it(written: str, sent: str) -> None:
    assert is_web_address(written)
    site = Detail("website", {"fr": "Site"}, {"fr": written}, written)
    card = replace(
        sample_card(), details=(site,), actions=(Action("shop", written),), app=App(1, written), languages=("fr",)
    )
    body = object_of(card)
    assert limits.faults(body, kind_of(card, "Object"), ISSUER) == []
    assert body["linksModuleData"]["uris"][0]["uri"] == body["valueAddedModuleData"][0]["uri"] == sent
    assert body["appLinkData"]["webAppLinkInfo"]["appTarget"]["targetUri"]["uri"] == sent


def test_a_text_that_all_languages_share_is_said_once() -> None:
    one = replace(sample_card(), tier=Tier("gold", {"fr": "Statut", "en": "Statut"}, {"fr": "Gold", "en": "Gold"}))
    body = object_of(one)
    assert body["secondaryLoyaltyPoints"] == {"balance": {"string": "Gold"}, "label": "Statut"}
    assert not [module for module in body["textModulesData"] if module["id"] == "tier"]


MONEY = st.tuples(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(0, 4), st.sampled_from(["EUR", None]))


@settings(max_examples=examples(60), deadline=None)
@given(owned=MONEY)
@example(owned=(2**53 - 1, 0, "JPY"))
@example(owned=(2**31, 0, None))
@example(owned=(-1, 2, "EUR"))
def test_a_balance_has_exactly_one_form_and_is_exact(owned: tuple[int, int, str | None]) -> None:
    value, exponent, iso = owned
    card = replace(sample_card(), balance=Balance("x", {"fr": "Solde"}, value, iso, exponent if iso else 0))
    body = object_of(card)
    assert limits.faults(body, "loyaltyObject", ISSUER) == []
    ((form, said),) = body["loyaltyPoints"]["balance"].items()
    if iso is None:
        assert int(said) == value
    elif form == "money":
        assert int(said["micros"]) * 10**exponent == value * 10**6
    else:
        assert int(said.removesuffix(f" {iso}").replace(".", "")) == value


@pytest.mark.parametrize("languages", [("en",), ("fr", "en"), ("en", "fr")])
def test_the_first_language_is_the_plain_one(languages: tuple[str, ...]) -> None:
    card: Card = replace(sample_card(), languages=languages)
    label = object_of(card)["secondaryLoyaltyPoints"]
    assert label["label"] == {"fr": "Statut", "en": "Status"}[languages[0]]
    assert ("localizedLabel" in label) is (len(languages) > 1)
