"""Owns the numbers of a merchant's day: who came, what was sold, given and redeemed, who joined, what was sent.

What happened in a store counts to the day on that store's own clock; what belongs to no store, to the first one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from wallet_server.records.announcing.announcements import SHOWN
from wallet_server.records.counter.visits import TOUCH
from wallet_server.records.database import Tx
from wallet_server.records.purse.ledger import BURN, EARN
from wallet_server.records.schema import (
    announcement_members,
    announcements,
    api_keys,
    corrections,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    members,
    participations,
    refunds,
    sale_reversals,
    sales,
    stores,
    tickets,
    tills,
)
from wallet_server.records.scope import Scope

MOST_JOINED = 10_000
"""The newest members that are looked at for those of today."""
ACTIVE_NEWS = 20


@dataclass(frozen=True)
class Span:
    """A day in one zone, from `start` to before `end` (UTC)."""

    day: date
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Clocks:
    """Today on the clock of each zone in which the merchant has a store; `main` is the zone of what has no store."""

    main: str
    spans: Mapping[str, Span]

    @property
    def own(self) -> Span:
        """Today in the main zone."""
        return self.spans[self.main]

    def holds(self, at: sa.ColumnElement[datetime], zone: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether `at` is today on the clock of `zone` (NULL: of the main one)."""
        spans = self.spans.values()
        here = sa.func.coalesce(zone, self.main)
        own = [sa.and_(here == name, at >= one.start, at < one.end) for name, one in self.spans.items()]
        return sa.and_(at >= min(one.start for one in spans), at < max(one.end for one in spans), sa.or_(*own))


@dataclass(frozen=True)
class Moved:
    """What was given and redeemed of one currency, what was undone left out, and how many rewards: what became a
    voucher by itself, or paid from the pot, is none."""

    given: int
    redeemed: int
    rewards: int


@dataclass(frozen=True)
class Visit:
    """A member at the till: the last sale or reward of today that stands, in which store, on whose clock, and how many
    there were."""

    member_id: int
    member: str
    at: datetime
    store: str | None
    zone: str | None
    times: int


@dataclass(frozen=True)
class Day:
    """The sales of one business day: how many, by how many members, and what they came to by ISO code."""

    sales: int
    members: int
    turnover_minor: Mapping[str, int]


def zones(tx: Tx, scope: Scope) -> list[str]:
    """The zones of all the merchant's stores, closed ones too."""
    query = sa.select(stores.c.zone).where(stores.c.merchant_id == scope.merchant_id).distinct().order_by(stores.c.zone)
    return list(tx.execute(query).scalars())


def days(tx: Tx, scope: Scope, first: date, last: date) -> dict[date, Day]:
    """Business day to its sales, those reversed in full left out, less what came back of the others; days without a
    sale are missing."""
    return _sold(tx, scope, sales.c.business_day.between(first, last), sales.c.business_day)


def sold(tx: Tx, scope: Scope, clocks: Clocks) -> Day:
    """The sales of today: in each store those of its own day."""
    today = [
        sa.and_(stores.c.zone == zone, sales.c.business_day == span.day) for zone, span in clocks.spans.items()
    ]  # fmt: skip
    return _sold(tx, scope, sa.or_(*today), sa.literal(0)).get(0, Day(0, 0, {}))


_REVERSED = sa.exists().where(sale_reversals.c.sale_id == sales.c.id)
_undoing = ledger_entries.alias("undoing")
_CAME_BACK = (
    sa.select(sa.func.coalesce(sa.func.sum(refunds.c.amount_minor), 0))
    .where(refunds.c.sale_id == sales.c.id)
    .scalar_subquery()
)
_TAKEN_BACK = (
    sa.select(sa.func.coalesce(sa.func.sum(corrections.c.amount), 0))
    .where(corrections.c.corrects_id == ledger_entries.c.id)
    .scalar_subquery()
)
_NO_REWARD = ("burn.conversion", "burn.pot")
"""Units that became vouchers by themselves, and money that paid: spent, but nobody took a reward for them."""
_UNDONE = sa.exists().where(_undoing.c.reverses_id == ledger_entries.c.id)


