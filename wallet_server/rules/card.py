"""Owns the neutral Card: what a member's card says, in every language, before any wallet's own form.

A Card holds no secret: the code a till scans, the serial number and the authentication token travel beside it,
in `wallets.port.Identity`. The fingerprint of a Card therefore never depends on a secret or on a template's bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
    """What the member owns of one currency, in its smallest unit; `label` is the currency's plural name."""

    key: str
    label: Texts
    value: int


@dataclass(frozen=True)
class Tier:
    """The status shown on the card."""

    code: str
    label: Texts
    name: Texts


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
class Alert:
    """The one facet that may raise an alert in this version; `message` holds `%@` where the new value goes."""

    facet: Facet
    message: Texts


@dataclass(frozen=True)
class Card:
    """A member's card at one instant. At most ten places, nearest first. `logo` is the SHA-256 of the picture that
    takes the place of the design's own."""

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

    def fingerprint(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the card; equal cards have equal fingerprints in every process."""
        return fingerprint_of(card_to_json(self))


_LATER = ("stamps", "logo")
"""Parts that came after the first cards were published: left out where there are none, so that an update of the
product changes no card by itself."""


def card_to_json(card: Card) -> str:
    """Canonical JSON of a card: sorted keys, no spaces, so that equal cards are equal texts."""
    raw = {name: part for name, part in vars(card).items() if part is not None or name not in _LATER}
    return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=vars)


def fingerprint_of(text: str) -> str:
    """The fingerprint of a card whose canonical JSON this is."""
    return hashlib.sha256(text.encode()).hexdigest()


def card_from_json(text: str) -> Card:
    """Inverse of `card_to_json`."""
    raw = json.loads(text)

    def maybe(kind: Any, value: Any) -> Any:
        return None if value is None else kind(**value)

    return Card(
        **{
            **raw,
            "languages": tuple(raw["languages"]),
            "palette": Palette(**raw["palette"]),
            "balance": Balance(**raw["balance"]),
            "tier": maybe(Tier, raw["tier"]),
            "gauge": maybe(Gauge, raw["gauge"]),
            "stamps": maybe(Stamps, raw.get("stamps")),
            "news": maybe(News, raw["news"]),
            "details": tuple(Detail(**d) for d in raw["details"]),
            "places": tuple(Place(**p) for p in raw["places"]),
        }
    )
