"""Owns what happens by itself: the nightly snapshot of balances, the booking of what has expired, and the throwing
away of what is no longer needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import groupby

from wallet_server.actions import cards, standing
from wallet_server.actions.context import Context, new_id
from wallet_server.records import audit, expiry, jobs, ledger, limits, members
from wallet_server.records.database import Tx
from wallet_server.records.expiry import Lapsed
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.ledger import Booking, Posted

NIGHTLY = "nightly"
ALL, EXPIRY = "all", "expiry"
"""Keys of the nightly job: the night's work, and the booking of what has expired, which it sets off."""
SLICE = 1000
EXPIRY_SLICE = 100
"""Lots booked off in one transaction: a till that waits for one of these members waits a fraction of a second."""
_AT = time(1, 30, tzinfo=UTC)


def schedule(ctx: Context) -> None:
    """See to it that the nightly job stands; called when a worker starts."""
    with ctx.change() as tx:
        if not jobs.stands(tx, NIGHTLY, ALL):
            jobs.put(tx, [jobs.Put(NIGHTLY, ALL, jobs.SERVICE, _next_night(ctx.now()))])


def _next_night(now: datetime) -> datetime:
    tonight = datetime.combine(now.date(), _AT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def nightly(ctx: Context, leases: Sequence[Lease]) -> None:
    """The night's work, and each slice of the expiry that it sets off."""
    for lease in leases:
        if lease.key == EXPIRY:
            _expire(ctx, lease)
        else:
            _night(ctx, lease)
    ctx.ring()


def _night(ctx: Context, lease: Lease) -> None:
    """Snapshot yesterday's balances in slices, forget old rate windows, begin the expiry; runs again tomorrow."""
    now = ctx.now()
    yesterday = now.date() - timedelta(days=1)
    after: int | None = 0
    while after is not None:
        with ctx.change() as tx:
            after = audit.snapshot(tx, yesterday, after, SLICE)
    with ctx.change() as tx:
        limits.forget_windows(tx, int(now.timestamp()) // 60 - 60)
        jobs.settle(tx, [lease], {lease.id: Again(_next_night(now), lease.lane)})
        jobs.put(tx, [jobs.Put(NIGHTLY, EXPIRY, jobs.BULK, now)])


def _expire(ctx: Context, lease: Lease) -> None:
    """One slice of what has expired, and in the same transaction the wish for the next: a crash resumes there."""
    now = ctx.now()
    with ctx.change() as tx:
        more = book_expired(ctx, tx, now)
        jobs.settle(tx, [lease], {lease.id: Again(now, jobs.BULK)} if more else None)


def book_expired(ctx: Context, tx: Tx, now: datetime, most: int = EXPIRY_SLICE) -> bool:
    """Book off up to `most` lots that have run out; True when there may be more.

    Each lot by an entry of its own, from the member to the breakage of the merchant that gave it, effective when the
    lot ran out. Locks the members in the order of their keys; a lot that another worker has booked off meanwhile is
    found empty and left alone. The cards follow without a sound, a tier that is lost by it too.
    """
    found = expiry.lapsed(tx, now, most)
    tiers = {key: members.lock_member(tx, key) for key in sorted({one.member_id for one in found})}
    _open_breakage(tx, found)
    holders = members.members_by_id(tx, list(tiers))
    moved: list[int] = []
    for key, own in groupby(sorted(found, key=lambda one: (one.member_id, one.expires_at, one.lot_id)), _holder):
        posted = _book(tx, own, tiers[key], now)
        if posted:
            standing.settle_tier(tx, ctx.programme(tx, holders[key].version_id), key, tiers[key], posted)
            moved.append(key)
    cards.changed_many(tx, moved, (), now)
    return len(found) == most


def _holder(one: Lapsed) -> int:
    return one.member_id


def _open_breakage(tx: Tx, found: Sequence[Lapsed]) -> None:
    """In one order for everybody: two workers that open such accounts for the first time must not wait crosswise."""
    for programme_id, currency_id, merchant_id in sorted(
        {(one.programme_id, one.purse.currency_id, one.merchant_id) for one in found}
    ):
        ledger.contra_account(tx, programme_id, currency_id, merchant_id, ledger.BREAKAGE)


def _book(tx: Tx, own: Iterable[Lapsed], tier: str | None, now: datetime) -> list[Posted]:
    posted = (
        ledger.expire(
            tx,
            Booking(
                public_id=new_id("ent"),
                programme_id=one.programme_id,
                member_id=one.member_id,
                merchant_id=one.merchant_id,
                programme_version_id=one.programme_version_id,
                rule_id=one.rule_id,
                reason="expire.lot",
                params={"entry": one.award, "earned_at": one.earned_at.isoformat()},
                state={"tier": tier},
                effective_at=one.expires_at,
                recorded_at=now,
            ),
            one.purse,
            one.lot_id,
        )
        for one in own
    )
    return [one for one in posted if one is not None]


def book_faults(ctx: Context) -> list[str]:
    """Sentences for everything in the books that does not add up; empty when they are true."""
    with ctx.look() as tx:
        return list(audit.faults(tx))


def trial_balance(ctx: Context) -> list[audit.TrialLine]:
    """The sums of every kind of account; per currency they add up to zero."""
    with ctx.look() as tx:
        return audit.trial_balance(tx)
