"""Owns the neutral Card: what a member's card says, in every language, before any wallet's own form.

A Card holds no secret: the code a till scans, the serial number and the authentication token travel beside it,
in `wallets.port.Identity`. The fingerprint of a Card therefore never depends on a secret or on a template's bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import orjson

T = TypeVar("T")
Texts = Mapping[str, str]
"""Language tag (`fr`, `en`) to text. Every mapping of one card has the same languages; the first is the default."""

Facet = Literal["points", "tier", "news"]
"""The three parts of a card that may raise an alert on a phone, one at a time."""

ALERT_ORDER: tuple[Facet, ...] = ("points", "tier", "news")
"""The written order: when several facets change at once, the earlier goes first and the later waits for a version
of its own. Points come first because someone at the counter is looking at the phone; news come last because a
phone that missed the versions between still alerts for the last one, so no text is lost."""


@dataclass(frozen=True)
class Palette:
    """Colours as `#rrggbb`."""

    background: str
    foreground: str
    label: str


@dataclass(frozen=True)
class Balance:
    """What the member owns of one currency, in its smallest unit; `label` is the currency's plural name. Money has an
    ISO 4217 code and the number of its decimals; anything else has none."""

    key: str
    label: Texts
    value: int
    iso: str | None = None
    exponent: int = 0


@dataclass(frozen=True)
class Tier:
    """The status shown on the card; `short` is for places that would cut the name."""

    code: str
    label: Texts
    name: Texts
    short: Texts | None = None


@dataclass(frozen=True)
class Gauge:
    """Progress towards the next tier: `percent` from 0 to 100 (whole percents, rounded down, so that 100 means
    reached), `sentence` says what is missing in words, `value` and `goal` in units of the tier's currency."""

    percent: int
    value: int
    goal: int
    label: Texts
    sentence: Texts


@dataclass(frozen=True)
class Stamps:
    """A stamp card: `filled` of `total` boxes, and how often a full card waits to be redeemed (`ready`).

    `label` is the promise ("10 stamps = a free coffee (worth €2.50)"), `sentence` what comes next. A full card stays
    full until the next stamp begins a new one.
    """

    filled: int
    total: int
    ready: int
    label: Texts
    sentence: Texts


@dataclass(frozen=True)
class News:
    """The latest announcement shown on the card."""

    label: Texts
    text: Texts


@dataclass(frozen=True)
class Detail:
    """One entry on the back of the card. `link` is an absolute https address that the text stands for."""

    key: str
    label: Texts
    text: Texts
    link: str | None = None


@dataclass(frozen=True)
class Place:
    """A place at which the phone may bring the card forward; degrees (WGS 84) and the text shown there."""

    latitude: float
    longitude: float
    text: Texts


@dataclass(frozen=True)
class Offer:
    """What a coupon is good for: `title` in large letters, `terms` in a sentence; `until` is the last instant at which
    it can be used (ISO 8601, UTC with Z, to the second), None where it does not run out."""

    title: Texts
    terms: Texts
    until: str | None = None


@dataclass(frozen=True)
class Event:
    """What a ticket lets its holder into. Instants as in `Offer.until`; `zone` is the IANA name of the venue's time
    zone, `entry` the door, the row or the seat in words."""

    name: Texts
    venue: Texts
    starts_at: str
    ends_at: str | None
    zone: str
    entry: Texts | None = None


@dataclass(frozen=True)
class Beacon:
    """A radio beacon near which the phone may bring the card forward: `uuid` in capitals with dashes, `major` and
    `minor` from 0 to 65535 or None for any."""

    uuid: str
    major: int | None
    minor: int | None
    text: Texts


ActionKind = Literal[
    "viewOffersRewards",
    "membershipBenefits",
    "addToBalance",
    "order",
    "shop",
    "call",
    "bookAppointment",
    "viewSchedule",
    "watchTrailer",
    "listenToMusic",
    "bookCar",
    "bookFlight",
    "bookStay",
    "place",
]
"""Apple's words for the actions that a card may offer at a tap (iOS 27); for a loyalty card best the first five."""

ACTION_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)


@dataclass(frozen=True)
class Action:
    """A button under the card. `link` is an absolute https address, a tel: address for `call`, and the identifier of
    the place in Apple Maps for `place`."""

    kind: ActionKind
    link: str


@dataclass(frozen=True)
class Nfc:
    """The card can be held to a reader, which then reads the code. `public_key`: a P-256 key as base64 of its
    SubjectPublicKeyInfo. A phone opens such a card only if Apple granted its certificate the right to NFC."""

    public_key: str
    needs_unlocking: bool


@dataclass(frozen=True)
class App:
    """The merchant's own app: its number in the App Store, and the address that it is opened with."""

    store_id: int
    launch_link: str | None = None


