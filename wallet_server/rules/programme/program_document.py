"""Owns the shape of a programme document: which fields there are, of which type and size.

What one field says about another is in `program_checks`; what comes out of it is `program.Programme`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wallet_server.rules.passes.card import ActionKind, Barcode
from wallet_server.rules.programme.document_types import (
    MAX_ACTIONS,
    MAX_BEACONS,
    MAX_CONVERSIONS,
    MAX_CURRENCIES,
    MAX_DEALS,
    MAX_MULTIPLIERS,
    MAX_REWARDS,
    MAX_RULES,
    MAX_THRESHOLD,
    MAX_UNITS,
    MAX_WAITING_DAYS,
    Address,
    Asset,
    Code,
    Exponent,
    Iso,
    Language,
    Link,
    Metres,
    Months,
    PublicKey,
    Sentence,
    Shape,
    Short,
    Title,
    Units,
    Uuid,
    Word,
)
from wallet_server.rules.programme.earning_document import (
    ClaimsShape,
    EarnShape,
    ExcludedShape,
    HoldsShape,
    HoursShape,
    MultiplierShape,
    OfflineShape,
    RefundsShape,
    WorthShape,
)
from wallet_server.rules.programme.gesture_document import (
    MAX_BUDGETS,
    MAX_GESTURES,
    MEASURED,
    BudgetShape,
    GestureShape,
)
from wallet_server.rules.programme.reward_document import ConversionShape, CouponShape, DealShape, RewardShape
from wallet_server.rules.programme.tier_document import PaletteShape, TiersShape


class MoneyShape(Shape):
    """The money of the tills: ISO 4217 code and number of decimals."""

    iso: Iso
    exponent: Exponent


class DesignShape(Shape):
    """The pass design and the version of it that the cards keep until this document names another; `barcode` takes the
    place of the formats of the design."""

    id: Code
    version: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    barcode: Barcode | None = None


class PluralShape(Shape):
    """The noun for one and for several; `feminine` matters in French alone."""

    one: Word
    other: Word
    feminine: bool = False


class CurrencyShape(Shape):
    """Something members collect. `iso` and `exponent` are for kind money alone."""

    code: Code
    kind: Literal["points", "stamps", "money"]
    names: dict[str, PluralShape]
    spendable: bool = True
    expires_after_months: Months | None = None
    pending_days: Annotated[int, Field(ge=0, le=MAX_WAITING_DAYS)] = 0
    worth: WorthShape | None = None
    warn_days: Annotated[list[Annotated[int, Field(ge=1, le=366)]], Field(max_length=4)] = [30, 7]
    iso: Iso | None = None
    exponent: Exponent | None = None


class WelcomeShape(Shape):
    """What a new member gets: so many units of one currency, a coupon, or both."""

    currency: Code | None = None
    amount: Units | None = None
    coupon: CouponShape | None = None


class BrandingShape(Shape):
    """The merchant's own pictures, each named by the SHA-256 of its bytes."""

    logo: Asset | None = None


class LinksShape(Shape):
    """Web addresses of the merchant."""

    website: Address | None = None


class AnnounceShape(Shape):
    """How often members may be told something; in the hours of `quiet` no announcement is sent."""

    per_day: Annotated[int, Field(ge=0, le=10)] = 1
    per_week: Annotated[int, Field(ge=0, le=50)] = 3
    quiet: HoursShape | None = HoursShape(**{"from": "21:00", "to": "09:00"})


class ActionShape(Shape):
    """A button under the card on phones with iOS 27; `kind` in Apple's words, `link` where it leads."""

    kind: ActionKind
    link: Link


class BeaconShape(Shape):
    """A radio beacon near which the phone brings the card forward, with what it says there."""

    uuid: Uuid
    major: Short | None = None
    minor: Short | None = None
    texts: dict[str, Sentence]


class NfcShape(Shape):
    """The public key of the merchant's readers, and whether the phone must be unlocked first."""

    public_key: PublicKey
    needs_unlocking: bool = False


class AppShape(Shape):
    """The merchant's app: its number in the App Store, and the address that it is opened with."""

    store_id: Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]
    launch_link: Link | None = None


class AppleShape(Shape):
    """What only Apple Wallet has."""

    actions: Annotated[list[ActionShape], Field(max_length=MAX_ACTIONS)] = []
    beacons: Annotated[list[BeaconShape], Field(max_length=MAX_BEACONS)] = []
    nfc: NfcShape | None = None
    app: AppShape | None = None


class AndroidAppShape(Shape):
    """The merchant's app for Android: its package, and the address that it opens."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=150)]
    link: Address | None = None


class GoogleShape(Shape):
    """What only Google Wallet has."""

    rotating_codes: bool = False
    app: AndroidAppShape | None = None


class ProgrammeShape(Shape):
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
    multipliers: Annotated[list[MultiplierShape], Field(max_length=MAX_MULTIPLIERS)] = []
    excluded: ExcludedShape = ExcludedShape()
    deals: Annotated[list[DealShape], Field(max_length=MAX_DEALS)] = []
    conversions: Annotated[list[ConversionShape], Field(max_length=MAX_CONVERSIONS)] = []
    refunds: RefundsShape = RefundsShape()
    holds: HoldsShape = HoldsShape()
    offline: OfflineShape = OfflineShape()
    claims: ClaimsShape = ClaimsShape()
    gestures: Annotated[list[GestureShape], Field(max_length=MAX_GESTURES)] = []
    gesture_budgets: Annotated[list[BudgetShape], Field(max_length=MAX_BUDGETS)] = MEASURED
    welcome: WelcomeShape | None = None
    branding: BrandingShape = BrandingShape()
    links: LinksShape = LinksShape()
    announce: AnnounceShape = AnnounceShape()
    useful_distance_metres: Metres = 50_000
    max_distance_metres: Metres | None = None
    apple: AppleShape = AppleShape()
    google: GoogleShape = GoogleShape()
