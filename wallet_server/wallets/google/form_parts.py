"""Owns the form of the parts that classes and objects of Google Wallet share: texts, pictures, modules, codes, money.

Source: Google's discovery document walletobjects v1 for names and types; its prose, and the reference pages, for what
the document does not hold: ranges, numbers of items, one of several forms, addresses, lengths.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

MAX_PLACES = MAX_MESSAGES = MAX_TEXT_MODULES = 10
MAX_VALUE_ADDED = 15
MAX_LINKED = 50
MAX_LINKS = 50

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_OFFSET = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2}(:[0-9]{2})?)$")
_HOLDS = {
    "EAN_8": re.compile("[0-9]{7,8}"),
    "EAN_13": re.compile("[0-9]{12,13}"),
    "ITF_14": re.compile("[0-9]{14}"),
    "UPC_A": re.compile("[0-9]{11,12}"),
    "CODE_39": re.compile(r"[0-9A-Z .$/+%-]+"),
    "CODABAR": re.compile(r"[A-Da-d]?[0-9$:/.+-]+[A-Da-d]?"),
}


def _require(right: object) -> None:
    if not right:
        raise ValueError


def one_form(found: Any) -> Any:
    """Exactly one of several forms."""
    _require(len(found) == 1)
    return found


def _int64(text: str) -> str:
    _require(-(2**63) <= int(text) < 2**63)
    return text


def _one_source(found: Any) -> Any:
    _require(("sourceUri" in found) is not ("privateImageId" in found))
    return found


def _each_once(found: Any) -> Any:
    """No language has two texts."""
    said = found.get("translatedValues", ())
    _require(len({found["defaultValue"]["language"], *(one["language"] for one in said)}) == 1 + len(said))
    return found


def _in_order(found: Any) -> Any:
    start, end = (found.get(name, {}).get("date", "") for name in ("start", "end"))
    if start and end:
        _require(bool(_OFFSET.search(start)) is bool(_OFFSET.search(end)))
        _require(start[-6:] != end[-6:] or start < end)
    return found


def _ends(found: Any) -> Any:
    _require("end" in found)
    return found


def _holds(found: Any) -> Any:
    form = _HOLDS.get(found["type"])
    _require(form is None or form.fullmatch(found["value"]))
    _require(found["type"] != "TEXT_ONLY" or "alternateText" not in found)
    return found


def _rotates(pattern: str) -> str:
    _require("{totp_value_0}" in pattern)
    return pattern


Filled = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(pattern=r"^[0-9]{1,30}\.[A-Za-z0-9._-]{1,200}$")]
ModuleId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
Colour = Annotated[str, Field(pattern=r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")]
Https = Annotated[str, Field(pattern=r"^https://[A-Za-z0-9\[][!#-;=?-~]*$")]
Link = Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9\[]|tel:|mailto:|geo:)[!#-;=?-~]+$")]
Date = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]"
        r"(:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"
    ),
]
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Int64 = Annotated[str, Field(pattern=r"^-?[0-9]{1,19}$"), AfterValidator(_int64)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


@with_config(STRICT)
class Said(TypedDict):
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
    value: Filled


@with_config(STRICT)
class Texts(TypedDict, total=False):
    defaultValue: Required[Said]
    translatedValues: Annotated[list[Said], Field(max_length=100)]


Localized = Annotated[Texts, AfterValidator(_each_once)]


@with_config(STRICT)
class Short(TypedDict):
    language: str
    value: Annotated[str, Field(min_length=1, max_length=60)]


@with_config(STRICT)
class Header(TypedDict, total=False):
    """The header of a value-added module: cut after 60 characters."""

    defaultValue: Required[Short]
    translatedValues: list[Short]


@with_config(STRICT)
class ImageUri(TypedDict):
    uri: Https


@with_config(STRICT)
class ImageParts(TypedDict, total=False):
    sourceUri: ImageUri
    privateImageId: Filled
    contentDescription: Localized


Image = Annotated[ImageParts, AfterValidator(_one_source)]


@with_config(STRICT)
class DateTime(TypedDict):
    date: Date


@with_config(STRICT)
class Span(TypedDict, total=False):
    start: DateTime
    end: DateTime


Interval = Annotated[Span, AfterValidator(_in_order)]


@with_config(STRICT)
class Message(TypedDict, total=False):
    """A message on an object or a class."""

    id: Required[ModuleId]
    header: Required[Filled]
    body: Required[Filled]
    localizedHeader: Localized
    localizedBody: Localized
    messageType: Required[Literal["TEXT", "TEXT_AND_NOTIFY"]]
    displayInterval: Required[Annotated[Interval, AfterValidator(_ends)]]


@with_config(STRICT)
class TextModule(TypedDict, total=False):
    id: Required[ModuleId]
    header: Filled
    body: Filled
    localizedHeader: Localized
    localizedBody: Localized


@with_config(STRICT)
class Uri(TypedDict, total=False):
    uri: Required[Link]
    description: Filled
    localizedDescription: Localized
    id: ModuleId


@with_config(STRICT)
class Links(TypedDict):
    uris: Annotated[list[Uri], Field(min_length=1, max_length=MAX_LINKS)]


@with_config(STRICT)
class ImageModule(TypedDict):
    id: ModuleId
    mainImage: Image


@with_config(STRICT)
class ValueAdded(TypedDict, total=False):
    header: Required[Header]
    body: Localized
    image: Image
    uri: Required[Https]
    sortIndex: Int32


@with_config(STRICT)
class TargetUri(TypedDict):
    uri: Https
    description: Filled


@with_config(STRICT)
class Target(TypedDict, total=False):
    packageName: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$")]
    targetUri: TargetUri


@with_config(STRICT)
class AppInfo(TypedDict):
    appTarget: Target


@with_config(STRICT)
class AppLink(TypedDict, total=False):
    androidAppLinkInfo: AppInfo
    webAppLinkInfo: AppInfo
    displayText: Localized


@with_config(STRICT)
class Place(TypedDict):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


@with_config(STRICT)
class Money(TypedDict):
    currencyCode: Currency
    micros: Int64


@with_config(STRICT)
class BalanceParts(TypedDict, total=False):
    string: Filled
    int: Int32
    double: float
    money: Money


@with_config(STRICT)
class Points(TypedDict, total=False):
    label: Filled
    localizedLabel: Localized
    balance: Required[Annotated[BalanceParts, AfterValidator(one_form)]]


@with_config(STRICT)
class BarcodeParts(TypedDict, total=False):
    type: Required[
        Literal[
            "AZTEC", "CODE_39", "CODE_128", "CODABAR", "DATA_MATRIX", "EAN_8", "EAN_13", "ITF_14", "PDF_417",
            "QR_CODE", "UPC_A", "TEXT_ONLY",
        ]
    ]  # fmt: skip
    value: Required[Filled]
    alternateText: Filled
    renderEncoding: Literal["UTF_8"]


Barcode = Annotated[BarcodeParts, AfterValidator(_holds)]


@with_config(STRICT)
class TotpParameter(TypedDict):
    key: Annotated[str, Field(pattern="^([0-9a-fA-F]{2}){10,64}$")]
    valueLength: Annotated[int, Field(ge=6, le=8)]


@with_config(STRICT)
class Totp(TypedDict):
    algorithm: Literal["TOTP_SHA1"]
    periodMillis: Annotated[Int64, Field(pattern="^[1-9]")]
    parameters: Annotated[list[TotpParameter], Field(min_length=1, max_length=5)]


@with_config(STRICT)
class Rotating(TypedDict, total=False):
    type: Required[Literal["QR_CODE", "PDF_417"]]
    valuePattern: Required[Annotated[str, AfterValidator(_rotates)]]
    totpDetails: Required[Totp]
    alternateText: Filled


@with_config(STRICT)
class Grouping(TypedDict, total=False):
    groupingId: Required[Filled]
    sortIndex: Int32


@with_config(STRICT)
class Constraints(TypedDict):
    screenshotEligibility: Literal["ELIGIBLE", "INELIGIBLE"]
