"""Owns what members' figures are read from: sales net of goods taken back, entries, balances and events.

`spend` is what was paid less what was given back, dated by the sale. An order is a sale of which something was kept;
a visit is a business day with such a sale, or with a card shown without one. `earned` is what awards brought less what
was taken back of them, dated by the award; moving units, spending them and their running out change nothing of it.

All figures of any number of members are one statement, and what dates their windows is another where the calendar of
their stores matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql

from wallet_server.errors import Invalid
from wallet_server.records.counter.visits import TOUCH
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse.ledger import AVAILABLE, EARN, MEMBER
from wallet_server.records.schema import (
    Instant,
    balances,
    corrections,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    member_events,
    members,
    merged_members,
    participations,
    refunds,
    sale_reversals,
    sales,
    stores,
)
from wallet_server.rules.tiers.metrics import EVER, Measures, Person, Wanted, dated, midnight, since, tenure_days

SOLD = ("spend", "orders", "visits")
REFERRAL = "referral"
"""The event that counts as one."""
AHEAD = timedelta(days=1)
"""A till's clock may be a little fast: what it has dated in the future counts already."""

_FIRST_STORE = (
    sa.select(stores.c.zone)
    .join(participations, participations.c.merchant_id == stores.c.merchant_id)
    .where(participations.c.programme_id == members.c.programme_id)
    .order_by(stores.c.id)
    .limit(1)
    .scalar_subquery()
)
_PEOPLE = (
    sa.select(
        members.c.id,
        sa.func.coalesce(stores.c.zone, _FIRST_STORE, "UTC").label("zone"),
        sa.func.coalesce(members.c.customer_since, members.c.joined_at, type_=Instant()).label("since"),
    )
    .outerjoin(stores, stores.c.id == members.c.home_store_id)
    .where(members.c.id.in_(b("ids", expanding=True)))
)


def people(tx: Tx, member_ids: Sequence[int]) -> dict[int, Person]:
    """What dates the windows of these members."""
    return {r.id: Person(r.zone, r.since) for r in tx.execute(_PEOPLE, {"ids": list(member_ids)})}


def date_back(tx: Tx, member_id: int, day: date) -> None:
    """Note since which day, of the member's store, somebody has been a customer. Raises `Invalid` for a day to come."""
    person = people(tx, [member_id])[member_id]
    begins = midnight(day, person.zone)
    if begins > person.since:
        raise Invalid(
            "Somebody cannot be a customer from a day to come.", code="implausible-time", field="customer_since"
        )
    tx.execute(sa.update(members).where(members.c.id == member_id).values(customer_since=begins))


def of_members(
    tx: Tx, wanted: Sequence[Wanted], member_ids: Sequence[int], at: datetime, before: datetime | None = None
) -> dict[int, Measures]:
    """These figures of each of these members as of `at`; what happened from `before` on does not count (left out:
    everything does, but what stands on an account is what stands there now)."""
    known = people(tx, member_ids) if dated(wanted) else dict.fromkeys(member_ids, Person("UTC", at))
    return of_people(tx, wanted, known, at, before)


def of_people(
    tx: Tx, wanted: Sequence[Wanted], known: Mapping[int, Person], at: datetime, before: datetime | None = None
) -> dict[int, Measures]:
    """The same for whoever knows what dates their windows."""
    asked = tuple(one for one in wanted if one[0] != "tenure_days")
    found: dict[int, dict[Wanted, int]] = {
        key: {one: tenure_days(at, person) for one in wanted if one[0] == "tenure_days"}
        for key, person in known.items()
    }
    if asked and known:
        end = before or at + AHEAD
        rows = [_row(key, asked, person, at, end) for key, person in known.items()]
        for r in _statement(asked, len(rows) == 1).rows(tx, {"rows": orjson.dumps(rows).decode()}):
            found[r.member_id] |= {one: int(r[n] or 0) for n, one in enumerate(asked, 1)}
    return dict(found)


def _row(key: int, asked: Sequence[Wanted], person: Person, at: datetime, end: datetime) -> dict[str, Any]:
    begins = {f"s{n}": since(reach, at, person) for n, (_metric, reach) in enumerate(asked) if reach != EVER}
    return {"member_id": key, "until": _written(end)} | {name: _written(x) for name, x in begins.items() if x}


