"""Owns what a programme is made of: currencies, ways to earn, rewards, tiers. Rates are exact; nothing is a float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from fractions import Fraction
from typing import Literal

from wallet_server.rules.passes.card import Action, AndroidApp, App, Beacon, Nfc, Palette, Texts

CurrencyKind = Literal["points", "stamps", "money"]
Rounding = Literal["down", "up", "half_up", "half_even"]
Scope = Literal["basket", "line"]
Span = Literal["sale", "day", "week", "month", "year", "ever"]
Stacking = Literal["multiply", "add", "highest"]
Birthday = Literal["day", "week", "month"]
RewardKind = Literal["product", "service", "voucher", "percent", "amount", "refund", "privilege"]
ReachKind = Literal[
    "ever", "rolling-days", "rolling-months", "calendar-year", "calendar-quarter", "calendar-month", "anniversary-year"
]
ReviewKind = Literal["at-once", "calendar-year", "anniversary", "days"]


@dataclass(frozen=True)
class Money:
    """The money of the tills: ISO 4217 code, and how many decimals its major unit has."""

    iso: str
    exponent: int


@dataclass(frozen=True)
class Plural:
    """The noun of a currency for one and for several; `feminine` matters in French alone. Of a currency that is `money`
    amounts are written as money, and the noun is said where there is no amount."""

    one: str
    other: str
    feminine: bool = False
    money: Money | None = None


@dataclass(frozen=True)
class Currency:
    """Something members collect. `iso` is None unless kind is money; a unit is its smallest unit.

    A currency that is not spendable (status) is earned and expires, but buys nothing. What is earned can be spent after
    `pending_days`. `worth` is what a unit is worth in minor units of the programme's money, exact, where that is known.
    Members are warned `warn_days` days before units run out.
    """

    code: str
    kind: CurrencyKind
    iso: str | None
    exponent: int
    names: Mapping[str, Plural]
    spendable: bool
    expires_after_months: int | None
    pending_days: int = 0
    worth: Fraction | None = None
    warn_days: tuple[int, ...] = (30, 7)


@dataclass(frozen=True)
class Goods:
    """Goods by category or sku; all goods where both are empty."""

    categories: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.categories or self.skus)

    def hold(self, category: str | None, sku: str | None) -> bool:
        """Whether goods of this category and sku are among them."""
        return not self or category in self.categories or sku in self.skus


@dataclass(frozen=True)
class Calendar:
    """When something counts, in the store's own zone. `days` from 0 for Monday; `hours` (from, to), over midnight where
    they end before they begin; `dates` (first, last), both included. None: always."""

    days: frozenset[int] | None = None
    hours: tuple[time, time] | None = None
    dates: tuple[date, date] | None = None

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.days, self.hours, self.dates))


@dataclass(frozen=True)
class Cap:
    """The most units within a span of the store's calendar."""

    units: int
    window: Span


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
class Event:
    """`units` for each event of this name, which members know by `names`; with `proof` one that names no proof is
    refused."""

    name: str
    names: Texts
    units: int
    proof: bool


@dataclass(frozen=True)
class EarnRule:
    """One way to earn units of `currency`. `excluded` goods do not count; `when` is a condition in CEL. With
    `without_tax` the tax of a line does not count; with `not_with_rewards` nothing is earned on a sale that uses a
    voucher or a reward."""

    id: str
    currency: str
    way: Per | Visit | Item | Event
    excluded_categories: frozenset[str]
    excluded_skus: frozenset[str] = frozenset()
    without_tax: bool = False
    when: str | None = None
    cap: Cap | None = None
    not_with_rewards: bool = False


@dataclass(frozen=True)
class Multiplier:
    """A factor on the exact units of `rules` (None: of all that sales earn by) while all that it names holds. `tiers`,
    `stores` (public ids) None: any. Where it names `goods`, what the other goods earn is not multiplied."""

    id: str
    factor: Fraction
    rules: frozenset[str] | None
    stacking: Stacking
    when: str | None
    tiers: frozenset[str] | None
    stores: frozenset[str] | None
    goods: Goods
    calendar: Calendar
    birthday: Birthday | None


@dataclass(frozen=True)
class Amount:
    """So many units of one currency."""

    currency: str
    units: int


@dataclass(frozen=True)
class Promise:
    """A coupon that is promised: `valid_days` None for one that does not run out, `value_minor` as of a reward.
    `percent` is what it takes off the basket instead, `minimum_minor` the smallest basket that it is good for."""

    title: Texts
    terms: Texts
    valid_days: int | None
    value_minor: int | None
    percent: int | None = None
    minimum_minor: int = 0


@dataclass(frozen=True)
class Limit:
    """The most times that one member has something within a span of the store's calendar."""

    count: int
    window: Span


