"""Owns the proofs over the books: trial balance, balances as of a date, and whether every cached figure is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from wallet_server.records.books import book_days
from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    balances,
    coupon_events,
    coupons,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    lots,
    programmes,
    sale_lines,
    sales,
)

MOST_FAULTS = 100
"""Sentences of one kind; whoever has more knows enough."""


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

    Checked: each entry sums to zero per currency, and moves the member's lots by what it posted; each member's cached
    balance stands and equals the sum of its postings and the sum of its lots' remainders; each lot's remainder equals
    its amount less its allocations and lies between the two; each coupon is as its last event left it, none of its
    events is missing, they add up to its value while it is good and to nothing once it is not, and a merchant owes it;
    what the days are summed to is what their entries say; whatever a row of the books names is there.
    """
    for check in (_entry_faults, _balance_faults, _lot_faults, _coupon_faults, book_days.faults, _orphan_faults):
        yield from check(tx)


def _orphan_faults(tx: Tx) -> Iterable[str]:
    """What foreign keys would refuse row by row, looked at for all rows at once."""
    for table in (sales, sale_lines, ledger_entries, ledger_postings, lots):
        for key in sorted(table.foreign_keys, key=lambda one: one.parent.name):
            column, named = key.parent, key.column.table.alias("named")
            there = sa.exists().where(named.c[key.column.name] == column)
            lost = sa.select(column).where(column.is_not(None), ~there).distinct().limit(MOST_FAULTS)
            for row in tx.execute(lost).scalars():
                yield f"{table.name} names {key.column.table.name} {row} as its {column.name}, which does not exist."


def _entry_faults(tx: Tx) -> Iterable[str]:
    post = ledger_postings.c
    unbalanced = (
        sa.select(post.entry_id).group_by(post.entry_id, post.currency_id).having(sa.func.sum(post.amount) != 0)
    )
    for entry in tx.execute(unbalanced.limit(MOST_FAULTS)).scalars():
        yield f"Entry {entry} does not sum to zero."
    unmoved = sa.text(
        "SELECT e.id, COALESCE(p.amount, 0) AS posted, COALESCE(l.amount, 0) - COALESCE(a.amount, 0) AS moved "
        "FROM ledger_entries e "
        "LEFT JOIN (SELECT lp.entry_id, SUM(lp.amount) AS amount FROM ledger_postings lp "
        "  JOIN ledger_accounts la ON la.id = lp.account_id WHERE la.owner_kind = 'member' GROUP BY lp.entry_id) p "
        "  ON p.entry_id = e.id "
        "LEFT JOIN (SELECT entry_id, SUM(amount) AS amount FROM lots GROUP BY entry_id) l ON l.entry_id = e.id "
        "LEFT JOIN (SELECT entry_id, SUM(amount) AS amount FROM lot_allocations GROUP BY entry_id) a "
        "  ON a.entry_id = e.id "
        "WHERE p.amount IS NULL OR p.amount <> COALESCE(l.amount, 0) - COALESCE(a.amount, 0) LIMIT :most"
    )
    for row in tx.execute(unmoved, {"most": MOST_FAULTS}):
        yield f"Entry {row.id} posts {row.posted} to a member but moves lots by {row.moved}."


def _balance_faults(tx: Tx) -> Iterable[str]:
    post = ledger_postings.c
    posted = sa.select(post.account_id, sa.func.sum(post.amount).label("amount")).group_by(post.account_id).subquery()
    owned = (
        sa.select(lots.c.account_id, sa.func.sum(lots.c.remaining).label("amount"))
        .group_by(lots.c.account_id)
        .subquery()
    )
    of_postings, of_lots = sa.func.coalesce(posted.c.amount, 0), sa.func.coalesce(owned.c.amount, 0)
    compare = (
        sa.select(ledger_accounts.c.id, balances.c.amount, of_postings.label("posted"), of_lots.label("owned"))
        .select_from(ledger_accounts)
        .outerjoin(balances, balances.c.account_id == ledger_accounts.c.id)
        .outerjoin(posted, posted.c.account_id == ledger_accounts.c.id)
        .outerjoin(owned, owned.c.account_id == ledger_accounts.c.id)
        .where(
            ledger_accounts.c.owner_kind == "member",
            sa.or_(balances.c.amount.is_(None), balances.c.amount != of_postings, balances.c.amount != of_lots),
        )
    )
    for row in tx.execute(compare.limit(MOST_FAULTS)):
        yield f"Account {row.id}: balance {row.amount}, postings {row.posted}, lots {row.owned}."


def _coupon_faults(tx: Tx) -> Iterable[str]:
    event = coupon_events.c
    last = sa.select(
        event.coupon_id,
        sa.func.max(event.number).label("number"),
        sa.func.count().label("events"),
        sa.func.sum(event.value_minor).label("owed"),
    )
    last_of = last.group_by(event.coupon_id).subquery()
    left = sa.case((event.kind == "undone", "issued"), else_=event.kind)
    due = sa.case((coupons.c.state == "issued", sa.func.coalesce(coupons.c.value_minor, 0)), else_=0)
    told_by = (left.label("left"), last_of.c.owed, last_of.c.events, last_of.c.number, due.label("due"))
    compare = (
        sa.select(coupons.c.public_id, coupons.c.state, *told_by)
        .select_from(coupons)
        .outerjoin(last_of, last_of.c.coupon_id == coupons.c.id)
        .outerjoin(coupon_events, sa.and_(event.coupon_id == coupons.c.id, event.number == last_of.c.number))
        .where(
            sa.or_(
                event.kind.is_(None),
                left != coupons.c.state,
                last_of.c.owed != due,
                last_of.c.events != last_of.c.number,
            )
        )
    )
    for row in tx.execute(compare.limit(MOST_FAULTS)):
        told = (
            f"{row.state} and {row.due} owed, but by its {row.events} events of {row.number} {row.left} and {row.owed}"
        )
        yield f"Coupon {row.public_id}: {told}."
    nobodys = sa.select(coupons.c.public_id).where(coupons.c.issuer_id.is_(None)).order_by(coupons.c.id)
    for public_id in tx.execute(nobodys.limit(MOST_FAULTS)).scalars():
        yield f"Coupon {public_id} is owed by no merchant."


def _lot_faults(tx: Tx) -> Iterable[str]:
    taken = sa.text(
        "SELECT l.id, l.amount, l.remaining, COALESCE(SUM(a.amount), 0) AS taken FROM lots l "
        "LEFT JOIN lot_allocations a ON a.lot_id = l.id GROUP BY l.id, l.amount, l.remaining "
        "HAVING l.remaining <> l.amount - COALESCE(SUM(a.amount), 0) LIMIT :most"
    )
    for row in tx.execute(taken, {"most": MOST_FAULTS}):
        yield f"Lot {row.id}: remaining {row.remaining}, but {row.amount} less {row.taken} allocated."
    low, high = (
        sa.case((lots.c.amount < 0, lots.c.amount), else_=0),
        sa.case((lots.c.amount > 0, lots.c.amount), else_=0),
    )
    outside = sa.select(lots).where(sa.or_(lots.c.remaining < low, lots.c.remaining > high)).limit(MOST_FAULTS)
    for row in tx.execute(outside):
        yield f"Lot {row.id}: remaining {row.remaining} of {row.amount}."
