"""One broken card for each rule of a store card, and the card that breaks none."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.wallets.samples import TEAM, sample_card, sample_identity
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.rules import faults
from wallet_server.wallets.designs import Designs

Document = dict[str, Any]
FILES = ("icon.png", "icon@2x.png", "icon@3x.png", "logo.png", "strip@3x.png", "fr.lproj/pass.strings")


@pytest.fixture
def document(designs: Designs) -> Document:
    design = designs.get("points", 1)
    composed, _ = compose(sample_card(), design.alert("points"), sample_identity(), design, TEAM)
    return copy.deepcopy(composed)


def test_a_right_card_has_no_fault(document: Document) -> None:
    assert faults(document, FILES) == []


def put(path: str, value: object) -> Callable[[Document], None]:
    def breaking(document: Document) -> None:
        *way, last = path.split(".")
        place: Any = document
        for part in way:
            place = place[int(part) if part.isdigit() else part]
        if value is DROP:
            del place[last]
        else:
            place[last] = value

    return breaking


DROP = object()
HEAD, PRIMARY, BACK = "storeCard.headerFields.0", "storeCard.primaryFields.0", "storeCard.backFields.0"
FIELD = {"key": "extra", "value": "x"}


def fields(*keys: str) -> list[dict[str, Any]]:
    return [{"key": key, "value": key} for key in keys]


BROKEN: list[tuple[str, object, str]] = [
    ("formatVersion", 2, "formatVersion"),
    ("formatVersion", DROP, "formatVersion"),
    ("passTypeIdentifier", "com.example", "passTypeIdentifier"),
    ("passTypeIdentifier", "pass.com.example\n", "passTypeIdentifier"),
    ("teamIdentifier", "abcde12345", "teamIdentifier"),
    ("serialNumber", "", "serialNumber"),
    ("organizationName", "  \u00a0", "organizationName"),
    ("description", DROP, "description"),
    ("sharingProhibited", 1, "sharingProhibited"),
    ("voided", "yes", "voided"),
    ("voided", True, "voided"),
    ("authenticationToken", "fifteen-letters", "authenticationToken"),
    ("authenticationToken", "sixteen letters, and a space", "authenticationToken"),
    ("authenticationToken", DROP, "webServiceURL"),
    ("webServiceURL", DROP, "webServiceURL"),
    ("webServiceURL", "https://cards.example.com/apple/", "webServiceURL"),
    ("webServiceURL", "http://cards.example.com/apple", "webServiceURL"),
    ("webServiceURL", "https:///apple", "webServiceURL"),
    ("webServiceURL", "https://cards.example.com:99999/apple", "webServiceURL"),
    ("webServiceURL", "https://cards.example.com/apple?x=1", "webServiceURL"),
    ("webServiceURL", "https://cards.example.com/an apple", "webServiceURL"),
    ("webServiceURL", 7, "webServiceURL"),
    ("backgroundColor", "rgb(1, 2, 256)", "backgroundColor"),
    ("foregroundColor", "#ffffff", "foregroundColor"),
    ("labelColor", "rgb(1,2,3)", "labelColor"),
    ("storeURL", "https://example.com", "storeURL"),
    ("coupon", {}, "coupon"),
    ("storeCard", DROP, "storeCard"),
    ("storeCard", [], "storeCard"),
    ("barcodes", {}, "barcodes"),
    ("barcodes.0.format", "PKBarcodeFormatEAN13", "barcodes.0.format"),
    ("barcodes.0.message", "", "barcodes.0.message"),
    ("barcodes.0.message", "№42", "barcodes.0.messageEncoding"),
    ("barcodes.0.messageEncoding", "latin1", "barcodes.0.messageEncoding"),
    ("barcodes.0.messageEncoding", DROP, "barcodes.0.messageEncoding"),
    ("barcodes.0.altText", 42, "barcodes.0.altText"),
    ("barcodes.0.colour", "red", "barcodes.0.colour"),
    ("locations", [{"latitude": 1.0, "longitude": 1.0}] * 11, "locations"),
    ("locations.0.latitude", 90.01, "locations.0.latitude"),
    ("locations.0.latitude", math.nan, "locations.0.latitude"),
    ("locations.1.longitude", -180.5, "locations.1.longitude"),
    ("locations.1.longitude", DROP, "locations.1.longitude"),
    ("locations.0.latitude", "48.8", "locations.0.latitude"),
    ("locations.0.relevantText", 1, "locations.0.relevantText"),
    ("locations.0.radius", 5, "locations.0.radius"),
    ("maxDistance", "100", "maxDistance"),
    ("maxDistance", 0, "maxDistance"),
    ("maxDistance", math.inf, "maxDistance"),
    ("storeCard.headerFields", fields("a", "b", "c", "d"), "storeCard.headerFields"),
    ("storeCard.primaryFields", fields("a", "b"), "storeCard.primaryFields"),
    ("storeCard.secondaryFields", fields("a", "b", "c", "d"), "storeCard"),
    ("storeCard.additionalInfoFields", [], "storeCard.additionalInfoFields"),
    (f"{HEAD}.key", "points", "storeCard.primaryFields.0.key"),
    (f"{HEAD}.key", "", f"{HEAD}.key"),
    (f"{HEAD}.value", DROP, f"{HEAD}.value"),
    (f"{HEAD}.value", None, f"{HEAD}.value"),
    (f"{HEAD}.label", 5, f"{HEAD}.label"),
    (f"{HEAD}.lable", "x", f"{HEAD}.lable"),
    (f"{HEAD}.changeMessage", "Now %@", "storeCard"),
    (f"{PRIMARY}.changeMessage", "You have more points", f"{PRIMARY}.changeMessage"),
    (f"{PRIMARY}.changeMessage", "%@ and %@", f"{PRIMARY}.changeMessage"),
    (f"{PRIMARY}.value", "1234", f"{PRIMARY}.value"),
    (f"{PRIMARY}.value", True, f"{PRIMARY}.value"),
    (f"{PRIMARY}.value", 2**53, f"{PRIMARY}.value"),
    (f"{PRIMARY}.value", -(2**70), f"{PRIMARY}.value"),
    (f"{PRIMARY}.value", math.nan, f"{PRIMARY}.value"),
    (f"{PRIMARY}.numberStyle", "decimal", f"{PRIMARY}.numberStyle"),
    (f"{PRIMARY}.currencyCode", "EUR", f"{PRIMARY}.currencyCode"),
    (f"{PRIMARY}.currencyCode", "euro", f"{PRIMARY}.currencyCode"),
    (f"{PRIMARY}.textAlignment", "PKTextAlignmentLeft", f"{PRIMARY}.textAlignment"),
    (f"{BACK}.textAlignment", "PKTextAlignmentLeft", f"{BACK}.textAlignment"),
    (f"{HEAD}.textAlignment", "right", f"{HEAD}.textAlignment"),
    (f"{HEAD}.dataDetectorTypes", [], f"{HEAD}.dataDetectorTypes"),
    (f"{BACK}.dataDetectorTypes", ["PKDataDetectorTypeDate"], f"{BACK}.dataDetectorTypes"),
    (f"{HEAD}.attributedValue", "x", f"{HEAD}.attributedValue"),
    (f"{BACK}.attributedValue", "<b>bold</b>", f"{BACK}.attributedValue"),
    (f"{BACK}.attributedValue", '<a href="javascript:alert(1)">x</a>', f"{BACK}.attributedValue"),
    (f"{BACK}.attributedValue", '<a href="/offers">x</a>', f"{BACK}.attributedValue"),
    (f"{BACK}.attributedValue", '<a href="https://">x</a>', f"{BACK}.attributedValue"),
]


@pytest.mark.parametrize(("path", "value", "where"), BROKEN, ids=[f"{p}={str(v)[:20]}" for p, v, _ in BROKEN])
def test_each_rule_names_its_place(document: Document, path: str, value: object, where: str) -> None:
    put(path, value)(document)
    found = {fault.path: fault.sentence for fault in faults(document, FILES)}
    assert where in found, found
    assert found[where][0].isupper() or found[where][0] == "'"
    assert found[where].endswith(".")


@pytest.mark.parametrize("missing", ["icon.png", "icon@2x.png", "icon@3x.png"])
def test_every_size_of_the_icon_is_needed(document: Document, missing: str) -> None:
    assert [fault.path for fault in faults(document, [name for name in FILES if name != missing])] == [missing]


@pytest.mark.parametrize("stranger", [".DS_Store", "notes.txt", "icon@4x.png", "../pass.json", "FR.lproj/pass.strings"])
def test_unknown_files_are_refused(document: Document, stranger: str) -> None:
    assert [fault.path for fault in faults(document, (*FILES, stranger))] == [stranger]


def test_all_faults_come_at_once(document: Document) -> None:
    chosen = [one for one in BROKEN if one[0] in ("teamIdentifier", "labelColor", "maxDistance", f"{HEAD}.label")]
    for path, value, _ in chosen:
        put(path, value)(document)
    assert {where for _, _, where in chosen} <= {fault.path for fault in faults(document, FILES)}
