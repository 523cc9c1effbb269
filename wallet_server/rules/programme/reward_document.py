"""Owns the shape of the part of a programme document that says what members get: rewards, coupons, deals, vouchers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wallet_server.rules.programme.document_types import (
    MAX_UNITS,
    MAX_VALID_DAYS,
    Code,
    Formula,
    Sentence,
    Shape,
    Terms,
    Title,
    Units,
)
from wallet_server.rules.programme.earning_document import (
    Categories,
    Codes,
    DatesShape,
    HoursShape,
    Skus,
    Span,
    Weekday,
)

Percent = Annotated[int, Field(ge=1, le=100)]


class AmountShape(Shape):
    """So many units of one currency."""

    currency: Code
    amount: Units


class CouponShape(Shape):
    """A coupon: what it is good for, on what terms, for how many days; `value_minor` what it is worth at the till,
    `percent` what it takes off the basket, `minimum_minor` the smallest basket that it is good for."""

    title: dict[str, Title]
    terms: dict[str, Terms]
    valid_days: Annotated[int, Field(ge=1, le=MAX_VALID_DAYS)] | None = None
    value_minor: Units | None = None
    percent: Percent | None = None
    minimum_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0


class LimitShape(Shape):
    """The most of something that one member has within a span."""

    count: Annotated[int, Field(ge=1, le=1000)]
    window: Span = "ever"


class RewardShape(Shape):
    """What members get for their units; `names` with their article ("un café"), `value_minor` what it is worth."""

    code: Code
    names: dict[str, Title]
    cost: AmountShape
    value_minor: Units | None = None
    kind: Literal["product", "service", "voucher", "percent", "amount", "refund", "privilege"] = "product"
    stock: Annotated[int, Field(ge=0, le=MAX_UNITS)] | None = None
    limit: LimitShape | None = None
    voucher: CouponShape | None = None
    percent: Percent | None = None
    instruction: dict[str, Sentence] | None = None


class ConversionShape(Shape):
    """Units that become a voucher by themselves as soon as there are enough; what is over stays."""

    id: Code
    currency: Code
    units: Units
    voucher: CouponShape


class BuyGetShape(Shape):
    """Of the goods named, after every `buy` pieces the next `get` are `percent` off; the cheapest are."""

    buy: Annotated[int, Field(ge=1, le=100)]
    get: Annotated[int, Field(ge=1, le=100)]
    percent: Percent = 100


class PercentShape(Shape):
    """So much off the goods named, from a basket of `minimum_minor` on, at most `most_minor`."""

    percent: Percent
    minimum_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    most_minor: Units | None = None


class OffShape(Shape):
    """An amount off the goods named, from a basket of `minimum_minor` on."""

    amount_minor: Units
    minimum_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0


class DealShape(Shape):
    """Something off the basket at once: exactly one of `buy_get`, `percent` and `amount`."""

    id: Code
    names: dict[str, Title]
    buy_get: BuyGetShape | None = None
    percent: PercentShape | None = None
    amount: OffShape | None = None
    categories: Categories = []
    skus: Skus = []
    tiers: Codes | None = None
    when: Formula | None = None
    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = None
    hours: HoursShape | None = None
    dates: DatesShape | None = None
