"""Owns the till's routes for coupons: use one, and take it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.once import Facts
from wallet_server.actions.purse import coupons
from wallet_server.rules import sentences
from wallet_server.rules.counter import coupons as rules
from wallet_server.web.api import coupon_models, models
from wallet_server.web.api.counter import time_of
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, idempotency_key, needs

coupon_uses = APIBlueprint(
    "coupon_uses",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(coupon_uses)


@coupon_uses.post("/coupon-uses", summary="Use a coupon", responses={"200": coupon_models.CouponUsed})
@needs("till", person=True)
def use(body: coupon_models.CouponUse) -> Response:
    """Take a coupon, once for ever: whoever asks at the same time, one till has it. The same request sent again (same
    till, business day and reference, or same Idempotency-Key) answers what was answered the first time."""
    wanted = coupons.Using(body.code, body.reference, body.amount_minor)
    facts, replayed = coupons.use(context(), caller(), wanted, idempotency_key())
    return _told(facts, "taken", body.language, replayed)


@coupon_uses.post(
    "/coupon-uses/<id>/reversal", summary="Give a coupon back", responses={"200": coupon_models.CouponUsed}
)
@needs("till", person=True)
def undo(path: models.Subject, body: models.Reversal) -> Response:
    """The coupon can be used again. A paired device may do so for two minutes."""
    facts, replayed = coupons.undo(context(), caller(), path.id, idempotency_key())
    return _told(facts, "given-back", body.language, replayed)


def _told(facts: Facts, kind: rules.Said, language: str, replayed: bool) -> Response:
    coupon = facts["coupon"]
    shown = _coupon(coupon, language)
    sentence = rules.cashier_sentence(kind, shown["title"], sentences.spoken(language))
    if replayed:
        at = time_of(coupon["used_at"] if kind == "taken" else facts.get("recorded_at"), caller().zone)
        sentence = sentences.already(sentence, at, language)
    body = {"id": facts["id"], "member": facts["member"], "programme": facts["programme"], "coupon": shown}
    return answer(body | {"sentence": sentence}, replayed=replayed)


def _coupon(told: Mapping[str, Any], language: str) -> dict[str, Any]:
    tongue = sentences.spoken(language)
    title, terms = (texts.get(tongue) or next(iter(texts.values())) for texts in (told["title"], told["terms"]))
    return {
        "id": told["id"],
        "title": title,
        "terms": terms,
        "state": told["state"],
        "valid_to": told["valid_to"],
        "used_at": told["used_at"],
        "value_minor": told["value_minor"],
        "currency": told["money"],
        "current": told["current"],
        "minimum_minor": told.get("minimum_minor", 0),  # what was answered by an older version does not say
        "sentence": rules.cashier_sentence(told["state"], title, tongue),
    }


def coupon_shown(pass_id: int, language: str) -> dict[str, Any]:
    """The coupon behind a code that was looked up."""
    coupon = coupons.shown_by(context(), pass_id)
    return _coupon(coupons.told(coupon), language)
