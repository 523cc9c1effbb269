"""Owns the till's routes that count: sell, redeem, reverse. Answers carry the sentence to show the cashier."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.counter import claims, till
from wallet_server.actions.counter.till import Redeemed, SaleLine, Sold
from wallet_server.actions.once import Facts
from wallet_server.actions.programme import programs
from wallet_server.rules import sentences
from wallet_server.rules.baskets.deal_sentences import instruction, to_pay_sentence, undoing, vouchers_sentence
from wallet_server.rules.counter import claim_spoken
from wallet_server.rules.programme.program import Programme, Reward
from wallet_server.web.api import entries, models, sale_models
from wallet_server.web.api.door import (
    SECURITY,
    answer,
    caller,
    context,
    demand_person,
    guard,
    idempotency_key,
    instant,
    needs,
)
from wallet_server.web.api.proof_models import given
from wallet_server.web.api.prospects import prospects

counter = APIBlueprint(
    "counter",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(counter)


def sold_of(body: sale_models.Sale | sale_models.AnySale) -> Sold:
    """A sale as the counter knows it; nobody's has an empty code. Raises `Invalid` (`implausible-time`)."""
    whole = SaleLine(None, None, 1000, body.amount_minor, body.amount_minor or 0, 0, False)
    lines = tuple(line.sold() for line in body.lines) or (whole,)
    return Sold(
        code=body.code or "",
        receipt=body.receipt,
        amount_minor=sum(line.amount_minor for line in lines),
        lines=lines,
        money=body.currency,
        occurred_at=instant(body.occurred_at),
        business_day=body.business_day,
        uses=body.uses(),
        proof=given(body.proof),
    )


def redeemed_of(body: models.Redemption) -> Redeemed:
    """The same of a redemption."""
    return Redeemed(body.code, body.currency, body.amount or 0, body.reference, body.reward, given(body.proof))


@counter.post("/sales", summary="Count a sale", responses={"200": models.Counted, "202": sale_models.Kept})
@needs("till")
def sell(body: sale_models.AnySale) -> Response:
    """Store a sale as it was sold and award what the programme gives for it.

    Sending the same sale again (same till, business day and receipt number, or same Idempotency-Key) answers what was
    answered the first time, with `Idempotency-Replayed: true`; the same number or key for another sale is a 422.
    Without a `code` the sale is nobody's yet: it is kept, and the answer (202) has the code by which it is claimed.
    """
    if body.code is None:
        return _kept(body)
    sold = sold_of(body)
    if sold.uses.spends:
        demand_person(caller())
    facts, replayed = till.sell(context(), caller(), sold, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "already-counted" if replayed else "sold", replayed)


def _kept(body: sale_models.AnySale) -> Response:
    facts, code, replayed = claims.keep(context(), caller(), sold_of(body), idempotency_key())
    said = claim_spoken.kept(code, body.language)
    if replayed and code is not None:
        said = sentences.already(said, time_of(facts.get("recorded_at"), caller().zone), body.language)
    told = {name: facts[name] for name in ("id", "programme", "until")}
    return answer({**told, "claim_code": code, "sentence": said}, replayed=replayed, status=202)


@counter.post("/claims", summary="Claim a sale", responses={"200": models.Counted})
@needs("till")
def claim(body: sale_models.Claim) -> Response:
    """A sale that was nobody's is this card's holder's: it earns as at its own time, by the version of the programme
    under which it was sold. Once; a wrong `claim` is counted, a mistyped one is not."""
    facts, replayed = claims.claim(context(), caller(), body.code, body.claim, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "already-counted" if replayed else "sold", replayed)


@counter.delete("/claims/<id>", summary="End a claim", responses={"200": sale_models.ClaimEnded})
@needs("till")
def end_claim(path: models.Subject, query: sale_models.Spoken) -> Response:
    """The goods came back before anybody claimed the sale: nobody can any more."""
    claims.end(context(), caller(), path.id)
    return answer({"id": path.id, "sentence": claim_spoken.kept(None, query.language)})


@counter.post("/redemptions", summary="Give a reward, or spend points", responses={"200": models.Counted})
@needs("till", person=True)
def redeem(body: models.Redemption) -> Response:
    """Take the cost of a reward, or an amount, off the member's balance; never more than there is, whoever asks at the
    same time."""
    facts, replayed = till.redeem(context(), caller(), redeemed_of(body), idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "redeemed", replayed)


