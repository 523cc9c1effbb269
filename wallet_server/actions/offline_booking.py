"""Owns the booking of what a till did without a network: a sale earns as at its time, what was burned is booked.

What the till was allowed to do is booked, even where the member has less by now: the goods are gone. What it was not
allowed to do, and what cannot be booked, is for a person, who may still have it booked (`by_hand`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import orjson

from wallet_server.actions import offline_burning, rotating, scanning, till
from wallet_server.actions.checkout import Pot, Uses
from wallet_server.actions.context import Context
from wallet_server.actions.dated import business_day
from wallet_server.actions.offline_burning import Burn
from wallet_server.actions.once import Asked, Facts
from wallet_server.actions.till import Redeemed, SaleLine, Sold
from wallet_server.errors import Conflict, NotFound
from wallet_server.records import offline, parties, requests, sales
from wallet_server.records.database import Tx
from wallet_server.records.offline import APPLIED, EventRow, Fate
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class _Wanted:
    """What was read of a signed text."""

    said: Mapping[str, Any]
    allowance: str | None
    key: str | None


def sale_said(sold: Sold) -> dict[str, Any]:
    """A sale in a form that JSON holds; see `_sold`."""
    return asdict(sold) | {
        "occurred_at": sold.occurred_at.isoformat() if sold.occurred_at else None,
        "business_day": sold.business_day.isoformat() if sold.business_day else None,
        "proof": None,
    }


def redemption_said(wanted: Redeemed) -> dict[str, Any]:
    """The same of a redemption."""
    return asdict(wanted) | {"proof": None}


def book(ctx: Context, event: EventRow, *, by_hand: bool = False) -> Fate:
    """Book an event, once however often this is called. `by_hand`: a person says that it is to be booked, whatever the
    till was allowed. Raises what selling and redeeming raise, and `Conflict` (`device-ended`, `earns-not-offline`,
    `spends-offline`, `receipt-taken`, and as `offline_burning.burn` does)."""
    key = parties.key(ctx.database, event.api_key, ctx.now())
    if key is None or (not key.live and not by_hand):
        raise Conflict("The key of this till was ended before this was counted.", code="device-ended")
    wanted = _read(ctx, event)
    if event.kind == offline.REDEMPTION:
        return _burn(ctx, key.scope, event, wanted, by_hand)
    return _sell(ctx, key.scope, event, sold_of(wanted.said), by_hand, wanted.key)


def _read(ctx: Context, event: EventRow) -> _Wanted:
    if event.cipher is None or event.kind == offline.UNREADABLE:
        raise Conflict("What the till wrote cannot be read.", code="unreadable-event")
    content = orjson.loads(ctx.keyring.open(event.cipher, f"offline:{event.public_id}"))
    return _Wanted(content["said"], content["allowance"], content.get("key"))


def sold_of(said: Mapping[str, Any]) -> Sold:
    """A sale, of what `sale_said` made of it."""
    uses = said["uses"]
    pot = None if uses["pot"] is None else Pot(**uses["pot"])
    at, day = said["occurred_at"], said["business_day"]
    return Sold(
        **{
            **said,
            "lines": tuple(SaleLine(**line) for line in said["lines"]),
            "uses": Uses(uses["deals"], tuple(uses["vouchers"]), tuple(uses["rewards"]), pot),
            "occurred_at": None if at is None else datetime.fromisoformat(at),
            "business_day": None if day is None else date.fromisoformat(day),
        }
    )


def _sell(ctx: Context, scope: Scope, event: EventRow, sold: Sold, by_hand: bool, key: str | None) -> Fate:
    if (facts := _online(ctx, scope, till.ask_to_sell(scope, sold, None, event.at), key)) is not None:
        return _told(facts, counted_online=True)
    if not by_hand:
        _may_earn(ctx, scope, sold)
    own = replace(sold, occurred_at=event.at)
    try:
        return _told(till.sell(ctx, scope, own, None)[0])
    except Conflict as refusal:
        if refusal.code != "key-reused":
            raise
        facts = _same_sale(ctx, scope, own, event.at)
        if facts is not None:
            return _told(facts, counted_online=True)
        if not by_hand:
            raise Conflict("This receipt number stands for another sale.", code="receipt-taken") from refusal
        number = f"{sold.receipt[:60]} ({event.device[-6:]}-{event.sequence})"
        return _told(till.sell(ctx, scope, replace(own, receipt=number), None)[0])


def _may_earn(ctx: Context, scope: Scope, sold: Sold) -> None:
    if sold.uses.spends:
        sentence = "A sale that pays with what the member has was made without a network."
        raise Conflict(sentence, code="spends-offline")
    with ctx.look() as tx:
        member = scanning.holder_of(ctx, tx, scope, rotating.bare(sold.code))
        policy = ctx.programme(tx, member.version_id).offline
    if not policy.earn:
        raise Conflict("In this programme nothing is earned without a network.", code="earns-not-offline")


def _online(ctx: Context, scope: Scope, wish: Asked, key: str | None) -> Facts | None:
    """What was answered when the till sent this very request while it still had a network; by the `key` under which it
    did, whatever day it is by now."""
    tried = [] if key is None else [requests.Claim(parties.principals(scope)[0], f"key:{key}")]
    with ctx.look() as tx:
        held = requests.answered(tx, (*wish.claims, *tried))
    if tried and tried[0] in held:
        return dict(orjson.loads(held[tried[0]].answer))
    same = next((one for one in held.values() if one.request_hash == wish.request_hash), None)
    return None if same is None else dict(orjson.loads(same.answer))


def _same_sale(ctx: Context, scope: Scope, sold: Sold, at: datetime) -> Facts | None:
    """What was answered when this sale was counted, though its request differed in words: the same till, day, receipt,
    member and amount."""
    day = business_day(scope, sold.business_day, at)
    claim = requests.Claim(parties.principals(scope)[0], f"about:sale:{day.isoformat()}:{sold.receipt}")
    with ctx.look() as tx:
        held = requests.answered(tx, [claim]).get(claim)
        if held is None:
            return None
        facts: Facts = orjson.loads(held.answer)
        return facts if _same(ctx, tx, scope, sold, facts["id"]) else None


def _same(ctx: Context, tx: Tx, scope: Scope, sold: Sold, sale: str) -> bool:
    try:
        row = sales.sale_in(tx, scope, sale)
        member = scanning.holder_of(ctx, tx, scope, rotating.bare(sold.code))
    except NotFound:
        return False
    return (row.member_id, row.amount_minor) == (member.id, sold.amount_minor)


def _burn(ctx: Context, scope: Scope, event: EventRow, wanted: _Wanted, by_hand: bool) -> Fate:
    redeemed = Redeemed(**wanted.said)
    if (facts := _online(ctx, scope, till.ask_to_redeem(scope, redeemed, None, event.at), wanted.key)) is not None:
        return _told(facts, counted_online=True)
    burn = Burn(event.id, event.device_id, redeemed, event.at, wanted.allowance, by_hand)
    return _told(offline_burning.burn(ctx, scope, burn))


def _told(facts: Facts, *, counted_online: bool = False) -> Fate:
    """What is kept of an answer: ids and numbers."""
    params: dict[str, Any] = {"member": facts["member"], "programme": facts["programme"], "version": facts["version"]}
    params["entries"] = [{"currency": one["currency"], "amount": one["amount"]} for one in facts["entries"]]
    params["balances"] = facts["balances"]
    if counted_online:
        params["counted_before"] = True
    if facts.get("owed"):
        params["owed"] = facts["owed"]
    return Fate(APPLIED, None, params, facts["id"])
