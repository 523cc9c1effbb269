"""Owns the types that a programme document is written in, and the sentences for what does not fit them."""

from __future__ import annotations

import base64
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from wallet_server.errors import Fault
from wallet_server.rules.addresses import is_web_address

MAX_RULES = 20
MAX_LEVELS = 12
MAX_DEALS = 20
MAX_MULTIPLIERS = 20
MAX_CONVERSIONS = 5
MAX_NEEDS = 12
MAX_MINUTES = 31 * 24 * 60
MAX_WAITING_DAYS = 366
MAX_CURRENCIES = 8
MAX_BENEFITS = 10
MAX_CATEGORIES = 200
MAX_REWARDS = 20
MAX_INTERVAL_MINUTES = 31 * 24 * 60
MAX_CLAIM_DAYS = 366
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
_EVENT = "^[a-z][a-z0-9_]{0,39}$"
_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
WINDOW = "^(ever|rolling-[1-9][0-9]{0,3}-(days|months)|calendar-(year|quarter|month)|anniversary-year)$"
METRIC = (
    "^(spend|orders|visits|pot|tenure_days|referrals|(earned|balance):[a-z][a-z0-9_-]{0,31}"
    "|events:[a-z][a-z0-9_]{0,39})$"
)
REVIEW = "^(at-once|calendar-year|anniversary|days-[1-9][0-9]{0,3})$"

_PATTERN_SENTENCES = {
    _CODE: "Write a short code: a small letter, then small letters, digits, - or _, at most 32 in all.",
    _COLOUR: "Write a colour as # and six hexadecimal digits, such as #12372a.",
    _SHA256: "Write the 64 small hexadecimal digits under which the picture is kept.",
    _ISO: "Write the three capital letters of the currency (ISO 4217), such as EUR.",
    _UUID: "Write the identifier of the beacon: 32 hexadecimal digits as 8-4-4-4-12.",
    _CLOCK: "Write a time of day as HH:MM, such as 21:00.",
    _EVENT: "Write the name of an event: a small letter, then small letters, digits or _, at most 40 in all.",
    WINDOW: "Write ever, rolling-90-days, rolling-12-months, calendar-year, calendar-quarter, calendar-month or "
    "anniversary-year.",
    METRIC: "Write spend, orders, visits, pot, tenure_days, referrals, earned:CURRENCY, balance:CURRENCY or "
    "events:NAME.",
    REVIEW: "Write at-once, calendar-year, anniversary, or a number of days such as days-365.",
}

BLANK = "Write something; this text is blank."
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
        raise PydanticCustomError("blank", BLANK)
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise PydanticCustomError("control", "Keep the text on one line, without tabs or control characters.")
    return text


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise PydanticCustomError("day", "Write a day as YYYY-MM-DD, such as 2026-12-24.")


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise PydanticCustomError("web_address", "Write a whole web address that begins with https://.")
    return _one_line(text)


Code = Annotated[str, Field(pattern=_CODE)]
Colour = Annotated[str, Field(pattern=_COLOUR)]
Iso = Annotated[str, Field(pattern=_ISO)]
Clock = Annotated[str, Field(pattern=_CLOCK)]
Day = Annotated[str, AfterValidator(_day)]
Formula = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_one_line)]
"""A condition in CEL; what it may say is judged by `conditions`."""
EventName = Annotated[str, Field(pattern=_EVENT)]
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


class Shape(BaseModel):
    """A part of a document: strict, nothing unknown."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


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
