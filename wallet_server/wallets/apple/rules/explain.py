"""Owns the way from what compiled code refused to a sentence: which rule it was, and where; and what is left to look
at when a part of the card has no form at all."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from wallet_server.wallets.apple.rules.forms import (
    MAX_ACTIONS,
    MAX_JSON_INTEGER,
    MAX_NFC_BYTES,
    MAX_PLACES,
    MIN_TOKEN_CHARACTERS,
    POSTER,
    STYLES,
)
from wallet_server.wallets.apple.rules.sentences import Broken, broken

_CODES: Mapping[str, tuple[str, *tuple[object, ...]]] = {
    "formatVersion": ("format-version",),
    "passTypeIdentifier": ("pass-type",),
    "teamIdentifier": ("team",),
    "serialNumber": ("serial",),
    "organizationName": ("organisation",),
    "description": ("description",),
    "sharingProhibited": ("flag",),
    "voided": ("flag",),
    "suppressStripShine": ("flag",),
    "expirationDate": ("expiry",),
    "backgroundColor": ("colour",),
    "foregroundColor": ("colour",),
    "labelColor": ("colour",),
    "logoText": ("logo-text",),
    "userInfo": ("user-info",),
    "groupingIdentifier": ("grouping",),
    "webServiceURL": ("service",),
    "authenticationToken": ("token", MIN_TOKEN_CHARACTERS),
    **dict.fromkeys((*STYLES, POSTER), ("style",)),
    "headerFields": ("list",),
    "primaryFields": ("list",),
    "secondaryFields": ("list",),
    "auxiliaryFields": ("list",),
    "footerFields": ("list",),
    "backFields": ("list",),
    "additionalInfoFields": ("list",),
    "key": ("key",),
    "value": ("value", MAX_JSON_INTEGER),
    "label": ("label",),
    "changeMessage": ("change-message",),
    "numberStyle": ("number-style",),
    "currencyCode": ("currency",),
    "dateStyle": ("date-style",),
    "timeStyle": ("date-style",),
    "ignoresTimeZone": ("flag",),
    "isRelative": ("flag",),
    "textAlignment": ("alignment",),
    "row": ("row",),
    "attributedValue": ("link",),
    "dataDetectorTypes": ("detector",),
    "barcodes": ("barcodes",),
    "barcode": ("barcode",),
    "format": ("barcode-format",),
    "message": ("barcode-text",),
    "messageEncoding": ("barcode-encoding",),
    "altText": ("barcode-caption",),
    "locations": ("places", MAX_PLACES),
    "latitude": ("latitude",),
    "longitude": ("longitude",),
    "altitude": ("altitude",),
    "relevantText": ("relevant-text",),
    "maxDistance": ("distance",),
    "beacons": ("beacons",),
    "proximityUUID": ("beacon-uuid",),
    "major": ("beacon-number",),
    "minor": ("beacon-number",),
    "relevantDates": ("dates",),
    "date": ("date",),
    "relevantDate": ("date",),
    "startDate": ("date",),
    "endDate": ("date",),
    "nfc": ("nfc",),
    "encryptionPublicKey": ("nfc-key",),
    "nfc.message": ("nfc-message", MAX_NFC_BYTES),
    "requiresAuthentication": ("flag",),
    "semantics": ("semantics",),
    "amount": ("amount",),
    "balance": ("amount",),
    "totalPrice": ("amount",),
    "eventStartDate": ("date",),
    "eventEndDate": ("date",),
    "venueDoorsOpenDate": ("date",),
    "featuredActions": ("actions", MAX_ACTIONS),
    "identifier": ("action",),
    "type": ("action",),
    "url": ("action-link",),
    "placeIdentifier": ("action-place",),
    "associatedStoreIdentifiers": ("apps",),
    "appLaunchURL": ("app-link",),
}
"""The key (or parent.key, where a key has two meanings) to the code of its sentence and the sentence's values."""

_MISPLACED = {
    **dict.fromkeys((*STYLES, POSTER), "two-styles"),
    "boardingPass": "no-boarding",
    "transitType": "no-transit",
    **dict.fromkeys(
        (
            "auxiliaryStoreIdentifiers",
            "eventLogoText",
            "footerBackgroundColor",
            "preferredStyleSchemes",
            "suppressHeaderDarkening",
            "upcomingPassInformation",
            "useAutomaticColors",
        ),
        "not-made-here",
    ),
    "relevantDate": "no-date",
    "relevantDates": "no-date",
    "groupingIdentifier": "no-grouping",
    "row": "no-row",
    "textAlignment": "no-alignment",
    "attributedValue": "back-only",
    "dataDetectorTypes": "back-only",
    "secondaryFields": "no-slot",
    "auxiliaryFields": "no-slot",
    "footerFields": "no-slot",
    "additionalInfoFields": "no-slot",
}
"""Keys that Apple has, in a place where this card cannot have them."""
_STILL_THERE = {
    "extra_forbidden", "finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal", "missing",
    "string_pattern_mismatch", "string_too_short", "too_long", "too_short", "value_error",
}  # fmt: skip
"""Faults of a value that is of the right kind: it is still looked at beside the others."""


def explain(errors: Sequence[ErrorDetails]) -> Iterator[Broken]:
    """One fault for each place: a union reports each of its branches."""
    seen: set[str] = set()
    for error in errors:
        where = error["loc"]
        named = _named(where)
        path = ".".join(map(str, where if error["type"] == "extra_forbidden" else where[: named + 1]))
        if path not in seen:
            seen.add(path)
            yield _one(error, path, where, named)


def _named(where: tuple[int | str, ...]) -> int:
    """The place of the last part that is a key of a pass: those behind it number branches of a union."""
    tags = where.index("semantics") if "semantics" in where else len(where)
    known = (i for i, part in enumerate(where) if part in _CODES or (i > tags and isinstance(part, str)))
    return max(known, default=len(where) - 1)


def _one(error: ErrorDetails, path: str, where: tuple[int | str, ...], named: int) -> Broken:
    last, parent = str(where[named]), str(where[named - 1]) if named else ""
    match error["type"]:
        case "extra_forbidden":
            return broken(path, _MISPLACED.get(str(where[-1]), "unknown-key"), where[-1])
        case "too_long":
            code = {"locations": "too-many-places"}.get(
                last, "too-many-fields" if last.endswith("Fields") else "too-many"
            )
            return broken(path, code, error["ctx"]["max_length"], error["ctx"]["actual_length"])
        case "too_short":
            return broken(path, "empty")
        case "string_unicode":
            return broken(path, "unshowable")
        case "missing" if last in STYLES:
            return broken(path, "no-style")
    told = _CODES.get(f"{parent}.{last}") or _CODES.get(last)
    if told is None:
        return broken(path, "semantic" if "semantics" in where else "malformed")
    return broken(path, *told)


def sound(document: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> dict[str, Any]:
    """The document without the values of a wrong kind, so that what several keys must agree on can still be told of
    the others."""
    left: dict[str, Any] = copy.deepcopy(dict(document))
    for error in errors:
        if error["type"] in _STILL_THERE:
            continue
        where = error["loc"]
        named = _named(where)
        place = (
            where[: named + 2] if len(where) > named + 1 and isinstance(where[named + 1], int) else where[: named + 1]
        )
        _empty(left, place)
    return left


def _empty(document: Any, place: Sequence[int | str]) -> None:
    *way, last = place
    for part in way:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(document, dict) and last in document:
        if last == "barcodes":
            document[last] = []
        else:
            del document[last]
    elif isinstance(document, list) and isinstance(last, int) and last < len(document):
        document[last] = {}
