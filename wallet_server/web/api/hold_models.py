"""Owns the form of what comes in and goes out about units that are put aside."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from wallet_server.web.api.models import MAX_AMOUNT, Counted, Form, Language, Plain
from wallet_server.web.api.proof_models import Proof

_Units = Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)]


class Authorisation(Form):
    code: Annotated[Plain, Field(min_length=1, max_length=200)]
    amount: _Units
    currency: Annotated[Plain, Field(max_length=40, description="By default the one the card shows.")] | None = None
    reference: Annotated[Plain, Field(min_length=1, max_length=80, description="The till's own number for this.")]
    minutes: (
        Annotated[int, Field(ge=1, le=525_600, strict=True, description="At most what the programme allows.")] | None
    ) = None
    proof: Proof | None = None
    language: Language = "en"


class Capture(Form):
    amount: _Units | None = Field(None, description="How much is used; by default all. The rest is given back.")
    language: Language = "en"


class Hold(BaseModel):
    """Units put aside: `open`, `captured`, `released` or `expired`."""

    currency: str
    amount: int
    captured: int
    state: str
    reference: str
    expires_at: str


class Held(Counted):
    """What a reservation booked, and what the member has after it; `id` names the reservation."""

    hold: Hold
