"""Owns giving back what was used: a reward's units, its place in the stock, the voucher that it made; and all that a
sale used. The member is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.checkout import POT
from wallet_server.actions.purse import catalogue, conversions, vouchers
from wallet_server.errors import Conflict
from wallet_server.records.counter import correcting
from wallet_server.records.counter.correcting import Taking
from wallet_server.records.database import Tx
from wallet_server.records.purse import coupons, ledger, rewards
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.purse.rewards import Paid
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.refunding import Sale
from wallet_server.rules.counter import coupons as rules
from wallet_server.rules.programme.program import Programme


def undo_reward(
    tx: Tx, programme_id: int, member_id: int, entry: str, params: Mapping[str, Any], like: Booking
) -> None:
    """What hangs on an entry (public id) that is reversed: the reward is in stock again, the voucher that it made is
    cancelled. Raises `Conflict` (`voucher-used`)."""
    made = coupons.made_of(tx, member_id, [entry])
    if any(one.state == rules.USED for one in made):
        raise Conflict("The voucher that came of this was used; it cannot be taken back.", code="voucher-used")
    vouchers.cancel_made_of(tx, member_id, [entry] if made else (), like.recorded_at)
    if params.get("stocked"):
        catalogue.give_back(tx, programme_id, [str(params["reward"])])


def handed(programme: Programme, paid: Paid) -> dict[str, Any] | None:
    """What the customer got for an entry, as answers tell it when it is given back: the reward's `kind` and `names`, by
    the version of the programme that it was given by, and in `cash_minor` the money that was paid out for it. None
    where units were spent without a reward."""
    reward = programme.reward(str(paid.params.get("reward", "")))
    if reward is None:
        return None
    cash = (reward.value_minor or 0) if reward.kind == "refund" else 0
    return {"reward": reward.code, "kind": reward.kind, "names": dict(reward.names), "cash_minor": cash}


@dataclass(frozen=True)
class Returned:
    """What was given back of what a sale used: the entries, and what the customer had got for the rewards."""

    posted: list[Posted]
    rewards: list[dict[str, Any]]

    @property
    def cash_minor(self) -> int:
        """The money that was paid out for them."""
        return sum(one["cash_minor"] for one in self.rewards)


def of_sale(ctx: Context, tx: Tx, scope: Scope, sold: Sale, cash_minor: int, like: Booking) -> Returned:
    """Give back what a sale used (`state["used"]`), the pot apart, under bookings `like` this one: units to the lots
    that they were taken from, vouchers to be used again. A reward whose voucher was used meanwhile stays paid for, and
    so does one for which more money was paid out than can be taken off the `cash_minor` that the customer is to get."""
    posted: list[Posted] = []
    given: list[dict[str, Any]] = []
    for one in sold.kept.get("used", ()):
        if one["kind"] == POT:
            continue
        if one["kind"] == "voucher":
            posted += _voucher(ctx, tx, scope, one, like)
            continue
        paid = rewards.entry(tx, one["entry"])
        got = handed(sold.programme, paid)
        cash = got["cash_minor"] if got else 0
        if paid.reversed or cash > cash_minor:
            continue
        try:
            undo_reward(tx, like.programme_id, like.member_id, one["entry"], paid.params, like)
        except Conflict:
            continue
        purse = ledger.purses(tx, like.member_id)[paid.currency]
        booking = replace(like, public_id=new_id("ent"), rule_id=paid.rule_id)
        posted += correcting.reverse(tx, booking, purse, paid.id, lambda: new_id("ent"))
        given += [got] if got else []
        cash_minor -= cash
    return Returned(posted, given)


def to_pot(
    tx: Tx, refund_id: int, used: Sequence[Mapping[str, Any]], amount_minor: int, left_minor: int, like: Booking
) -> list[Posted]:
    """What of a refund of `amount_minor` goes back to the pot that paid part of the sale: what was paid otherwise comes
    back first, so that the pot has paid no more than what is `left_minor` of the sale."""
    posted: list[Posted] = []
    for one in used:
        if one["kind"] != POT:
            continue
        paid = rewards.entry(tx, one["entry"])
        part = min(amount_minor, max(0, correcting.standing(tx, [paid.id])[paid.id] - left_minor))
        if part and not paid.reversed:
            purse = ledger.purses(tx, like.member_id)[paid.currency]
            booking = replace(like, public_id=new_id("ent"), rule_id=paid.rule_id, params={**like.params, POT: 1})
            posted += correcting.give_back(tx, booking, purse, Taking(paid.id, part, refund_id), lambda: new_id("ent"))
    return posted


def _voucher(ctx: Context, tx: Tx, scope: Scope, used: Mapping[str, Any], like: Booking) -> list[Posted]:
    found = coupons.by_public(tx, used["id"])
    if found is None or found.member_id != like.member_id or not coupons.is_last(tx, used["use"]):
        return []
    vouchers.give_back(ctx, tx, scope, found, like.receipt, like.recorded_at)
    return conversions.reclaim(ctx, tx, like, found.id)
