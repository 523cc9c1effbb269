"""Owns the form of what a look-up says of privileges and gestures."""

from __future__ import annotations

from pydantic import BaseModel


class Privilege(BaseModel):
    """What no money buys, by the member's tier: its name as the cashier reads it, and a colour (#rrggbb)."""

    code: str
    name: str
    colour: str


class GestureReason(BaseModel):
    id: str
    name: str


class Prompt(BaseModel):
    """What the cashier may give this member now; `left`: how many times more, null where nothing bounds it."""

    gesture: str
    kind: str
    title: str
    sentence: str
    reasons: list[GestureReason]
    left: int | None
