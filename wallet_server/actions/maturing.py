"""Owns what comes to pass by time in members' purses: awards that can be spent by now, reservations that are over, and
warnings before units run out.

The night begins a walk of each kind; what matures by day is looked at when it does. A slice is one transaction, which
also puts the job of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from wallet_server.actions import cards, conversions, standing
from wallet_server.actions.context import Context, new_id
from wallet_server.errors import WalletError
from wallet_server.records import expiry, jobs, ledger, members, pending
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put
from wallet_server.records.ledger import Booking, Posted
from wallet_server.records.members import MemberRow
from wallet_server.records.pending import Mature

MATURE = "maturing"
AWARDS = "awards"
"""The kind of the job and its keys: `awards`, `awards:microseconds:lot`."""
SLICE = 100
"""Awards confirmed in one transaction: a till that waits for one of these members waits a fraction of a second."""
DAY = timedelta(days=1)
CONFIRMED = "confirm.award"
_UNREADABLE = (WalletError, ValueError, LookupError, TypeError, AttributeError)
_log = structlog.get_logger("maturing")

After = tuple[datetime, int] | None
"""Where a walk goes on: beyond what came due then and has this key."""


def begin(ctx: Context) -> list[Put]:
    """The jobs of tonight's walks."""
    return [Put(MATURE, AWARDS, jobs.BULK, ctx.now())]


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """One slice of each of these walks."""
    for lease in leases:
        now = ctx.now()
        with ctx.change() as tx:
            last = confirm_due(ctx, tx, now, SLICE, _place(lease.key))
            jobs.settle(tx, [lease])
            if last is not None:
                jobs.put(tx, [Put(MATURE, f"{AWARDS}:{jobs.micros(last[0])}:{last[1]}", jobs.BULK, now)])
            else:
                # What comes due after the next night is that one's.
                following = pending.next_due(tx, now)
                if following is not None and following <= now + DAY:
                    jobs.put(tx, [Put(MATURE, AWARDS, jobs.BULK, following)])
    ctx.ring()


def _place(key: str) -> After:
    _, _, place = key.partition(":")
    if not place:
        return None
    when, _, lot = place.partition(":")
    return jobs.instant(int(when)), int(lot)


def confirm_due(
    ctx: Context, tx: Tx, now: datetime, most: int = SLICE, after: After = None, account_id: int | None = None
) -> After:
    """Let up to `most` awards be spent whose time has come, beyond `after`, of one account if it is named; the place of
    the last where there may be more.

    Each by an entry of its own, effective when its time came. Locks the members in the order of their keys. The cards
    follow without a sound. A member whose programme cannot be read is left alone and named in the log.
    """
    found = pending.due(tx, now, most, after, account_id)
    tiers = {key: members.lock_member(tx, key) for key in sorted({one.member_id for one in found})}
    holders = members.members_by_id(tx, list(tiers))
    moved: list[int] = []
    for key, own in groupby(sorted(found, key=lambda one: (one.member_id, one.matures_at, one.lot_id)), _holder):
        try:
            with expiry.apart(tx):
                if _confirm(ctx, tx, holders[key], tiers[key], list(own), now):
                    moved.append(key)
        except _UNREADABLE as fault:
            holder, why = holders[key], f"{type(fault).__name__}: {fault}"[:300]
            _log.error("awards not confirmed", member=holder.public_id, why=why)
    cards.changed_many(tx, moved, (), now, pushed=ctx.pushed)
    return (found[-1].matures_at, found[-1].lot_id) if len(found) == most else None


def _holder(one: Mature) -> int:
    return one.member_id


def _confirm(
    ctx: Context, tx: Tx, member: MemberRow, tier: str | None, own: Sequence[Mature], now: datetime
) -> list[Posted]:
    programme = ctx.programme(tx, member.version_id)
    posted: list[Posted] = []
    for one in own:
        booking = Booking(
            public_id=new_id("ent"),
            programme_id=one.programme_id,
            member_id=one.member_id,
            merchant_id=one.merchant_id,
            programme_version_id=one.programme_version_id,
            rule_id=one.rule_id,
            reason=CONFIRMED,
            params={"entry": one.entry},
            state={"tier": tier},
            effective_at=one.matures_at,
            recorded_at=now,
            sale_id=one.sale_id,
        )
        purse = ledger.purses(tx, one.member_id)[one.pending.code]
        confirmed = pending.confirm(tx, booking, one, purse)
        if confirmed is not None:
            posted.append(confirmed)
            made = conversions.settle(ctx, tx, programme, member.version_id, booking, {purse.code: confirmed.balance})
            posted += made.posted
    if posted:
        standing.settle_tier(ctx, tx, programme, member.id, tier, posted)
    return posted
