"""Owns the form of what comes in and goes out of the JSON interface."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from wallet_server.web.api.proof_models import Proof

MAX_AMOUNT = 2**53 - 1
MAX_LINES = 1000
MOST_SCANNED = 8000
"""No symbol that a scanner reads holds more characters."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("this text has characters that cannot be stored")
    return text


Plain = Annotated[str, AfterValidator(_plain)]
Prose = Annotated[str, AfterValidator(_storable)]
Amount = Annotated[int, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT, strict=True)]
Public = Annotated[str, Field(pattern=r"^[a-z]{2,8}_[0-9a-z]{8,32}$")]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]


class Form(BaseModel):
    """Nothing unknown, nothing guessed."""

    model_config = ConfigDict(extra="forbid")


class Subject(BaseModel):
    """The public id in a path."""

    id: Public


class Lookup(Form):
    code: Annotated[str, Field(min_length=1, max_length=MOST_SCANNED, description="What was read, or what was typed.")]
    language: Language = Field("en", description="Language of the sentences in the answer.")


class Redemption(Form):
    code: Annotated[Plain, Field(min_length=1, max_length=200)]
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)] | None = None
    currency: Annotated[Plain, Field(max_length=40, description="By default the one the card shows.")] | None = None
    reward: (
        Annotated[Plain, Field(min_length=1, max_length=40, description="The code of a reward; its cost is taken.")]
        | None
    ) = None
    reference: Annotated[Plain, Field(min_length=1, max_length=80, description="The till's own number for this.")]
    proof: Proof | None = None
    language: Language = "en"

    @model_validator(mode="after")
    def _is_one_thing(self) -> Redemption:
        if (self.amount is None) == (self.reward is None) or (self.reward is not None and self.currency is not None):
            raise ValueError("give either a reward, or an amount and its currency")
        return self


class Reversal(Form):
    language: Language = "en"


