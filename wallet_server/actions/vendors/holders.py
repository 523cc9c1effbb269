"""Owns the nightly look at a vendor's list of holders: what no callback told of is put right.

One page is one job: it goes at the rate of its issuer, behind everything that somebody waits for, and a restart goes on
where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.passes import pushed
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease, Put, Rest
from wallet_server.records.passes import passes
from wallet_server.records.vendors import credentials, holders
from wallet_server.records.vendors.holders import Walk
from wallet_server.wallets.port import Later, Roll

HOLDERS = "holders"
"""The kind of the job; its keys are those of the sets."""
MOST_LOOKED_AT = 5_000_000
"""Passes of one walk: more than any issuer has, and an end to a list that has none."""
LONGEST_WALK = timedelta(hours=20)
"""One that was begun before that is another night's, whose place may be worth nothing any more: it begins anew."""
_log = structlog.get_logger("holders")


def begin(ctx: Context, tx: Tx) -> list[Put]:
    """The jobs of tonight's walks, one for each set of credentials whose cards are pushed."""
    wallets = [name for name in ctx.wallets if ctx.pushes(name)]
    return [Put(HOLDERS, str(one), jobs.BULK, ctx.now()) for one in holders.sets(tx, wallets)]


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """One page of each of these walks."""
    for lease in leases:
        _look(ctx, lease, int(lease.key))
    ctx.ring()


def _look(ctx: Context, lease: Lease, set_id: int) -> None:
    """One page of a walk; settles the lease. Holds no transaction while the vendor is asked."""
    asked_at = ctx.now()
    with ctx.look() as tx:
        issuer = credentials.credential_set(tx, set_id)
        so_far = holders.walk_of(tx, set_id)
        names = holders.programmes_of(tx, set_id)
        resting = limits.open_circuits(tx, asked_at).get(f"{issuer.wallet}:{set_id}")
    if so_far is None or so_far.place is None or asked_at - so_far.at >= LONGEST_WALK:
        so_far = Walk(None, asked_at, 0, 0)
    wallet = ctx.wallets.get(issuer.wallet)
    if wallet is None or not names:
        with ctx.change() as tx:
            jobs.settle(tx, [lease])
        return
    if resting is not None:
        _rest(ctx, lease, Rest(*resting))
        return
    found = wallet.roll(set_id, names, so_far.place)
    if isinstance(found, Later):
        _rest(ctx, lease, Rest(asked_at + timedelta(seconds=found.seconds), found.why))
        return
    with ctx.change() as tx:
        again = {}
        if isinstance(found, Roll):
            so_far = _mend(ctx, tx, set_id, so_far, found, asked_at)
            if so_far.place is not None:
                again = {lease.id: Again(ctx.now(), lease.lane)}
        else:
            # A vendor's pages have marks that age: what is refused tonight begins anew tomorrow.
            holders.keep(tx, set_id, replace(so_far, place=None))
        jobs.settle(tx, [lease], again)
    if not isinstance(found, Roll):
        _log.warning("holders not listed", issuer=issuer.pass_type, why=getattr(found, "why", "not offered"))
    elif so_far.place is None:
        _log.info("holders listed", issuer=issuer.pass_type, passes=so_far.looked_at, mended=so_far.mended)


def _mend(ctx: Context, tx: Tx, set_id: int, so_far: Walk, roll: Roll, asked_at: datetime) -> Walk:
    """Note what is so of the passes on this page; how far the walk is then."""
    now = ctx.now()
    otherwise = holders.noted_otherwise(tx, set_id, roll.held, asked_at) if roll.held else {}
    rows = {row.id: row for row in passes.passes_by_id(tx, list(otherwise))}
    for key, held in otherwise.items():
        pushed.hear(ctx, tx, rows[key], held, now)
    looked_at = so_far.looked_at + len(roll.held)
    place = roll.after if looked_at < MOST_LOOKED_AT else None
    so_far = Walk(place, so_far.at, looked_at, so_far.mended + len(otherwise))
    holders.keep(tx, set_id, so_far)
    return so_far


def _rest(ctx: Context, lease: Lease, rest: Rest) -> None:
    with ctx.change() as tx:
        jobs.settle(tx, [lease], rests={lease.id: rest})
