"""Owns lots: what each award opened, how a burn draws on them, and how debts left by reversals are paid.

The caller holds the member's lock. A debt is a lot with a negative remainder, so that the sum of an account's lots is
always its balance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import Instant, balances, corrections, lot_allocations, lots, pending_awards

MAX_LOTS = 10_000
# Written out, not bound: by a bound value a database cannot tell that the partial index of the open lots holds the row.
OPEN = lots.c.remaining != sa.literal_column("0")
DEBT = lots.c.remaining < sa.literal_column("0")
_OPEN_LOT = Prepared(
    sa.insert(lots).returning(lots.c.id),
    ["account_id", "entry_id", "amount", "remaining", "earned_at", "expires_at"],
)
_LOTS = Prepared(
    sa.select(lots.c.id, lots.c.remaining)
    .where(
        lots.c.account_id == b("account"),
        OPEN,
        lots.c.remaining > 0,
        sa.or_(lots.c.expires_at.is_(None), lots.c.expires_at > b("at")),
    )
    .order_by(lots.c.expires_at.asc().nulls_last(), lots.c.id)
    .limit(MAX_LOTS)
)
# A debt is opened by what takes an award back.
_DEBTS = (
    sa.select(lots.c.id, lots.c.remaining, corrections.c.corrects_id.label("award"))
    .outerjoin(corrections, corrections.c.entry_id == lots.c.entry_id)
    .where(lots.c.account_id == b("account"), DEBT)
    .order_by(lots.c.id)
    .limit(MAX_LOTS)
)
# What waited has a second lot since it was confirmed.
_OPENED = (
    sa.select(
        lots.c.id,
        sa.func.coalesce(pending_awards.c.entry_id, lots.c.entry_id).label("award"),
        lots.c.expires_at,
    )
    .outerjoin(pending_awards, pending_awards.c.confirmed_id == lots.c.entry_id)
    .where(lots.c.id.in_(b("ids", expanding=True)))
)
_DRAW = Prepared(sa.update(lots).where(lots.c.id == b("lot")).values(remaining=lots.c.remaining - b("by")))
_ALLOCATE = Prepared(sa.insert(lot_allocations), ["lot_id", "entry_id", "amount"])


@dataclass(frozen=True)
class Wait:
    """An award on its way: the lot that holds what is left of it, when it can be spent, and how long from then on."""

    lot_id: int
    entry_id: int
    account_id: int
    amount: int
    matures_at: datetime
    expires_at: datetime | None


WAITING, CONFIRMED, TAKEN = "waiting", "confirmed", "taken"


def let_wait(tx: Tx, wait: Wait) -> None:
    """Note of an award that it is on its way."""
    tx.execute(sa.insert(pending_awards).values(**vars(wait), state=WAITING))


def new_lot(account: int, entry: int, amount: int, at: datetime, expires_at: datetime | None) -> dict[str, Any]:
    """One for `open_lots`; a debt has a negative amount."""
    return {
        "account_id": account,
        "entry_id": entry,
        "amount": amount,
        "remaining": amount,
        "earned_at": at,
        "expires_at": expires_at,
    }


def open_lots(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Entry to the lot that it opens."""
    return {row["entry_id"]: _OPEN_LOT.first(tx, row).id for row in rows}


def plan(
    tx: Tx, account: int, amount: int, at: datetime, apart: Collection[int] = ()
) -> tuple[list[tuple[int, int]], int]:
    """Which lots give how much, first to expire first, those `apart` left out, and what is missing."""
    takes: list[tuple[int, int]] = []
    for row in _LOTS.rows(tx, {"account": account, "at": at}):
        if not amount:
            break
        if row.id not in apart:
            part = min(row.remaining, amount)
            takes.append((row.id, part))
            amount -= part
    return takes, amount


_END = (
    sa.update(lots)
    .where(
        lots.c.account_id.in_(sa.select(balances.c.account_id).where(balances.c.member_id == b("member"))),
        lots.c.remaining > 0,
        lots.c.expires_at.is_(None),
    )
    .values(expires_at=b("at", type_=Instant()))
)


def end(tx: Tx, member_id: int, at: datetime) -> None:
    """What the member has without an end, also on its way or put aside, ends then."""
    tx.execute(_END, {"member": member_id, "at": at})


def take(tx: Tx, entry: int, takes: Sequence[tuple[int, int]]) -> None:
    """Draw on lots (lot: amount, negative to give back), each draw written down under the entry that caused it."""
    takes = [(lot, part) for lot, part in takes if part]
    if takes:
        _DRAW.many(tx, [{"lot": lot, "by": part} for lot, part in takes])
        _ALLOCATE.many(tx, [{"lot_id": lot, "entry_id": entry, "amount": part} for lot, part in takes])


_TAKEN = (
    sa.select(lot_allocations.c.lot_id, lot_allocations.c.amount)
    .join(lots, lots.c.id == lot_allocations.c.lot_id)
    .where(lot_allocations.c.entry_id == b("entry"), lot_allocations.c.amount > 0)
    .order_by(lots.c.expires_at.asc().nulls_last(), lots.c.id)
)


def taken_by(tx: Tx, entry: int) -> list[tuple[int, int]]:
    """From which lots an entry took how much, the first to expire first."""
    return [(r.lot_id, r.amount) for r in tx.execute(_TAKEN, {"entry": entry})]


def share(taken: Sequence[tuple[int, int]], skip: int, amount: int) -> dict[int, int]:
    """Of what was taken from lots, in this order, so much after the first `skip`."""
    found = {}
    for lot, part in taken:
        passed = min(skip, part)
        skip -= passed
        here = min(part - passed, amount)
        if here:
            found[lot] = here
            amount -= here
    return found


def put_back(tx: Tx, entry: int, account: int, back: Mapping[int, int], at: datetime) -> None:
    """Give units back to the lots that they were taken from, from where they first pay debts (see `repay`)."""
    repaid = dict(repay(tx, account, back, at))
    net = {lot: repaid.pop(lot, 0) - amount for lot, amount in back.items()}
    take(tx, entry, [*net.items(), *repaid.items()])


def repay(tx: Tx, account: int, pool: Mapping[int, int], at: datetime) -> list[tuple[int, int]]:
    """What the lots of `pool` (lot: amount just put there) pay towards the account's debts: (lot, amount taken).

    A lot that has run out by `at` pays the debt that its own award left, and no other; that debt it pays before others
    do, because what it does not pay is gone.
    """
    debts = tx.execute(_DEBTS, {"account": account}).all()
    if not debts:
        return []
    opened = {r.id: r for r in tx.execute(_OPENED, {"ids": list(pool)})}
    alive = [lot for lot in pool if opened[lot].expires_at is None or opened[lot].expires_at > at]
    left = dict(pool)
    moves: list[tuple[int, int]] = []
    for debt in debts:
        owed = -debt.remaining
        own = [lot for lot in pool if lot not in alive and opened[lot].award == debt.award]
        for lot in (*own, *alive):
            part = min(left[lot], owed)
            left[lot] -= part
            owed -= part
        if owed != -debt.remaining:
            moves.append((debt.id, debt.remaining + owed))
    return [(lot, pool[lot] - left[lot]) for lot in pool if left[lot] != pool[lot]] + moves
