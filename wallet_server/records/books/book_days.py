"""Owns what each day came to in the books of a programme, summed once it is over: what "as of" starts from.

Four books in one form. `postings`: every account by `owner:purpose`, under the merchant that acted. `lots`: units by
where they came from or went (the purpose of the account on the other side), under the merchant that gave them, with the
reason and the month of what was given. `sales`: prices net of tax of the sales that gave units (`sold`, `refunded`).
`coupons`: what is owed by them, by kind of event and source, under the merchant that issued them (`issuer_id`) and the
one at whose till it was (none for what comes by itself). A day is one of UTC, by `recorded_at`: when it came to be in
the books, and not when it happened (`effective_at`); so what a past day showed never changes. The sums are proven
against the entries by `faults`, which also tells of a server whose clock was set back over a night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    Instant,
    book_days,
    book_marks,
    coupon_events,
    coupons,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    lot_allocations,
    lots,
    participations,
    pending_awards,
    programmes,
    refund_lines,
    refunds,
    sale_lines,
    sale_reversals,
    sales,
)
from wallet_server.rules.books.booked import COUPONS, LOTS, POSTINGS, SALES, Flow
from wallet_server.rules.books.liability import month_of, month_read

__all__ = ["COUPONS", "LOTS", "POSTINGS", "SALES", "Flow", "faults", "flows", "recount", "sum_days"]

SLICE = timedelta(days=31)
"""Days that are summed in one transaction."""
MOMENT = timedelta(microseconds=1)
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
MOST_FAULTS = 20


_NAMES = ("book", "day", "currency_id", "merchant_id", "issuer_id", "side", "reason", "cohort", "amount", "times")
_KEYS = _NAMES[1:-2]


# Constants are written out: PostgreSQL does not see that two bound ones, selected by and grouped by, are the same.
def _month(dialect: str, column: Any) -> sa.ColumnElement[str]:
    if dialect == "sqlite":
        return sa.func.substr(column, sa.literal_column("1"), sa.literal_column("7"), type_=sa.String())
    return sa.func.to_char(column, sa.literal_column("'YYYY-MM'"), type_=sa.String())


def _day(column: Any) -> sa.ColumnElement[date]:
    return sa.func.date(column, type_=sa.Date())


def _within(column: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    return sa.and_(column >= b("since", type_=Instant()), column <= b("until", type_=Instant()))


def _own(table: sa.Table) -> sa.ColumnElement[bool]:
    """What was recorded for the programme; by merchant too, for the index on merchant and time."""
    taking_part = sa.select(participations.c.merchant_id).where(participations.c.programme_id == b("programme_id"))
    c = table.c
    return sa.and_(c.merchant_id.in_(taking_part), _within(c.recorded_at), c.programme_id == b("programme_id"))


def _entries() -> sa.ColumnElement[bool]:
    return _own(ledger_entries)


def _shape(book: str, parts: dict[str, Any], amount: Any, source: Any, where: Any) -> sa.Select[Any]:
    """One of the books, in the columns that all have."""
    keys = [name for name in _KEYS if name in parts]
    rows = sa.select(*(parts[name].label(name) for name in keys), amount.label("amount"))
    inner = rows.select_from(source).where(where).subquery("moved")
    # With its type: PostgreSQL takes the nulls of two books for texts, and finds numbers in a third.
    none = {"issuer_id": sa.cast(sa.null(), sa.BigInteger)}
    found = {name: inner.c[name] if name in keys else none.get(name, sa.null()) for name in _KEYS}
    counted = sa.cast(sa.func.sum(inner.c.amount), sa.BigInteger)
    row = [sa.literal_column(f"'{book}'"), *found.values(), counted, sa.func.count()]
    query = sa.select(*(one.label(name) for name, one in zip(_NAMES, row, strict=True)))
    return query.group_by(*(inner.c[name] for name in keys))


def _postings() -> sa.Select[Any]:
    e, a, p = ledger_entries.c, ledger_accounts.c, ledger_postings.c
    parts = {"day": _day(e.recorded_at), "currency_id": a.currency_id, "merchant_id": e.merchant_id}
    parts |= {"side": a.owner_kind + sa.literal_column("':'") + a.purpose, "reason": e.reason}
    source = ledger_entries.join(ledger_postings, p.entry_id == e.id).join(ledger_accounts, a.id == p.account_id)
    return _shape(POSTINGS, parts, p.amount, source, _entries())


def _side() -> sa.ColumnElement[str]:
    """The purpose of an entry's account that is no member's; an entry between a member's own has its kind instead.

    Asked of each entry by its key: joined, SQLite would go through all postings there are for every day."""
    a, p = ledger_accounts.alias("other"), ledger_postings.alias("opposite")
    others = sa.and_(p.c.entry_id == ledger_entries.c.id, a.c.owner_kind != sa.literal_column("'member'"))
    contra = sa.select(sa.func.max(a.c.purpose)).select_from(p.join(a, a.c.id == p.c.account_id)).where(others)
    return sa.func.coalesce(contra.correlate(ledger_entries).scalar_subquery(), ledger_entries.c.kind)


def _given() -> tuple[Any, Any]:
    """Lots, and for each the entry that gave its units: the one that opened it, or, for what was confirmed, the award
    that it confirms."""
    giving, waited = ledger_entries.alias("giving"), pending_awards.alias("waited")
    source = lots.outerjoin(waited, waited.c.confirmed_id == lots.c.entry_id)
    first = sa.func.coalesce(waited.c.entry_id, lots.c.entry_id)
    return source.join(giving, giving.c.id == first), giving


def _opened(dialect: str) -> sa.Select[Any]:
    e, a, lot = ledger_entries.c, ledger_accounts.c, lots.c
    given, giving = _given()
    parts = {"day": _day(e.recorded_at), "currency_id": a.currency_id, "merchant_id": giving.c.merchant_id}
    parts |= {"side": _side(), "reason": giving.c.reason, "cohort": _month(dialect, lot.earned_at)}
    source = ledger_entries.join(given, lot.entry_id == e.id).join(ledger_accounts, a.id == lot.account_id)
    return _shape(LOTS, parts, lot.amount, source, _entries())


def _drawn(dialect: str) -> sa.Select[Any]:
    e, a, lot, draw = ledger_entries.c, ledger_accounts.c, lots.c, lot_allocations.c
    given, giving = _given()
    parts = {"day": _day(e.recorded_at), "currency_id": a.currency_id, "merchant_id": giving.c.merchant_id}
    # What is forgiven is told as such, and not as less of what had left the debt.
    reason = sa.case((e.kind == sa.literal_column("'forgive'"), e.reason), else_=giving.c.reason)
    parts |= {"side": _side(), "reason": reason, "cohort": _month(dialect, lot.earned_at)}
    source = ledger_entries.join(lot_allocations, draw.entry_id == e.id).join(given, lot.id == draw.lot_id)
    source = source.join(ledger_accounts, a.id == lot.account_id)
    return _shape(LOTS, parts, -draw.amount, source, _entries())


def _tax(lines: sa.Table, key: Any, whole: sa.Table) -> sa.ScalarSelect[Any]:
    total = sa.select(sa.func.coalesce(sa.func.sum(lines.c.tax_minor), sa.literal_column("0")))
    return total.where(key == whole.c.id).correlate(whole).scalar_subquery()


def _sold(dialect: str) -> sa.Select[Any]:
    """Sales that gave units, once each: when they were recorded themselves (a refund may give more later)."""
    e, s = ledger_entries.c, sales.c
    gave = sa.and_(_entries(), e.sale_id.is_not(None), e.kind == sa.literal_column("'earn'"))
    told = sa.select(e.sale_id, e.recorded_at).where(gave).distinct().subquery("told")
    source = told.join(sales, sa.and_(s.id == told.c.sale_id, s.recorded_at == told.c.recorded_at))
    parts: dict[str, Any] = {"day": _day(told.c.recorded_at), "merchant_id": s.merchant_id}
    parts |= {"side": sa.literal_column("'sold'"), "reason": sa.literal_column("'sale'")}
    parts |= {"cohort": _month(dialect, s.occurred_at)}
    return _shape(SALES, parts, s.amount_minor - _tax(sale_lines, sale_lines.c.sale_id, sales), source, sa.true())


def _gave() -> sa.ColumnElement[bool]:
    """Of a sale: whether it gave units itself, as in `_sold`; what a refund gives later makes it no sale of units."""
    award = ledger_entries.alias("award")
    own = sa.and_(award.c.sale_id == sales.c.id, award.c.kind == sa.literal_column("'earn'"))
    own = sa.and_(own, award.c.recorded_at == sales.c.recorded_at)
    return sa.exists().where(own).correlate(sales)


def _refunded(dialect: str) -> sa.Select[Any]:
    """What came back of them."""
    r, s = refunds.c, sales.c
    parts: dict[str, Any] = {"day": _day(r.recorded_at), "merchant_id": s.merchant_id}
    parts |= {"side": sa.literal_column("'refunded'"), "reason": sa.literal_column("'sale'")}
    parts |= {"cohort": _month(dialect, s.occurred_at)}
    amount = _tax(refund_lines, refund_lines.c.refund_id, refunds) - r.amount_minor
    where = sa.and_(_own(refunds), _gave())
    return _shape(SALES, parts, amount, refunds.join(sales, s.id == r.sale_id), where)


def _undone(dialect: str) -> sa.Select[Any]:
    """Sales that were reversed as a whole before goods could come back in part."""
    # Made distinct so that SQLite begins with these few: it would go through all sales else.
    apart = sa.exists().where(refunds.c.sale_id == sale_reversals.c.sale_id).correlate(sale_reversals)
    few = sa.select(sale_reversals.c.sale_id, sale_reversals.c.recorded_at).where(_within(sale_reversals.c.recorded_at))
    r, s = few.where(~apart).distinct().subquery("undone"), sales.c
    parts: dict[str, Any] = {"day": _day(r.c.recorded_at), "merchant_id": s.merchant_id}
    parts |= {"side": sa.literal_column("'refunded'"), "reason": sa.literal_column("'sale'")}
    parts |= {"cohort": _month(dialect, s.occurred_at)}
    where = sa.and_(s.programme_id == b("programme_id"), _gave())
    amount = _tax(sale_lines, sale_lines.c.sale_id, sales) - s.amount_minor
    return _shape(SALES, parts, amount, r.join(sales, s.id == r.c.sale_id), where)


def _coupons(dialect: str) -> sa.Select[Any]:
    c, one = coupons.c, coupon_events.c
    parts = {"day": _day(one.at), "merchant_id": one.merchant_id, "side": one.kind, "reason": c.source}
    parts |= {"issuer_id": c.issuer_id, "cohort": _month(dialect, c.issued_at)}
    where = sa.and_(c.programme_id == b("programme_id"), _within(one.at))
    return _shape(COUPONS, parts, one.value_minor, coupon_events.join(coupons, c.id == one.coupon_id), where)


@cache
def _daily(dialect: str) -> sa.CompoundSelect[Any]:
    """What each day between `since` and `until` came to."""
    return sa.union_all(
        _postings(),
        _opened(dialect),
        _drawn(dialect),
        _sold(dialect),
        _refunded(dialect),
        _undone(dialect),
        _coupons(dialect),
    )


@cache
def _summed(dialect: str) -> sa.Select[Any]:
    """The days up to `last`, by month."""
    d = book_days.c
    keys = [d.book, _month(dialect, d.day), d.currency_id, d.merchant_id, d.issuer_id, d.side, d.reason, d.cohort]
    sums = [sa.cast(sa.func.sum(column), sa.BigInteger) for column in (d.amount, d.times)]
    names = ("book", "month", *_NAMES[2:])
    columns = [one.label(name) for name, one in zip(names, [*keys, *sums], strict=True)]
    return sa.select(*columns).where(d.programme_id == b("programme_id"), d.day <= b("last")).group_by(*keys)


# ---------------------------------------------------------------------- writing


def sum_days(tx: Tx, programme_id: int, through: date) -> bool:
    """Sum the days that are not summed yet, at most a month of them, up to `through`, which must be over; whether all
    are summed now. Two that do it at once wait for each other."""
    start = _first_day(tx, programme_id)
    if start is None:
        return True
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(book_marks)
    row = {"programme_id": programme_id, "through": start - timedelta(days=1)}
    tx.execute(insert.values(row).on_conflict_do_nothing())
    mark = book_marks.c.programme_id == programme_id
    done = tx.execute(sa.select(book_marks.c.through).where(mark).with_for_update()).scalar_one()
    last = min(through, done + SLICE)
    if last > done:
        daily = _daily(tx.dialect.name).subquery("daily")
        source = sa.select(b("programme_id", type_=sa.BigInteger()), *(daily.c[name] for name in _NAMES))
        wish = sa.insert(book_days).from_select(["programme_id", *_NAMES], source)
        since = datetime.combine(done + timedelta(days=1), time.min, tzinfo=UTC)
        tx.execute(wish, {"programme_id": programme_id, "since": since, "until": end_of(last)})
        tx.execute(sa.update(book_marks).where(mark).values(through=last))
    return bool(last >= through)


def end_of(day: date) -> datetime:
    """The last moment of a day (UTC)."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=UTC) - MOMENT


