"""Owns the form of baskets: sales and quotes, and what they use."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, Field, ValidationInfo, field_validator, model_validator

from wallet_server.actions.counter import checkout
from wallet_server.actions.counter.checkout import MOST_USED, Uses
from wallet_server.actions.counter.till import SaleLine
from wallet_server.rules.baskets.baskets import contains
from wallet_server.web.api.lookup_models import Voucher
from wallet_server.web.api.models import (
    MAX_AMOUNT,
    MAX_LINES,
    Amount,
    Discount,
    Form,
    Language,
    Plain,
    Reward,
)
from wallet_server.web.api.proof_models import Proof


class Line(Form):
    sku: Annotated[Plain, Field(max_length=80)] | None = None
    category: Annotated[Plain, Field(max_length=80)] | None = None
    quantity: Annotated[float, Field(ge=-1_000_000, le=1_000_000, description="At most three decimals.")] = 1
    unit_amount_minor: Amount | None = Field(None, description="In the smallest unit of the currency.")
    amount_minor: Amount | None = Field(
        None,
        description="The line as sold, discounts deducted, tax included; by default unit amount times quantity. Below "
        "zero for a discount or goods taken back in the same sale.",
    )
    tax_minor: Amount = Field(0, description="The tax contained in the amount: between zero and the amount.")
    excluded: bool = Field(False, description="This line earns nothing.")

    @field_validator("tax_minor")
    @classmethod
    def _is_contained(cls, tax_minor: int, info: ValidationInfo) -> int:
        # Without an amount, or with one that is refused itself, there is nothing to compare it with.
        told = info.data
        if not told.keys() >= {"amount_minor", "unit_amount_minor", "quantity"}:
            return tax_minor
        amount, each = told["amount_minor"], told["unit_amount_minor"]
        if (amount, each) != (None, None) and not contains(_total(amount, each, told["quantity"]), tax_minor):
            raise ValueError("the tax is part of the line's amount: it has the same sign and is not larger")
        return tax_minor

    @model_validator(mode="after")
    def _has_amount(self) -> Line:
        if self.amount_minor is None and self.unit_amount_minor is None:
            raise ValueError("give unit_amount_minor or amount_minor")
        if abs(self.total_minor()) > MAX_AMOUNT:
            raise ValueError("the line's amount is too large")
        return self

    def sold(self) -> SaleLine:
        """As the counter knows it."""
        return SaleLine(
            self.sku,
            self.category,
            self.quantity_milli(),
            self.unit_amount_minor,
            self.total_minor(),
            self.tax_minor,
            self.excluded,
        )

    def quantity_milli(self) -> int:
        """Thousandths."""
        return _milli(self.quantity)

    def total_minor(self) -> int:
        """What the line comes to."""
        return _total(self.amount_minor, self.unit_amount_minor, self.quantity)


def _total(amount_minor: int | None, unit_amount_minor: int | None, quantity: float) -> int:
    if amount_minor is not None:
        return amount_minor
    exact = (unit_amount_minor or 0) * _milli(quantity)
    return (abs(exact) + 500) // 1000 * (1 if exact >= 0 else -1)


def _milli(quantity: float) -> int:
    return round(quantity * 1000)


class Pot(Form):
    amount_minor: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)] | None = Field(
        None, description="By default as much as there is and is needed."
    )
    currency: Annotated[Plain, Field(max_length=40, description="By default the first of kind money.")] | None = None


class Using(Form):
    """What a basket uses."""

    apply_deals: bool = Field(
        False, description="Take the programme's deals off; a till that does so itself leaves it."
    )
    vouchers: Annotated[
        list[Annotated[Plain, Field(min_length=1, max_length=200)]],
        Field(max_length=MOST_USED, description="Ids of the member's vouchers, or the codes on them."),
    ] = Field(default_factory=list)
    rewards: Annotated[
        list[Annotated[Plain, Field(min_length=1, max_length=40)]],
        Field(max_length=MOST_USED, description="Codes of rewards; their cost is taken."),
    ] = Field(default_factory=list)
    pot: Pot | None = Field(None, description="Pay from the money that the member has here.")

    def uses(self) -> Uses:
        """As the counter knows it."""
        pot = None if self.pot is None else checkout.Pot(self.pot.amount_minor, self.pot.currency)
        return Uses(self.apply_deals, tuple(self.vouchers), tuple(self.rewards), pot)


class Receipt(Using):
    """A sale, whoever's it is."""

    receipt: Annotated[
        Plain, Field(min_length=1, max_length=80, description="The receipt number: once per till and business day.")
    ]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
    amount_minor: Amount | None = Field(
        None, description="The sum of the lines, which is never below zero; an amount alone is one line."
    )
    lines: Annotated[list[Line], Field(max_length=MAX_LINES)] = Field(default_factory=list)
    occurred_at: AwareDatetime | None = Field(None, description="When it was sold, with its zone; by default now.")
    business_day: date | None = Field(
        None, description="By default the date in the store's own zone; at most 2 days from that."
    )
    proof: Proof | None = None
    language: Language = "en"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.lines and self.amount_minor is None:
            raise ValueError("give lines, or amount_minor alone")
        total = sum(line.total_minor() for line in self.lines)
        if self.lines and self.amount_minor is not None and total != self.amount_minor:
            raise ValueError(f"the lines come to {total}, not to amount_minor")
        if abs(total) > MAX_AMOUNT:
            raise ValueError("the sale's amount is too large")
        return self