def _sold(tx: Tx, scope: Scope, when: sa.ColumnElement[bool], by: sa.ColumnElement[Any]) -> dict[Any, Day]:
    query = (
        sa.select(
            by.label("by"),
            sales.c.money,
            sa.func.count().label("sales"),
            sa.func.count(sa.distinct(sales.c.member_id)).label("members"),
            sa.func.sum(sales.c.amount_minor - _CAME_BACK).label("turnover"),
        )
        .join(tills, tills.c.id == sales.c.till_id)
        .join(stores, stores.c.id == tills.c.store_id)
        .where(stores.c.merchant_id == scope.merchant_id, when, ~_REVERSED, ~TOUCH)
        .group_by("by", sales.c.money)
    )
    found: dict[Any, Day] = {}
    for r in tx.execute(query):
        before = found.get(r.by, Day(0, 0, {}))
        turnover = {**before.turnover_minor, r.money: int(r.turnover)}
        found[r.by] = Day(before.sales + r.sales, before.members + r.members, turnover)
    return found


def moved(tx: Tx, scope: Scope, clocks: Clocks) -> dict[str, Moved]:
    """Currency code to what was given and redeemed today and stands, less what was taken back of it. What is undone
    today but was done before belongs to no figure of today: a shop gives no less than nothing."""
    kind = ledger_entries.c.kind
    undone = sa.case((kind == EARN, -_TAKEN_BACK), else_=_TAKEN_BACK)
    query = (
        sa.select(
            currencies.c.code,
            kind,
            sa.func.sum(ledger_postings.c.amount + undone).label("amount"),
            sa.func.sum(sa.case((ledger_entries.c.reason.in_(_NO_REWARD), 0), else_=1)).label("times"),
        )
        .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
        .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
        .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
        .outerjoin(stores, stores.c.id == ledger_entries.c.store_id)
        .where(
            ledger_entries.c.merchant_id == scope.merchant_id,
            clocks.holds(ledger_entries.c.recorded_at, stores.c.zone),
            ledger_accounts.c.owner_kind == "member",
            kind.in_((EARN, BURN)),
            ~_UNDONE,
        )
        .group_by(currencies.c.code, kind)
    )
    found: dict[str, Moved] = {}
    for r in tx.execute(query):
        before = found.get(r.code, Moved(0, 0, 0))
        amount, times = int(r.amount), int(r.times)
        found[r.code] = (
            Moved(before.given + amount, before.redeemed, before.rewards)
            if r.kind == EARN
            else Moved(before.given, before.redeemed - amount, before.rewards + times)
        )
    return found


