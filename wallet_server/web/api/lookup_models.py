"""Owns the form of the answer to a look-up: who holds a card, and what may be used, given and said now."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from wallet_server.web.api.models import Boxes, Coupon, Reward


class Privilege(BaseModel):
    """What no money buys, by the member's tier: its name as the cashier reads it, and a colour (#rrggbb)."""

    code: str
    name: str
    colour: str


class GestureReason(BaseModel):
    id: str
    name: str


class Gesture(BaseModel):
    """What the cashier may give this member now; `left`: how many times more, null where nothing bounds it."""

    gesture: str
    kind: str
    title: str
    sentence: str
    reasons: list[GestureReason]
    left: int | None


class Voucher(BaseModel):
    """A voucher that the member can use now, in a basket of `minimum_minor` or more; a sale or a quote takes its `id`.
    It takes off `value_minor` or `percent`; where both are null its terms say what it is good for."""

    id: str
    title: str
    terms: str
    value_minor: int | None
    percent: int | None
    minimum_minor: int
    valid_to: str | None


class Offer(BaseModel):
    """An `announcement` of this merchant that the member was told and that stands until `until`; or a `deal` of the
    programme that holds here and now, as far as that can be said without a basket: a quote says what it takes off."""

    kind: Literal["announcement", "deal"]
    id: str
    title: str
    until: str | None


class Prompt(BaseModel):
    """The one thing to say or do first, about the `id` of a `gesture`, `voucher`, `deal` or `reward`; `near` is about a
    reward that the member nearly has."""

    kind: Literal["gesture", "voucher", "reward", "near", "deal"]
    id: str
    sentence: str


class Holder(BaseModel):
    """Who holds a card. `card_current` is false for anything but its newest issue; with an older one a second proof may
    be asked for, and with one that another card replaced (`card_spends` is false) nothing is spent at all."""

    member: str
    programme: str
    tier: str | None
    tier_name: str | None
    balances: dict[str, int]
    promotions: bool
    card_current: bool
    card_spends: bool
    coupon: Coupon | None
    rewards: list[Reward]
    stamps: Boxes | None
    progress: str | None
    privileges: list[Privilege]
    vouchers: list[Voucher]
    offers: list[Offer]
    gestures: list[Gesture]
    prompt: Prompt | None
    sentence: str