def _first_day(tx: Tx, programme_id: int) -> date | None:
    """The day of the first entry or coupon; None where there is neither."""
    e, c, mine = ledger_entries.c, coupon_events.c, {"programme_id": programme_id}
    taking_part = sa.select(participations.c.merchant_id).where(participations.c.programme_id == b("programme_id"))
    found: list[datetime | None] = []
    for merchant in tx.execute(taking_part, mine).scalars().all():
        own = sa.select(e.recorded_at).where(e.merchant_id == merchant, e.programme_id == b("programme_id"))
        found.append(tx.execute(own.order_by(e.recorded_at).limit(1), mine).scalar())
    given = sa.select(sa.func.min(c.at, type_=Instant())).join(coupons, coupons.c.id == c.coupon_id)
    found.append(tx.execute(given.where(coupons.c.programme_id == b("programme_id")), mine).scalar())
    first = min((one for one in found if one is not None), default=None)
    return None if first is None else first.date()


# ---------------------------------------------------------------------- reading


def flows(tx: Tx, programme_id: int, until: datetime) -> list[Flow]:
    """All that was in the books at `until` (itself included): the days that are summed, and what came after them."""
    until = until.astimezone(UTC)
    whole = until.date() if until == end_of(until.date()) else until.date() - timedelta(days=1)
    mark = tx.execute(sa.select(book_marks.c.through).where(book_marks.c.programme_id == programme_id)).scalar()
    if mark is None:
        return recount(tx, programme_id, until)
    last = min(mark, whole)
    rows = tx.execute(_summed(tx.dialect.name), {"programme_id": programme_id, "last": last})
    found = [
        Flow(r.book, month_read(r.month), r.currency_id, r.merchant_id, r.side, r.reason,
             None if r.cohort is None else month_read(r.cohort), int(r.amount), int(r.times), r.issuer_id)
        for r in rows
    ]  # fmt: skip
    return [*found, *_counted(tx, programme_id, end_of(last) + MOMENT, until)]


