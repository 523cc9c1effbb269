"""Owns what was burned at a till without a network: within what the till had reserved it is booked in any case.

The member may have spent the same units elsewhere meanwhile. What is missing then is owed or borne by the merchant, as
the programme's `refunds.negative` says; all of it together is never more than what tills had reserved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wallet_server.actions import code_keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import checkout, rotating, scanning, till
from wallet_server.actions.counter.bookings import counter_booking, facts_of
from wallet_server.actions.counter.till import Redeemed
from wallet_server.actions.once import Facts, once
from wallet_server.actions.passes import cards, reissuing
from wallet_server.actions.purse import catalogue, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.offline import allowances
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import overdrawing
from wallet_server.records.purse.ledger import Booking, Posted, Purse
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes, scans
from wallet_server.rules.programme.program import Programme

FORGIVEN = "forgive.offline"
GRACE = timedelta(minutes=1)
"""By how much the clocks of server and till may differ at the end of what was reserved."""


@dataclass(frozen=True)
class Burn:
    """What was burned: by which event, when by the server's clock, of what the till had reserved (public id).
    `by_hand`: a person has it booked, whatever was reserved; `proof` is their word, where it counts as one."""

    event_id: int
    device_id: int
    wanted: Redeemed
    at: datetime
    allowance: str | None
    by_hand: bool = False
    proof: scanning.Proof | None = None


def burn(ctx: Context, scope: Scope, one: Burn, done: Callable[[Tx, Facts], None]) -> tuple[Facts, bool]:
    """Book it, once, and what `done` writes with it: (facts, whether this is a replay, without `done`).

    Raises `Conflict` (`burns-not-offline`, `no-allowance`, `beyond-allowance`, `beyond-card-limit`, `unsigned-code`,
    `forged-code`, `replaced-card`, `coupon-code`), what redeeming raises, but for `not-enough`, and what `done` raises.
    """
    wish = till.ask_to_redeem(scope, one.wanted, None, one.at)

    def act(tx: Tx) -> Facts:
        if not one.by_hand:
            _demand_signed(tx, scope, one)
        member = scanning.holder_of(ctx, tx, scope, rotating.bare(one.wanted.code), hold=True, sold_at=one.at)
        _demand_card(member, one)
        programme = ctx.programme(tx, member.version_id)
        currency, amount = till.price_of(programme, one.wanted)
        if not one.by_hand:
            _take_allowance(tx, programme, member, one, currency, amount)
        facts = _book(ctx, tx, scope, member, one, currency, amount)
        done(tx, facts)
        return facts

    return once(ctx, wish, act)


def _demand_signed(tx: Tx, scope: Scope, one: Burn) -> None:
    """Without a network nobody can tell whose any other code is. Nothing is looked up for one: it may be a guess."""
    scan = scans.read(rotating.bare(one.wanted.code), scope.issuer_mark)
    if scan.code is None or scan.code.key_id == codes.UNSIGNED:
        sentence = "Only a card whose code is signed spends without a network; have it scanned where there is one."
        raise Conflict(sentence, code="unsigned-code")
    if not code_keys.genuine(tx, scope.account_id, scan.code):
        raise Conflict("The signature on this card is not the shop's.", code="forged-code")


def _demand_card(member: MemberRow, one: Burn) -> None:
    """An older issue of a card is good: the phone may not have had a network either. A card that was replaced is not:
    whoever lost it said so."""
    if member.coupon_pass is not None:
        raise Conflict("This is the code of a coupon; scan the card.", code="coupon-code")
    if not one.by_hand and (member.code is None or member.code.standing == members.REPLACED):
        raise Conflict("This card was replaced; it earns, and spends nothing.", code="replaced-card")


def _take_allowance(tx: Tx, programme: Programme, member: MemberRow, one: Burn, currency: str, amount: int) -> None:
    policy = programme.offline
    if not policy.burn_units_per_card:
        raise Conflict("In this programme nothing is burned without a network.", code="burns-not-offline")
    row = None if one.allowance is None else allowances.by_public(tx, one.device_id, one.allowance)
    if row is None or row.closed_at is not None or one.at > row.ends_at + GRACE:
        raise Conflict("The till had reserved nothing for this, or not for then.", code="no-allowance")
    if (row.programme_id, row.currency) != (member.programme_id, currency):
        raise Conflict("What the till had reserved is of another programme or currency.", code="no-allowance")
    if allowances.burned(tx, row.id) + amount > row.amount:
        raise Conflict("The till has burned more than it had reserved.", code="beyond-allowance")
    if allowances.burned_for(tx, row.id, member.id, row.opened_at) + amount > policy.burn_units_per_card:
        raise Conflict("More was burned for this card than may be without a network.", code="beyond-card-limit")
    allowances.note_burn(tx, one.event_id, row.id, member.id, amount)


def _book(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, one: Burn, currency: str, amount: int) -> Facts:
    now, wanted = ctx.now(), one.wanted
    programme = ctx.programme(tx, member.version_id)
    purses = till.purses_of(tx, member, programme, scope.merchant_id)
    booking = counter_booking(scope, member, "redeem", "burn.redeem", wanted.reference, member.tier, now)
    booking = replace(booking, effective_at=one.at, params={**booking.params, **scanning.noted(one.proof)})
    if wanted.reward is not None and not one.by_hand:
        said = catalogue.claim(tx, programme, member.programme_id, member.id, wanted.reward, now, scope.zone)
        booking = replace(booking, rule_id="reward", reason="burn.reward", params={**booking.params, **said})
    posted, owed = _take(tx, programme, booking, purses[currency], amount)
    made = checkout.made_by(ctx, tx, member, programme, wanted.reward, booking)
    reissuing.follow(ctx, tx, scope, member, now)
    after = standing.settle_tier(ctx, tx, programme, member.id, member.tier, posted)
    loud = standing.loud(programme, posted, member.tier, after)
    cards.changed(tx, member.id, [*loud, "news"] if made else loud, now)
    balances = {p.code: p.amount for p in purses.values()} | {currency: posted[-1].balance}
    more = made if wanted.reward is None else {"reward": wanted.reward, **made}
    if owed:
        more = {**more, "owed": owed}
    facts = facts_of(member, posted[0].public_id, posted, member.tier, after, balances, now, **more)
    hooks.tell(ctx, tx, hooks.REDEEMED, member.programme_id, scope.merchant_id, now, facts)
    return facts


def _take(tx: Tx, programme: Programme, booking: Booking, purse: Purse, amount: int) -> tuple[list[Posted], int]:
    """The entries, and how much of it the member had not."""
    posted, debt = overdrawing.burn(tx, booking, purse, amount)
    if debt is None:
        return [posted], 0
    if programme.refunds.negative != "zero":
        return [posted], debt.owed
    return [posted, overdrawing.forgive(tx, booking, purse, debt, new_id("ent"), FORGIVEN)], debt.owed
