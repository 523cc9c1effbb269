"""Owns the form of what comes in and goes out about tills without a network."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from wallet_server.web.api.models import MAX_AMOUNT, Form, Language, Plain, Prose, Public

MOST_EVENTS = 100


BEFORE = "The name under which this key signed before, where the service does not know it any more (`no-device`)."
FIRST = "With `device`: the first number of what it still has; what is below it was counted long ago."


class DeviceKey(Form):
    public_key: Annotated[
        Plain,
        Field(min_length=80, max_length=100, description="P-256, the raw uncompressed point (65 bytes) as base64url."),
    ]
    device: Annotated[Public, Field(description=BEFORE)] | None = None
    sequence: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True, description=FIRST)] = 1


class Device(BaseModel):
    """A device that signs what it does without a network. `next_sequence` is the first number that is missing here."""

    device: str
    till: str
    next_sequence: int


SERVED = "Who stood at the till: the id of one of GET /v1/cashiers."
TRIED = "The Idempotency-Key under which this was tried online before, if it was: what was counted then counts no more."


class Said(Form):
    """A signed text. Its `body` is that of POST /v1/sales or POST /v1/redemptions."""

    till: Public
    device: Public
    sequence: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)]
    kind: Literal["sale", "redemption"]
    occurred_at: AwareDatetime
    body: dict[str, Any]
    allowance: Public | None = None
    key: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$", description=TRIED)] | None = None
    cashier: Annotated[Public, Field(description=SERVED)] | None = None


class Signed(Form):
    text: Annotated[Prose, Field(min_length=1, max_length=200_000, description="Exactly the text that was signed.")]
    signature: Annotated[
        Plain,
        Field(max_length=100, description="ECDSA (P-256, SHA-256) of the text in UTF-8: r and s, 64 bytes, base64url."),
    ]


class Events(Form):
    events: Annotated[list[Signed], Field(max_length=MOST_EVENTS)] = Field(default_factory=list)
    sequence: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)] = Field(
        description="The number that this device gives next: all below it were signed."
    )
    clock: AwareDatetime | None = Field(None, description="What the device's clock shows as it sends this.")
    language: Language = "en"


class Result(BaseModel):
    """How an event stands: `applied`, `waiting` (send it again later to learn more), `conflict` (a person settles it)
    or `refused` (it was not taken; `why` says the reason)."""

    sequence: int | None
    state: str
    why: str | None
    sentence: str
    id: str | None
    booked: str | None
    late: bool


class Synced(BaseModel):
    """The first number that is missing here, and how each event stands, in the order in which they were sent."""

    next_sequence: int
    results: list[Result]


class Reserve(Form):
    programme: Public
    units: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]


class Allowance(BaseModel):
    """What this device may burn without a network, in units of the currency, until then."""

    id: str
    programme: str
    currency: str
    amount: int
    left: int
    until: str


class Settle(Form):
    """`accept` has it booked after all, `refuse` leaves it for good, `note` writes something beside it."""

    decision: Literal["accept", "refuse", "note"]
    note: Annotated[Prose, Field(min_length=1, max_length=500)] | None = None
    language: Language = "en"


class Case(BaseModel):
    """Something that a till did without a network and that a person settles. `number` is its receipt or reference."""

    id: str
    kind: str
    occurred_at: str
    received_at: str
    store: str
    till: str
    device: str
    sequence: int
    state: str
    why: str | None
    sentence: str
    number: str
    currency: str | None
    amount_minor: int | None
    units: int | None
    reward: str | None
    member: str | None
    booked: str | None
    decision: str | None
    note: str | None
    by: str | None
    decided_at: str | None


class Cases(BaseModel):
    conflicts: list[Case]


class CasesQuery(Form):
    language: Language = "en"


class GivenBack(BaseModel):
    """Nothing is reserved any more."""

    allowance: None


class Policy(BaseModel):
    """What a till may promise without a network."""

    earn: bool
    burn_units_per_card: int
    allowance_units: int
    window_minutes: int


class CodeKey(BaseModel):
    id: str
    public_key: str


class Pack(BaseModel):
    """All that a till needs without a network. `policy` is that of the first programme, `policies` of each."""

    issuer: str
    keys: list[CodeKey]
    programmes: dict[str, dict[str, Any]]
    policy: Policy | None
    policies: dict[str, Policy]
    allowance: Allowance | None
    device: Device | None
    clock: str