def _written(at: datetime) -> str:
    """As SQLite keeps instants, which PostgreSQL reads as well where it is told that it is UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") + "+00"


@lru_cache(maxsize=256)
def _statement(asked: tuple[Wanted, ...], alone: bool) -> Prepared:
    return Prepared(lambda dialect: _select(asked, dialect, alone))


def _select(asked: Sequence[Wanted], dialect: str, alone: bool) -> sa.Select[Any]:
    who = (_each if dialect == "sqlite" else _alone if alone else _recordset)(asked).cte("who")
    lines = _lines(who)
    begins = [who.c[f"s{n}"] if reach != EVER else None for n, (_metric, reach) in enumerate(asked)]
    source: Any = who
    columns: list[Any] = [who.c.member_id]
    sold = _sold(who, lines, asked, begins) if any(metric in SOLD for metric, _reach in asked) else None
    if sold is not None:
        source = source.outerjoin(sold, sold.c.member_id == who.c.member_id)
    for n, ((metric, _reach), begin) in enumerate(zip(asked, begins, strict=True)):
        value = sold.c[f"v{n}"] if sold is not None and metric in SOLD else _value(metric, who, lines, begin)
        columns.append(value.label(f"v{n}"))
    return sa.select(*columns).select_from(source)


def _lines(who: sa.CTE) -> sa.CTE:
    """Whose history counts for whom: one's own, and that of who was merged into one."""
    own = sa.select(who.c.member_id, who.c.member_id.label("line_id"))
    joined = sa.select(merged_members.c.kept_id, merged_members.c.merged_id)
    return own.union_all(joined.join(who, who.c.member_id == merged_members.c.kept_id)).cte("lines")


def _recordset(asked: Sequence[Wanted]) -> sa.Select[Any]:
    instants = [sa.column("until", Instant()), *(sa.column(f"s{n}", Instant()) for n in range(len(asked)))]
    rows = sa.func.json_to_recordset(sa.cast(b("rows", type_=sa.Text()), postgresql.JSON))
    table = rows.table_valued(sa.column("member_id", sa.BigInteger()), *instants, name="rows")
    return sa.select(table.render_derived(with_types=True))


def _alone(asked: Sequence[Wanted]) -> sa.Select[Any]:
    """The same of one member: PostgreSQL takes a set of rows for a hundred, and reads all sales rather than look a
    hundred times for those of each."""
    first = sa.cast(b("rows", type_=sa.Text()), postgresql.JSON).op("->")(sa.literal_column("0"))

    def part(name: str, kind: Any) -> Any:
        return sa.cast(first.op("->>")(sa.literal_column(f"'{name}'")), kind).label(name)

    moment = sa.DateTime(timezone=True)
    keys = ["until", *(f"s{n}" for n in range(len(asked)))]
    return sa.select(part("member_id", sa.BigInteger()), *(part(name, moment) for name in keys))


def _each(asked: Sequence[Wanted]) -> sa.Select[Any]:
    row = sa.func.json_each(b("rows", type_=sa.Text())).table_valued("value", name="each")

    def part(name: str) -> Any:
        return sa.func.substr(sa.func.json_extract(row.c.value, f"$.{name}"), 1, 26).label(name)

    key = sa.cast(sa.func.json_extract(row.c.value, "$.member_id"), sa.Integer).label("member_id")
    return sa.select(key, part("until"), *(part(f"s{n}") for n in range(len(asked))))


def _kept() -> Any:
    """What was paid for a sale less what was given back; 0 once it was reversed."""
    back = sa.select(sa.func.sum(refunds.c.amount_minor)).where(refunds.c.sale_id == sales.c.id).scalar_subquery()
    undone = sa.exists().where(sale_reversals.c.sale_id == sales.c.id)
    return sa.case((undone, 0), else_=sales.c.amount_minor - sa.func.coalesce(back, 0))


