"""Owns the Programme: what a merchant promises its members, parsed strictly from a versioned document.

The written form is described in docs/programme.md. Rates are exact fractions; nothing here is a float.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from fractions import Fraction
from typing import Any, Literal

from pydantic import ValidationError

from wallet_server.errors import Fault, Invalid, NotFound
from wallet_server.rules.announcing import AnnouncePolicy, Limits, Quiet
from wallet_server.rules.card import Action, App, Beacon, Nfc, Palette, Texts
from wallet_server.rules.program_checks import address_faults, cross_faults
from wallet_server.rules.program_default import default_document
from wallet_server.rules.program_document import (
    AmountShape,
    AnnounceShape,
    AppleShape,
    CouponShape,
    CurrencyShape,
    EarnShape,
    PaletteShape,
    ProgrammeShape,
    TiersShape,
    WelcomeShape,
    shape_faults,
)

__all__ = [
    "Amount",
    "AppleParts",
    "Currency",
    "CurrencyKind",
    "EarnRule",
    "Item",
    "Ladder",
    "Level",
    "Money",
    "Per",
    "Plural",
    "Programme",
    "Promise",
    "Reward",
    "Rounding",
    "Scope",
    "Visit",
    "default_document",
    "document_schema",
    "fingerprint",
    "parse",
]

CurrencyKind = Literal["points", "stamps", "money"]
Rounding = Literal["down", "up", "half_up", "half_even"]
Scope = Literal["basket", "line"]


@dataclass(frozen=True)
class Money:
    """The money of the tills: ISO 4217 code, and how many decimals its major unit has."""

    iso: str
    exponent: int


@dataclass(frozen=True)
class Plural:
    """The noun of a currency for one and for several; `feminine` matters in French alone."""

    one: str
    other: str
    feminine: bool = False


@dataclass(frozen=True)
class Currency:
    """Something members collect. `iso` is None unless kind is money; a unit is its smallest unit.

    A currency that is not spendable (status) is earned and expires, but buys nothing.
    """

    code: str
    kind: CurrencyKind
    iso: str | None
    exponent: int
    names: Mapping[str, Plural]
    spendable: bool
    expires_after_months: int | None


@dataclass(frozen=True)
class Per:
    """`rate` is in units per minor unit of money, exact."""

    rate: Fraction
    rounding: Rounding
    scope: Scope


@dataclass(frozen=True)
class Visit:
    """`units` for each sale of at least `minimum_minor`; of sales less than `interval` apart the first alone counts."""

    units: int
    minimum_minor: int
    interval: timedelta


@dataclass(frozen=True)
class Item:
    """`units` for each whole piece of the goods of these categories or skus; without either, of all goods."""

    units: int
    categories: frozenset[str]
    skus: frozenset[str]


@dataclass(frozen=True)
class EarnRule:
    """One way to earn units of `currency`."""

    id: str
    currency: str
    way: Per | Visit | Item
    excluded_categories: frozenset[str]


@dataclass(frozen=True)
class Amount:
    """So many units of one currency."""

    currency: str
    units: int


@dataclass(frozen=True)
class Reward:
    """What members get for their units. `names` as the merchant wrote them, best with their article ("un café");
    `value_minor` is what it would cost them, in minor units of the programme's money."""

    code: str
    names: Texts
    cost: Amount
    value_minor: int | None


@dataclass(frozen=True)
class Promise:
    """A coupon that is promised: `valid_days` None for one that does not run out, `value_minor` as of a reward."""

    title: Texts
    terms: Texts
    valid_days: int | None
    value_minor: int | None


@dataclass(frozen=True)
class Level:
    """One tier, reached from `threshold` units of the ladder's currency on; `palette` None keeps the programme's."""

    code: str
    threshold: int
    names: Texts
    palette: Palette | None
    benefits: tuple[Texts, ...]


@dataclass(frozen=True)
class Ladder:
    """Tiers in strictly rising order; the first starts at 0."""

    currency: str
    levels: tuple[Level, ...]

    def level(self, code: str | None) -> Level | None:
        """The level of this code, or None (a code of an older document may be gone)."""
        return next((level for level in self.levels if level.code == code), None)


@dataclass(frozen=True)
class AppleParts:
    """What only Apple Wallet has: see the parts of a Card of the same names."""

    actions: tuple[Action, ...] = ()
    beacons: tuple[Beacon, ...] = ()
    nfc: Nfc | None = None
    app: App | None = None


@dataclass(frozen=True)
class Programme:
    """One version of a programme; every mapping of texts has exactly `languages`, the first being the default."""

    format: int
    organisation: str
    languages: tuple[str, ...]
    money: Money
    design_id: str
    design_version: int
    palette: Palette
    description: Texts
    currencies: tuple[Currency, ...]
    balance_currency: str
    earn: tuple[EarnRule, ...]
    ladder: Ladder | None
    rewards: tuple[Reward, ...]
    welcome: Amount | None
    logo: str | None
    announce: AnnouncePolicy
    useful_distance_metres: int
    max_distance_metres: int | None
    website: str | None
    apple: AppleParts = AppleParts()
    welcome_coupon: Promise | None = None

    def currency(self, code: str) -> Currency:
        """The currency of this code. Raises NotFound."""
        for currency in self.currencies:
            if currency.code == code:
                return currency
        raise NotFound(f"This programme has no currency “{code}”.", field="currency")

    def reward(self, code: str) -> Reward | None:
        """The reward of this code, or None (a code of an older document may be gone)."""
        return next((reward for reward in self.rewards if reward.code == code), None)


