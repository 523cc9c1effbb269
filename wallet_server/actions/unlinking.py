"""Owns the moment at which a used coupon can no longer be given back: the card that names it is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.actions import stale
from wallet_server.actions.context import Context
from wallet_server.records import coupons, jobs, passes, vendors
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease

OVER = "coupon-over"
"""The kind of the job; its keys are those of coupons that stand beside a card in a wallet that cards are pushed to."""


def await_end(tx: Tx, coupon_id: int, over_at: datetime) -> None:
    """The coupon was used, and is over then. Nothing where no pushed card names it."""
    if coupons.elsewhere(tx, coupon_id):
        jobs.put(tx, [jobs.Put(OVER, str(coupon_id), jobs.SERVICE, over_at)])


def end(ctx: Context, leases: Sequence[Lease]) -> None:
    """Tell the cards beside these coupons; of one that was given back meanwhile nobody. Nothing on the card itself
    changes, so it is told again as it is."""
    for lease in leases:
        with ctx.change() as tx:
            now, coupon = ctx.now(), coupons.by_id(tx, int(lease.key))
            found = [vendors.card_of(tx, coupon.member_id, wallet) for wallet in ctx.pushed]
            naming = sorted(key for key in found if key is not None)
            if coupon.over_at is None or coupon.over_at > now:
                naming = []
            if naming:
                passes.lock_passes(tx, naming)
            for key in naming:
                passes.ring_again(tx, key, new_tag=False)
            jobs.settle(tx, [lease])
            jobs.put(tx, [jobs.Put(stale.REFRESH, str(key), jobs.SERVICE, now) for key in naming])
    ctx.ring()
