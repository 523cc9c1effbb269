"""Owns the form of what goes in and out of the books' routes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from wallet_server.web.api.models import Form, Plain, Public

WHEN = "A day (2026-11-30: its end, on the clock of your first store) or an instant with its zone."


class TrialQuery(BaseModel):
    """What a trial balance is asked about."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[Plain, Field(max_length=40, description=WHEN)] | None = None
    currency: Annotated[Plain, Field(max_length=40, description="Of this currency alone.")] | None = None
    merchant: Public | None = Field(None, description="Of this merchant alone; without it, of all of your account.")


class LiabilityQuery(TrialQuery):
    """What a liability report is asked about."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: Annotated[Plain, Field(max_length=40)] | None = Field(
        None, alias="from", description="A day (its beginning) or an instant; without it, the first of the month."
    )


class TrialLine(BaseModel):
    programme: str
    currency: str
    owner: str
    purpose: str
    debit: int
    credit: int


class TrialSum(BaseModel):
    programme: str
    currency: str
    sum: int


class TrialBalance(BaseModel):
    """`even` says that every currency adds up to zero."""

    as_of: str
    merchant: str | None
    even: bool
    lines: list[TrialLine]
    sums: list[TrialSum]


class Tried(BaseModel):
    """What was predicted for held-out months, and what came."""

    months: int
    predicted: int
    actual: int
    error: str


class Estimated(BaseModel):
    """Shares as decimals. `why_not` is given where the data do not carry an estimate; then `used` is 1."""

    share: str
    low: str
    high: str
    used: str
    months: int
    redemptions: int
    why_not: str | None
    trial: Tried | None
    sentence: str


class CurrencyLiability(BaseModel):
    """Units and minor units of `money`; `amounts` is null where nobody said what a unit is worth."""

    programme: str
    currency: str
    kind: str
    money: str
    worth: dict[str, Any] | None
    outstanding: int
    expected: int
    breakage: int
    estimate: Estimated
    amounts: dict[str, int] | None
    ageing: list[dict[str, int | None]]
    movement: dict[str, Any]
    months: list[dict[str, Any]]


class HonouredCoupons(BaseModel):
    """What `merchant` took at its tills, in the period, of coupons that `issuer` owed, less what it gave back."""

    issuer: str
    merchant: str
    amount_minor: int
    times: int


class CouponLiability(BaseModel):
    """At face value, of the merchant that issued them or of all; `good` coupons are still good. `honoured` is what
    merchants took of each other's."""

    programme: str
    money: str
    opening_minor: int
    moved_minor: dict[str, int]
    given_minor: dict[str, int]
    owed_minor: int
    good: int
    honoured: list[HonouredCoupons]


class Liability(BaseModel):
    """What is owed to members as of a moment of the books."""

    model_config = ConfigDict(populate_by_name=True)

    as_of: str
    since: str = Field(alias="from")
    merchant: str | None
    liability_minor: dict[str, int]
    currencies: list[CurrencyLiability]
    coupons: list[CouponLiability]


class Close(Form):
    """Which days are closed: all up to this one that are not yet."""

    through: date = Field(description="The last day of the period, on the clock of your first store; it is over.")


class Closed(BaseModel):
    """A closed period; `sha256` is that of its figures and of the close before it."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    number: int
    since: str | None = Field(alias="from")
    to: str
    closed_at: str
    sha256: str


class ClosedList(BaseModel):
    closes: list[Closed]


class ClosedWhole(Closed):
    """With its figures as they were frozen, and what has moved since (nothing, in true books)."""

    figures: dict[str, Any]
    moved: list[str]
