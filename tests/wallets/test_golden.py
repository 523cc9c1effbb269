"""What the shipped designs make of cards, written out: (design x card) to pass.json, to its texts and its files.

`WRITE_GOLDEN=1 python -m pytest tests/wallets/test_golden.py` writes them anew; read the difference before it is
committed, for it is what phones will show.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.wallets.gallery import GALLERY
from tests.wallets.opened import Opened, open_pass
from tests.wallets.samples import NOW, TEMPLATES, sample_identity
from wallet_server.rules.passes.card import Action, Alert, Balance, Card
from wallet_server.wallets.apple import rules
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawings

FOLDER = Path(__file__).parent / "golden"
SAMPLES = [(design, name) for design, cards in GALLERY.items() for name in cards]
FRONT = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "footerFields")


def made(wallet: AppleWallet, card: Card, alert: Alert | None = None) -> Opened:
    return open_pass(wallet.issue(card, alert, sample_identity(), NOW).body)


def fields(opened: Opened, style: str) -> dict[str, dict[str, Any]]:
    return {field["key"]: field for part in opened.document[style].values() for field in part}


@pytest.fixture(scope="module")
def contactless(designs: Designs, drawings: Drawings, credentials: Credentials) -> AppleWallet:
    """With a certificate that allows everything."""
    able = replace(credentials, nfc=True)
    return AppleWallet(designs, drawings, lambda _: able, Bell())


def test_every_shipped_design_has_a_golden_card_and_no_other_is_kept(designs: Designs) -> None:
    assert set(GALLERY) == {design.name for design in designs}
    assert {f"{file.parent.name}/{file.stem}" for file in FOLDER.glob("*/*.json")} == {"/".join(s) for s in SAMPLES}


@pytest.mark.parametrize(("design", "sample"), SAMPLES)
def test_the_document_is_the_golden_one(contactless: AppleWallet, design: str, sample: str) -> None:
    card = GALLERY[design][sample]
    opened = made(contactless, card, Alert("points", {}))
    found: dict[str, Any] = {"pass.json": opened.document}
    found |= {language: opened.strings(language) for language in card.languages}
    found["files"] = sorted(opened.files)
    written = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    file = FOLDER / design / f"{sample}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("design", "sample"), SAMPLES)
def test_every_rule_accepts_it_with_its_files_at_hand(contactless: AppleWallet, design: str, sample: str) -> None:
    opened = made(contactless, GALLERY[design][sample], Alert("points", {}))
    own = ("pass.json", "manifest.json", "signature")
    files = {name: raw for name, raw in opened.files.items() if name not in own}
    assert rules.faults(opened.document, files, nfc=True) == []


def test_each_design_shows_its_own_style(wallet: AppleWallet) -> None:
    styles = {"storeCard", "coupon", "eventTicket", "generic", "posterGeneric"}
    shown = {name: styles & made(wallet, next(iter(cards.values()))).document.keys() for name, cards in GALLERY.items()}
    assert shown == {
        **{name: {"storeCard"} for name in ("points", "stamps", "tiers", "ranks", "gift")},
        "event": {"eventTicket"},
        "coupon": {"coupon"},
        "club": {"generic", "posterGeneric"},
    }


# --- the poster ------------------------------------------------------------------------------------------------


def test_a_poster_says_what_the_classic_card_says_under_keys_of_its_own_and_is_silent(wallet: AppleWallet) -> None:
    opened = made(wallet, GALLERY["club"]["member"], Alert("tier", {}))
    classic, poster = fields(opened, "generic"), fields(opened, "posterGeneric")
    assert not classic.keys() & poster.keys()
    for key, field in classic.items():
        twin = poster[f"poster.{key}"]
        assert (twin["value"], twin.get("label")) == (field["value"], field.get("label"))
    assert poster["poster.organisation"]["value"] == "Café « Chez Léa »"
    assert [key for key, field in classic.items() if "changeMessage" in field] == ["tier"]
    assert not [key for key, field in poster.items() if "changeMessage" in field]
    assert opened.files["artwork@2x.png"][:4] == b"\x89PNG"


def test_a_poster_has_no_more_than_four_fields_on_its_front(tmp_path: Path, credentials: Credentials) -> None:
    design = _with_file(tmp_path, "club", 'header = ["points"]', "")
    text = (design / "design.toml").read_text("utf-8")
    edited = text.replace('secondary = ["gauge"]', 'secondary = ["gauge", "points", "offer", "until"]')
    (design / "design.toml").write_text(edited, "utf-8")
    for tag in ("fr", "en"):
        strings = design / "strings" / f"{tag}.toml"
        strings.write_text(
            strings.read_text("utf-8").replace("[labels]", '[labels]\noffer = "O"\nuntil = "U"'), "utf-8"
        )
    card = replace(GALLERY["coupon"]["welcome"], design="club", tier=GALLERY["club"]["member"].tier)
    opened = made(_wallet(tmp_path, credentials), card)
    assert [field["key"] for field in opened.document["posterGeneric"]["primaryFields"]] == [
        "poster.tier", "poster.points", "poster.offer", "poster.until",
    ]  # fmt: skip


# --- what only some cards have ---------------------------------------------------------------------------------


def test_a_card_that_is_void_has_nothing_that_acts(contactless: AppleWallet) -> None:
    living, void = (made(contactless, GALLERY["points"][name]).document for name in ("everywhere", "voided"))
    gone = {"webServiceURL", "authenticationToken", "locations", "maxDistance", "beacons", "featuredActions", "nfc"}
    assert gone <= living.keys()
    assert not gone & void.keys()
    assert void["voided"] is True


def test_a_contactless_part_is_left_out_where_the_certificate_does_not_allow_it(
    wallet: AppleWallet, contactless: AppleWallet
) -> None:
    card = GALLERY["points"]["everywhere"]
    assert made(contactless, card).document["nfc"]["message"] == sample_identity().code
    assert "nfc" not in made(wallet, card).document


def test_a_ticket_comes_forward_at_its_hour_and_shows_that_of_the_venue(wallet: AppleWallet) -> None:
    evening, days = (made(wallet, GALLERY["event"][name]) for name in ("evening", "days"))
    assert evening.document["relevantDates"] == [
        {"startDate": "2027-01-06T18:00:00Z", "endDate": "2027-01-06T22:30:00Z"}
    ]
    first = "2027-01-06T18:00:00Z"
    assert days.document["relevantDates"] == [{"date": first, "relevantDate": first}]
    starts = fields(evening, "eventTicket")["starts"]
    assert (starts["value"], starts["ignoresTimeZone"]) == ("2027-01-06T19:00:00+01:00", True)
    assert "locations" not in evening.document
    assert evening.document["semantics"]["eventName"] == "La nuit des galettes"


def test_a_store_card_and_a_coupon_know_no_hour(wallet: AppleWallet) -> None:
    event = GALLERY["event"]["evening"].event
    for name, sample in (("points", "member"), ("coupon", "welcome")):
        document = made(wallet, replace(GALLERY[name][sample], event=event)).document
        assert "relevantDates" not in document
        assert document["locations"]


def test_a_place_in_apple_maps_is_named_by_its_identifier(wallet: AppleWallet) -> None:
    card = replace(GALLERY["points"]["member"], actions=(Action("place", "I63802885C8189B2B"),))
    assert made(wallet, card).document["featuredActions"] == [
        {"identifier": "place.1", "type": "place", "placeIdentifier": "I63802885C8189B2B"}
    ]


# --- money -----------------------------------------------------------------------------------------------------

MINOR = st.integers(-(2**53) + 1, 2**53 - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(minor=MINOR, exponent=st.integers(0, 4))
@example(minor=2**53 - 1, exponent=2)
@example(minor=-(2**53) + 1, exponent=2)
@example(minor=-1, exponent=2)
@example(minor=9_007_199_254_740_990, exponent=3)
def test_an_amount_is_written_to_the_last_unit(wallet: AppleWallet, minor: int, exponent: int) -> None:
    """No float tells two cents apart near 2^53 of them; the text of pass.json does."""
    balance = Balance("gift", {"fr": "Solde", "en": "Balance"}, minor, "EUR", exponent)
    opened = made(wallet, replace(GALLERY["gift"]["euros"], balance=balance))
    written = json.loads(opened.files["pass.json"], parse_float=Decimal, parse_int=Decimal)
    field = written["storeCard"]["primaryFields"][0]
    exact = Decimal(minor).scaleb(-exponent)
    assert (field["value"], field["currencyCode"]) == (exact, "EUR")
    assert Decimal(written["semantics"]["balance"]["amount"]) == exact


# --- barcodes --------------------------------------------------------------------------------------------------


def _with_file(tmp_path: Path, name: str, old: str, new: str) -> Path:
    folder = tmp_path / name
    shutil.copytree(TEMPLATES / name, folder)
    text = (folder / "design.toml").read_text("utf-8")
    assert old in text
    (folder / "design.toml").write_text(text.replace(old, new), "utf-8")
    return folder


def _wallet(folder: Path, credentials: Credentials) -> AppleWallet:
    return AppleWallet(load_designs(folder), Drawings(), lambda _: credentials, Bell())


@pytest.mark.parametrize(
    ("code", "formats"),
    [
        ("4006381333931", ["EAN13", "QR"]),
        ("40063813339312", ["I2of5", "QR"]),
        ("LP1.acme.k1.1.7Q2M9X", ["QR"]),
    ],
)
def test_bars_that_cannot_hold_the_code_give_way_to_those_that_can(
    tmp_path: Path, credentials: Credentials, code: str, formats: list[str]
) -> None:
    _with_file(tmp_path, "gift", 'formats = ["qr"]', 'formats = ["ean13", "i2of5", "qr"]')
    body = (
        _wallet(tmp_path, credentials)
        .issue(GALLERY["gift"]["euros"], None, replace(sample_identity(), code=code), NOW)
        .body
    )
    document = open_pass(body).document
    assert [one["format"].removeprefix("PKBarcodeFormat") for one in document["barcodes"]] == formats
    assert document["barcode"] == document["barcodes"][-1]


# --- pictures in each language ---------------------------------------------------------------------------------


def test_pictures_of_a_language_travel_in_its_folder(tmp_path: Path, credentials: Credentials) -> None:
    folder = _with_file(tmp_path, "gift", "version = 1", "version = 1")
    apple = folder / "apple"
    for tag in ("fr", "en"):
        (apple / f"{tag}.lproj").mkdir()
        for scale in ("", "@2x", "@3x"):
            (apple / f"{tag}.lproj" / f"logo{scale}.png").write_bytes((apple / f"logo{scale}.png").read_bytes())
    for scale in ("", "@2x", "@3x"):
        (apple / f"logo{scale}.png").unlink()
    opened = made(_wallet(tmp_path, credentials), GALLERY["gift"]["euros"])
    assert {name for name in opened.files if re.search("logo", name)} == {
        f"{tag}.lproj/logo{scale}.png" for tag in ("fr", "en") for scale in ("", "@2x", "@3x")
    }


def test_shipped_designs_are_light(designs: Designs) -> None:
    """Every phone fetches the whole pass again at each change."""
    sizes: Mapping[str, int] = {design.name: sum(map(len, design.images.values())) for design in designs}
    assert max(sizes.values()) < 60_000, sizes
