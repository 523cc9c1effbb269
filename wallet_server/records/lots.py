"""Owns lots: what each award opened, how a burn draws on them, and how debts left by reversals are paid.

The caller holds the member's lock. A debt is a lot with a negative remainder, so that the sum of an account's lots is
always its balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import ledger_entries, lot_allocations, lots

MAX_LOTS = 10_000
# Written out, not bound: by a bound value a database cannot tell that the partial index of the open lots holds the row.
OPEN = lots.c.remaining != sa.literal_column("0")
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
# A debt is opened by the reversal of an award: of which one, its entry names.
_DEBTS = (
    sa.select(lots.c.id, lots.c.remaining, ledger_entries.c.reverses_id.label("award"))
    .join(ledger_entries, ledger_entries.c.id == lots.c.entry_id)
    .where(lots.c.account_id == b("account"), OPEN, lots.c.remaining < 0)
    .order_by(lots.c.id)
    .limit(MAX_LOTS)
)
_OPENED = sa.select(lots.c.id, lots.c.entry_id, lots.c.expires_at).where(lots.c.id.in_(b("ids", expanding=True)))
_DRAW = Prepared(sa.update(lots).where(lots.c.id == b("lot")).values(remaining=lots.c.remaining - b("by")))
_ALLOCATE = Prepared(sa.insert(lot_allocations), ["lot_id", "entry_id", "amount"])


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
    tx: Tx, account: int, amount: int, at: datetime, first: int | None = None
) -> tuple[list[tuple[int, int]], int]:
    """Which lots give how much, first to expire first (the lot of entry `first` before all), and what is missing."""
    rows = [(r.id, r.remaining) for r in _LOTS.rows(tx, {"account": account, "at": at})]
    if first is not None:
        own = tx.execute(
            sa.select(lots.c.id, lots.c.remaining).where(lots.c.entry_id == first, lots.c.account_id == account)
        ).all()
        ahead = [(r.id, r.remaining) for r in own if r.remaining > 0]
        rows = ahead + [row for row in rows if row not in ahead]
    takes: list[tuple[int, int]] = []
    for lot, remaining in rows:
        if not amount:
            break
        part = min(remaining, amount)
        takes.append((lot, part))
        amount -= part
    return takes, amount


def take(tx: Tx, entry: int, takes: Sequence[tuple[int, int]]) -> None:
    """Draw on lots (lot: amount, negative to give back), each draw written down under the entry that caused it."""
    takes = [(lot, part) for lot, part in takes if part]
    if takes:
        _DRAW.many(tx, [{"lot": lot, "by": part} for lot, part in takes])
        _ALLOCATE.many(tx, [{"lot_id": lot, "entry_id": entry, "amount": part} for lot, part in takes])


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
        own = [lot for lot in pool if lot not in alive and opened[lot].entry_id == debt.award]
        for lot in (*own, *alive):
            part = min(left[lot], owed)
            left[lot] -= part
            owed -= part
        if owed != -debt.remaining:
            moves.append((debt.id, debt.remaining + owed))
    return [(lot, pool[lot] - left[lot]) for lot in pool if left[lot] != pool[lot]] + moves
