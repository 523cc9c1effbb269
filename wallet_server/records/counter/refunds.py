"""Owns what came back of sales, stored as it came back and never changed, and what is left of what a sale earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import SALE_MEMBER
from wallet_server.records.purse.ledger import EARN, MEMBER
from wallet_server.records.schema import (
    corrections,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    refund_lines,
    refunds,
    sale_lines,
    sale_reversals,
    sales,
)
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.baskets.refunding import Part


@dataclass(frozen=True)
class SoldAs:
    """A sale as it stands in the books: its lines as sold, the version and state it was rated by, what came back of it
    before, the oldest first, in `times` refunds, and what of its money was not given back."""

    id: int
    public_id: str
    programme_id: int
    member_id: int
    occurred_at: datetime
    money: str
    version_id: int
    state: Mapping[str, Any]
    lines: tuple[Line, ...]
    came_back: tuple[Part, ...]
    times: int
    held_minor: int
    reversed: bool


_SALE = sa.select(
    sales,
    SALE_MEMBER.label("of_member"),
    sa.exists().where(sale_reversals.c.sale_id == sales.c.id).label("reversed"),
).where(sales.c.id == b("sale"))
_LINES = sa.select(sale_lines).where(sale_lines.c.sale_id == b("sale")).order_by(sale_lines.c.number)
_CAME_BACK = (
    sa.select(refund_lines)
    .join(refunds, refunds.c.id == refund_lines.c.refund_id)
    .where(refunds.c.sale_id == b("sale"))
    .order_by(refunds.c.number, refund_lines.c.number)
)
_TIMES = sa.select(
    sa.func.coalesce(sa.func.max(refunds.c.number), 0).label("times"),
    sa.func.coalesce(sa.func.sum(refunds.c.amount_minor), 0).label("amount"),
).where(refunds.c.sale_id == b("sale"))


def sold_as(tx: Tx, sale_id: int) -> SoldAs:
    """A sale whose member is locked, so that nothing comes back of it meanwhile."""
    key = {"sale": sale_id}
    r = tx.execute(_SALE, key).one()
    lines = [
        Line(x.sku, x.category, x.quantity_milli, x.amount_minor, x.tax_minor, x.excluded)
        for x in tx.execute(_LINES, key)
    ]
    back = [Part(x.number, x.quantity_milli, x.amount_minor, x.tax_minor) for x in tx.execute(_CAME_BACK, key)]
    so_far = tx.execute(_TIMES, key).one()
    return SoldAs(
        id=r.id,
        public_id=r.public_id,
        programme_id=r.programme_id,
        member_id=r.of_member,
        occurred_at=r.occurred_at,
        money=r.money,
        version_id=r.programme_version_id,
        state=r.state,
        lines=tuple(lines),
        came_back=tuple(back),
        times=int(so_far.times),
        held_minor=r.amount_minor - int(so_far.amount),
        reversed=bool(r.reversed),
    )


@dataclass(frozen=True)
class NewRefund:
    """A refund about to be stored; `amount_minor` is what the member gets back."""

    public_id: str
    sale_id: int
    number: int
    programme_id: int
    member_id: int
    merchant_id: int
    store_id: int | None
    till_id: int | None
    reference: str
    occurred_at: datetime
    recorded_at: datetime
    amount_minor: int
    money: str


def add(tx: Tx, refund: NewRefund, parts: Sequence[Part]) -> int:
    """Store a refund with what came back of which line; its key."""
    key = tx.execute(sa.insert(refunds).values(vars(refund)).returning(refunds.c.id)).scalar_one()
    if parts:
        tx.execute(sa.insert(refund_lines), [{"refund_id": key, **vars(part)} for part in parts])
    return int(key)


@dataclass(frozen=True)
class Given:
    """An award of a sale: which rule gave how much of what, and what of it was not taken back."""

    entry_id: int
    rule_id: str
    currency: str
    amount: int
    left: int


_GIVEN = (
    sa.select(
        ledger_entries.c.id,
        ledger_entries.c.rule_id,
        currencies.c.code,
        ledger_postings.c.amount,
        sa.select(sa.func.coalesce(sa.func.sum(corrections.c.amount), 0))
        .where(corrections.c.corrects_id == ledger_entries.c.id)
        .scalar_subquery()
        .label("taken"),
    )
    .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
    .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
    .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
    .where(
        ledger_entries.c.sale_id == b("sale"),
        ledger_entries.c.kind == EARN,
        ledger_accounts.c.owner_kind == MEMBER,
    )
    .order_by(ledger_entries.c.id)
)


def given(tx: Tx, sale_id: int) -> list[Given]:
    """What a sale was awarded, the oldest first; after a refund it may have been awarded more."""
    return [
        Given(r.id, r.rule_id, r.code, r.amount, r.amount - int(r.taken)) for r in tx.execute(_GIVEN, {"sale": sale_id})
    ]
