"""What a card shows of its code: all of it in two dimensions, digits in bars, ten characters for who types."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.wallets.google import making
from tests.wallets.samples import NOW, sample_card, sample_identity
from wallet_server.errors import Invalid
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.short_codes import Short
from wallet_server.rules.passes.card import Nfc
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document
from wallet_server.wallets.apple import features
from wallet_server.wallets.designs import BarcodeFormat, Designs
from wallet_server.wallets.google import objects
from wallet_server.wallets.port import Identity

NUMBER = 123_456_789_012
FULL = codes.write(codes.with_signature(codes.under(codes.first("7K3QZD", "4MJ8K2V9QH0TXW3E"), "1"), bytes(64)))
DIGITS, TYPED = short_codes.digits(Short("7K3QZD", NUMBER)), short_codes.manual(NUMBER)
HOLDER = replace(sample_identity(), code=FULL, typed=TYPED, digits=DIGITS)
OLD = replace(sample_identity(), code="L1.7K3QZD.0.4MJ8K2V9QH0TXW3E.1..19K2")


def barcode(designs: Designs, identity: Identity, kind: BarcodeFormat) -> dict[str, str]:
    document: dict[str, list[dict[str, str]]] = {}
    design = replace(designs.newest("points"), barcode_formats=(kind,), barcode_alt_text="code")
    features.barcodes(document, sample_card(), design, identity)
    return document["barcodes"][0]


@pytest.mark.parametrize("kind", ["qr", "aztec", "pdf417"])
def test_two_dimensions_hold_the_signed_code(designs: Designs, kind: BarcodeFormat) -> None:
    shown = barcode(designs, HOLDER, kind)
    assert (shown["message"], shown["altText"]) == (FULL, TYPED)
    assert barcode(designs, OLD, kind)["altText"] == OLD.code


@pytest.mark.parametrize("kind", ["code128", "i2of5", "code39"])
def test_bars_hold_the_short_form(designs: Designs, kind: BarcodeFormat) -> None:
    shown = barcode(designs, HOLDER, kind)
    assert (shown["message"], shown["altText"]) == (DIGITS, TYPED)


def test_a_reader_without_contact_is_told_what_has_room_in_its_64_bytes() -> None:
    document: dict[str, dict[str, object]] = {}
    card = replace(sample_card(), nfc=Nfc("key", False))
    features.service(document, card, HOLDER)
    assert document["nfc"]["message"] == DIGITS
    features.service(document, card, OLD)
    assert document["nfc"]["message"] == OLD.code


@pytest.mark.parametrize(("kind", "value"), [("qr", FULL), ("code128", DIGITS)])
def test_google_is_given_the_same(kind: BarcodeFormat, value: str) -> None:
    design = replace(making.design("points"), barcode_formats=(kind,), barcode_alt_text="code")
    copy = replace(making.copy_of(sample_card()), identity=HOLDER)
    shown = objects.compose(copy, design, making.ISSUER, NOW, banner=None)["barcode"]
    assert (shown["value"], shown["alternateText"]) == (value, TYPED)


def test_a_programme_chooses_the_symbol(designs: Designs) -> None:
    document: dict[str, list[dict[str, str]]] = {}
    card, design = replace(sample_card(), barcode="code128"), designs.newest("points")
    features.barcodes(document, card, design, HOLDER)
    assert [(one["format"], one["message"]) for one in document["barcodes"]] == [("PKBarcodeFormatCode128", DIGITS)]
    copy = replace(making.copy_of(card), identity=HOLDER)
    shown = objects.compose(copy, design, making.ISSUER, NOW, banner=None)["barcode"]
    assert (shown["type"], shown["value"]) == ("CODE_128", DIGITS)
    named = default_document("Shop")
    assert parse(named | {"design": named["design"] | {"barcode": "aztec"}}).barcode == "aztec"
    assert parse(named).barcode is None
    with pytest.raises(Invalid):
        parse(named | {"design": named["design"] | {"barcode": "ean13"}})