def parse(document: Mapping[str, object]) -> Programme:
    """Reads a programme document (as JSON or TOML give it). Raises Invalid with every fault of the document."""
    try:
        shape = ProgrammeShape.model_validate(document)
    except ValidationError as refusal:
        faults = shape_faults(refusal)
    except RecursionError:
        raise _refused([Fault("document", "The document is nested too deeply.")]) from None
    else:
        faults = []
    if isinstance(document, Mapping):
        known = {fault.path for fault in faults}
        faults += [fault for fault in cross_faults(document) if fault.path not in known]
    if faults:
        raise _refused(faults)
    return _programme(shape)


def publishable(document: Mapping[str, object]) -> Programme:
    """Reads a document that is to be published: what was published before stays readable, whatever is asked of new
    ones. Raises Invalid with every fault."""
    programme = parse(document)
    faults = address_faults(document)
    if faults:
        raise _refused(faults)
    return programme


def document_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document's shape; what parts demand of each other only `parse` checks."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ProgrammeShape.model_json_schema(by_alias=True),
        "title": "Programme document, format 1",
    }


def fingerprint(document: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the document as written, in canonical JSON; the order of fields does not matter.

    Defaults are not filled in, so that the fingerprint of a stored document stays the same when a later version of
    the product knows more fields. Raises Invalid for what JSON cannot hold.
    """
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        sentence = "A programme holds texts, whole numbers, true, false, lists and tables only."
        raise _refused([Fault("document", sentence)]) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(faults: list[Fault]) -> Invalid:
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Invalid(f"The programme document has {count}; mend and send it again.", field="document", faults=faults)


def _programme(shape: ProgrammeShape) -> Programme:
    money = Money(shape.money.iso, shape.money.exponent)
    return Programme(
        format=shape.format,
        organisation=shape.organisation,
        languages=tuple(shape.languages),
        money=money,
        design_id=shape.design.id,
        design_version=shape.design.version,
        palette=_palette(shape.palette),
        description=dict(shape.description),
        currencies=tuple(_currency(currency, money) for currency in shape.currencies),
        balance_currency=shape.balance_currency,
        earn=tuple(_rule(rule) for rule in shape.earn),
        ladder=None if shape.tiers is None else _ladder(shape.tiers),
        rewards=tuple(Reward(row.code, dict(row.names), _amount(row.cost), row.value_minor) for row in shape.rewards),
        welcome=None if shape.welcome is None else _gift(shape.welcome),
        logo=shape.branding.logo,
        announce=_policy(shape.announce),
        useful_distance_metres=shape.useful_distance_metres,
        max_distance_metres=shape.max_distance_metres,
        website=shape.links.website,
        apple=_apple(shape.apple),
        welcome_coupon=None if shape.welcome is None else _promise(shape.welcome.coupon),
    )


def _apple(shape: AppleShape) -> AppleParts:
    nfc, app = shape.nfc, shape.app
    return AppleParts(
        actions=tuple(Action(one.kind, one.link) for one in shape.actions),
        beacons=tuple(Beacon(one.uuid.upper(), one.major, one.minor, dict(one.texts)) for one in shape.beacons),
        nfc=None if nfc is None else Nfc(nfc.public_key, nfc.needs_unlocking),
        app=None if app is None else App(app.store_id, app.launch_link),
    )


def _palette(shape: PaletteShape) -> Palette:
    return Palette(shape.background.lower(), shape.foreground.lower(), shape.label.lower())


def _currency(shape: CurrencyShape, money: Money) -> Currency:
    is_money = shape.kind == "money"
    return Currency(
        code=shape.code,
        kind=shape.kind,
        iso=(shape.iso or money.iso) if is_money else None,
        exponent=(money.exponent if shape.exponent is None else shape.exponent) if is_money else 0,
        names={language: Plural(name.one, name.other, name.feminine) for language, name in shape.names.items()},
        spendable=shape.spendable,
        expires_after_months=shape.expires_after_months,
    )


def _rule(shape: EarnShape) -> EarnRule:
    return EarnRule(
        id=shape.id,
        currency=shape.currency,
        way=_way(shape),
        excluded_categories=frozenset(shape.excluded_categories),
    )


def _way(shape: EarnShape) -> Per | Visit | Item:
    if shape.visit is not None:
        visit = shape.visit
        return Visit(visit.units, visit.minimum_minor, timedelta(minutes=visit.interval_minutes))
    if shape.item is not None:
        return Item(shape.item.units, frozenset(shape.item.categories), frozenset(shape.item.skus))
    if shape.per is None:
        raise ValueError("a rule earns in exactly one way")
    return Per(Fraction(shape.per.points, shape.per.amount_minor), shape.rounding, shape.scope)


def _amount(shape: AmountShape) -> Amount:
    return Amount(shape.currency, shape.amount)


def _gift(shape: WelcomeShape) -> Amount | None:
    return None if shape.currency is None or shape.amount is None else Amount(shape.currency, shape.amount)


def _promise(shape: CouponShape | None) -> Promise | None:
    if shape is None:
        return None
    return Promise(dict(shape.title), dict(shape.terms), shape.valid_days, shape.value_minor)


def _ladder(shape: TiersShape) -> Ladder:
    levels = tuple(
        Level(
            code=level.code,
            threshold=level.threshold,
            names=dict(level.names),
            palette=None if level.palette is None else _palette(level.palette),
            benefits=tuple(dict(benefit) for benefit in level.benefits),
        )
        for level in shape.levels
    )
    return Ladder(shape.currency, levels)


def _policy(shape: AnnounceShape) -> AnnouncePolicy:
    quiet = shape.quiet
    hours = None if quiet is None else Quiet(time.fromisoformat(quiet.start), time.fromisoformat(quiet.end))
    return AnnouncePolicy(Limits(shape.per_day, shape.per_week), hours)
