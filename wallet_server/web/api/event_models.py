"""Owns the form of what the JSON interface says of events: what members did that is no sale."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from wallet_server.web.api.models import MAX_AMOUNT, Entry, Form, Language, Plain, Public, Withheld

MOST_FIELDS = 20
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Number = Annotated[int, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT, strict=True)]
NO_VALUE = "Send a text of at most 200 characters, a whole number, true or false."


def _told_once(value: object, judge: ValidatorFunctionWrapHandler) -> object:
    """One fault for a value that is of none of the kinds, where each kind would tell its own."""
    try:
        return judge(value)
    except ValidationError as fault:
        raise ValueError(NO_VALUE) from fault


Value = Annotated[
    Annotated[bool, Field(strict=True)] | Number | Annotated[Plain, Field(max_length=200)], WrapValidator(_told_once)
]


class Event(Form):
    """One event of one member, named by a card's code or by the member's id."""

    name: Annotated[Name, Field(description="As the rules of the programme call it.")]
    code: Annotated[Plain, Field(min_length=1, max_length=200)] | None = None
    member: Public | None = None
    occurred_at: AwareDatetime | None = Field(None, description="When it happened, with its zone; by default now.")
    fields: Annotated[dict[Name, Value], Field(max_length=MOST_FIELDS)] = Field(
        default_factory=dict, description="What conditions may ask: texts, whole numbers, true and false."
    )
    proof: Annotated[Plain, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Where it can be seen: a link, a number of yours."
    )
    language: Language = "en"

    @model_validator(mode="after")
    def _is_of_one(self) -> Event:
        if (self.code is None) == (self.member is None):
            raise ValueError("name the member by either code or member")
        return self


class EventKept(BaseModel):
    """What an event booked, and what the member has after it; `id` is that of the event, `vouchers` are coupons that
    full amounts of units became with it."""

    id: str
    member: str
    programme: str
    version: int
    event: str
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    vouchers: list[str]
    sentence: str


class Birthday(Form):
    """The day on which a member is congratulated; null forgets it."""

    birthday: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", examples=["12-24"])] | None

    @model_validator(mode="after")
    def _is_a_day(self) -> Birthday:
        if self.birthday is not None and int(self.birthday[3:]) > _LONGEST[int(self.birthday[:2]) - 1]:
            raise ValueError("this month has no such day")
        return self


class BirthdayKept(BaseModel):
    """The member, and the birthday that is kept from now on."""

    member: str
    birthday: str | None


_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
