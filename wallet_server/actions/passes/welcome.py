"""Owns the welcome gift: once for ever for each member, when a phone first holds the card, as the first live update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, standing
from wallet_server.records import jobs, parties
from wallet_server.records.counter import visits
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Booking
from wallet_server.rules.baskets import earning
from wallet_server.rules.programme.program import Amount, Programme
from wallet_server.rules.programme.program_checks import WELCOME

OWED = "welcome"
"""The kind of the job; its keys are those of cards that a vendor was heard to have given to somebody, where the gift
could not be booked at once."""


@dataclass(frozen=True)
class Gift:
    """What a member is owed, by the version of the programme that promised it; `current` is the one that stands."""

    member: MemberRow
    tier: str | None
    promise: Programme
    current: Programme
    version_id: int
    amount: Amount


def due(ctx: Context, tx: Tx, row: PassRow) -> Gift | None:
    """The gift that the holder of this pass has not had yet; the member is then locked until the end.

    To be asked before the pass is locked: whoever changes a member locks it before its passes. The promise is that of
    the version that stood when the member joined: a gift that is promised later is for those who join later, and one
    that was promised is kept.
    """
    gift = promised(ctx, tx, row)
    if gift is None:
        return None
    tier = members.lock_member(tx, gift.member.id)
    # Two phones may add the card at once: whoever had to wait for the lock finds that it was given.
    return None if visits.ever(tx, gift.member.id, WELCOME) else replace(gift, tier=tier)


def promised(ctx: Context, tx: Tx, row: PassRow) -> Gift | None:
    """The same for whoever only tells of it: nothing is locked."""
    if row.state != passes.ACTIVE or row.kind != passes.CARD:
        return None
    member = members.members_by_id(tx, [row.member_id])[row.member_id]
    version = programmes.version_at(tx, member.programme_id, member.joined_at)
    promise = None if version is None else ctx.programme(tx, version.id)
    if version is None or promise is None or promise.welcome is None or visits.ever(tx, member.id, WELCOME):
        return None
    current = ctx.programme(tx, member.version_id)
    return Gift(member, member.tier, promise, current, version.id, promise.welcome)


def give(ctx: Context, tx: Tx, gift: Gift) -> None:
    """Book the gift that is `due` and have the phone told. A card that was published again before it was registered is
    told of at once anyway, so no coalescing window holds the gift back."""
    member = gift.member
    with ctx.times.of_member(tx, member.id):
        _give(ctx, tx, gift, member, ctx.now())


def _give(ctx: Context, tx: Tx, gift: Gift, member: MemberRow, now: datetime) -> None:
    home = parties.stores_by_id(tx, [] if member.home_store_id is None else [member.home_store_id])
    ledger.open_all_purses(tx, member.programme_id, member.id)
    booking = Booking(
        public_id=new_id("ent"),
        programme_id=member.programme_id,
        member_id=member.id,
        merchant_id=home[0].merchant_id if home else programmes.first_merchant(tx, member.programme_id),
        programme_version_id=gift.version_id,
        rule_id=WELCOME,
        reason="earn.welcome",
        state={"tier": gift.tier},
        effective_at=now,
        recorded_at=now,
    )
    purse = ledger.purses(tx, member.id)[gift.amount.currency]
    expires_at = earning.expiry(gift.promise, gift.amount.currency, now)
    posted = ledger.award(tx, [ledger.Award(booking, purse, gift.amount.units, expires_at)])
    balances = {one.currency: one.balance for one in posted}
    made = conversions.settle(ctx, tx, gift.current, member.version_id, booking, balances)
    posted += made.posted
    after = standing.settle_tier(ctx, tx, gift.current, member.id, gift.tier, posted)
    cards.changed(tx, member.id, standing.loud(gift.current, posted, gift.tier, after), now)
    made.ring(tx, member.id, now)


def bring(ctx: Context, leases: Sequence[Lease]) -> None:
    """Give each of these cards' holders what is `due`."""
    for lease in leases:
        with ctx.change() as tx:
            # The lease first: whoever puts this job settles that of the card's refresh after it.
            jobs.settle(tx, [lease])
            rows = passes.passes_by_id(tx, [int(lease.key)])
            gift = due(ctx, tx, rows[0]) if rows else None
            if gift is not None:
                give(ctx, tx, gift)
    ctx.ring()