def _sold(who: sa.CTE, lines: sa.CTE, asked: Sequence[Wanted], begins: Sequence[Any]) -> sa.CTE:
    """Every figure of sales in one pass over them."""
    undone = sa.exists().where(sale_reversals.c.sale_id == sales.c.id)
    shown = sa.and_(sales.c.amount_minor == 0, sa.not_(undone), sa.not_(TOUCH))
    bounds = [one for one in begins if one is not None]
    each = (
        sa.select(
            who.c.member_id,
            *(one for one in dict.fromkeys(bounds)),
            sales.c.occurred_at,
            sales.c.business_day,
            _kept().label("kept"),
            shown.label("shown"),
        )
        .select_from(who.join(lines, lines.c.member_id == who.c.member_id))
        .join(sales, sa.and_(sales.c.member_id == lines.c.line_id, sales.c.occurred_at < who.c.until))
        .cte("each_sale")
    )
    columns = []
    for n, (metric, _reach) in enumerate(asked):
        if metric in SOLD:
            within = sa.true() if begins[n] is None else each.c.occurred_at >= each.c[f"s{n}"]
            columns.append(_of_sales(metric, each, within).label(f"v{n}"))
    return sa.select(each.c.member_id, *columns).group_by(each.c.member_id).cte("sold")


def _of_sales(metric: str, each: sa.CTE, within: Any) -> Any:
    if metric == "spend":
        return sa.func.sum(sa.case((within, each.c.kept), else_=0))
    if metric == "orders":
        return sa.func.count(sa.case((sa.and_(within, each.c.kept > 0), 1)))
    came = sa.or_(each.c.kept > 0, each.c.shown)
    return sa.func.count(sa.distinct(sa.case((sa.and_(within, came), each.c.business_day))))


def _value(metric: str, who: sa.CTE, lines: sa.CTE, begin: Any) -> Any:
    """A figure that is not of sales."""
    kind, _, name = metric.partition(":")
    if metric == "pot":
        return _stands(who, currencies.c.kind == sa.literal_column("'money'"))
    if kind == "balance":
        return _stands(who, currencies.c.code == sa.literal(name))
    if kind == "earned":
        return _earned(who, lines, name, begin)
    return _events(who, lines, REFERRAL if metric == "referrals" else name, begin)


def _stands(who: sa.CTE, which: Any) -> Any:
    return (
        sa.select(sa.func.sum(balances.c.amount))
        .join(ledger_accounts, ledger_accounts.c.id == balances.c.account_id)
        .join(currencies, currencies.c.id == balances.c.currency_id)
        .where(balances.c.member_id == who.c.member_id, ledger_accounts.c.purpose == sa.literal(AVAILABLE), which)
        .correlate(who)
        .scalar_subquery()
    )


def _earned(who: sa.CTE, lines: sa.CTE, code: str, begin: Any) -> Any:
    taken = ledger_entries.alias("taken_back")
    dated_at = sa.func.coalesce(taken.c.effective_at, ledger_entries.c.effective_at, type_=Instant())
    query = (
        sa.select(sa.func.sum(ledger_postings.c.amount))
        .select_from(lines)
        .join(ledger_entries, ledger_entries.c.member_id == lines.c.line_id)
        .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
        .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
        .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
        .outerjoin(corrections, corrections.c.entry_id == ledger_entries.c.id)
        .outerjoin(taken, taken.c.id == sa.func.coalesce(corrections.c.corrects_id, ledger_entries.c.reverses_id))
        .where(
            lines.c.member_id == who.c.member_id,
            sa.func.coalesce(taken.c.kind, ledger_entries.c.kind) == sa.literal(EARN),
            ledger_accounts.c.owner_kind == sa.literal(MEMBER),
            currencies.c.code == sa.literal(code),
            dated_at < who.c.until,
        )
    )
    if begin is not None:
        query = query.where(dated_at >= begin)
    return query.correlate(who).scalar_subquery()


def _events(who: sa.CTE, lines: sa.CTE, name: str, begin: Any) -> Any:
    query = (
        sa.select(sa.func.count())
        .select_from(lines)
        .join(member_events, member_events.c.member_id == lines.c.line_id)
        .where(
            lines.c.member_id == who.c.member_id,
            member_events.c.name == sa.literal(name),
            member_events.c.occurred_at < who.c.until,
        )
    )
    if begin is not None:
        query = query.where(member_events.c.occurred_at >= begin)
    return query.correlate(who).scalar_subquery()
