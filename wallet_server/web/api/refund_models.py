"""Owns the form of what comes in and goes out when goods come back."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from wallet_server.web.api.models import MAX_AMOUNT, MAX_LINES, Counted, Form, Language, Plain


class ReturnedLine(Form):
    number: Annotated[int, Field(ge=1, le=MAX_LINES, strict=True, description="Of the sale's lines, from 1.")]
    quantity: (
        Annotated[float, Field(gt=0, le=1_000_000, description="How many pieces; at most three decimals.")] | None
    ) = None
    amount_minor: (
        Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True, description="Or how much money; the pieces stay.")]
        | None
    ) = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> ReturnedLine:
        if self.quantity is not None and self.amount_minor is not None:
            raise ValueError("give a quantity or an amount_minor; neither means all that is left of the line")
        if self.quantity is not None and not round(self.quantity * 1000):
            raise ValueError("a quantity has at most three decimals")
        return self

    def quantity_milli(self) -> int | None:
        """Thousandths."""
        return None if self.quantity is None else round(self.quantity * 1000)


class Refund(Form):
    reference: Annotated[
        Plain, Field(min_length=1, max_length=80, description="The till's own number for this: once a business day.")
    ]
    lines: Annotated[list[ReturnedLine], Field(max_length=MAX_LINES)] = Field(default_factory=list)
    amount_minor: (
        Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True, description="Instead of lines: spread over them all.")]
        | None
    ) = None
    language: Language = "en"

    @model_validator(mode="after")
    def _is_one_thing(self) -> Refund:
        if bool(self.lines) == (self.amount_minor is not None):
            raise ValueError("give lines, or amount_minor alone")
        return self


class CameBack(BaseModel):
    """What came back of one line."""

    number: int
    quantity_milli: int
    amount_minor: int
    tax_minor: int


class Refunded(Counted):
    """What a refund booked, and what the member has after it. `amount_minor` is to be given back for what came back of
    the `sale`, less the money that was paid out with a reward that is given back; `pot_minor` of it went back to the
    member's pot; `left_minor` is what is left of the sale's money. The `lines` are what came back: pieces at the prices
    of the sale, or money whose pieces stay."""

    sale: str
    reference: str
    amount_minor: int
    pot_minor: int
    left_minor: int
    lines: list[CameBack]
