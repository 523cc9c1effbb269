"""Owns sales, stored as they were sold and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import SALE_MEMBER, one_of
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse.ledger import MOVES
from wallet_server.records.requests import AlreadyClaimed
from wallet_server.records.schema import (
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    sale_lines,
    sale_reversals,
    sales,
)
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class SaleLine:
    """One line as sold: quantity in thousandths, amounts in the smallest unit of money, tax included in the amount."""

    sku: str | None
    category: str | None
    quantity_milli: int
    unit_amount_minor: int | None
    amount_minor: int
    tax_minor: int
    excluded: bool


@dataclass(frozen=True)
class NewSale:
    """A sale about to be stored; `state` is what the decision used (tier, balances)."""

    public_id: str
    programme_id: int
    member_id: int
    merchant_id: int
    store_id: int
    till_id: int
    receipt: str
    business_day: date
    occurred_at: datetime
    recorded_at: datetime
    money: str
    amount_minor: int
    programme_version_id: int
    state: Mapping[str, Any]


@dataclass(frozen=True)
class EntryRow:
    """An entry of a member's history with the amount that its account changed by."""

    id: int
    public_id: str
    member_id: int
    kind: str
    currency: str
    amount: int
    rule_id: str
    reason: str
    params: Mapping[str, Any]
    receipt: str | None
    effective_at: datetime
    reverses_id: int | None
    sale_id: int | None


@dataclass(frozen=True)
class SaleRow:
    """A stored sale."""

    id: int
    public_id: str
    programme_id: int
    member_id: int
    till_id: int
    receipt: str
    business_day: date
    occurred_at: datetime
    amount_minor: int


def _add(dialect: str) -> sa.Executable:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    natural = ["till_id", "business_day", "receipt"]
    return make(sales).on_conflict_do_nothing(index_elements=natural).returning(sales.c.id)


_ADD = Prepared(_add, [one.name for one in fields(NewSale)])
_ADD_LINES = Prepared(sa.insert(sale_lines), ["sale_id", "number", *(one.name for one in fields(SaleLine))])


def add_sale(tx: Tx, sale: NewSale, lines: Sequence[SaleLine]) -> int:
    """Store a sale and its lines. Raises `AlreadyClaimed` when this receipt of this till and day stands already."""
    row = _ADD.first(tx, {**vars(sale), "state": dict(sale.state)})
    if row is None:
        raise AlreadyClaimed
    _ADD_LINES.many(tx, [{"sale_id": row.id, "number": n, **vars(line)} for n, line in enumerate(lines, 1)])
    return int(row.id)


def sale_in(tx: Tx, scope: Scope, public_id: str) -> SaleRow:
    """One of the merchant's sales. Raises `NotFound`."""
    r = tx.execute(
        sa.select(sales, SALE_MEMBER.label("of_member")).where(
            sales.c.public_id == public_id, sales.c.merchant_id == scope.merchant_id
        )
    ).first()
    if r is None:
        raise NotFound("There is no such sale.", field="sale")
    return SaleRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.of_member,
        r.till_id,
        r.receipt,
        r.business_day,
        r.occurred_at,
        r.amount_minor,
    )


_ENTRIES = (
    sa.select(
        ledger_entries,
        one_of(ledger_entries.c.member_id).label("of_member"),
        currencies.c.code.label("currency"),
        ledger_postings.c.amount,
    )
    .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
    .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
    .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
    .where(ledger_accounts.c.owner_kind == "member", ledger_entries.c.kind.not_in(MOVES))
)


def worth(tx: Tx, sale_id: int) -> int:
    """What the goods of a sale came to, before anything was taken off."""
    query = sa.select(sa.func.sum(sale_lines.c.amount_minor)).where(sale_lines.c.sale_id == sale_id)
    return int(tx.execute(query).scalar_one() or 0)


def _entry(r: sa.Row) -> EntryRow:  # type: ignore[type-arg]
    return EntryRow(
        r.id,
        r.public_id,
        r.of_member,
        r.kind,
        r.currency,
        r.amount,
        r.rule_id,
        r.reason,
        r.params,
        r.receipt,
        r.effective_at,
        r.reverses_id,
        r.sale_id,
    )


def entry_in(tx: Tx, scope: Scope, public_id: str) -> EntryRow:
    """One entry that the caller's merchant made. Raises `NotFound`."""
    r = tx.execute(
        _ENTRIES.where(ledger_entries.c.public_id == public_id, ledger_entries.c.merchant_id == scope.merchant_id)
    ).first()
    if r is None:
        raise NotFound("There is no such entry.", field="entry")
    return _entry(r)


def took_coupon(tx: Tx, member_id: int, use: str, at: datetime) -> bool:
    """Whether this use of a coupon (public id), noted then, was that of a sale."""
    query = sa.select(sales.c.state).where(sales.c.member_id == member_id, sales.c.recorded_at == at)
    return any(one.get("use") == use for state in tx.execute(query).scalars() for one in state.get("used", ()))


def is_reversed(tx: Tx, entry: str) -> bool:
    """Whether an entry (public id) was undone."""
    undone = ledger_entries.alias("undone")
    query = sa.select(ledger_entries.c.id).join(undone, undone.c.id == ledger_entries.c.reverses_id)
    return tx.execute(query.where(undone.c.public_id == entry)).first() is not None


def is_taken_back(tx: Tx, sale: str) -> bool:
    """Whether a sale (public id) was reversed, or all of its goods came back."""
    query = sa.select(sale_reversals.c.sale_id).join(sales, sales.c.id == sale_reversals.c.sale_id)
    return tx.execute(query.where(sales.c.public_id == sale)).first() is not None


def note_reversal(tx: Tx, sale_id: int, till_id: int | None, at: datetime) -> bool:
    """Note that a sale was reversed, whatever it had booked; False when that was noted before."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    row = {"sale_id": sale_id, "till_id": till_id, "recorded_at": at}
    add = make(sale_reversals).values(row).on_conflict_do_nothing().returning(sale_reversals.c.sale_id)
    return tx.execute(add).scalar() is not None
