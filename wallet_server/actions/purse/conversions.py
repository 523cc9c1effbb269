"""Owns units that become vouchers by themselves, one for each full amount, and vouchers that become units again.

The member is held by whoever gave the units, so whoever else is at a till waits, and then finds what is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import vouchers
from wallet_server.actions.purse.vouchers import Gift
from wallet_server.records.counter import correcting
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.purse import coupons, ledger, lots, rewards
from wallet_server.records.purse.coupons import CouponRow
from wallet_server.records.purse.ledger import Booking, Posted, Purse
from wallet_server.records.purse.rewards import Paid
from wallet_server.rules.counter import coupons as rules
from wallet_server.rules.programme.program import Programme

MOST_AT_ONCE = 50
"""Vouchers made by one event; what is over becomes vouchers with the next."""
REASON, UNDONE = "burn.conversion", "reverse.conversion"


@dataclass(frozen=True)
class Made:
    """What became vouchers: the entries, and the public ids of the vouchers."""

    posted: tuple[Posted, ...] = ()
    vouchers: tuple[str, ...] = ()

    def ring(self, tx: Tx, member_id: int, now: datetime) -> None:
        """The card says that there is a voucher, and may be heard."""
        if self.vouchers:
            cards.changed(tx, member_id, ["news"], now)

    def told(
        self, posted: Sequence[Posted], balances: Mapping[str, int], more: Mapping[str, Any]
    ) -> tuple[list[Posted], dict[str, int], dict[str, Any]]:
        """What an answer says with these vouchers: entries, balances, and the rest."""
        named = {"vouchers": [*more.get("vouchers", ()), *self.vouchers]} if self.vouchers else {}
        after = {one.currency: one.balance for one in self.posted}
        return [*posted, *self.posted], {**balances, **after}, {**more, **named}


def due(programme: Programme, balances: Mapping[str, int]) -> bool:
    """Whether one of these balances is enough for a voucher."""
    return any(balances.get(one.currency, 0) >= one.units for one in programme.conversions)


def settle(
    ctx: Context, tx: Tx, programme: Programme, version_id: int, like: Booking, balances: Mapping[str, int]
) -> Made:
    """Make vouchers of every full amount that this member now has, after something was given under a booking `like`
    this one. Costs no statement where there is none. What has run out, though nobody booked it yet, makes none."""
    posted: list[Posted] = []
    made: list[str] = []
    now = like.recorded_at
    for conversion in programme.conversions:
        if balances.get(conversion.currency, 0) < conversion.units:
            continue
        purse = ledger.purses(tx, like.member_id)[conversion.currency]
        _, missing = lots.plan(tx, purse.account_id, purse.amount, now)
        row = programmes.programme_by_id(tx, like.programme_id)
        for _ in range(min((purse.amount - missing) // conversion.units, MOST_AT_ONCE)):
            booking = replace(
                like,
                public_id=new_id("ent"),
                programme_version_id=version_id,
                rule_id=conversion.id,
                reason=REASON,
                params={"conversion": conversion.id},
                effective_at=now,
                sale_id=None,
            )
            posted.append(ledger.burn(tx, booking, purse, conversion.units))
            purse = replace(purse, amount=posted[-1].balance)
            promise = f"{rules.CONVERSION}:{conversion.id}"
            gift = Gift(rules.CONVERSION, promise, version_id, like.merchant_id, booking.public_id)
            made.append(vouchers.give(ctx, tx, row, like.member_id, gift, now)[0].public_id)
    return Made(tuple(posted), tuple(made))


def cover(tx: Tx, like: Booking) -> list[Posted]:
    """Whoever owes units after goods came back pays with the vouchers that units became and that nobody used, the
    newest first, as many as it takes: each is cancelled, and its units are there again. The member is held."""
    posted: list[Posted] = []
    owing = {purse.code for purse in ledger.purses(tx, like.member_id).values() if purse.amount < 0}
    for one in coupons.issued(tx, like.member_id):
        if not owing:
            break
        entry = _made_of(tx, one, like.recorded_at)
        if entry is not None and entry.currency in owing:
            posted += _turn_back(tx, like, one, entry, ledger.purses(tx, like.member_id)[entry.currency])
            owing = {purse.code for purse in ledger.purses(tx, like.member_id).values() if purse.amount < 0}
    return posted


def reclaim(ctx: Context, tx: Tx, like: Booking, coupon_id: int) -> list[Posted]:
    """A voucher whose use was undone goes the way of one that was never used: it pays what its member owes, and what
    was forgiven because its units were gone. Nothing where the programme lets members keep such vouchers. The member is
    held."""
    one = coupons.by_id(tx, coupon_id)
    entry = _made_of(tx, one, like.recorded_at)
    if entry is None or ctx.programme(tx, one.version_id).refunds.vouchers != "cancel":
        return []
    purse = ledger.purses(tx, like.member_id)[entry.currency]
    if purse.amount >= 0 and not correcting.forgiven_since(tx, like.member_id, purse, entry.id):
        return []
    return _turn_back(tx, like, one, entry, purse)


def _made_of(tx: Tx, one: CouponRow, now: datetime) -> Paid | None:
    """The entry whose units a good voucher was made of by themselves; None for any other."""
    if one.source != rules.CONVERSION or one.entry is None:
        return None
    good = rules.standing(one.state, one.valid_to, now) == rules.ISSUED
    return rewards.entry(tx, one.entry) if good else None


def _turn_back(tx: Tx, like: Booking, one: CouponRow, entry: Paid, purse: Purse) -> list[Posted]:
    """Cancel a voucher; its units are there again."""
    vouchers.cancel_made_of(tx, like.member_id, [str(one.entry)], like.recorded_at)
    booking = replace(like, public_id=new_id("ent"), rule_id=entry.rule_id, reason=UNDONE, sale_id=None)
    return correcting.reverse(tx, booking, purse, entry.id, lambda: new_id("ent"))
