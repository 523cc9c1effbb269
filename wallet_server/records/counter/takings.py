"""Owns what a counted sale writes: the sale, its lines, entries with postings, lots and balances, stale cards and jobs.

SQLite takes the ordinary statements. PostgreSQL takes them all as one, because each message to it costs both sides more
than most of these rows do: a statement of data-modifying WITHs, whose answers feed each other by key, which goes with
the COMMIT where nothing else is said before it. Both leave the same rows. The member is locked and its purses were read
under that lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql

from wallet_server.records import jobs
from wallet_server.records.counter import sales
from wallet_server.records.counter.sales import NewSale, SaleLine
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Award
from wallet_server.records.requests import claimed_by
from wallet_server.records.schema import balances, ledger_entries, ledger_postings, lots, sale_lines
from wallet_server.records.schema import jobs as job_table
from wallet_server.records.schema import sales as sale_table


@dataclass(frozen=True)
class Stale:
    """How the member's cards are made stale: the bits of what may alert, and the job that refreshes each card."""

    mask: int
    kind: str
    lane: int
    now: datetime


_RECEIPT = "uq_sales_till_id_business_day_receipt"
Spend = Callable[[int], Sequence[jobs.Put]]
"""Books what a sale uses, given its key and before it earns; returns the jobs that come of it."""


def record(
    tx: Tx,
    sale: NewSale,
    lines: Sequence[SaleLine],
    awards: Sequence[Award],
    stale: Stale,
    spend: Spend | None = None,
) -> None:
    """Store a sale with what it earned (as `ledger.foresee` has it) and with what it used; where that is nothing, no
    card is stale. The bookings name no sale yet. Raises `AlreadyClaimed` when this receipt of this till and day stands
    already; on PostgreSQL that may be told by what is said next, and at the latest by the end of the transaction."""
    if not awards or tx.dialect.name == "sqlite" or spend is not None or any(map(_not_plain, awards)):
        _by_one(tx, sale, lines, awards, stale, spend)
        return
    contras = ledger.contras(tx, awards)
    given = {f"sale_{name}": value for name, value in vars(sale).items()} | {
        "sale_state": dict(sale.state),
        "lines": _json([{"number": n, **vars(line)} for n, line in enumerate(lines, 1)]),
        "awards": _json([_award(n, one, contras) for n, one in enumerate(awards)]),
        "award_count": len(awards),
        "mask": stale.mask,
        "job_kind": stale.kind,
        "lane": stale.lane,
        "run_at": jobs.micros(stale.now),
    }
    _AT_ONCE.leave(tx, given, claimed_by(_RECEIPT))


def _not_plain(one: Award) -> bool:
    """Whether more is to be done than to open a lot: debts to pay, or units that are on their way only."""
    return one.purse.owing or one.pending_until is not None


def _by_one(
    tx: Tx,
    sale: NewSale,
    lines: Sequence[SaleLine],
    awards: Sequence[Award],
    stale: Stale,
    spend: Spend | None,
) -> None:
    sale_id = sales.add_sale(tx, sale, lines)
    puts = spend(sale_id) if spend is not None else ()
    ledger.award(tx, [replace(one, booking=replace(one.booking, sale_id=sale_id)) for one in awards])
    if awards or spend is not None:
        jobs.put(
            tx,
            [
                *puts,
                *(
                    jobs.Put(stale.kind, str(key), stale.lane, max(stale.now, quiet or stale.now))
                    for key, quiet in passes.bump(tx, sale.member_id, stale.mask)
                ),
            ],
        )


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps(rows).decode()


def _award(number: int, one: Award, contras: Mapping[int, int]) -> dict[str, Any]:
    said, purse = one.booking, one.purse
    return {
        "number": number,
        "public_id": said.public_id,
        "rule_id": said.rule_id,
        "reason": said.reason,
        "params": dict(said.params),
        "account_id": purse.account_id,
        "contra_id": contras[purse.currency_id],
        "currency_id": purse.currency_id,
        "amount": one.amount,
        "expires_at": one.expires_at,
    }


def _given(name: str) -> sa.BindParameter[Any]:
    """What the sale says in this column."""
    return b(f"sale_{name}", type_=sale_table.c[name].type)


def _recordset(name: str, *columns: sa.ColumnClause[Any]) -> sa.TableValuedAlias:
    rows = sa.func.json_to_recordset(sa.cast(b(name, type_=sa.Text()), postgresql.JSON))
    return rows.table_valued(*columns, name=name).render_derived(with_types=True)


def _insert(table: sa.Table, values: Mapping[str, Any], source: Any, *order: Any) -> postgresql.Insert:
    """Rows of a source, each column by what gives it."""
    rows = sa.select(*(value.label(name) for name, value in values.items())).order_by(*order)
    return postgresql.insert(table).from_select(list(values), rows if source is None else rows.select_from(source))


