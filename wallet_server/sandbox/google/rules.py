"""Owns what Google asks of a class or an object beyond its schema, as its document says in prose.

Where it says "will be rejected" it is rejected here; where nothing is on record (an eleventh message) it is rejected
too, so that whoever passes here passes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from wallet_server.sandbox.google.refusals import NOT_ALLOWLISTED, invalid

ID = re.compile(r"([0-9]{1,20})\.([\w.-]{1,200})", re.ASCII)
MOST_MESSAGES = 10
MOST_LOCATIONS = 10
MOST_MODULES = 15
MOST_LINKED = 50
MOST_ROWS = 3
BALANCES = ("string", "int", "double", "money")
REVIEWS = ("UNDER_REVIEW", "DRAFT")
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:.", re.IGNORECASE)
_IMAGES = frozenset(("sourceUri", "privateImageId"))


def issuer_of(id_: object) -> str:
    """The issuer's number in a resource's id. Raises Refusal (400) for an id that is none."""
    found = ID.fullmatch(id_) if isinstance(id_, str) else None
    if found is None:
        raise invalid(f"Invalid resource ID: {id_}.")
    return found[1]


def judge(kind: str, body: Mapping[str, Any], allowlisted: bool) -> None:
    """Raises Refusal (400) for the first rule that the body breaks. `allowlisted`: the issuer, for locations."""
    for fault in _faults(kind, body, allowlisted):
        raise invalid(fault)


def _faults(kind: str, body: Mapping[str, Any], allowlisted: bool) -> Iterator[str]:
    issuer_of(body.get("id"))
    places = body.get("merchantLocations") or ()
    if places and not allowlisted:
        yield NOT_ALLOWLISTED
    if len(places) > MOST_LOCATIONS:
        yield f"At most {MOST_LOCATIONS} merchant locations may be set."
    for place in places:
        if not (abs(place.get("latitude", 91)) <= 90 and abs(place.get("longitude", 181)) <= 180):
            yield "A merchant location has a latitude of -90 to 90 and a longitude of -180 to 180."
    yield from _lists(body)
    for name in ("loyaltyPoints", "secondaryLoyaltyPoints"):
        balance = body.get(name, {}).get("balance")
        if balance is not None and sum(one in balance for one in BALANCES) != 1:
            yield f"{name}.balance has exactly one of string, int, double and money."
    yield from _codes(body)
    yield from _interval(body.get("validTimeInterval", {}))
    colour = body.get("hexBackgroundColor")
    if colour is not None and not _COLOUR.fullmatch(colour):
        yield f"Invalid hex color: {colour}."
    yield from _parts(body, "")
    rows = body.get("classTemplateInfo", {}).get("cardTemplateOverride", {}).get("cardRowTemplateInfos", ())
    if len(rows) > MOST_ROWS:
        yield f"A card template has at most {MOST_ROWS} rows."
    if kind.endswith("Class") and kind != "genericClass" and not body.get("issuerName") and kind != "eventTicketClass":
        yield "Missing required field: issuerName"


def _lists(body: Mapping[str, Any]) -> Iterator[str]:
    if len(body.get("messages", ())) > MOST_MESSAGES:
        yield f"At most {MOST_MESSAGES} messages may be set."
    if len(body.get("valueAddedModuleData", ())) > MOST_MODULES:
        yield f"At most {MOST_MODULES} value added modules may be set."
    if len(body.get("linkedObjectIds", ())) > MOST_LINKED:
        yield f"At most {MOST_LINKED} objects may be linked."
    for one in body.get("textModulesData", ()):
        if "." in one.get("id", ""):
            yield f"The id of a text module has no dots: {one['id']}."
    for message in body.get("messages", ()):
        yield from message_faults(message)


def message_faults(message: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a message."""
    if not (message.get("body") or message.get("localizedBody")):
        yield "A message has a body."
    yield from _interval(message.get("displayInterval", {}))


def _codes(body: Mapping[str, Any]) -> Iterator[str]:
    plain, rotating = body.get("barcode", {}), body.get("rotatingBarcode")
    if plain.get("type") == "UPC_A" and not re.fullmatch(r"[0-9]{11,12}", str(plain.get("value", ""))):
        yield "A UPC-A code has 11 or 12 digits."
    if rotating is None:
        return
    details = rotating.get("totpDetails", {})
    if rotating.get("type") not in ("QR_CODE", "PDF_417"):
        yield "A rotating barcode is a QR_CODE or a PDF_417."
    if details.get("algorithm") != "TOTP_SHA1" or not str(details.get("periodMillis", "")).isdigit():
        yield "A rotating barcode has the algorithm TOTP_SHA1 and a period in milliseconds."
    named = {int(one) for one in re.findall(r"\{totp_value_([0-9]{1,2})\}", rotating.get("valuePattern", ""))}
    parameters = details.get("parameters", ())
    if not named or max(named) >= len(parameters):
        yield "The pattern of a rotating barcode names its TOTP values, and each has its parameters."
    for one in parameters:
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", one.get("key", "")) or not 1 <= one.get("valueLength", 0) <= 10:
            yield "A TOTP value has a key in Base16 and a length."


def _interval(interval: Mapping[str, Any]) -> Iterator[str]:
    moments = []
    for name in ("start", "end"):
        text = interval.get(name, {}).get("date")
        if text is None:
            continue
        try:
            moments.append(datetime.fromisoformat(text))
        except ValueError:
            yield f"Invalid date: {text}."
    if len(moments) == 2 and (moments[0].tzinfo is None) != (moments[1].tzinfo is None):
        yield "Start and end of an interval both have an offset, or neither has."


def _parts(value: object, path: str) -> Iterator[str]:
    """Images and addresses, wherever they stand."""
    if isinstance(value, Mapping):
        if path.endswith(("Image", "Logo", "image", "logo", "wordMark")) and len(_IMAGES & value.keys()) != 1:
            yield f"{path} has exactly one of sourceUri and privateImageId."
        address = value.get("uri")
        if isinstance(address, str) and not _SCHEME.match(address):
            yield f"Invalid URI: {address}."
        for name, item in value.items():
            yield from _parts(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item, path)


def moment(text: str | None) -> datetime | None:
    """A date of Google's as UTC; one without an offset is taken as UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def reviewed(before: str | None, asked: object) -> None:
    """Whether a class with this review status may be sent with that one. Raises Refusal (400)."""
    if asked not in REVIEWS:
        raise invalid("Review status must be 'UNDER_REVIEW' or 'DRAFT'.")
    if asked == "DRAFT" and before not in (None, "DRAFT"):
        raise invalid("A class that was under review cannot be a draft again.")


def has_review(kind: str) -> bool:
    """Whether Google reviews this kind: every class but those of generic passes."""
    return kind.endswith("Class") and kind != "genericClass"