def visits(tx: Tx, scope: Scope, clocks: Clocks, most: int) -> tuple[int, list[Visit]]:
    """(how many members were at a till, the last of them): those of whom a sale or a reward of today stands."""
    entries, of_sales = ledger_entries.c, sales.c
    known = [span.day for span in clocks.spans.values()]
    here = sa.union_all(
        sa.select(entries.member_id, entries.store_id, entries.recorded_at.label("at"))
        .outerjoin(stores, stores.c.id == entries.store_id)
        .where(
            entries.merchant_id == scope.merchant_id,
            entries.till_id.is_not(None),
            entries.kind == BURN,
            ~_UNDONE,
            clocks.holds(entries.recorded_at, stores.c.zone),
        ),
        # A sale that earned nothing is a visit too; what a sale earned is told by the sale.
        sa.select(of_sales.member_id, of_sales.store_id, of_sales.recorded_at.label("at"))
        .join(tills, tills.c.id == of_sales.till_id)
        .join(stores, stores.c.id == tills.c.store_id)
        .where(
            stores.c.merchant_id == scope.merchant_id,
            # By the days that a till may call today, so that the index serves; then by the time itself.
            of_sales.business_day.between(min(known) - timedelta(days=1), max(known) + timedelta(days=1)),
            clocks.holds(of_sales.recorded_at, stores.c.zone),
            ~_REVERSED,
            ~TOUCH,
        ),
    ).cte()
    times = sa.func.count(sa.distinct(here.c.at)).label("times")
    people = sa.select(here.c.member_id, sa.func.max(here.c.at).label("at"), times).group_by(here.c.member_id)
    total = int(tx.execute(sa.select(sa.func.count()).select_from(people.subquery())).scalar_one())
    last = people.order_by(sa.func.max(here.c.at).desc(), here.c.member_id).limit(most).subquery()
    where = sa.select(sa.func.max(here.c.store_id)).where(here.c.member_id == last.c.member_id, here.c.at == last.c.at)
    rows = tx.execute(
        sa.select(last, members.c.public_id, stores.c.name, stores.c.zone)
        .join(members, members.c.id == last.c.member_id)
        .outerjoin(stores, stores.c.id == where.scalar_subquery())
        .order_by(last.c.at.desc(), last.c.member_id)
    )
    return total, [Visit(r.member_id, r.public_id, r.at, r.name, r.zone, r.times) for r in rows]


def joined(tx: Tx, scope: Scope, today: Span) -> int:
    """How many joined the merchant's programmes; at most `MOST_JOINED`."""
    mine = sa.select(participations.c.programme_id).where(
        participations.c.merchant_id == scope.merchant_id, participations.c.left_at.is_(None)
    )
    # The newest by key, as no index stands on the time: members are few in a day.
    newest = sa.select(members.c.joined_at).where(members.c.programme_id.in_(mine))
    newest = newest.order_by(members.c.id.desc()).limit(MOST_JOINED)
    at = newest.subquery().c.joined_at
    return int(tx.execute(sa.select(sa.func.count()).where(at >= today.start, at < today.end)).scalar_one())


def sent(tx: Tx, scope: Scope, today: Span) -> int:
    """To how many members an announcement was sent; of the newest announcements that are not over since before."""
    am = announcement_members.c
    active = (
        sa.select(announcements.c.id)
        .where(
            announcements.c.merchant_id == scope.merchant_id,
            announcements.c.confirmed_at.is_not(None),
            announcements.c.ends_at >= today.start,
        )
        .order_by(announcements.c.id.desc())
        .limit(ACTIVE_NEWS)
    )
    ids = list(tx.execute(active).scalars())
    query = sa.select(sa.func.count()).where(
        am.announcement_id.in_(ids), am.outcome == SHOWN, am.decided_at >= today.start, am.decided_at < today.end
    )
    return int(tx.execute(query).scalar_one()) if ids else 0


def open_tickets(tx: Tx, scope: Scope) -> int:
    """How many tickets wait for the merchant."""
    query = sa.select(sa.func.count()).where(tickets.c.merchant_id == scope.merchant_id, tickets.c.state == "open")
    return int(tx.execute(query).scalar_one())


def has_paired(tx: Tx, scope: Scope) -> bool:
    """Whether a device was paired with one of the merchant's tills, or a till has called with a key of its own."""
    key = api_keys.c
    query = sa.select(key.id).where(
        key.merchant_id == scope.merchant_id,
        key.till_id.is_not(None),
        key.revoked_at.is_(None),
        sa.or_(key.name.is_not(None), key.used_at.is_not(None)),
    )
    return tx.execute(query.limit(1)).scalar() is not None


def has_sold(tx: Tx, scope: Scope) -> bool:
    """Whether anything was ever booked for the merchant."""
    query = sa.select(ledger_entries.c.id).where(ledger_entries.c.merchant_id == scope.merchant_id).limit(1)
    return tx.execute(query).scalar() is not None
