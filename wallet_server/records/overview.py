"""Owns the numbers of a merchant's day: who came, what was sold, given and redeemed, who joined, what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from wallet_server.records.announcements import SHOWN
from wallet_server.records.database import Tx
from wallet_server.records.ledger import BURN, EARN
from wallet_server.records.schema import (
    announcement_members,
    announcements,
    api_keys,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    members,
    participations,
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
class Moved:
    """What was given and redeemed of one currency: units net of what was undone, and how many rewards."""

    given: int
    redeemed: int
    rewards: int


@dataclass(frozen=True)
class Visit:
    """A member at the till: the last thing that happened there today."""

    member_id: int
    member: str
    at: datetime
    store: str | None
    times: int


@dataclass(frozen=True)
class Day:
    """The sales of one business day: how many, by how many members, and what they came to by ISO code."""

    sales: int
    members: int
    turnover_minor: Mapping[str, int]


def days(tx: Tx, scope: Scope, first: date, last: date) -> dict[date, Day]:
    """Business day to its sales, those reversed in full left out; days without a sale are missing."""
    mine = sa.select(tills.c.id).join(stores, stores.c.id == tills.c.store_id)
    mine = mine.where(stores.c.merchant_id == scope.merchant_id)
    undone = sa.exists().where(ledger_entries.c.sale_id == sales.c.id, ledger_entries.c.reason == "reverse.sale")
    query = (
        sa.select(
            sales.c.business_day,
            sales.c.money,
            sa.func.count().label("sales"),
            sa.func.count(sa.distinct(sales.c.member_id)).label("members"),
            sa.func.sum(sales.c.amount_minor).label("turnover"),
        )
        .where(sales.c.till_id.in_(mine), sales.c.business_day.between(first, last), ~undone)
        .group_by(sales.c.business_day, sales.c.money)
    )
    found: dict[date, Day] = {}
    for r in tx.execute(query):
        before = found.get(r.business_day, Day(0, 0, {}))
        turnover = {**before.turnover_minor, r.money: int(r.turnover)}
        found[r.business_day] = Day(before.sales + r.sales, before.members + r.members, turnover)
    return found


def moved(tx: Tx, scope: Scope, start: datetime, end: datetime) -> dict[str, Moved]:
    """Currency code to what was given and redeemed from `start` to before `end`, undone ones taken off."""
    undone = ledger_entries.alias("undone")
    what = sa.func.coalesce(undone.c.kind, ledger_entries.c.kind)
    query = (
        sa.select(
            currencies.c.code,
            what.label("what"),
            sa.func.sum(ledger_postings.c.amount).label("amount"),
            sa.func.sum(sa.case((undone.c.id.is_(None), 1), else_=-1)).label("times"),
        )
        .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
        .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
        .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
        .outerjoin(undone, undone.c.id == ledger_entries.c.reverses_id)
        .where(
            ledger_entries.c.merchant_id == scope.merchant_id,
            ledger_entries.c.recorded_at >= start,
            ledger_entries.c.recorded_at < end,
            ledger_accounts.c.owner_kind == "member",
            what.in_((EARN, BURN)),
        )
        .group_by(currencies.c.code, what)
    )
    found: dict[str, Moved] = {}
    for r in tx.execute(query):
        before = found.get(r.code, Moved(0, 0, 0))
        amount, times = int(r.amount), int(r.times)
        found[r.code] = (
            Moved(before.given + amount, before.redeemed, before.rewards)
            if r.what == EARN
            else Moved(before.given, before.redeemed - amount, before.rewards + times)
        )
    return found


def visits(tx: Tx, scope: Scope, start: datetime, end: datetime, most: int) -> tuple[int, list[Visit]]:
    """(how many members were at a till, the last of them)."""
    entries, of_sales = ledger_entries.c, sales.c
    here = sa.union_all(
        sa.select(entries.member_id, entries.store_id, entries.recorded_at.label("at")).where(
            entries.merchant_id == scope.merchant_id,
            entries.recorded_at >= start,
            entries.recorded_at < end,
            entries.till_id.is_not(None),
        ),
        # A sale that earned nothing is a visit too.
        sa.select(of_sales.member_id, of_sales.store_id, of_sales.recorded_at.label("at")).where(
            of_sales.till_id.in_(
                sa.select(tills.c.id)
                .join(stores, stores.c.id == tills.c.store_id)
                .where(stores.c.merchant_id == scope.merchant_id)
            ),
            # By the days that a till in any zone may call today, so that the index serves; then by the time itself.
            of_sales.business_day.between(start.date(), end.date()),
            of_sales.recorded_at >= start,
            of_sales.recorded_at < end,
        ),
    ).subquery()
    times = sa.func.count(sa.distinct(here.c.at)).label("times")
    query = (
        sa.select(here.c.member_id, sa.func.max(here.c.at).label("at"), sa.func.max(here.c.store_id).label("s"), times)
        .group_by(here.c.member_id)
        .subquery()
    )
    total = int(tx.execute(sa.select(sa.func.count()).select_from(query)).scalar_one())
    rows = tx.execute(
        sa.select(query, members.c.public_id, stores.c.name)
        .join(members, members.c.id == query.c.member_id)
        .outerjoin(stores, stores.c.id == query.c.s)
        .order_by(query.c.at.desc(), query.c.member_id)
        .limit(most)
    )
    return total, [Visit(r.member_id, r.public_id, r.at, r.name, r.times) for r in rows]


def joined(tx: Tx, scope: Scope, start: datetime, end: datetime) -> int:
    """How many joined the merchant's programmes; at most `MOST_JOINED`."""
    mine = sa.select(participations.c.programme_id).where(
        participations.c.merchant_id == scope.merchant_id, participations.c.left_at.is_(None)
    )
    # The newest by key, as no index stands on the time: members are few in a day.
    newest = sa.select(members.c.joined_at).where(members.c.programme_id.in_(mine))
    newest = newest.order_by(members.c.id.desc()).limit(MOST_JOINED)
    at = newest.subquery().c.joined_at
    return int(tx.execute(sa.select(sa.func.count()).where(at >= start, at < end)).scalar_one())


def sent(tx: Tx, scope: Scope, start: datetime, end: datetime) -> int:
    """To how many members an announcement was sent; of the newest announcements that are not over since before."""
    am = announcement_members.c
    active = (
        sa.select(announcements.c.id)
        .where(
            announcements.c.merchant_id == scope.merchant_id,
            announcements.c.confirmed_at.is_not(None),
            announcements.c.ends_at >= start,
        )
        .order_by(announcements.c.id.desc())
        .limit(ACTIVE_NEWS)
    )
    ids = list(tx.execute(active).scalars())
    query = sa.select(sa.func.count()).where(
        am.announcement_id.in_(ids), am.outcome == SHOWN, am.decided_at >= start, am.decided_at < end
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
