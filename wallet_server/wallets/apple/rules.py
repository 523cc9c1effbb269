"""Owns what a store card may hold: every rule that a phone, or Apple's own tools, would refuse a pass for.

Sources: developer.apple.com/documentation/walletpasses (Pass, PassFieldContent), the validation of Apple's
open-source pass builder, and limits that phones apply in silence. Checked before signing, all faults at once, in
sentences for the person who wrote the card's texts. It stands in the path of every pass, so what concerns one key is
declared (and checked in compiled code), and only what concerns several is written out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Required
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from wallet_server.errors import Fault
from wallet_server.wallets.apple.strings import UNSHOWABLE

MAX_PLACES = 10
MIN_TOKEN_CHARACTERS = 16
MAX_JSON_INTEGER = 2**53 - 1
_ROW_CAPACITY = 4
_HREF = r"(https?://[A-Za-z0-9\[][!#-;=?-~]*|(tel|mailto):[!#-;=?-~]+)"
_FILE = re.compile(r"(icon|logo|strip)(@[23]x)?\.png|[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\.lproj/pass\.strings")
_NOT_SHOWN = "This text holds a character that cannot be shown; write it again."


def faults(document: Mapping[str, Any], files: Collection[str], *, sandbox: bool = False) -> list[Fault]:
    """Every fault of one pass: `document` is pass.json, `files` the names of the other files. In the sandbox alone
    the web service may be plain http, as phones allow with the developer switch. The characters of the texts are
    `text_faults`."""
    found: list[Fault] = []
    try:
        _PASS.validate_python(document)
    except ValidationError as error:
        found += _explain(error.errors(include_url=False, include_input=False))
    found += _service(document, sandbox)
    found += _encodings(document.get("barcodes"))
    found += _style(document.get("storeCard"))
    found += _files(files)
    return found


def text_faults(document: Mapping[str, Any], translations: Iterable[tuple[str, str]]) -> list[Fault]:
    """Texts, in pass.json and among the translations (language, text), with characters that no phone can show."""
    texts = [*_every_text("", document)]
    texts += [(f"{language}.lproj/pass.strings", text) for language, text in translations]
    return [Fault(path, _NOT_SHOWN) for path, text in texts if UNSHOWABLE.search(text)]


def _every_text(path: str, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield path, found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _every_text(f"{path}.{key}" if path else key, value)
    elif isinstance(found, Sequence):
        for index, value in enumerate(found):
            yield from _every_text(f"{path}.{index}", value)


# --- each key by itself ----------------------------------------------------------------------------------------


def _with_one_value(message: str) -> str:
    if message.count("%@") != 1:
        raise ValueError
    return message


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_Colour = Annotated[str, Field(pattern=rf"^rgb\({_BYTE}, {_BYTE}, {_BYTE}\)$")]
_Filled = Annotated[str, Field(pattern=r"\S")]
_Limited = Field(ge=-MAX_JSON_INTEGER, le=MAX_JSON_INTEGER)
_Value = Annotated[str | Annotated[int, _Limited] | Annotated[float, _Limited], Field(union_mode="left_to_right")]


@with_config(_STRICT)
class _Field(TypedDict, total=False):
    key: Required[Annotated[str, Field(min_length=1)]]
    value: Required[_Value]
    label: str
    changeMessage: Annotated[str, AfterValidator(_with_one_value)]
    numberStyle: Literal[
        "PKNumberStyleDecimal", "PKNumberStylePercent", "PKNumberStyleScientific", "PKNumberStyleSpellOut"
    ]
    currencyCode: Annotated[str, Field(pattern="^[A-Z]{3}$")]


@with_config(_STRICT)
class _AlignedField(_Field, total=False):
    """Apple allows no alignment on primary and back fields."""

    textAlignment: Literal[
        "PKTextAlignmentLeft", "PKTextAlignmentCenter", "PKTextAlignmentRight", "PKTextAlignmentNatural"
    ]


@with_config(_STRICT)
class _BackField(_Field, total=False):
    """Links and the detection of data work on the back only."""

    attributedValue: Annotated[str, Field(pattern=rf'^([^<>]|<a href="{_HREF}">[^<>]*</a>)*$')]
    dataDetectorTypes: list[
        Literal[
            "PKDataDetectorTypePhoneNumber",
            "PKDataDetectorTypeLink",
            "PKDataDetectorTypeAddress",
            "PKDataDetectorTypeCalendarEvent",
        ]
    ]


@with_config(_STRICT)
class _StoreCard(TypedDict, total=False):
    headerFields: Annotated[list[_AlignedField], Field(max_length=3)]
    primaryFields: Annotated[list[_Field], Field(max_length=1)]
    secondaryFields: Annotated[list[_AlignedField], Field(max_length=4)]
    auxiliaryFields: Annotated[list[_AlignedField], Field(max_length=4)]
    backFields: Annotated[list[_BackField], Field(max_length=100)]


@with_config(_STRICT)
class _Barcode(TypedDict, total=False):
    format: Required[
        Literal["PKBarcodeFormatQR", "PKBarcodeFormatPDF417", "PKBarcodeFormatAztec", "PKBarcodeFormatCode128"]
    ]
    message: Required[Annotated[str, Field(min_length=1)]]
    messageEncoding: Required[Literal["iso-8859-1", "utf-8"]]
    altText: str


@with_config(_STRICT)
class _Place(TypedDict, total=False):
    latitude: Required[Annotated[float, Field(ge=-90, le=90)]]
    longitude: Required[Annotated[float, Field(ge=-180, le=180)]]
    relevantText: str


@with_config(_STRICT)
class _Pass(TypedDict, total=False):
    formatVersion: Required[Literal[1]]
    passTypeIdentifier: Required[Annotated[str, Field(pattern=r"^pass(\.[A-Za-z0-9-]+)+$")]]
    teamIdentifier: Required[Annotated[str, Field(pattern="^[A-Z0-9]{10}$")]]
    serialNumber: Required[_Filled]
    organizationName: Required[_Filled]
    description: Required[_Filled]
    sharingProhibited: bool
    voided: bool
    backgroundColor: _Colour
    foregroundColor: _Colour
    labelColor: _Colour
    logoText: str
    barcodes: list[_Barcode]
    locations: Annotated[list[_Place], Field(max_length=MAX_PLACES)]
    maxDistance: Annotated[float, Field(gt=0, le=MAX_JSON_INTEGER)]
    webServiceURL: str
    authenticationToken: Annotated[str, Field(pattern=f"^[!-~]{{{MIN_TOKEN_CHARACTERS},}}$")]
    storeCard: Required[_StoreCard]


_PASS: TypeAdapter[_Pass] = TypeAdapter(_Pass)
_COLOUR = "Write the colour as # and six hexadecimal digits, such as #1a2b3c."
_LIST = "This part of the card is a list of fields."
_FLAG = "This is either true or false."
_SENTENCES = {
    "formatVersion": "The format version of a pass is the number 1.",
    "passTypeIdentifier": "The pass type looks like pass.com.example.card, as registered with Apple.",
    "teamIdentifier": "The team identifier is the ten capitals and digits of your Apple team.",
    "serialNumber": "The card needs a serial number.",
    "organizationName": "The card needs the organisation's name: it heads every message on the lock screen.",
    "description": "The card needs a description: it is what the phone reads aloud.",
    "sharingProhibited": _FLAG,
    "voided": _FLAG,
    "backgroundColor": _COLOUR,
    "foregroundColor": _COLOUR,
    "labelColor": _COLOUR,
    "logoText": "What stands beside the logo must be text.",
    "barcodes": "Barcodes are a list.",
    "locations": f"Places are a list of at most {MAX_PLACES}.",
    "maxDistance": "The greatest distance is a number of metres above 0; phones ignore anything else.",
    "webServiceURL": "The web service's address must be text.",
    "authenticationToken": f"The authentication token needs at least {MIN_TOKEN_CHARACTERS} plain characters.",
    "storeCard": "The card has no fields; a store card needs its storeCard part.",
    "headerFields": _LIST,
    "primaryFields": _LIST,
    "secondaryFields": _LIST,
    "auxiliaryFields": _LIST,
    "backFields": _LIST,
    "format": "The barcode's format must be QR, PDF417, Aztec or Code 128.",
    "message": "The barcode needs a text.",
    "messageEncoding": "The barcode's encoding must be iso-8859-1 or utf-8.",
    "altText": "What stands under the barcode must be text.",
    "latitude": "The latitude of a place is a number of degrees from -90 to 90.",
    "longitude": "The longitude of a place is a number of degrees from -180 to 180.",
    "relevantText": "What is shown near a place must be text.",
    "key": "Each field needs a key of its own.",
    "value": f"Each field needs a value: a text, or a number of at most {MAX_JSON_INTEGER}.",
    "label": "A label must be text.",
    "changeMessage": "The message of a change must hold %@ exactly once, where the phone puts the new value.",
    "numberStyle": "This way of writing numbers is not one of Apple's.",
    "currencyCode": "A currency is three capital letters, such as EUR.",
    "textAlignment": "A field is aligned left, centre, right or naturally.",
    "attributedValue": 'A linked text holds links alone, written <a href="https://...">...</a>, with whole addresses.',
    "dataDetectorTypes": "This kind of data is not one that a phone looks for.",
}


def _explain(errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    """One fault for each place: a union reports each of its branches."""
    seen: set[str] = set()
    for error in errors:
        kind, where = error["type"], error["loc"]
        named = max((i for i, part in enumerate(where) if part in _SENTENCES), default=len(where) - 1)
        path = ".".join(str(part) for part in (where if kind == "extra_forbidden" else where[: named + 1]))
        if path in seen:
            continue
        seen.add(path)
        match kind:
            case "extra_forbidden":
                yield Fault(path, f"'{where[-1]}' is not a key that a store card has here; remove it.")
            case "too_long":
                most, length = error["ctx"]["max_length"], error["ctx"]["actual_length"]
                what = "places, and the nearest are enough" if where[-1] == "locations" else "fields"
                yield Fault(path, f"There is room for at most {most} {what}; this card has {length}.")
            case "string_unicode":
                yield Fault(path, _NOT_SHOWN)
            case _:
                yield Fault(path, _SENTENCES.get(str(where[named]), "This part of the card is not in its form."))


# --- keys together ---------------------------------------------------------------------------------------------


def _service(document: Mapping[str, Any], sandbox: bool) -> Iterator[Fault]:
    url, token = document.get("webServiceURL"), document.get("authenticationToken")
    if document.get("voided") and (url is not None or token is not None):
        yield Fault("voided", "A voided card must not name a web service, or the phone would go on asking for it.")
    if (token is None) != (url is None):
        yield Fault("webServiceURL", "The web service's address and the authentication token go together.")
    wrong = _web_service_fault(url, sandbox) if isinstance(url, str) else None
    if wrong is not None:
        yield Fault("webServiceURL", wrong)


@lru_cache(maxsize=256)
def _web_service_fault(url: str, sandbox: bool) -> str | None:
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return "The web service's address must be a whole address such as https://cards.example.com/apple."
    if parts.scheme != "https" and not (sandbox and parts.scheme == "http"):
        return "Phones call the web service over https only; use an https address."
    if parts.path.endswith("/"):
        return "The web service's address must not end with a slash: phones append /v1 to it."
    return None


def _encodings(barcodes: Any) -> Iterator[Fault]:
    for index, barcode in enumerate(barcodes if isinstance(barcodes, list) else ()):
        if not isinstance(barcode, dict) or barcode.get("messageEncoding") != "iso-8859-1":
            continue
        message = str(barcode.get("message", ""))
        if not message.isascii() and max(message) > "\xff":
            sentence = "The barcode's text does not fit iso-8859-1; its encoding must be utf-8."
            yield Fault(f"barcodes.{index}.messageEncoding", sentence)


def _style(style: Any) -> Iterator[Fault]:
    """What fields must agree on; whatever has the wrong form was named already."""
    if not isinstance(style, dict):
        return
    lists = {name: fields for name, fields in style.items() if isinstance(fields, list)}
    seen: set[str] = set()
    alerting = 0
    for name, fields in lists.items():
        for index, field in enumerate(fields):
            if not isinstance(field, dict):
                continue
            if field.get("key") in seen:
                sentence = f"Two fields of the card have the key '{field['key']}'; give each its own."
                yield Fault(f"storeCard.{name}.{index}.key", sentence)
            seen.add(str(field.get("key")))
            alerting += "changeMessage" in field
            if "numberStyle" in field or "currencyCode" in field:
                yield from _number(f"storeCard.{name}.{index}.", field)
    if len(lists.get("secondaryFields", ())) + len(lists.get("auxiliaryFields", ())) > _ROW_CAPACITY:
        sentence = f"Secondary and auxiliary fields share one row of {_ROW_CAPACITY}; the phone would hide the rest."
        yield Fault("storeCard", sentence)
    if alerting > 1:
        sentence = "Only one field may announce its change at a time; two make the phone show a text of its own."
        yield Fault("storeCard", sentence)


def _number(path: str, field: Mapping[str, Any]) -> Iterator[Fault]:
    if "numberStyle" in field and "currencyCode" in field:
        yield Fault(f"{path}currencyCode", "A field has either a currency or a way of writing numbers, not both.")
    if isinstance(field.get("value"), str):
        yield Fault(f"{path}value", "A field shown as a number or an amount must hold a number, not a text.")


def _files(files: Collection[str]) -> Iterator[Fault]:
    for name in ("icon.png", "icon@2x.png", "icon@3x.png"):
        if name not in files:
            yield Fault(name, "The icon is missing at this size; a phone refuses or blurs a card without it.")
    for name in files:
        if not _known_file(name):
            yield Fault(name, "A store card holds no such file; phones refuse a card with files they do not know.")


@lru_cache(maxsize=256)
def _known_file(name: str) -> bool:
    return _FILE.fullmatch(name) is not None
