"""Each limit of Google Wallet by a body that breaks it alone: it is named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.wallets.gallery import GALLERY
from tests.wallets.google.making import ISSUER, class_of, clone, object_of
from wallet_server.wallets.google import limits
from wallet_server.wallets.google.sentences import NOTES, noted

Change = Callable[[dict[str, Any]], Any]
LOYALTY = object_of(GALLERY["points"]["everywhere"])
PROGRAMME = class_of(GALLERY["points"]["member"])
SAID = {"defaultValue": {"language": "fr", "value": "x" * 61}}


def setting(path: str, value: Any) -> Change:
    *way, last = path.split(".")

    def change(body: dict[str, Any]) -> None:
        for part in way:
            body = body[int(part)] if isinstance(body, list) else body[part]
        if value is ...:
            del body[last]
        else:
            body[int(last) if isinstance(body, list) else last] = value

    return change


OBJECT: list[tuple[str, Any, str, str]] = [
    ("id", "member-1", "id", "id"),
    ("id", f"{ISSUER}.a b", "id", "id"),
    ("id", "12.3f9c1a", "issuer", "id"),
    ("id", ..., "missing", "id"),
    ("classId", "12.p", "issuer", "classId"),
    ("classId", ..., "missing", "classId"),
    ("state", "active", "state", "state"),
    ("state", ..., "missing", "state"),
    ("notify", "NOTIFY", "unknown-key", "notify"),
    ("loyaltyPoints.balance", {"int": 1, "string": "1"}, "balance", "loyaltyPoints.balance"),
    ("loyaltyPoints.balance", {}, "balance", "loyaltyPoints.balance"),
    ("loyaltyPoints.balance", ..., "missing", "loyaltyPoints.balance"),
    ("loyaltyPoints.balance", {"int": 2**31}, "int32", "loyaltyPoints.balance.int"),
    ("loyaltyPoints.balance", {"int": "800"}, "int32", "loyaltyPoints.balance.int"),
    ("loyaltyPoints.balance", {"double": float("nan")}, "malformed", "loyaltyPoints.balance.double"),
    (
        "loyaltyPoints.balance",
        {"money": {"currencyCode": "EUR", "micros": str(2**63)}},
        "int64",
        "loyaltyPoints.balance.money.micros",
    ),
    (
        "loyaltyPoints.balance",
        {"money": {"currencyCode": "euro", "micros": "1"}},
        "currency",
        "loyaltyPoints.balance.money.currencyCode",
    ),
    ("loyaltyPoints.label", "", "empty-text", "loyaltyPoints.label"),
    ("heroImage", {}, "image", "heroImage"),
    ("heroImage.privateImageId", "x", "image", "heroImage"),
    ("heroImage.sourceUri.uri", "http://cards.example.com/b.png", "https", "heroImage.sourceUri.uri"),
    ("merchantLocations.0.latitude", 90.5, "latitude", "merchantLocations.0.latitude"),
    ("merchantLocations.0.longitude", -181, "longitude", "merchantLocations.0.longitude"),
    ("merchantLocations", [{"latitude": 1.0, "longitude": 1.0}] * 11, "too-many", "merchantLocations"),
    ("merchantLocations", [], "empty", "merchantLocations"),
    ("messages", LOYALTY["messages"] * 11, "too-many", "messages"),
    ("messages.0.displayInterval", {}, "message-end", "messages.0.displayInterval"),
    ("messages.0.displayInterval", ..., "missing", "messages.0.displayInterval"),
    ("messages.0.messageType", "text", "malformed", "messages.0.messageType"),
    ("messages.0.message_type", "TEXT", "unknown-key", "messages.0.message_type"),
    ("textModulesData.0.id", "a.b", "module-id", "textModulesData.0.id"),
    ("textModulesData.1.id", LOYALTY["textModulesData"][0]["id"], "module-twice", "textModulesData"),
    ("textModulesData", [{"id": f"m{n}"} for n in range(11)], "too-many", "textModulesData"),
    ("textModulesData.0.localizedHeader.defaultValue.language", "français", "language",
     "textModulesData.0.localizedHeader.defaultValue.language"),
    ("textModulesData.0.localizedHeader", {"defaultValue": SAID["defaultValue"], "translatedValues": [
        {"language": "nl", "value": "Kaart"}, {"language": "nl", "value": "Kaart"}]},
     "malformed", "textModulesData.0.localizedHeader"),
    ("linksModuleData.uris.0.uri", "javascript:alert(1)", "link", "linksModuleData.uris.0.uri"),
    ("valueAddedModuleData.0.header", SAID, "too-long", "valueAddedModuleData.0.header.defaultValue.value"),
    ("valueAddedModuleData.0.uri", "offers", "https", "valueAddedModuleData.0.uri"),
    ("validTimeInterval", {"start": {"date": "2027-01-01T00:00:00Z"}, "end": {"date": "2026-01-01T00:00:00Z"}},
     "interval", "validTimeInterval"),
    ("validTimeInterval", {"start": {"date": "2026-01-01T00:00:00"}, "end": {"date": "2026-02-01T00:00:00Z"}},
     "interval", "validTimeInterval"),
    ("validTimeInterval", {"end": {"date": "tomorrow"}}, "date", "validTimeInterval.end.date"),
    ("barcode.value", "", "barcode", "barcode.value"),
    ("barcode.type", "qrCode", "barcode-type", "barcode.type"),
    ("barcode", {"type": "EAN_13", "value": "LP1"}, "barcode-value", "barcode"),
    ("barcode", {"type": "TEXT_ONLY", "value": "1", "alternateText": "1"}, "barcode-value", "barcode"),
    ("linkedOfferIds", ["12.c0ffee"], "issuer", "linkedOfferIds.0"),
    ("linkedOfferIds", ["c0ffee"], "id", "linkedOfferIds.0"),
    ("accountName", "\ud800", "unshowable", "accountName"),
    ("textModulesData.0.localizedBody.translatedValues.0.value", "a\x00b", "unshowable",
     "textModulesData.0.localizedBody.translatedValues.0.value"),
    ("accountName", "a\x7fb", "unshowable", "accountName"),
]  # fmt: skip
CLASS: list[tuple[str, Any, str, str]] = [
    ("reviewStatus", "APPROVED", "review", "reviewStatus"),
    ("reviewStatus", ..., "missing", "reviewStatus"),
    ("programLogo", ..., "missing", "programLogo"),
    ("programName", "", "empty-text", "programName"),
    ("issuerName", ..., "missing", "issuerName"),
    ("hexBackgroundColor", "red", "colour", "hexBackgroundColor"),
    ("hexBackgroundColor", "#12345", "colour", "hexBackgroundColor"),
    ("callbackOptions.url", "http://cards.example.com/", "https", "callbackOptions.url"),
    ("classTemplateInfo.cardTemplateOverride.cardRowTemplateInfos", [{}], "rows",
     "classTemplateInfo.cardTemplateOverride.cardRowTemplateInfos.0"),
]  # fmt: skip


def named(body: dict[str, Any], kind: limits.Kind) -> list[tuple[str, str]]:
    return [(fault.code, fault.path) for fault in limits.faults(body, kind, ISSUER)]


@pytest.mark.parametrize(("path", "value", "code", "where"), OBJECT)
def test_one_fault_of_an_object_is_named_and_nothing_else(path: str, value: Any, code: str, where: str) -> None:
    body = clone(LOYALTY)
    setting(path, value)(body)
    expected = {(code, where)}
    if code == "id" and ISSUER not in str(value):
        expected.add(("issuer", where))  # what has no issuer in it is nobody's
    assert set(named(body, "loyaltyObject")) == expected


@pytest.mark.parametrize(("path", "value", "code", "where"), CLASS)
def test_one_fault_of_a_class_is_named_and_nothing_else(path: str, value: Any, code: str, where: str) -> None:
    body = clone(PROGRAMME)
    setting(path, value)(body)
    assert named(body, "loyaltyClass") == [(code, where)]


def test_every_fault_at_once_in_both_languages() -> None:
    body = {**clone(LOYALTY), "state": "live", "surprise": 1}
    found = limits.faults(body, "loyaltyObject", "12")
    assert [fault.code for fault in found] == ["state", "unknown-key", "issuer", "issuer", "issuer"]
    assert "émetteur 12" in limits.said(found[-1], "fr")
    assert limits.said(found[0], "de") == found[0].sentence
    for code, (english, french) in limits.SENTENCES.items():
        assert english.endswith("."), code
        assert french.endswith("."), code
        assert english.count("{") == french.count("{"), code


def test_line_ends_and_backslashes_are_no_controls() -> None:
    assert named({**clone(LOYALTY), "accountName": "one\ntwo\tthree \\u0007 é"}, "loyaltyObject") == []


def test_what_the_merchant_is_told_is_told_in_french_too() -> None:
    for english, french in NOTES.items():
        assert (noted(english, "fr"), noted(english, "de")) == (french, english)
    assert noted("something else", "fr") == "something else"


def test_a_rotating_code_needs_its_number_and_its_key() -> None:
    body = {name: part for name, part in clone(LOYALTY).items() if name != "barcode"}
    details = {"algorithm": "TOTP_SHA1", "periodMillis": "30000", "parameters": [{"key": "ab" * 20, "valueLength": 8}]}
    good = {"type": "QR_CODE", "valuePattern": "L1*{totp_value_0}", "totpDetails": details}
    assert named({**body, "rotatingBarcode": good}, "loyaltyObject") == []
    for change in ({"valuePattern": "L1"}, {"type": "AZTEC"}, {"totpDetails": {**details, "periodMillis": "0"}}):
        ((code, _),) = named({**body, "rotatingBarcode": {**good, **change}}, "loyaltyObject")
        assert code == "rotating"


def test_recommended_lengths_warn_in_the_language_that_is_too_long() -> None:
    body = {**clone(PROGRAMME), "programName": "Club", "issuerName": "x" * 21}
    translated = [{"language": "en", "value": "y" * 30}]
    body["localizedProgramName"] = {"defaultValue": {"language": "fr", "value": "Club"}, "translatedValues": translated}
    assert limits.faults(body, "loyaltyClass", ISSUER) == []
    assert {(one.path, one.values) for one in limits.warnings(body)} == {
        ("issuerName", ("20", "21")),
        ("localizedProgramName.en", ("20", "30")),
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(80), deadline=None)
@given(name=st.sampled_from(sorted(LOYALTY)), value=JSON)
def test_whatever_stands_in_a_field_is_judged_and_never_breaks_the_judge(name: str, value: Any) -> None:
    for fault in limits.faults({**LOYALTY, name: value}, "loyaltyObject", ISSUER):
        assert fault.path.split(".")[0] == name
        assert fault.sentence
