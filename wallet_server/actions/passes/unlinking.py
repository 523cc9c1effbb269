"""Owns the moments at which a card in a wallet that cards are pushed to is to name other coupons than before: one came
there, came back, or was used and can no longer be given back. The card is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import stale
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.passes import passes
from wallet_server.records.purse import coupons
from wallet_server.records.purse.coupons import CouponRow
from wallet_server.records.vendors import vendors

OVER = "coupon-over"
"""The kind of the job; its keys are those of coupons that stand beside a card in a wallet that cards are pushed to."""


def await_end(tx: Tx, coupon_id: int, over_at: datetime) -> None:
    """The coupon was used and is over then, or came back just now. Nothing where no pushed card names it."""
    if coupons.elsewhere(tx, coupon_id):
        jobs.put(tx, [jobs.Put(OVER, str(coupon_id), jobs.SERVICE, over_at)])


def came(tx: Tx, pass_ids: Sequence[int], now: datetime) -> None:
    """These coupons are at their vendor since now, which takes no card that names one before."""
    found = coupons.of_passes(tx, pass_ids) if pass_ids else {}
    jobs.put(tx, [jobs.Put(OVER, str(one.id), jobs.SERVICE, now) for one in found.values()])


def end(ctx: Context, leases: Sequence[Lease]) -> None:
    """Tell the cards beside these coupons, whatever they are to name by now. Nothing on the card itself changes, so it
    is told again as it is. Each in its member's time."""
    for lease in leases:
        with ctx.change() as tx:
            coupon = coupons.by_id(tx, int(lease.key))
            with ctx.times.of_member(tx, coupon.member_id):
                _tell(ctx, tx, lease, coupon)
    ctx.ring()


def _tell(ctx: Context, tx: Tx, lease: Lease, coupon: CouponRow) -> None:
    now, found = ctx.now(), [vendors.card_of(tx, coupon.member_id, wallet) for wallet in ctx.pushed]
    naming = sorted(key for key in found if key is not None)
    if naming:
        passes.lock_passes(tx, naming)
    for key in naming:
        passes.ring_again(tx, key, new_tag=False)
    # Run for another moment of the same coupon, which came first.
    later = coupon.over_at if coupon.over_at is not None and coupon.over_at > now else None
    jobs.settle(tx, [lease], {} if later is None else {lease.id: Again(later, lease.lane)})
    jobs.put(tx, [jobs.Put(stale.REFRESH, str(key), jobs.SERVICE, now) for key in naming])
