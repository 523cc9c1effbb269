"""Owns the shape of a programme document: which fields there are, of which type and size.

What one field says about another is in `program_checks`; what comes out of it is `program.Programme`.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from wallet_server.errors import Fault
from wallet_server.rules.addresses import is_web_address
from wallet_server.rules.card import ActionKind

MAX_RULES = 20
MAX_LEVELS = 12
MAX_CURRENCIES = 8
MAX_BENEFITS = 10
MAX_CATEGORIES = 200
MAX_REWARDS = 20
MAX_INTERVAL_MINUTES = 31 * 24 * 60
MAX_UNITS = 1_000_000_000
MAX_THRESHOLD = 2**53 - 1
MAX_BEACONS = 10
MAX_ACTIONS = 2
MAX_VALID_DAYS = 3660

_CODE = "^[a-z][a-z0-9_-]{0,31}$"
_COLOUR = "^#[0-9a-fA-F]{6}$"
_ISO = "^[A-Z]{3}$"
_SHA256 = "^[0-9a-f]{64}$"
_UUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"

_PATTERN_SENTENCES = {
    _CODE: "Write a short code: a small letter, then small letters, digits, - or _, at most 32 in all.",
    _COLOUR: "Write a colour as # and six hexadecimal digits, such as #12372a.",
    _SHA256: "Write the 64 small hexadecimal digits under which the picture is kept.",
    _ISO: "Write the three capital letters of the currency (ISO 4217), such as EUR.",
    _UUID: "Write the identifier of the beacon: 32 hexadecimal digits as 8-4-4-4-12.",
    _CLOCK: "Write a time of day as HH:MM, such as 21:00.",
}

_SENTENCES = {
    "missing": "This is missing; add it.",
    "extra_forbidden": "There is no such field; check its spelling or remove it.",
    "int_type": "Write a whole number.",
    "int_parsing_size": "This number is too large.",
    "string_type": "Write a text.",
    "string_unicode": "This text holds characters that are not valid Unicode.",
    "bool_type": "Write true or false.",
    "list_type": "Write a list.",
    "dict_type": "Write a table of names and values.",
    "model_type": "Write a table of names and values.",
    "model_attributes_type": "Write a table of names and values.",
    "greater_than_equal": "Write a number of at least {ge}.",
    "less_than_equal": "Write a number of at most {le}.",
    "string_too_short": "Write at least one character.",
    "string_too_long": "Use at most {max_length} characters.",
    "too_short": "At least {min_length} is needed here.",
    "too_long": "At most {max_length} are possible here.",
    "literal_error": "Write one of: {expected}.",
}


def _one_line(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Write something; this text is blank.")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise PydanticCustomError("control", "Keep the text on one line, without tabs or control characters.")
    return text


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise PydanticCustomError("web_address", "Write a whole web address that begins with https://.")
    return _one_line(text)


Code = Annotated[str, Field(pattern=_CODE)]
Colour = Annotated[str, Field(pattern=_COLOUR)]
Iso = Annotated[str, Field(pattern=_ISO)]
Clock = Annotated[str, Field(pattern=_CLOCK)]
Word = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_one_line)]
Title = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_one_line)]
Sentence = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Terms = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_one_line)]
Category = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
Sku = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_one_line)]
Asset = Annotated[str, Field(pattern=_SHA256)]
Address = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_web_address)]
Language = Literal["fr", "en"]
Months = Annotated[int, Field(ge=1, le=120)]
Metres = Annotated[int, Field(ge=1, le=20_100_000)]
Exponent = Annotated[int, Field(ge=0, le=4)]
Units = Annotated[int, Field(ge=1, le=MAX_UNITS)]


# SubjectPublicKeyInfo of a key on the curve P-256 (RFC 5480), whole or compressed: what stands before the point.
_P256 = (
    (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91),
    (bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d03010703220002"), 59),
    (bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d03010703220003"), 59),
)


def _p256(text: str) -> str:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not any(key.startswith(front) and len(key) == size for front, size in _P256):
        sentence = "Write the public key of your reader (P-256) as one line of Base64, without its first and last line."
        raise PydanticCustomError("p256", sentence)
    return text


PublicKey = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_p256)]
Uuid = Annotated[str, Field(pattern=_UUID)]
Short = Annotated[int, Field(ge=0, le=65_535)]
Link = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_one_line)]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class MoneyShape(_Shape):
    """The money of the tills: ISO 4217 code and number of decimals."""

    iso: Iso
    exponent: Exponent


class DesignShape(_Shape):
    """The pass design and the version of it that the cards keep until this document names another."""

    id: Code
    version: Annotated[int, Field(ge=1, le=MAX_UNITS)]


class PaletteShape(_Shape):
    """Three colours as #rrggbb."""

    background: Colour
    foreground: Colour
    label: Colour


class PluralShape(_Shape):
    """The noun for one and for several; `feminine` matters in French alone."""

    one: Word
    other: Word
    feminine: bool = False


class CurrencyShape(_Shape):
    """Something members collect. `iso` and `exponent` are for kind money alone."""

    code: Code
    kind: Literal["points", "stamps", "money"]
    names: dict[str, PluralShape]
    spendable: bool = True
    expires_after_months: Months | None = None
    iso: Iso | None = None
    exponent: Exponent | None = None


class PerShape(_Shape):
    """So many units of the currency for every so many minor units of money, in exact proportion."""

    amount_minor: Units
    points: Units


class VisitShape(_Shape):
    """So many units for each sale of `minimum_minor` or more, `interval_minutes` away from the last that counted."""

    units: Units
    minimum_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    interval_minutes: Annotated[int, Field(ge=0, le=MAX_INTERVAL_MINUTES)] = 0


