"""Owns the shape of the part of a programme document that says how members earn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wallet_server.rules.programme.document_types import (
    MAX_CATEGORIES,
    MAX_CLAIM_DAYS,
    MAX_INTERVAL_MINUTES,
    MAX_UNITS,
    Category,
    Clock,
    Code,
    Day,
    EventName,
    Formula,
    Shape,
    Sku,
    Title,
    Units,
)

Categories = Annotated[list[Category], Field(max_length=MAX_CATEGORIES)]
Skus = Annotated[list[Sku], Field(max_length=MAX_CATEGORIES)]
Codes = Annotated[list[Code], Field(min_length=1, max_length=20)]
Ids = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=40)]], Field(min_length=1, max_length=MAX_CATEGORIES)
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = Literal["sale", "day", "week", "month", "year", "ever"]
"""How far a limit reaches: one sale, or a day, a week from Monday, a month, a year of the store's calendar."""
Factor = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=2, max_length=2)]
"""A numerator and a denominator."""


class PerShape(Shape):
    """So many units of the currency for every so many minor units of money, in exact proportion."""

    amount_minor: Units
    points: Units


class VisitShape(Shape):
    """So many units for each sale of `minimum_minor` or more, `interval_minutes` away from the last that counted."""

    units: Units
    minimum_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    interval_minutes: Annotated[int, Field(ge=0, le=MAX_INTERVAL_MINUTES)] = 0


class ItemShape(Shape):
    """So many units for each whole piece of the goods named; with neither categories nor skus, of all goods."""

    units: Units
    categories: Categories = []
    skus: Skus = []


class EventShape(Shape):
    """So many units for each event of this name that is reported; `proof` when it must name where it can be seen.
    `names` is how members read of it, with its article ("un atelier")."""

    name: EventName
    names: dict[str, Title]
    units: Units
    proof: bool = False


class CapShape(Shape):
    """The most units that a rule gives one member within a span."""

    units: Units
    window: Span


class EarnShape(Shape):
    """One way to earn: exactly one of `per`, `visit`, `item` and `event`; `rounding`, `scope` and `tax` are for `per`
    alone."""

    id: Code
    currency: Code
    per: PerShape | None = None
    visit: VisitShape | None = None
    item: ItemShape | None = None
    event: EventShape | None = None
    rounding: Literal["down", "up", "half_up", "half_even"] = "down"
    scope: Literal["basket", "line"] = "basket"
    tax: Literal["in", "out"] = "in"
    when: Formula | None = None
    cap: CapShape | None = None
    not_with_rewards: bool = False
    excluded_categories: Categories = []
    excluded_skus: Skus = []


class HoursShape(Shape):
    """From one time of day until another, in the store's own zone; over midnight where it ends before it begins."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")


class DatesShape(Shape):
    """From one day to another, both included, in the store's own zone."""

    start: Day = Field(alias="from")
    end: Day = Field(alias="to")


class MultiplierShape(Shape):
    """A factor on what rules give, under every condition that it names; see "Multipliers" in docs/programme.md."""

    id: Code
    factor: Factor
    rules: Codes | None = None
    stacking: Literal["multiply", "add", "highest"] = "multiply"
    when: Formula | None = None
    tiers: Codes | None = None
    stores: Ids | None = None
    categories: Categories = []
    skus: Skus = []
    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = None
    hours: HoursShape | None = None
    dates: DatesShape | None = None
    birthday: Literal["day", "week", "month"] | None = None


class ExcludedShape(Shape):
    """Goods that earn and buy nothing, whatever a rule says (medicines, tobacco, gift cards)."""

    categories: Categories = []
    skus: Skus = []


class WorthShape(Shape):
    """So many units are worth so many minor units of money, in exact proportion."""

    units: Units
    amount_minor: Units


class HoldsShape(Shape):
    """How long units that are put aside stay so at most."""

    minutes: Annotated[int, Field(ge=1, le=MAX_INTERVAL_MINUTES)] = 1440


class OfflineShape(Shape):
    """What a till may promise without a network, and how long it may be silent before others stop waiting for it."""

    earn: bool = True
    burn_units_per_card: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    allowance_units: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    window_minutes: Annotated[int, Field(ge=1, le=MAX_INTERVAL_MINUTES)] = 60


class ClaimsShape(Shape):
    """How long a sale of nobody yet can be claimed by the code on its receipt."""

    days: Annotated[int, Field(ge=1, le=MAX_CLAIM_DAYS)] = 30


class RefundsShape(Shape):
    """What goods taken back do to what a sale used (`draws`), to vouchers made of its units, and to a member who has
    spent them."""

    draws: Literal["give_back", "keep"] = "give_back"
    vouchers: Literal["cancel", "keep"] = "cancel"
    negative: Literal["debt", "zero"] = "debt"
