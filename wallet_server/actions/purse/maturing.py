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

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, standing, warning
from wallet_server.errors import WalletError
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import expiry, ledger, pending
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.purse.pending import Mature

MATURE = "maturing"
AWARDS, WARNINGS = "awards", "warnings"
"""The kind of the job and its keys: `awards`, `awards:microseconds:lot`; `warnings`, and for each number of days
`warnings-30`, `warnings-30:microseconds:lot`."""
SLICE = 100
"""Awards confirmed in one transaction: a till that waits for one of these members waits a fraction of a second."""
DAY = timedelta(days=1)
MOST_SLICES = 10_000
CONFIRMED = "confirm.award"
_UNREADABLE = (WalletError, ValueError, LookupError, TypeError, AttributeError)
_log = structlog.get_logger("maturing")

After = tuple[datetime, int] | None
"""Where a walk goes on: beyond what came due then and has this key."""


def begin(ctx: Context) -> list[Put]:
    """The jobs of tonight's walks."""
    return [Put(MATURE, key, jobs.BULK, ctx.now()) for key in (AWARDS, WARNINGS)]


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """One slice of each of these walks."""
    for lease in leases:
        what, _, place = lease.key.partition(":")
        with ctx.change() as tx:
            if what == AWARDS:
                following = _awards(ctx, tx, _place(place))
            elif what == WARNINGS:
                following = [Put(MATURE, f"{WARNINGS}-{days}", jobs.BULK, ctx.now()) for days in warning.days(ctx, tx)]
            else:
                following = _warnings(ctx, tx, what, _place(place))
            jobs.settle(tx, [lease])
            jobs.put(tx, following)
    ctx.ring()


def _place(place: str) -> After:
    when, _, lot = place.partition(":")
    return (jobs.instant(int(when)), int(lot)) if place else None


def _next(walk_key: str, last: tuple[datetime, int], now: datetime) -> list[Put]:
    return [Put(MATURE, f"{walk_key}:{jobs.micros(last[0])}:{last[1]}", jobs.BULK, now)]


def _awards(ctx: Context, tx: Tx, after: After) -> list[Put]:
    now = ctx.now()
    last = confirm_due(ctx, tx, now, SLICE, after)
    if last is not None:
        return _next(AWARDS, last, now)
    # What comes due after the next night is that one's.
    following = pending.next_due(tx, now)
    due_soon = following is not None and following <= now + DAY
    return [Put(MATURE, AWARDS, jobs.BULK, following)] if following is not None and due_soon else []


def _warnings(ctx: Context, tx: Tx, what: str, after: After) -> list[Put]:
    now = ctx.now()
    last = warning.warn_due(ctx, tx, now, int(what.removeprefix(f"{WARNINGS}-")), after)
    return [] if last is None else _next(what, last, now)


def warn_own(ctx: Context, account_id: int, now: datetime) -> None:
    """All the warnings of one account that is ahead of everybody's time."""
    with ctx.look() as tx:
        wanted = warning.days(ctx, tx)
    for days in sorted(wanted):  # the nearest first, so that no earlier one follows it
        after: After = None
        for _ in range(MOST_SLICES):
            with ctx.change() as tx:
                after = warning.warn_due(ctx, tx, now, days, after, account_id)
            if after is None:
                break


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