def _at_once(_dialect: str) -> sa.Executable:
    names = [one.name for one in fields(NewSale)]
    sale = _insert(sale_table, {name: _given(name) for name in names}, None).returning(sale_table.c.id).cte("sale")
    said = _recordset("lines", *(sa.column(c.name, c.type) for c in sale_lines.c if c.name != "sale_id"))
    as_sold = {c.name: sale.c.id if c.name == "sale_id" else said.c[c.name] for c in sale_lines.c}
    sold = _insert(sale_lines, as_sold, sale.join(said, sa.true())).cte("sold")
    entry, legs = _entries(sale)
    booked = [sold, entry, legs, *_books(legs), *_refreshes()]
    return sa.select(sale.c.id).add_cte(*booked)


def _entries(sale: sa.CTE) -> tuple[sa.CTE, sa.CTE]:
    """The entries, in the order of the awards, and each award beside the entry that it became."""
    of_entry = [ledger_entries.c[name] for name in ("public_id", "rule_id", "reason")]
    keys = ("account_id", "contra_id", "currency_id", "amount")
    said = _recordset(
        "awards",
        sa.column("number", sa.Integer),
        *(sa.column(c.name, c.type) for c in of_entry),
        sa.column("params", postgresql.JSONB),
        *(sa.column(name, sa.BigInteger) for name in keys),
        sa.column("expires_at", sa.DateTime(timezone=True)),
    )
    # PostgreSQL takes a set of rows for a hundred, and would read every balance there is for so many; with a bound that
    # it does not know it takes it for ten.
    awards = sa.select(said).limit(b("award_count", type_=sa.BigInteger())).cte("award")
    same = ("programme_id", "member_id", "merchant_id", "store_id", "till_id", "receipt", "programme_version_id")
    values = {name: _given(name) for name in (*same, "state", "recorded_at")} | {
        **{name: awards.c[name] for name in ("public_id", "rule_id", "reason", "params")},
        "kind": sa.literal(ledger.EARN),
        "sale_id": sale.c.id,
        "effective_at": _given("occurred_at"),
    }
    entry = (
        _insert(ledger_entries, values, sale.join(awards, sa.true()), awards.c.number)
        .returning(ledger_entries.c.id, ledger_entries.c.public_id)
        .cte("entry")
    )
    matched = entry.join(awards, awards.c.public_id == entry.c.public_id)
    columns = [awards.c[name] for name in ("number", *keys, "expires_at")]
    return entry, sa.select(entry.c.id.label("entry_id"), *columns).select_from(matched).cte("leg")


def _books(legs: sa.CTE) -> list[sa.CTE]:
    """Two postings, a lot and a balance for each leg."""
    sides = sa.union_all(
        sa.select(legs.c.entry_id, legs.c.account_id, legs.c.currency_id, legs.c.amount),
        sa.select(legs.c.entry_id, legs.c.contra_id, legs.c.currency_id, -legs.c.amount),
    )
    posting = sa.insert(ledger_postings).from_select(["entry_id", "account_id", "currency_id", "amount"], sides)
    lot = {
        **{name: legs.c[name] for name in ("account_id", "entry_id", "amount", "expires_at")},
        "remaining": legs.c.amount,
        "earned_at": _given("occurred_at"),
    }
    # An UPDATE takes one row of its source for each of its own: two awards of one currency must come as their sum.
    total = sa.cast(sa.func.sum(legs.c.amount), sa.BigInteger).label("total")
    by = sa.select(legs.c.account_id, total).group_by(legs.c.account_id).subquery("by_account")
    moved = (
        sa.update(balances)
        .where(balances.c.account_id == by.c.account_id)
        .values(amount=balances.c.amount + by.c.total)
    )
    return [posting.cte("posting"), _insert(lots, lot, legs, legs.c.number).cte("lot"), moved.cte("moved")]


def _refreshes() -> list[sa.CTE]:
    """The cards, and for each the job that `jobs.put` would write, locked after it."""
    stale = passes.bump_of(_given("member_id"), b("mask", type_=sa.Integer())).cte("stale")
    quiet = sa.cast(sa.func.extract("epoch", stale.c.quiet_until) * 1_000_000, sa.BigInteger)
    run_at = sa.func.greatest(b("run_at", type_=sa.BigInteger()), quiet)  # skips what is NULL
    key = sa.cast(stale.c.id, sa.Text)
    values = {
        "kind": b("job_kind", type_=sa.Text()),
        "key": key,
        "lane": b("lane", type_=job_table.c.lane.type),
        "run_at": run_at,
        "due_at": run_at,
        "generation": sa.literal(1),
    }
    wish = _insert(job_table, values, stale, sa.collate(key, "C"))
    return [stale, jobs.or_put_again(wish, "postgresql").cte("job")]


_AT_ONCE = Prepared(_at_once)