@counter.post("/sales/<id>/reversal", summary="Reverse a sale", responses={"200": models.Reversed})
@needs("till", person=True)
def reverse_sale(path: models.Subject, body: models.Reversal) -> Response:
    """Undo everything of this sale that did not come back before, by further entries that name what they reverse. A
    sale that booked nothing is reversed too: no figure counts it any more."""
    scope = caller()
    facts, replayed = till.reverse_sale(context(), scope, path.id, idempotency_key())
    programme = programs.programme_told(context(), facts)
    back = facts.get("amount_minor")
    return counted(facts, programme, body.language, "reversed", replayed, amount_minor=back)


@counter.post("/redemptions/<id>/reversal", summary="Reverse a redemption", responses={"200": models.Counted})
@needs("till", person=True)
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
    zone = caller().zone if replayed else None
    return answer(counted_facts(facts, programme, language, kind, zone) | more, replayed=replayed)


def counted_facts(
    facts: Facts, programme: Programme, language: str, kind: sentences.CashierKind, replayed_in: str | None = None
) -> dict[str, Any]:
    """The same as it is sent; `replayed_in` is the zone of the store to whose till it is told again."""
    shown = facts["entries"][0]["currency"] if kind == "redeemed" else programme.balance_currency
    # Of a sale what it gave is said: what it used, or what became a voucher, is told apart.
    gives = kind in ("sold", "already-counted")
    amount = sum(e["amount"] for e in facts["entries"] if e["currency"] == shown and (e["amount"] > 0 or not gives))
    if hold := facts.get("hold"):
        shown, amount = hold["currency"], hold["captured" if kind == "captured" else "amount"]
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
    at = None if replayed_in is None else time_of(facts.get("recorded_at"), replayed_in)
    if at is not None:
        params["at"] = at
    said = sentences.cashier_sentence(kind, params, language)
    if replayed_in is not None and kind != "already-counted":
        said = sentences.already(said, at, language)
    return {
        "id": facts["id"],
        "member": facts["member"],
        "programme": facts["programme"],
        "version": facts["version"],
        "entries": entries.told(facts, programme, language),
        "withheld": entries.withheld(facts, programme, language),
        "balances": facts["balances"],
        "tier": facts["tier"],
        "reward": facts.get("reward"),
        "counted_before": facts.get("counted_before", False),
        "recorded_at": facts.get("recorded_at"),
        **_used(facts, programme, language, given),
        **prospects(programme, facts["balances"], language),
        "sentence": _sentence(facts, programme, language, said),
    }


def time_of(instant_text: str | None, zone: str) -> str | None:
    """The time of day at the store of an instant as the books tell it."""
    if instant_text is None:
        return None
    return f"{datetime.fromisoformat(instant_text).astimezone(ZoneInfo(zone)):%H:%M}"


def _used(facts: Facts, programme: Programme, language: str, given: Reward | None) -> dict[str, Any]:
    """What was used, and what the cashier has to do with it."""
    used = facts.get("used", [])
    rewards = [reward for one in used if one["kind"] == "reward" and (reward := programme.reward(one["id"]))]
    told = [instruction(reward, programme, language, deducted=True) for reward in rewards]
    if given is not None:
        told.append(instruction(given, programme, language))
    # Goods that come back pay for it; a redemption that is undone has nothing to take it off.
    deducted = "amount_minor" in facts
    back = [undoing(one, programme.money, language, deducted=deducted) for one in facts.get("returned", [])]
    told += [one for one in back if one is not None]
    return {
        "instructions": told,
        "vouchers": facts.get("vouchers", []),
        "discounts": facts.get("discounts", []),
        "used": [
            {"kind": one["kind"], "id": one["id"], "off_minor": one.get("off_minor"), "amount": one.get("amount")}
            for one in used
        ],
        "to_pay_minor": facts.get("to_pay_minor"),
        "pot_minor": facts.get("pot_minor", 0),
    }


def _sentence(facts: Facts, programme: Programme, language: str, said: str) -> str:
    """What is to be paid, what was counted, what became of it."""
    parts = [said]
    if facts.get("to_pay_minor") is not None:
        parts.insert(0, to_pay_sentence(facts["to_pay_minor"], programme.money, language))
    if facts.get("vouchers"):
        parts.append(vouchers_sentence(len(facts["vouchers"]), language))
    return ", ".join(parts)
