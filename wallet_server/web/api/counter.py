"""Owns the till's routes: look up, sell, redeem, reverse. Answers carry the sentence to show the cashier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions import programs, till
from wallet_server.actions.once import Facts
from wallet_server.actions.till import Redeemed, SaleLine, Sold
from wallet_server.rules import sentences
from wallet_server.rules import stamps as stamp_cards
from wallet_server.rules.program import Programme
from wallet_server.web.api import models
from wallet_server.web.api.coupons import coupon_shown
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, idempotency_key, instant, needs

_PROBLEMS: dict[Any, Any] = dict.fromkeys(("400", "401", "403", "404", "409", "422", "429", "503"), models.Problem)
counter = APIBlueprint(
    "counter",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=_PROBLEMS,
)
guard(counter)


@counter.post("/lookups", summary="Who holds this card?", responses={"200": models.Holder})
@needs("till")
def look_up(body: models.Lookup) -> Response:
    """The member behind a scanned or typed code: tier, balances, and whether the card is the newest issue. Where the
    code is a coupon's, `coupon` says what it is good for."""
    holder = till.look_up(context(), caller(), body.code)
    programme = holder.programme_version
    level = programme.ladder.level(holder.tier) if programme.ladder else None
    points = holder.balances.get(programme.balance_currency, 0)
    noun = sentences.noun_of(programme, programme.balance_currency, body.language)
    return answer(
        {
            "member": holder.member,
            "programme": holder.programme,
            "tier": holder.tier,
            "tier_name": level.names.get(sentences.spoken(body.language)) if level else None,
            "balances": dict(holder.balances),
            "promotions": holder.promotions,
            "card_current": holder.card_current,
            "coupon": None if holder.coupon_pass is None else coupon_shown(holder.coupon_pass, body.language),
            **_prospects(programme, holder.balances, body.language),
            "sentence": sentences.counted(points, noun, body.language),
        }
    )


@counter.post("/sales", summary="Count a sale", responses={"200": models.Counted})
@needs("till")
def sell(body: models.Sale) -> Response:
    """Store a sale as it was sold and award what the programme gives for it.

    Sending the same sale again (same till, business day and receipt number, or same Idempotency-Key) answers what was
    answered the first time, with `Idempotency-Replayed: true`; the same number or key for another sale is a 422.
    """
    scope = caller()
    lines = tuple(
        SaleLine(
            line.sku,
            line.category,
            line.quantity_milli(),
            line.unit_amount_minor,
            line.total_minor(),
            line.tax_minor,
            line.excluded,
        )
        for line in body.lines
    ) or (SaleLine(None, None, 1000, body.amount_minor, body.amount_minor or 0, 0, False),)
    sold = Sold(
        code=body.code,
        receipt=body.receipt,
        amount_minor=sum(line.amount_minor for line in lines),
        lines=lines,
        money=body.currency,
        occurred_at=instant(body.occurred_at),
        business_day=body.business_day,
    )
    facts, replayed = till.sell(context(), scope, sold, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "already-counted" if replayed else "sold", replayed)


@counter.post("/redemptions", summary="Give a reward, or spend points", responses={"200": models.Counted})
@needs("till")
def redeem(body: models.Redemption) -> Response:
    """Take the cost of a reward, or an amount, off the member's balance; never more than there is, whoever asks at the
    same time."""
    scope = caller()
    wanted = Redeemed(body.code, body.currency, body.amount or 0, body.reference, body.reward)
    facts, replayed = till.redeem(context(), scope, wanted, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "redeemed", replayed)


@counter.post("/sales/<id>/reversal", summary="Reverse a sale", responses={"200": models.Counted})
@needs("till")
def reverse_sale(path: models.Subject, body: models.Reversal) -> Response:
    """Undo everything of this sale that did not come back before, by further entries that name what they reverse. A
    sale that booked nothing is reversed too: no figure counts it any more."""
    scope = caller()
    facts, replayed = till.reverse_sale(context(), scope, path.id, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "reversed", replayed)


@counter.post("/redemptions/<id>/reversal", summary="Reverse a redemption", responses={"200": models.Counted})
@needs("till")
def reverse_redemption(path: models.Subject, body: models.Reversal) -> Response:
    """Give back what a redemption took, to the lots it took it from. A paired device may do so for two minutes."""
    scope = caller()
    facts, replayed = till.reverse_entry(context(), scope, path.id, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "reversed", replayed)


def counted(
    facts: Facts, programme: Programme, language: str, kind: sentences.CashierKind, replayed: bool, **more: Any
) -> Response:
    """The answer about what was booked, with the sentence for the cashier."""
    shown = facts["entries"][0]["currency"] if kind == "redeemed" else programme.balance_currency
    amount = sum(e["amount"] for e in facts["entries"] if e["currency"] == shown)
    params: dict[str, Any] = {
        "amount": amount if kind != "redeemed" else -amount,
        "balance": facts["balances"].get(shown, 0),
        **sentences.unit_params(programme, shown, language),
    }
    given = programme.reward(facts.get("reward") or "")
    if given is not None:
        params["reward"] = sentences.reward_name(given, programme, language)
    if kind == "sold" and facts.get("counted_before"):
        kind = "visit-counted"
    entries = [
        {
            "id": e["id"],
            "currency": e["currency"],
            "amount": e["amount"],
            "rule": e["rule"],
            "reason": e["reason"],
            "sentence": sentences.reason_sentence(e["reason"], e["params"], language, programme),
        }
        for e in facts["entries"]
    ]
    body = {
        "id": facts["id"],
        "member": facts["member"],
        "programme": facts["programme"],
        "version": facts["version"],
        "entries": entries,
        "balances": facts["balances"],
        "tier": facts["tier"],
        "reward": facts.get("reward"),
        "counted_before": facts.get("counted_before", False),
        **_prospects(programme, facts["balances"], language),
        "sentence": sentences.cashier_sentence(kind, params, language),
        **more,
    }
    return answer(body, replayed=replayed)


def _prospects(programme: Programme, balances: Mapping[str, int], language: str) -> dict[str, Any]:
    """What the member can have now, and what is missing for the rest."""
    drawn = stamp_cards.stamps(programme, balances)
    rewards = [
        {
            "code": chance.reward.code,
            "name": sentences.reward_name(chance.reward, programme, language),
            "cost": {"currency": chance.reward.cost.currency, "amount": chance.reward.cost.units},
            "missing": chance.missing,
            "ready": chance.ready,
        }
        for chance in stamp_cards.chances(programme, balances)
    ]
    said = drawn and (drawn.sentence.get(sentences.spoken(language)) or drawn.sentence[programme.languages[0]])
    boxes = drawn and {"filled": drawn.filled, "total": drawn.total, "ready": drawn.ready}
    return {"rewards": rewards, "stamps": boxes, "progress": said}