class ItemShape(_Shape):
    """So many units for each whole piece of the goods named; with neither categories nor skus, of all goods."""

    units: Units
    categories: Annotated[list[Category], Field(max_length=MAX_CATEGORIES)] = []
    skus: Annotated[list[Sku], Field(max_length=MAX_CATEGORIES)] = []


class EarnShape(_Shape):
    """One way to earn: exactly one of `per`, `visit` and `item`; `rounding` and `scope` belong to `per`."""

    id: Code
    currency: Code
    per: PerShape | None = None
    visit: VisitShape | None = None
    item: ItemShape | None = None
    rounding: Literal["down", "up", "half_up", "half_even"] = "down"
    scope: Literal["basket", "line"] = "basket"
    excluded_categories: Annotated[list[Category], Field(max_length=MAX_CATEGORIES)] = []


class LevelShape(_Shape):
    """One tier: reached from `threshold` units of the ladder's currency on."""

    code: Code
    threshold: Annotated[int, Field(ge=0, le=MAX_THRESHOLD)]
    names: dict[str, Word]
    palette: PaletteShape | None = None
    benefits: Annotated[list[dict[str, Sentence]], Field(max_length=MAX_BENEFITS)] = []


class TiersShape(_Shape):
    """The ladder of tiers, lowest first."""

    currency: Code
    levels: Annotated[list[LevelShape], Field(min_length=1, max_length=MAX_LEVELS)]


class AmountShape(_Shape):
    """So many units of one currency."""

    currency: Code
    amount: Units


class CouponShape(_Shape):
    """A coupon: what it is good for, on what terms, for how many days; `value_minor` what it is worth at the till."""

    title: dict[str, Title]
    terms: dict[str, Terms]
    valid_days: Annotated[int, Field(ge=1, le=MAX_VALID_DAYS)] | None = None
    value_minor: Units | None = None


class WelcomeShape(_Shape):
    """What a new member gets: so many units of one currency, a coupon, or both."""

    currency: Code | None = None
    amount: Units | None = None
    coupon: CouponShape | None = None


class RewardShape(_Shape):
    """What members get for their units; `names` with their article ("un café"), `value_minor` what it is worth."""

    code: Code
    names: dict[str, Title]
    cost: AmountShape
    value_minor: Units | None = None


class BrandingShape(_Shape):
    """The merchant's own pictures, each named by the SHA-256 of its bytes."""

    logo: Asset | None = None


class LinksShape(_Shape):
    """Web addresses of the merchant."""

    website: Address | None = None


class QuietShape(_Shape):
    """Hours in which no announcement is sent, in the zone of the member's store."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")


class AnnounceShape(_Shape):
    """How often, and when, members may be told something."""

    per_day: Annotated[int, Field(ge=0, le=10)] = 1
    per_week: Annotated[int, Field(ge=0, le=50)] = 3
    quiet: QuietShape | None = QuietShape(**{"from": "21:00", "to": "09:00"})


class ActionShape(_Shape):
    """A button under the card on phones with iOS 27; `kind` in Apple's words, `link` where it leads."""

    kind: ActionKind
    link: Link


class BeaconShape(_Shape):
    """A radio beacon near which the phone brings the card forward, with what it says there."""

    uuid: Uuid
    major: Short | None = None
    minor: Short | None = None
    texts: dict[str, Sentence]


class NfcShape(_Shape):
    """The public key of the merchant's readers, and whether the phone must be unlocked first."""

    public_key: PublicKey
    needs_unlocking: bool = False


class AppShape(_Shape):
    """The merchant's app: its number in the App Store, and the address that it is opened with."""

    store_id: Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]
    launch_link: Link | None = None


class AppleShape(_Shape):
    """What only Apple Wallet has."""

    actions: Annotated[list[ActionShape], Field(max_length=MAX_ACTIONS)] = []
    beacons: Annotated[list[BeaconShape], Field(max_length=MAX_BEACONS)] = []
    nfc: NfcShape | None = None
    app: AppShape | None = None


class ProgrammeShape(_Shape):
    """A programme document, format 1."""

    format: Literal[1]
    organisation: Title
    languages: Annotated[list[Language], Field(min_length=1, max_length=10)]
    money: MoneyShape
    design: DesignShape
    palette: PaletteShape
    description: dict[str, Sentence]
    currencies: Annotated[list[CurrencyShape], Field(min_length=1, max_length=MAX_CURRENCIES)]
    balance_currency: Code
    earn: Annotated[list[EarnShape], Field(max_length=MAX_RULES)]
    tiers: TiersShape | None = None
    rewards: Annotated[list[RewardShape], Field(max_length=MAX_REWARDS)] = []
    welcome: WelcomeShape | None = None
    branding: BrandingShape = BrandingShape()
    links: LinksShape = LinksShape()
    announce: AnnounceShape = AnnounceShape()
    useful_distance_metres: Metres = 50_000
    max_distance_metres: Metres | None = None
    apple: AppleShape = AppleShape()


def shape_faults(refusal: ValidationError) -> list[Fault]:
    """Every fault of a refused shape, each with its path and a sentence that says what to write instead."""
    return [
        Fault(".".join(str(step) for step in error["loc"] if step != "[key]") or "document", _sentence(error))
        for error in refusal.errors(include_url=False)
    ]


def _sentence(error: ErrorDetails) -> str:
    facts = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return _PATTERN_SENTENCES[str(facts["pattern"])]
    known = _SENTENCES.get(error["type"])
    return known.format(**facts) if known else error["msg"]