class Sale(Receipt):
    code: Annotated[Plain, Field(min_length=1, max_length=200)]


class AnySale(Receipt):
    code: Annotated[Plain, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Left out, the sale is kept for whoever claims it by the `claim_code` on the receipt."
    )


class Kept(BaseModel):
    """A sale of nobody yet. `claim_code` goes on the receipt, and is null once the sale was claimed or ended."""

    id: str
    programme: str
    claim_code: str | None
    until: str
    sentence: str


class Claim(Form):
    code: Annotated[Plain, Field(min_length=1, max_length=200)]
    claim: Annotated[Plain, Field(min_length=1, max_length=80, description="The code on the receipt.")]
    language: Language = "en"


class Spoken(BaseModel):
    """In which language the answer speaks."""

    language: Language = "en"


class ClaimEnded(BaseModel):
    """Nobody can claim this sale any more."""

    id: str
    sentence: str


class QuotedLine(Line):
    name: Annotated[Plain, Field(max_length=80, description="As the customer knows it, for hints.")] | None = None


class Quote(Using):
    code: Annotated[Plain, Field(min_length=1, max_length=200)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
    lines: Annotated[list[QuotedLine], Field(min_length=1, max_length=MAX_LINES)]
    apply_deals: bool = Field(True, description="Take the programme's deals off.")
    language: Language = "en"

    @model_validator(mode="after")
    def _is_no_return(self) -> Quote:
        if not 0 <= sum(line.total_minor() for line in self.lines) <= MAX_AMOUNT:
            raise ValueError("a basket comes to zero or more, and not to more than an amount can be")
        return self


class Earned(BaseModel):
    currency: str
    amount: int
    rule: str
    sentence: str


class Usable(Voucher):
    """The same beside a basket; `fits` says whether this basket is large enough for it."""

    fits: bool


class HintShown(BaseModel):
    """What one piece more would do: of which deal, of the article on which line (counted from 1)."""

    deal: str
    line: int
    article: str | None
    percent: int
    sentence: str


class Quoted(BaseModel):
    """What a basket would come to and earn, and what could be used with it. Nothing was changed."""

    member: str
    tier: str | None
    amount_minor: int
    to_pay_minor: int
    pot_minor: int
    discounts: list[Discount]
    earns: list[Earned]
    balances: dict[str, int]
    vouchers: list[Usable]
    rewards: list[Reward]
    hints: list[HintShown]
    sentence: str


class HintDay(BaseModel):
    day: str
    deal: str
    offered: int
    taken: int


class HintDays(BaseModel):
    """How often the till was told that one more piece is free, and how often it was bought."""

    days: list[HintDay]
