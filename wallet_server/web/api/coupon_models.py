"""Owns the form of what the JSON interface says of coupons."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from wallet_server.web.api.models import MAX_AMOUNT, Coupon, Form, Language, Plain


class CouponUse(Form):
    code: Annotated[Plain, Field(min_length=1, max_length=200, description="What stands on the coupon.")]
    reference: Annotated[Plain, Field(min_length=1, max_length=80, description="The till's own number for this.")]
    amount_minor: Annotated[int, Field(ge=0, le=MAX_AMOUNT, description="What the basket comes to.")] | None = None
    language: Language = "en"


class CouponUsed(BaseModel):
    """A use of a coupon, or its reversal; `id` is that of the use."""

    id: str
    member: str
    programme: str
    coupon: Coupon
    sentence: str
