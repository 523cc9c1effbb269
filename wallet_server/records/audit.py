"""Owns the proofs over the books: trial balance, balances as of a date, and whether every cached figure is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    balance_snapshots,
    balances,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    lots,
    programmes,
)


@dataclass(frozen=True)
class TrialLine:
    """The sum of one kind of account of one currency of one programme."""

    programme: str
    currency: str
    owner_kind: str
    purpose: str
    amount: int


def trial_balance(tx: Tx) -> list[TrialLine]:
    """All postings of the installation, summed; the lines of a currency add up to zero."""
    a, c, p = ledger_accounts.c, currencies.c, programmes.c
    rows = tx.execute(
        sa.select(p.public_id, c.code, a.owner_kind, a.purpose, sa.func.sum(ledger_postings.c.amount).label("amount"))
        .select_from(ledger_postings)
        .join(ledger_accounts, a.id == ledger_postings.c.account_id)
        .join(currencies, c.id == a.currency_id)
        .join(programmes, p.id == a.programme_id)
        .group_by(p.public_id, c.code, a.owner_kind, a.purpose)
        .order_by(p.public_id, c.code, a.owner_kind, a.purpose)
    )
    return [TrialLine(r.public_id, r.code, r.owner_kind, r.purpose, int(r.amount)) for r in rows]


def faults(tx: Tx) -> Iterable[str]:
    """Sentences for everything that does not add up; none when the books are true.

    Checked: each entry sums to zero per currency; each cached balance equals the sum of its postings and the sum of
    its lots' remainders; each lot's remainder equals its amount less its allocations.
    """
    post = ledger_postings.c
    unbalanced = (
        sa.select(post.entry_id).group_by(post.entry_id, post.currency_id).having(sa.func.sum(post.amount) != 0)
    )
    for entry in tx.execute(unbalanced.limit(100)).scalars():
        yield f"Entry {entry} does not sum to zero."
    posted = sa.select(post.account_id, sa.func.sum(post.amount).label("amount")).group_by(post.account_id).subquery()
    owned = (
        sa.select(lots.c.account_id, sa.func.sum(lots.c.remaining).label("amount"))
        .group_by(lots.c.account_id)
        .subquery()
    )
    compare = (
        sa.select(
            balances.c.account_id,
            balances.c.amount,
            sa.func.coalesce(posted.c.amount, 0).label("posted"),
            sa.func.coalesce(owned.c.amount, 0).label("owned"),
        )
        .select_from(balances)
        .outerjoin(posted, posted.c.account_id == balances.c.account_id)
        .outerjoin(owned, owned.c.account_id == balances.c.account_id)
        .where(
            sa.or_(
                balances.c.amount != sa.func.coalesce(posted.c.amount, 0),
                balances.c.amount != sa.func.coalesce(owned.c.amount, 0),
            )
        )
    )
    for row in tx.execute(compare.limit(100)):
        yield f"Account {row.account_id}: balance {row.amount}, postings {row.posted}, lots {row.owned}."
    taken = sa.text(
        "SELECT l.id, l.amount, l.remaining, COALESCE(SUM(a.amount), 0) AS taken FROM lots l "
        "LEFT JOIN lot_allocations a ON a.lot_id = l.id GROUP BY l.id, l.amount, l.remaining "
        "HAVING l.remaining <> l.amount - COALESCE(SUM(a.amount), 0) LIMIT 100"
    )
    for row in tx.execute(taken):
        yield f"Lot {row.id}: remaining {row.remaining}, but {row.amount} less {row.taken} allocated."


def balance_as_of(tx: Tx, account_id: int, at: datetime) -> int:
    """What stood on an account at an instant of its books (entries recorded up to `at`): snapshot plus tail."""
    snap = tx.execute(
        sa.select(balance_snapshots.c.amount, balance_snapshots.c.day)
        .where(balance_snapshots.c.account_id == account_id, balance_snapshots.c.day < at.date())
        .order_by(balance_snapshots.c.day.desc())
        .limit(1)
    ).first()
    start, since = (snap.amount, _end(snap.day)) if snap else (0, datetime.min.replace(tzinfo=UTC))
    tail = tx.execute(
        sa.select(sa.func.coalesce(sa.func.sum(ledger_postings.c.amount), 0))
        .join(ledger_entries, ledger_entries.c.id == ledger_postings.c.entry_id)
        .where(
            ledger_postings.c.account_id == account_id,
            ledger_entries.c.recorded_at >= since,
            ledger_entries.c.recorded_at <= at,
        )
    ).scalar_one()
    return int(start) + int(tail)


def _end(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=UTC)


_AS_OF_END = (
    sa.select(
        ledger_postings.c.account_id,
        sa.func.sum(ledger_postings.c.amount).label("amount"),
    )
    .join(ledger_entries, ledger_entries.c.id == ledger_postings.c.entry_id)
    .where(
        ledger_postings.c.account_id.in_(sa.bindparam("ids", expanding=True)),
        ledger_entries.c.recorded_at < sa.bindparam("end"),
    )
    .group_by(ledger_postings.c.account_id)
)


def snapshot(tx: Tx, day: date, after: int, limit: int) -> int | None:
    """Write the balances at the end of `day` (UTC, and over) for up to `limit` accounts whose key is above `after`.

    Returns the last key looked at, or None when none was left. A snapshot that stands already is left alone.
    """
    account = ledger_accounts.c.id
    ids = list(tx.execute(sa.select(account).where(account > after).order_by(account).limit(limit)).scalars())
    if not ids:
        return None
    snap = balance_snapshots.c
    there = set(tx.execute(sa.select(snap.account_id).where(snap.day == day, snap.account_id.in_(ids))).scalars())
    rows = [
        {"account_id": r.account_id, "day": day, "amount": int(r.amount)}
        for r in tx.execute(_AS_OF_END, {"ids": ids, "end": _end(day)})
        if r.account_id not in there
    ]
    if rows:
        tx.execute(sa.insert(balance_snapshots), rows)
    return int(ids[-1])
