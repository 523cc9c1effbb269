"""Owns what a design says for Google Wallet: the form of `google/google.toml`, and what holds for a design without it.

Rows and switches are Google's own (developers.google.com/wallet/retail/loyalty-cards, "Class templates").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Vertical = Literal["loyalty", "giftCard", "offer", "eventTicket"]
BannerDrawing = Literal["gauge", "dial", "stamps", "ribbon", "seal", "garland"]
RowItem = Literal[
    "points", "tier", "gauge", "progress", "reward", "offer", "until", "event", "venue", "starts", "entry", "account"
]

VERTICALS: Mapping[str, Vertical] = {
    "storeCard": "loyalty",
    "generic": "loyalty",
    "coupon": "offer",
    "eventTicket": "eventTicket",
}
"""The style of a pass to Google's kind of it, where the design names none."""


class GoogleShape(BaseModel):
    """google/google.toml; docs/designs.md has a line for each key."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    vertical: Vertical | None = None
    banner: BannerDrawing | None = None
    picture: Literal["ribbon", "seal", "garland", "stamps"] | None = None
    rows: Annotated[list[Annotated[list[RowItem], Field(min_length=1, max_length=3)]], Field(max_length=3)] = []
    tier: Literal["points", "class"] = "points"
    coupons: Literal["offers", "objects"] = "offers"
    account: bool = True
    rotating_barcode: bool = False
    screenshots: bool = True
    unlock_to_view: bool = False
    shimmer: bool = False
    group: bool = True
    holders: Literal["one", "many"] = "one"
    channel: Literal["instore", "online", "both"] = "instore"


DEFAULT = GoogleShape()
