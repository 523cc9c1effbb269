"""Owns the form of every key of pass.json by itself: one declaration for each style, checked in compiled code.

Sources: developer.apple.com/documentation/walletpasses (Pass, PassFields, PassFieldContent, Barcode, Beacon, NFC,
SemanticTags), and Apple's open-source pass builder for what iOS 27 added (posterGeneric, featuredActions, four
barcode formats). What several keys must agree on is `together.py`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, Required

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from wallet_server.rules.characters import blank

MAX_PLACES = 10
MAX_BEACONS = 10
MAX_ACTIONS = 2
MIN_TOKEN_CHARACTERS = 16
MAX_NFC_BYTES = 64
MAX_JSON_INTEGER = 2**53 - 1
MAX_BACK_FIELDS = 100
POSTER = "posterGeneric"

_HREF = r"(https?://[A-Za-z0-9\[][!#-;=?-~]*|(tel|mailto):[!#-;=?-~]+)"
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


@lru_cache(maxsize=1024)
def instant(text: str) -> datetime | None:
    """The instant that a phone reads here; None for what it shows as mere text: a date needs time and zone."""
    if not _ISO.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def is_p256(encoded: str) -> bool:
    """Whether this is the Base64 body of a public key on the curve P-256 (X.509 SubjectPublicKeyInfo), as Apple's
    contactless readers use it. Reading a key costs more than the rest of a pass, so it is remembered."""
    try:
        key = load_der_public_key(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _require(right: object) -> None:
    if not right:
        raise ValueError


def _where(right: Callable[[str], object]) -> AfterValidator:
    """Of a text for which this holds."""

    def checked(text: str) -> str:
        _require(right(text))
        return text

    return AfterValidator(checked)


def _with_one_value(message: str) -> str:
    _require(message.count("%@") == 1)
    return message


def _short(message: str) -> str:
    _require(0 < len(message.encode("utf-8")) <= MAX_NFC_BYTES)
    return message


_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_Colour = Annotated[str, Field(pattern=rf"^rgb\( *{_BYTE} *, *{_BYTE} *, *{_BYTE} *\)$")]
_Filled = Annotated[str, Field(pattern=r"\S"), _where(lambda text: not blank(text))]
_Limited = Field(ge=-MAX_JSON_INTEGER, le=MAX_JSON_INTEGER)
_Value = Annotated[str | Annotated[int, _Limited] | Annotated[float, _Limited], Field(union_mode="left_to_right")]
_Date = Annotated[str, _where(instant)]
_Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
_U16 = Annotated[int, Field(ge=0, le=65_535)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_AppId = Annotated[int, Field(gt=0, le=MAX_JSON_INTEGER)]
_DateStyle = Literal["PKDateStyleNone", "PKDateStyleShort", "PKDateStyleMedium", "PKDateStyleLong", "PKDateStyleFull"]


@with_config(_STRICT)
class _Amount(TypedDict, total=False):
    amount: Required[Annotated[str, Field(pattern=r"^-?[0-9]{1,16}(\.[0-9]{1,6})?$")]]
    currencyCode: Required[_Currency]


@with_config(_STRICT)
class _Point(TypedDict, total=False):
    latitude: Required[_Latitude]
    longitude: Required[_Longitude]


@with_config(_STRICT)
class _Wifi(TypedDict, total=False):
    ssid: Required[_Filled]
    password: Required[str]


@with_config(_STRICT)
class _Seat(TypedDict, total=False):
    seatSection: str
    seatRow: str
    seatNumber: str
    seatIdentifier: str
    seatType: str
    seatDescription: str


@with_config(_STRICT)
class _Semantics(TypedDict, total=False):
    """What a phone understands rather than shows. Flights and trains have tags of their own: no card here is one."""

    balance: _Amount
    totalPrice: _Amount
    wifiAccess: Annotated[list[_Wifi], Field(min_length=1, max_length=20)]
    eventName: _Filled
    eventType: Literal[
        "PKEventTypeGeneric", "PKEventTypeLivePerformance", "PKEventTypeMovie",
        "PKEventTypeSports", "PKEventTypeConference", "PKEventTypeConvention",
        "PKEventTypeWorkshop", "PKEventTypeSocialGathering",
    ]  # fmt: skip
    eventStartDate: _Date
    eventEndDate: _Date
    venueName: _Filled
    venueLocation: _Point
    venueEntrance: str
    venueRoom: str
    venueRegionName: str
    venuePhoneNumber: str
    venueDoorsOpenDate: _Date
    admissionLevel: str
    attendeeName: str
    entranceDescription: str
    genre: str
    performerNames: Annotated[list[_Filled], Field(min_length=1, max_length=50)]
    seats: Annotated[list[_Seat], Field(min_length=1, max_length=50)]
    silenceRequested: bool
    duration: Annotated[float, Field(gt=0, le=MAX_JSON_INTEGER)]


@with_config(_STRICT)
class _Field(TypedDict, total=False):
    key: Required[Annotated[str, Field(min_length=1)]]
    value: Required[_Value]
    label: str
    changeMessage: Annotated[str, AfterValidator(_with_one_value)]
    numberStyle: Literal[
        "PKNumberStyleDecimal", "PKNumberStylePercent", "PKNumberStyleScientific", "PKNumberStyleSpellOut"
    ]
    currencyCode: _Currency
    dateStyle: _DateStyle
    timeStyle: _DateStyle
    ignoresTimeZone: bool
    isRelative: bool
    semantics: _Semantics


@with_config(_STRICT)
class _AlignedField(_Field, total=False):
    """Apple allows no alignment on primary and back fields."""

    textAlignment: Literal[
        "PKTextAlignmentLeft", "PKTextAlignmentCenter", "PKTextAlignmentRight", "PKTextAlignmentNatural"
    ]


@with_config(_STRICT)
class _RowField(_AlignedField, total=False):
    """An event ticket alone has two rows of auxiliary fields."""

    row: Annotated[int, Field(ge=0, le=1)]


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


# An empty array has made phones refuse a whole card, so none may be there.
_Header = Annotated[list[_AlignedField], Field(min_length=1, max_length=3)]
_Primary = Annotated[list[_Field], Field(min_length=1, max_length=1)]
_Row = Annotated[list[_AlignedField], Field(min_length=1, max_length=4)]
_Back = Annotated[list[_BackField], Field(min_length=1, max_length=MAX_BACK_FIELDS)]


@with_config(_STRICT)
class _Slots(TypedDict, total=False):
    """Store card, coupon and generic. The first two have one row for secondary and auxiliary fields together."""

    headerFields: _Header
    primaryFields: _Primary
    secondaryFields: _Row
    auxiliaryFields: _Row
    backFields: _Back


@with_config(_STRICT)
class _EventSlots(TypedDict, total=False):
    headerFields: _Header
    primaryFields: _Primary
    secondaryFields: _Row
    auxiliaryFields: Annotated[list[_RowField], Field(min_length=1, max_length=8)]
    backFields: _Back


@with_config(_STRICT)
class _PosterSlots(TypedDict, total=False):
    """iOS 27 shows the first footer field alone, whatever the documentation says of two."""

    headerFields: _Header
    primaryFields: Annotated[list[_Field], Field(min_length=1, max_length=4)]
    footerFields: Annotated[list[_Field], Field(min_length=1, max_length=1)]
    backFields: _Back
    additionalInfoFields: Annotated[list[_Field], Field(min_length=1, max_length=MAX_BACK_FIELDS)]


@with_config(_STRICT)
class _Barcode(TypedDict, total=False):
    format: Required[
        Literal[
            "PKBarcodeFormatQR",
            "PKBarcodeFormatPDF417",
            "PKBarcodeFormatAztec",
            "PKBarcodeFormatCode128",
            "PKBarcodeFormatEAN13",
            "PKBarcodeFormatCode39",
            "PKBarcodeFormatCodabar",
            "PKBarcodeFormatI2of5",
        ]
    ]
    message: Required[Annotated[str, Field(min_length=1)]]
    messageEncoding: Required[Literal["iso-8859-1", "utf-8"]]
    altText: str


@with_config(_STRICT)
class _Place(TypedDict, total=False):
    latitude: Required[_Latitude]
    longitude: Required[_Longitude]
    altitude: float
    relevantText: str


@with_config(_STRICT)
class _Beacon(TypedDict, total=False):
    proximityUUID: Required[Annotated[str, Field(pattern="^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]]
    major: _U16
    minor: _U16
    relevantText: str


@with_config(_STRICT)
class _RelevantDate(TypedDict, total=False):
    date: _Date
    relevantDate: _Date
    startDate: _Date
    endDate: _Date


@with_config(_STRICT)
class _Nfc(TypedDict, total=False):
    encryptionPublicKey: Required[Annotated[str, _where(is_p256)]]
    message: Required[Annotated[str, AfterValidator(_short)]]
    requiresAuthentication: bool


@with_config(_STRICT)
class _Action(TypedDict, total=False):
    identifier: Required[_Filled]
    type: Required[
        Literal[
            "viewSchedule",
            "watchTrailer",
            "listenToMusic",
            "call",
            "place",
            "addToBalance",
            "order",
            "shop",
            "membershipBenefits",
            "bookAppointment",
            "bookCar",
            "bookFlight",
            "bookStay",
            "viewOffersRewards",
        ]
    ]
    url: str
    placeIdentifier: _Filled


@with_config(_STRICT)
class _Pass(TypedDict, total=False):
    formatVersion: Required[Annotated[int, Field(ge=1, le=1)]]
    passTypeIdentifier: Required[Annotated[str, Field(pattern=r"^pass(\.[A-Za-z0-9-]+)+$")]]
    teamIdentifier: Required[Annotated[str, Field(pattern="^[A-Z0-9]{10}$")]]
    serialNumber: Required[_Filled]
    organizationName: Required[_Filled]
    description: Required[_Filled]
    sharingProhibited: bool
    voided: bool
    expirationDate: _Date
    backgroundColor: _Colour
    foregroundColor: _Colour
    labelColor: _Colour
    logoText: str
    suppressStripShine: bool
    barcodes: Annotated[list[_Barcode], Field(min_length=1, max_length=8)]
    barcode: _Barcode
    locations: Annotated[list[_Place], Field(min_length=1, max_length=MAX_PLACES)]
    beacons: Annotated[list[_Beacon], Field(min_length=1, max_length=100)]
    maxDistance: Annotated[float, Field(gt=0, le=MAX_JSON_INTEGER)]
    nfc: _Nfc
    semantics: _Semantics
    featuredActions: Annotated[list[_Action], Field(min_length=1, max_length=MAX_ACTIONS)]
    associatedStoreIdentifiers: Annotated[list[_AppId], Field(min_length=1, max_length=20)]
    appLaunchURL: str
    userInfo: dict[str, Any] | list[Any] | str | int | float | bool | None
    webServiceURL: str
    authenticationToken: Annotated[str, Field(pattern=f"^[!-~]{{{MIN_TOKEN_CHARACTERS},}}$")]
    posterGeneric: _PosterSlots


@with_config(_STRICT)
class _StoreCardPass(_Pass, total=False):
    storeCard: Required[_Slots]


@with_config(_STRICT)
class _CouponPass(_Pass, total=False):
    coupon: Required[_Slots]


@with_config(_STRICT)
class _DatedPass(_Pass, total=False):
    """Phones bring these styles forward at a time too; a store card and a coupon at places only."""

    relevantDate: _Date
    relevantDates: Annotated[list[_RelevantDate], Field(min_length=1, max_length=10)]


@with_config(_STRICT)
class _GenericPass(_DatedPass, total=False):
    generic: Required[_Slots]


@with_config(_STRICT)
class _EventTicketPass(_DatedPass, total=False):
    eventTicket: Required[_EventSlots]
    groupingIdentifier: _Filled


_STYLES: dict[str, Any] = {
    "storeCard": _StoreCardPass,
    "coupon": _CouponPass,
    "eventTicket": _EventTicketPass,
    "generic": _GenericPass,
}
STYLES = tuple(_STYLES)
"""The classic styles; `posterGeneric` stands beside one of them."""


@cache
def check_of(style: str) -> Callable[[Any], object]:
    """Checks a document of this style; raises `pydantic.ValidationError` with everything at once. Compiled when the
    first pass of the style is made, and without the detour through Python that an adapter takes at every call."""
    return TypeAdapter(_STYLES[style]).validator.validate_python
