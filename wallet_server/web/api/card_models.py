"""Owns the form of what the JSON interface says of single cards: their end, a further one, and why a phone lags."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field

from wallet_server.web.api.models import Form, Public, Subject


class CardSubject(Subject):
    """A member and one of their cards in a path."""

    card: Public


class MemberLeft(BaseModel):
    member: str
    left_at: str


class CardIssued(BaseModel):
    """A further card and the links to it, as for a new member; no file where no Apple certificate signs it."""

    member: str
    pass_: str = Field(alias="pass")
    card_url: str
    download_url: str | None


class CardCancelled(BaseModel):
    member: str
    pass_: str = Field(alias="pass")
    state: str


class CardEnd(Form):
    good_until: AwareDatetime | None = Field(description="With its zone; null: the card has no end.")


class CardLimited(BaseModel):
    member: str
    pass_: str = Field(alias="pass")
    good_until: str | None


class Diagnosis(BaseModel):
    """`level`: error, warning, wait, note, ok or hint, the worst first; `subject`: update, alert, place or phone."""

    code: str
    level: str
    subject: str
    sentence: str
    remedy: str
    facts: dict[str, str | int]


class Moment(BaseModel):
    at: str
    code: str
    sentence: str
    facts: dict[str, str | int]


class ChartedCard(BaseModel):
    pass_: str = Field(alias="pass")
    state: str
    diagnoses: list[Diagnosis]
    timeline: list[Moment]


class Chart(BaseModel):
    """Why the phones of a member's cards did not follow, or that they did."""

    member: str
    at: str
    cards: list[ChartedCard]
