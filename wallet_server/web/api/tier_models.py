"""Owns the form of what the JSON interface says of tiers: standings, tiers that are given, dry runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from wallet_server.web.api.models import Form, Language


class StandingQuery(Form):
    language: Language | None = Field(None, description="Of the sentences; left out: the member's own.")


class GivenTier(Form):
    """`tier` null takes back what was given before."""

    tier: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    until: AwareDatetime | None = Field(None, description="Left out: for good.")
    trial: bool = False
    reason: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,39}$", description="A short word, never a name.")]


class TierGiven(BaseModel):
    member: str
    tier_before: str | None
    tier: str | None
    source: Literal["earned", "given", "trial"]
    until: str | None


class Figure(BaseModel):
    metric: str
    window: str
    value: int


class Lack(BaseModel):
    metric: str
    amount: int
    text: str


class NextTier(BaseModel):
    tier: str
    tier_name: str
    percent: int
    missing: list[Lack]
    reward: str | None
    sentence: str
    lacking: str


class Grant(BaseModel):
    id: str
    tier: str | None
    source: str
    reason: str
    given_at: str
    until: str | None


class Standing(BaseModel):
    member: str
    tier: str
    tier_name: str
    source: Literal["earned", "given", "trial"]
    since: str
    until: str | None
    earned: str | None
    review_at: str | None
    kept_until: str | None
    why: str
    metrics: list[Figure]
    next: NextTier | None
    given: list[Grant]


SITE = r"^(https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?/?$"


class WidgetFor(Form):
    """The sites that show the widget, as `https://shop.example`; on this machine http will do."""

    sites: Annotated[list[Annotated[str, Field(pattern=SITE, max_length=300)]], Field(min_length=1, max_length=5)]
    minutes: Annotated[int, Field(ge=1, le=60, description="How long the token opens the widget.")] = 15


class WidgetToken(BaseModel):
    """`snippet` is the line for the page, `url` the address of the frame for whoever writes that themselves."""

    token: str
    expires_at: str
    url: str
    snippet: str


class Draft(Form):
    document: dict[str, Any]


class Move(BaseModel):
    tier: str | None
    tier_then: str | None
    members: int


class Loser(BaseModel):
    member: str
    tier: str | None
    tier_then: str | None


class TierMoves(BaseModel):
    """`down_later`: who will have less once it is looked at; `losing` names the first of those who lose at once."""

    up: int
    down: int
    down_later: int
    moves: list[Move]
    losing: list[Loser]


class Stuck(BaseModel):
    currency: str
    why: Literal["dropped", "changed", "not-spendable"]
    units: int
    members: int


class Owing(BaseModel):
    currency: str
    units: int
    minor: int
    minor_then: int
    change_minor: int


class DryRun(BaseModel):
    """`complete` is false where there are more members (`of`) than one call looks at: then these `members` are a sample
    from all over the programme, and every figure is of the sample."""

    programme: str
    version: int
    members: int
    of: int
    complete: bool
    tiers: TierMoves
    stuck: list[Stuck]
    liability: list[Owing]
