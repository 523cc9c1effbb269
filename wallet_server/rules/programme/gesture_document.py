"""Owns the shape of the part of a programme document that says what staff may give, and which privileges tiers have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wallet_server.rules.programme.document_types import (
    MAX_UNITS,
    Code,
    Colour,
    EventName,
    Formula,
    Shape,
    Title,
    Units,
    Word,
)
from wallet_server.rules.programme.earning_document import Codes

MAX_GESTURES, MAX_BUDGETS, MAX_REASONS, MAX_PRIVILEGES = 20, 10, 10, 5


class PrivilegeShape(Shape):
    """Something that no money buys, which a till or a host sees at once: a name and a colour."""

    code: Code
    names: dict[str, Word]
    colour: Colour


class ReasonShape(Shape):
    """Why a gesture is made; the member reads it on the card."""

    id: Code
    names: dict[str, Title]


class BudgetShape(Shape):
    """The most that one cashier gives, one member gets, or the whole programme spends within a span."""

    whose: Literal["cashier", "member", "programme"]
    window: Literal["day", "week", "month", "year", "ever"]
    count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    units: Annotated[int, Field(ge=0, le=MAX_UNITS)] | None = None
    cost_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] | None = None


class AfterShape(Shape):
    """An event of the member's (a late delivery) within so many days, once for each."""

    event: EventName
    days: Annotated[int, Field(ge=1, le=366)] = 14


class GestureShape(Shape):
    """What staff may give: units, a voucher or so much off the bill (kind points), a gift, a better one for the same
    price, more of it, or a service that is not charged."""

    id: Code
    names: dict[str, Title]
    kind: Literal["points", "gift", "upgrade", "extra", "service"]
    currency: Code | None = None
    units: Units | None = None
    off_minor: Units | None = None
    voucher: Code | None = None
    cost_minor: Annotated[int, Field(ge=0, le=MAX_UNITS)] = 0
    reasons: Annotated[list[ReasonShape], Field(min_length=1, max_length=MAX_REASONS)]
    when: Formula | None = None
    after: AfterShape | None = None
    tiers: Codes | None = None
    budgets: Annotated[list[BudgetShape], Field(max_length=MAX_BUDGETS)] = []


MEASURED = [
    BudgetShape(whose="cashier", window="week", count=5),
    BudgetShape(whose="member", window="month", count=2),
]
"""Of all gestures together, where the document names none: neither as a matter of course nor out of proportion."""
