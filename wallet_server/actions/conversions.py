"""Owns units that become vouchers by themselves, one for each full amount, and vouchers that become units again.

The member is held by whoever gave the units, so whoever else is at a till waits, and then finds what is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from wallet_server.actions import cards, vouchers
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.vouchers import Gift
from wallet_server.records import correcting, coupons, ledger, lots, programmes, rewards
from wallet_server.records.database import Tx
from wallet_server.records.ledger import Booking, Posted
from wallet_server.rules import coupons as rules
from wallet_server.rules.program import Programme

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
            gift = Gift(rules.CONVERSION, f"{rules.CONVERSION}:{conversion.id}", version_id, booking.public_id)
            made.append(vouchers.give(ctx, tx, row, like.member_id, gift, now)[0].public_id)
    return Made(tuple(posted), tuple(made))


def cover(tx: Tx, like: Booking) -> list[Posted]:
    """Whoever owes units after goods came back pays with the vouchers that units became and that nobody used, the
    newest first, as many as it takes: each is cancelled, and its units are there again. The member is held."""
    posted: list[Posted] = []
    owing = {purse.code for purse in ledger.purses(tx, like.member_id).values() if purse.amount < 0}
    if not owing:
        return posted
    for one in reversed(coupons.of_member(tx, like.member_id)):
        good = rules.standing(one.state, one.valid_to, like.recorded_at) == rules.ISSUED
        if not good or one.source != rules.CONVERSION or one.entry is None:
            continue
        entry = rewards.entry(tx, one.entry)
        purse = ledger.purses(tx, like.member_id)[entry.currency]
        if purse.amount >= 0:
            continue
        vouchers.cancel_made_of(tx, like.member_id, [one.entry], like.recorded_at)
        booking = replace(like, public_id=new_id("ent"), rule_id=entry.rule_id, reason=UNDONE, sale_id=None)
        posted += correcting.reverse(tx, booking, purse, entry.id, lambda: new_id("ent"))
    return posted