def recount(tx: Tx, programme_id: int, until: datetime) -> list[Flow]:
    """The same from the entries alone: no sum is trusted. Reads the whole history."""
    return list(_counted(tx, programme_id, BEGINNING, until))


def _counted(tx: Tx, programme_id: int, since: datetime, until: datetime) -> Iterator[Flow]:
    if since > until:
        return
    given = {"programme_id": programme_id, "since": since, "until": until}
    for r in tx.execute(_daily(tx.dialect.name), given):
        day = r.day if isinstance(r.day, date) else date.fromisoformat(r.day)
        cohort = None if r.cohort is None else month_read(r.cohort)
        yield Flow(r.book, month_of(day.year, day.month), r.currency_id, r.merchant_id, r.side, r.reason, cohort,
                   int(r.amount), int(r.times), r.issuer_id)  # fmt: skip


# ---------------------------------------------------------------------- proving


def faults(tx: Tx) -> Iterator[str]:
    """Sentences for the sums of days that are not what the entries say."""
    for programme_id, public_id in tx.execute(sa.select(programmes.c.id, programmes.c.public_id)).all():
        mark = tx.execute(sa.select(book_marks.c.through).where(book_marks.c.programme_id == programme_id)).scalar()
        if mark is not None:
            until = end_of(mark)
            summed, counted = _totals(flows(tx, programme_id, until)), _totals(recount(tx, programme_id, until))
            wrong = [key for key in sorted(summed.keys() | counted.keys(), key=str)
                     if summed.get(key, 0) != counted.get(key, 0)]  # fmt: skip
            for key in wrong[:MOST_FAULTS]:
                said = f"{summed.get(key, 0)} by the days summed up to {mark}, but {counted.get(key, 0)} by the entries"
                yield f"{public_id}, {' '.join(str(part) for part in key)}: {said}."


def _totals(found: Iterable[Flow]) -> dict[tuple[object, ...], int]:
    sums: dict[tuple[object, ...], int] = {}
    for one in found:
        key = (one.book, one.currency_id, one.merchant_id, one.issuer_id, one.side, one.reason, one.cohort)
        sums[key] = sums.get(key, 0) + one.amount
    return sums
