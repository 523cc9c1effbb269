"""Owns what a store card may hold: every rule that a phone, or Apple's own tools, would refuse a pass for.

Sources: developer.apple.com/documentation/walletpasses (Pass, PassFieldContent), the validation of Apple's
open-source pass builder, and limits that phones apply in silence. Checked before signing, all faults at once, in
sentences for the person who wrote the card's texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from wallet_server.errors import Fault

MAX_PLACES = 10
MIN_TOKEN_CHARACTERS = 16
MAX_JSON_INTEGER = 2**53 - 1
_ROW_CAPACITY = 4
_CAPACITY = {"headerFields": 3, "primaryFields": 1, "secondaryFields": 4, "auxiliaryFields": 4, "backFields": 100}

# fmt: off
_TOP = frozenset((
    "formatVersion", "passTypeIdentifier", "teamIdentifier", "serialNumber", "organizationName", "description",
    "sharingProhibited", "backgroundColor", "foregroundColor", "labelColor", "logoText", "barcodes", "locations",
    "maxDistance", "voided", "webServiceURL", "authenticationToken", "storeCard",
))
_FIELD = frozenset((
    "key", "label", "value", "attributedValue", "changeMessage", "textAlignment", "dataDetectorTypes",
    "numberStyle", "currencyCode",
))
# fmt: on
_BARCODE = frozenset(("format", "message", "messageEncoding", "altText"))
_PLACE = frozenset(("latitude", "longitude", "altitude", "relevantText"))
_FORMATS = frozenset(f"PKBarcodeFormat{name}" for name in ("QR", "PDF417", "Aztec", "Code128"))
_ENCODINGS = frozenset(("iso-8859-1", "utf-8"))
_NUMBER_STYLES = frozenset(f"PKNumberStyle{name}" for name in ("Decimal", "Percent", "Scientific", "SpellOut"))
_ALIGNMENTS = frozenset(f"PKTextAlignment{name}" for name in ("Left", "Center", "Right", "Natural"))
_DETECTORS = frozenset(f"PKDataDetectorType{name}" for name in ("PhoneNumber", "Link", "Address", "CalendarEvent"))
_IMAGE = re.compile(r"(icon|logo|strip)(@[23]x)?\.png")
_STRINGS = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\.lproj/pass\.strings")

_PASS_TYPE = re.compile(r"pass(\.[A-Za-z0-9-]+)+")
_TEAM = re.compile(r"[A-Z0-9]{10}")
_COLOUR = re.compile(r"rgb\((\d{1,3}), (\d{1,3}), (\d{1,3})\)")
_CURRENCY = re.compile(r"[A-Z]{3}")
# Controls other than tab and line ends, halves of surrogate pairs, and the two non-characters of the basic plane.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ANCHOR = re.compile(r'<a href="([^"<>]*)">[^<>]*</a>')
_LINK_SCHEMES = frozenset(("https", "http", "tel", "mailto"))


def faults(
    document: Mapping[str, Any],
    files: Collection[str],
    tables: Mapping[str, Mapping[str, str]],
    *,
    sandbox: bool = False,
) -> list[Fault]:
    """Every fault of one pass: `document` is pass.json, `files` the names of the other files, `tables` the texts by
    language. In the sandbox alone the web service may be plain http, as phones allow with the developer switch."""
    return [
        *_unknown("", document, _TOP),
        *_identity(document),
        *_service(document, sandbox),
        *_colours(document),
        *_barcodes(document.get("barcodes", ())),
        *_places(document),
        *_style(document.get("storeCard")),
        *_files(files),
        *_texts(document, tables),
    ]


def _unknown(path: str, found: Mapping[str, Any], known: frozenset[str]) -> Iterator[Fault]:
    for key in found.keys() - known:
        yield Fault(f"{path}{key}", f"'{key}' is not a key that a store card has here; remove it.")


def _identity(document: Mapping[str, Any]) -> Iterator[Fault]:
    if document.get("formatVersion") != 1:
        yield Fault("formatVersion", "The format version of a pass is the number 1.")
    if not _PASS_TYPE.fullmatch(str(document.get("passTypeIdentifier", ""))):
        yield Fault("passTypeIdentifier", "The pass type looks like pass.com.example.card, as registered with Apple.")
    if not _TEAM.fullmatch(str(document.get("teamIdentifier", ""))):
        yield Fault("teamIdentifier", "The team identifier is the ten capitals and digits of your Apple team.")
    for key, what in (
        ("serialNumber", "a serial number"),
        ("organizationName", "the name of the organisation: it is the title of every message on the lock screen"),
        ("description", "a description: it is what the phone reads aloud"),
    ):
        value = document.get(key)
        if not isinstance(value, str) or not value.strip():
            yield Fault(key, f"The card needs {what}.")
    for key in ("sharingProhibited", "voided"):
        if not isinstance(document.get(key, False), bool):
            yield Fault(key, f"'{key}' is true or false.")


def _service(document: Mapping[str, Any], sandbox: bool) -> Iterator[Fault]:
    url, token = document.get("webServiceURL"), document.get("authenticationToken")
    if document.get("voided") and (url is not None or token is not None):
        yield Fault("voided", "A voided card must not name a web service, or the phone would go on asking for it.")
    if url is None and token is None:
        return
    if token is None or url is None:
        yield Fault("webServiceURL", "The web service's address and the authentication token go together.")
    if token is not None and (not isinstance(token, str) or len(token) < MIN_TOKEN_CHARACTERS or not token.isascii()):
        sentence = f"The authentication token needs at least {MIN_TOKEN_CHARACTERS} plain characters."
        yield Fault("authenticationToken", sentence)
    wrong = None if url is None else _web_service_fault(url, sandbox)
    if wrong is not None:
        yield Fault("webServiceURL", wrong)


def _web_service_fault(url: object, sandbox: bool) -> str | None:
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment or parts.username:
        return "The web service's address must be a whole address such as https://cards.example.com/apple."
    if parts.scheme != "https" and not (sandbox and parts.scheme == "http"):
        return "Phones call the web service over https only; use an https address."
    if parts.path.endswith("/"):
        return "The web service's address must not end with a slash: phones append /v1 to it."
    return None


def _split(url: object) -> Any:
    if not isinstance(url, str) or not url.isascii() or any(c <= " " for c in url):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _colours(document: Mapping[str, Any]) -> Iterator[Fault]:
    for key in ("backgroundColor", "foregroundColor", "labelColor"):
        value = document.get(key)
        if value is None:
            continue
        found = _COLOUR.fullmatch(value) if isinstance(value, str) else None
        if found is None or any(int(part) > 255 for part in found.groups()):
            yield Fault(key, "Write the colour as # and six hexadecimal digits, such as #1a2b3c.")


def _barcodes(barcodes: Any) -> Iterator[Fault]:
    if not isinstance(barcodes, Sequence):
        yield Fault("barcodes", "Barcodes are a list.")
        return
    for index, barcode in enumerate(barcodes):
        path = f"barcodes.{index}."
        yield from _unknown(path, barcode, _BARCODE)
        if barcode.get("format") not in _FORMATS:
            yield Fault(f"{path}format", "The barcode's format must be QR, PDF417, Aztec or Code 128.")
        message, encoding = barcode.get("message"), barcode.get("messageEncoding")
        if not isinstance(message, str) or not message:
            yield Fault(f"{path}message", "The barcode needs a text.")
        elif encoding not in _ENCODINGS or (encoding == "iso-8859-1" and not _fits_latin(message)):
            yield Fault(
                f"{path}messageEncoding", "The barcode's encoding must be iso-8859-1 or utf-8, as its text asks."
            )
        if not isinstance(barcode.get("altText", ""), str):
            yield Fault(f"{path}altText", "The text under the barcode must be text.")


def _fits_latin(text: str) -> bool:
    return text.isascii() or all(ord(c) < 256 for c in text)


def _places(document: Mapping[str, Any]) -> Iterator[Fault]:
    places = document.get("locations", ())
    if len(places) > MAX_PLACES:
        sentence = f"A card may name at most {MAX_PLACES} places; this one has {len(places)}. Keep the nearest ten."
        yield Fault("locations", sentence)
    for index, place in enumerate(places):
        path = f"locations.{index}."
        yield from _unknown(path, place, _PLACE)
        for key, limit in (("latitude", 90), ("longitude", 180)):
            degrees = place.get(key)
            if not _is_number(degrees) or not -limit <= degrees <= limit:
                yield Fault(f"{path}{key}", f"The {key} of a place is a number of degrees from -{limit} to {limit}.")
        if not isinstance(place.get("relevantText", ""), str):
            yield Fault(f"{path}relevantText", "What is shown near a place must be text.")
    distance = document.get("maxDistance")
    if distance is not None and not (_is_number(distance) and distance > 0):
        yield Fault("maxDistance", "The greatest distance is a number of metres above 0; phones ignore anything else.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _style(style: Any) -> Iterator[Fault]:
    if not isinstance(style, Mapping):
        yield Fault("storeCard", "The card has no fields; a store card needs its storeCard part.")
        return
    yield from _unknown("storeCard.", style, frozenset(_CAPACITY))
    seen: set[Any] = set()
    alerting = 0
    for name, fields in style.items():
        if len(fields) > _CAPACITY.get(name, 0) > 0:
            yield Fault(f"storeCard.{name}", f"This part holds {_CAPACITY[name]} at most; it has {len(fields)}.")
        for index, field in enumerate(fields):
            path = f"storeCard.{name}.{index}."
            yield from _field(path, name, field)
            key = field.get("key")
            if key in seen:
                yield Fault(f"{path}key", f"Two fields of the card have the key '{key}'; give each its own.")
            seen.add(key)
            alerting += "changeMessage" in field
    if len(style.get("secondaryFields", ())) + len(style.get("auxiliaryFields", ())) > _ROW_CAPACITY:
        sentence = f"Secondary and auxiliary fields share one row of {_ROW_CAPACITY}; the phone would hide the rest."
        yield Fault("storeCard", sentence)
    if alerting > 1:
        sentence = "Only one field may announce its change at a time; two make the phone show a text of its own."
        yield Fault("storeCard", sentence)


def _field(path: str, slot: str, field: Mapping[str, Any]) -> Iterator[Fault]:
    if not field.keys() <= _FIELD:
        yield from _unknown(path, field, _FIELD)
    key, value = field.get("key"), field.get("value")
    if not isinstance(key, str) or not key:
        yield Fault(f"{path}key", "Each field needs a key of its own.")
    if not isinstance(value, str) and not _is_number(value):
        yield Fault(f"{path}value", "Each field needs a value: a text or a number.")
    elif isinstance(value, int | float) and abs(value) > MAX_JSON_INTEGER:
        yield Fault(f"{path}value", f"This number is beyond {MAX_JSON_INTEGER}; phones cannot show it exactly.")
    if not isinstance(field.get("label", ""), str):
        yield Fault(f"{path}label", "A label must be text.")
    message = field.get("changeMessage")
    if message is not None and (not isinstance(message, str) or message.count("%@") != 1):
        sentence = "The message of a change must hold %@ exactly once, where the phone puts the new value."
        yield Fault(f"{path}changeMessage", sentence)
    yield from _form(path, slot, field, value)


def _form(path: str, slot: str, field: Mapping[str, Any], value: Any) -> Iterator[Fault]:
    """How a value is shown: numbers, alignment, links."""
    style, currency = field.get("numberStyle"), field.get("currencyCode")
    if style is not None and style not in _NUMBER_STYLES:
        yield Fault(f"{path}numberStyle", "This way of writing numbers is not one of Apple's.")
    if currency is not None and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        yield Fault(f"{path}currencyCode", "A currency is three capital letters, such as EUR.")
    if style is not None and currency is not None:
        yield Fault(f"{path}currencyCode", "A field has either a currency or a way of writing numbers, not both.")
    if (style is not None or currency is not None) and isinstance(value, str):
        yield Fault(f"{path}value", "A field shown as a number or an amount must hold a number, not a text.")
    alignment = field.get("textAlignment")
    if alignment is not None and (alignment not in _ALIGNMENTS or slot in ("primaryFields", "backFields")):
        yield Fault(f"{path}textAlignment", "Only header, secondary and auxiliary fields can be aligned.")
    detectors = field.get("dataDetectorTypes")
    if detectors is not None and (slot != "backFields" or not _DETECTORS.issuperset(detectors)):
        yield Fault(f"{path}dataDetectorTypes", "Only fields on the back can turn addresses and numbers into links.")
    linked = field.get("attributedValue")
    if linked is not None and (sentence := _link_fault(linked)):
        yield Fault(f"{path}attributedValue", sentence)


def _link_fault(linked: Any) -> str | None:
    if not isinstance(linked, str) or re.search("[<>]", _ANCHOR.sub("", linked)):
        return 'A linked text may hold links only, written <a href="...">...</a>; other marks are not shown.'
    for href in _ANCHOR.findall(linked):
        parts = _split(unescape(href))
        if parts is None or parts.scheme not in _LINK_SCHEMES or (parts.scheme.startswith("http") and not parts.netloc):
            return "A link must be a whole address, such as https://example.com/offers."
    return None


def _files(files: Collection[str]) -> Iterator[Fault]:
    for name in ("icon.png", "icon@2x.png", "icon@3x.png"):
        if name not in files:
            yield Fault(name, "The icon is missing at this size; a phone refuses or blurs a card without it.")
    for name in files:
        if not _IMAGE.fullmatch(name) and not _STRINGS.fullmatch(name):
            yield Fault(name, "A store card holds no such file; phones refuse a card with files they do not know.")


def _texts(document: Mapping[str, Any], tables: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    for path, text in _every_text("", document):
        if _UNSHOWABLE.search(text):
            yield Fault(path, "This text holds a character that cannot be shown; write it again.")
    keys = [table.keys() for table in tables.values()]
    if any(found != keys[0] for found in keys):
        yield Fault("pass.strings", "Each language must translate the same texts.")
    for tag, table in tables.items():
        if _UNSHOWABLE.search("".join(table.values())):
            yield Fault(f"{tag}.lproj/pass.strings", "A text holds a character that cannot be shown; write it again.")


def _every_text(path: str, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield path, found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _every_text(f"{path}.{key}" if path else key, value)
    elif isinstance(found, Sequence):
        for index, value in enumerate(found):
            yield from _every_text(f"{path}.{index}", value)
