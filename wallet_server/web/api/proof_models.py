"""Owns the form of a second proof: what somebody shows besides a card that is an older issue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wallet_server.actions.counter import scanning


class Proof(BaseModel):
    """`code`: `value` is the one-time code that the member was sent. `cashier`: who stands at the till, as `X-Cashier`
    says, vouches for them."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["code", "cashier"]
    value: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[0-9 -]+$")] | None = None

    @model_validator(mode="after")
    def _has_its_code(self) -> Proof:
        if (self.kind == scanning.CODE) != (self.value is not None):
            raise ValueError("give value with kind code, and with no other")
        return self


class ProofSent(BaseModel):
    """A one-time code is on its way, good for ten minutes."""

    kind: str
    to: str
    sentence: str


def given(proof: Proof | None) -> scanning.Proof | None:
    """The same, as the counter takes it."""
    return None if proof is None else scanning.Proof(proof.kind, proof.value or "")