@dataclass(frozen=True)
class Reward:
    """What members get for their units. `names` as the merchant wrote them, best with their article ("un café");
    `value_minor` is what it would cost them, in minor units of the programme's money. `stock` is how often it is given
    in all, `limit` how often to one member. `voucher` is what a reward of that kind makes, `percent` what one of that
    kind takes off the basket; `instruction` tells the till what to do."""

    code: str
    names: Texts
    cost: Amount
    value_minor: int | None
    kind: RewardKind = "product"
    stock: int | None = None
    limit: Limit | None = None
    voucher: Promise | None = None
    percent: int | None = None
    instruction: Texts | None = None


@dataclass(frozen=True)
class Conversion:
    """So many units of a currency that become a voucher by themselves; what is over stays."""

    id: str
    currency: str
    units: int
    voucher: Promise


@dataclass(frozen=True)
class BuyGet:
    """After every `buy` pieces the next `get` are `percent` off; the cheapest of the basket are."""

    buy: int
    get: int
    percent: int


@dataclass(frozen=True)
class PercentOff:
    """So much off the goods, from a basket of `minimum_minor` on, at most `most_minor`."""

    percent: int
    minimum_minor: int
    most_minor: int | None


@dataclass(frozen=True)
class AmountOff:
    """An amount off the goods, from a basket of `minimum_minor` on."""

    amount_minor: int
    minimum_minor: int


@dataclass(frozen=True)
class Deal:
    """Something off the basket at once, for `goods`, members of `tiers` (None: all), at times of `calendar`."""

    id: str
    names: Texts
    way: BuyGet | PercentOff | AmountOff
    goods: Goods
    tiers: frozenset[str] | None
    when: str | None
    calendar: Calendar


@dataclass(frozen=True)
class Reach:
    """How far back a metric looks. `count` is of the rolling kinds: so many days or months."""

    kind: ReachKind
    count: int = 0


@dataclass(frozen=True)
class AtLeast:
    """A metric that has reached a value, named as in the document: `spend`, `earned:points`, `events:workshop`."""

    metric: str
    reach: Reach
    value: int


@dataclass(frozen=True)
class Weighted:
    """A sum of metrics, each by its weight, that has reached a value."""

    terms: tuple[tuple[str, Reach, int], ...]
    value: int


@dataclass(frozen=True)
class AllOf:
    """Every one of these."""

    needs: tuple[Need, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of these."""

    needs: tuple[Need, ...]


Need = AtLeast | Weighted | AllOf | AnyOf


@dataclass(frozen=True)
class Review:
    """When a tier that is no longer deserved is looked at, and how many days later it is lost; `days` for kind days."""

    kind: ReviewKind = "at-once"
    days: int = 0
    grace_days: int = 0


@dataclass(frozen=True)
class Privilege:
    """Something of a tier that no money buys; `colour` as #rrggbb."""

    code: str
    names: Texts
    colour: str


@dataclass(frozen=True)
class Level:
    """One tier, reached from `threshold` units of the ladder's currency on, or when its `needs` are met where there are
    any; one by `invitation` is only given. `palette` None keeps the programme's. `short_names` are for places that cut
    the names; `reward` is what waits there."""

    code: str
    threshold: int
    names: Texts
    palette: Palette | None
    benefits: tuple[Texts, ...]
    needs: Need | None = None
    invitation: bool = False
    short_names: Texts | None = None
    reward: Texts | None = None
    privileges: tuple[Privilege, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """Tiers, lowest first; the first is everyone's. Thresholds count in `currency`, in strictly rising order."""

    currency: str
    levels: tuple[Level, ...]
    review: Review = Review()

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
class GoogleParts:
    """What only Google Wallet has: codes that change, for tills that scan, and the merchant's app for Android."""

    rotating_codes: bool = False
    app: AndroidApp | None = None


@dataclass(frozen=True)
class RefundPolicy:
    """What goods taken back do to rewards and vouchers that the sale used (`draws`), to vouchers made of its units that
    nobody used yet, and to a member who has spent them: a debt that the next awards repay, or nothing (the merchant
    bears the loss). What a pot paid is money, and goes back to it in any case."""

    draws: Literal["give_back", "keep"] = "give_back"
    vouchers: Literal["cancel", "keep"] = "cancel"
    negative: Literal["debt", "zero"] = "debt"


@dataclass(frozen=True)
class OfflinePolicy:
    """What a till may promise without a network: to `earn`, and to burn up to `burn_units_per_card` for one card and
    `allowance_units` for all tills together (0: nothing). Nobody waits for a till that was silent for
    `window_minutes`."""

    earn: bool = True
    burn_units_per_card: int = 0
    allowance_units: int = 0
    window_minutes: int = 60