class NewMember(Form):
    language: Language | None = None
    home_store: Public | None = None
    email: Annotated[Plain, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    promotions: bool = Field(False, description="The member agreed to receive announcements.")
    first_name: Annotated[Plain, Field(min_length=1, max_length=60)] | None = None
    customer_since: Annotated[date, Field(ge=date(1900, 1, 1))] | None = Field(
        None, description="Where that is before today: tenure counts from there."
    )

    def said(self) -> dict[str, Any]:
        """As JSON; what came later is left out where it is not said, so that an older request is still the same."""
        body = self.model_dump(mode="json")
        return body if self.customer_since else {k: v for k, v in body.items() if k != "customer_since"}


class Consent(Form):
    granted: bool
    source: Annotated[Plain, Field(min_length=1, max_length=80)] = "api"


class Store(Form):
    name: Annotated[Plain, Field(min_length=1, max_length=200)]
    zone: Annotated[Plain, Field(max_length=64)] = "Europe/Paris"
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    texts: dict[Language, Annotated[Prose, Field(max_length=200)]] | None = None


class NewTill(Form):
    store: Public
    name: Annotated[Plain, Field(min_length=1, max_length=200)]


class Announce(Form):
    programme: Public
    texts: Annotated[dict[Language, Prose], Field(min_length=1, max_length=20)]
    tier: Annotated[Plain, Field(max_length=40)] | None = None
    ends_at: AwareDatetime
    member: Public | None = Field(None, description="One member alone.")


class Version(Form):
    document: dict[str, Any]


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str
    request_id: str
    field: str | None = None
    faults: list[dict[str, str]] | None = None

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Worked out once: every route asks for it again for each of its refusals, and a start would wait for that."""
        known = _SCHEMAS.get(repr(options))
        if known is None:
            known = _SCHEMAS[repr(options)] = super().model_json_schema(*args, **options)
        return known


_SCHEMAS: dict[str, dict[str, Any]] = {}
PROBLEMS: dict[Any, Any] = dict.fromkeys(("400", "401", "403", "404", "409", "422", "429", "503"), Problem)
"""What every route may answer instead."""


class Entry(BaseModel):
    id: str
    currency: str
    amount: int
    rule: str
    version: int = Field(description="Of the programme, under which it was booked; what comes back is of the sale's.")
    reason: str
    sentence: str


class Withheld(BaseModel):
    """A rule that gave nothing for a sale or an event. `why` is `condition`, `rewards` (some were used), `goods` (none
    count), `minimum`, `visit` (counted before), `too-little` or `limit`."""

    rule: str
    version: int
    why: str
    sentence: str


class Cost(BaseModel):
    currency: str
    amount: int


class Reward(BaseModel):
    """A reward of the programme as it stands for this member: what kind it is, how often it can be had now, or how many
    units are missing for it. `stock` are those that are left for all; `until` is when a member who had it as often as
    it is given can have it again. Null: not bounded, or not known in this answer."""

    code: str
    name: str
    kind: str
    cost: Cost
    missing: int
    ready: int
    stock: int | None
    until: str | None


class Discount(BaseModel):
    """What came off a line (counted from 1), by `deal:ID`, `reward:CODE` or `voucher:ID`."""

    line: int
    by: str
    off_minor: int


class Used(BaseModel):
    """What a sale used: a `reward` or a `voucher` and what it took off, or a `pot` and the amount paid from it."""

    kind: str
    id: str
    off_minor: int | None
    amount: int | None


class Boxes(BaseModel):
    """The stamp card as it is drawn; `ready` full cards wait to be redeemed."""

    filled: int
    total: int
    ready: int


class Counted(BaseModel):
    """What a sale, a redemption or a reversal booked, and what the member has after it. `reward` is the code of the
    reward that was given; `progress` is the sentence of a stamp card. `counted_before` says of a sale that its visit
    was counted a moment ago and gives nothing again; `recorded_at` is when it was counted, of one that is sent again
    the first time. `instructions` tell the cashier what to do with rewards, `vouchers` are those that came of it; of a
    sale that uses something `discounts`, `used`, what is `to_pay_minor` and what the pot paid."""

    id: str
    member: str
    programme: str
    version: int
    entries: list[Entry]
    withheld: list[Withheld]
    balances: dict[str, int]
    tier: str | None
    reward: str | None
    counted_before: bool
    recorded_at: str | None
    instructions: list[str]
    vouchers: list[str]
    discounts: list[Discount]
    used: list[Used]
    to_pay_minor: int | None
    pot_minor: int
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    sentence: str


class Reversed(Counted):
    """`amount_minor` is to be given back for what came back of the sale, less the money that was paid out with a reward
    that is given back; `pot_minor` of it went back to the pot; it is null of one that was answered by an older
    version."""

    amount_minor: int | None


class Coupon(BaseModel):
    """A coupon: what it is good for (in a basket of `minimum_minor` or more), until when, and whether it still is
    (`issued`, `used`, `expired`, `void`). `current` is false for a code whose pass was replaced by a newer one."""

    id: str
    title: str
    terms: str
    state: str
    valid_to: str | None
    used_at: str | None
    value_minor: int | None
    currency: str
    current: bool
    minimum_minor: int
    sentence: str


class ProgrammeLine(BaseModel):
    id: str
    name: str
    version: int
    join_url: str


class ProgrammeList(BaseModel):
    programmes: list[ProgrammeLine]


class ProgrammeWhole(ProgrammeLine):
    """A programme and its current document as it was published."""

    document: dict[str, Any]


class Published(BaseModel):
    programme: str
    version: int


class CouponPass(BaseModel):
    """The pass of a coupon, with its links as for the card."""

    pass_: str = Field(alias="pass")
    card_url: str
    download_url: str | None


class Enrolled(BaseModel):
    """A new member and the links to the card: on the web for good, as a file for some minutes. `bundle_url` gives the
    card and the coupons in one file, which iPhones take at one tap; null where there is the card alone. Both are null
    where no Apple certificate signs the programme's cards. `google_url` leads into Google Wallet for some minutes; null
    where the programme's cards are not in it."""

    member: str
    programme: str
    pass_: str = Field(alias="pass")
    tier: str | None
    card_url: str
    download_url: str | None
    google_url: str | None
    coupons: list[CouponPass]
    bundle_url: str | None


class ConsentKept(BaseModel):
    member: str
    purpose: str
    granted: bool


class StoreLine(BaseModel):
    id: str
    name: str
    zone: str
    latitude: float | None
    longitude: float | None
    texts: dict[str, str] | None


class StoreList(BaseModel):
    stores: list[StoreLine]


class StoreKept(BaseModel):
    store: str


class TillMade(BaseModel):
    """`key` is in the first answer and in no replay of it."""

    till: str
    store: str
    key: str | None = None


class KeyRevoked(BaseModel):
    key: str
    revoked: bool


class AnnouncementLine(BaseModel):
    announcement: str
    texts: dict[str, str]
    tier: str | None
    state: str
    created_at: str
    ends_at: str


class AnnouncementList(BaseModel):
    announcements: list[AnnouncementLine]


class AnnouncementStatus(AnnouncementLine):
    """`members`: what was decided (`shown`, or `waiting:` or `skipped:` and why) for how many."""

    members: dict[str, int]


class AnnouncementCount(BaseModel):
    members: dict[str, int]


class Drafted(BaseModel):
    announcement: str


class AnnouncementMoved(BaseModel):
    announcement: str
    state: str