@dataclass(frozen=True)
class AndroidApp:
    """The merchant's own app for Android: its package, and the https address that it opens, else its own front."""

    package: str
    link: str | None = None


Kind = Literal["card", "coupon", "ticket"]
Barcode = Literal["qr", "aztec", "pdf417", "code128"]
"""Symbols that every phone draws; of one line of bars only the last."""


@dataclass(frozen=True)
class Alert:
    """The one facet that may raise an alert in this version; `message` holds `%@` where the new value goes."""

    facet: Facet
    message: Texts


@dataclass(frozen=True)
class Card:
    """A member's card at one instant. At most ten places, nearest first. `logo` is the SHA-256 of the picture that
    takes the place of the design's own; `expires_at` the instant from which on the phone greys it, as `Offer.until`. At
    most two actions and ten beacons. `rotating`: where a wallet can, the code changes every thirty seconds.
    `valid_from` is the instant from which a coupon can be used. `barcode` takes the place of the design's formats."""

    languages: tuple[str, ...]
    organisation: str
    description: Texts
    design: str
    design_version: int
    palette: Palette
    balance: Balance
    tier: Tier | None
    gauge: Gauge | None
    news: News | None
    details: tuple[Detail, ...]
    places: tuple[Place, ...]
    max_distance_metres: int | None
    code_issue: int
    voided: bool = False
    stamps: Stamps | None = None
    logo: str | None = None
    kind: Kind = "card"
    expires_at: str | None = None
    offer: Offer | None = None
    event: Event | None = None
    beacons: tuple[Beacon, ...] = ()
    actions: tuple[Action, ...] = ()
    nfc: Nfc | None = None
    app: App | None = None
    android: AndroidApp | None = None
    rotating: bool = False
    valid_from: str | None = None
    barcode: Barcode | None = None

    def fingerprint(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the card; equal cards have equal fingerprints in every process."""
        return fingerprint_of(card_to_json(self))


_LATER: Mapping[str, Any] = {
    "stamps": None,
    "logo": None,
    "kind": "card",
    "expires_at": None,
    "offer": None,
    "event": None,
    "beacons": (),
    "actions": (),
    "nfc": None,
    "app": None,
    "android": None,
    "rotating": False,
    "valid_from": None,
    "barcode": None,
}
"""Parts that came after the first cards were published: left out where there are none, so that an update of the
product changes no card by itself."""

_ABSENT = object()


def card_to_json(card: Card) -> str:
    """Canonical JSON of a card: sorted keys, no spaces, so that equal cards are equal texts."""
    raw = {name: part for name, part in vars(card).items() if part != _LATER.get(name, _ABSENT)}
    try:
        return orjson.dumps(raw, default=_part, option=_CANONICAL).decode()
    except TypeError:  # a number beyond 64 bits or half of a pair, which the rules of a wallet name
        return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_part)


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _part(part: Any) -> dict[str, Any]:
    """One part of a card. What is not money has neither code nor decimals, as balances had none at first, and a tier
    only has a short name where one was written."""
    raw: dict[str, Any] = vars(part)
    if type(part) is Balance and part.iso is None and not part.exponent:
        return {"key": part.key, "label": part.label, "value": part.value}
    if type(part) is Tier and part.short is None:
        return {"code": part.code, "label": part.label, "name": part.name}
    return raw


def fingerprint_of(text: str) -> str:
    """The fingerprint of a card whose canonical JSON this is."""
    return hashlib.sha256(text.encode()).hexdigest()


def card_from_json(text: str) -> Card:
    """Inverse of `card_to_json`."""
    raw = orjson.loads(text)
    for name, kind in _PARTS.items():
        if raw.get(name) is not None:
            raw[name] = _of(kind, raw[name])
    for name, kind in _LISTS.items():
        raw[name] = tuple([_of(kind, one) for one in raw.get(name, ())])
    raw["languages"] = tuple(raw["languages"])
    return _of(Card, raw)


def altered(card: Card, **parts: Any) -> Card:
    """As `dataclasses.replace`, which sets all parts of a card one by one."""
    return _of(Card, {**vars(card), **parts})


def _of(kind: type[T], parts: Mapping[str, Any]) -> T:
    """One of these with the parts that were stored. A thousand phones that come back have a card read each: to set a
    dozen parts one by one, as a frozen class is made, costs as much as to read the text."""
    one = object.__new__(kind)
    vars(one).update(parts)
    return one


_PARTS: Mapping[str, Any] = {
    "palette": Palette,
    "balance": Balance,
    "tier": Tier,
    "gauge": Gauge,
    "stamps": Stamps,
    "news": News,
    "offer": Offer,
    "event": Event,
    "nfc": Nfc,
    "app": App,
    "android": AndroidApp,
}
_LISTS: Mapping[str, Any] = {"details": Detail, "places": Place, "beacons": Beacon, "actions": Action}
