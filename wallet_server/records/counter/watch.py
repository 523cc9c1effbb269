"""Owns what is counted at the tills to see what looks odd, the merchant's thresholds, and what was noted of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.counter.visits import TOUCH
from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    accounts,
    anomalies,
    counter_deeds,
    gesture_complaints,
    given_gestures,
    members,
    merchants,
    refused_gestures,
    sales,
    shifts,
    staff,
    stores,
    tills,
    undone_gestures,
    watch_limits,
)
from wallet_server.records.scope import Scope

MOST_FOUND = 100
MOST_DEEDS = 20_000
_D = counter_deeds.c


def kept_limits(tx: Tx, scope: Scope) -> Mapping[str, Any]:
    """The thresholds that the merchant chose."""
    query = sa.select(watch_limits.c.limits).where(watch_limits.c.merchant_id == scope.merchant_id)
    return dict(tx.execute(query).scalar() or {})


def keep_limits(tx: Tx, scope: Scope, limits: Mapping[str, int], at: datetime) -> None:
    """Choose thresholds."""
    make = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(watch_limits)
    row = {"limits": dict(limits), "changed_at": at}
    statement = make.values(merchant_id=scope.merchant_id, **row)
    tx.execute(statement.on_conflict_do_update(index_elements=["merchant_id"], set_=row))


# ---------------------------------------------------------------------- counts


def sales_of_members(tx: Tx, scope: Scope, day: date, least: int) -> dict[int, int]:
    """Member key to the sales of a business day at the merchant's tills, of those who have that many."""
    of_shop = (
        sa.select(tills.c.id)
        .join(stores, stores.c.id == tills.c.store_id)
        .where(stores.c.merchant_id == scope.merchant_id)
    )
    many = sa.func.count()
    rows = tx.execute(
        sa.select(sales.c.member_id, many.label("many"))
        .where(sales.c.till_id.in_(of_shop), sales.c.business_day == day, ~TOUCH)
        .group_by(sales.c.member_id)
        .having(many >= least)
        .order_by(many.desc())
        .limit(MOST_FOUND)
    )
    return {r.member_id: int(r.many) for r in rows}


Span = tuple[datetime, datetime]


def _by_cashier(tx: Tx, who: sa.Column[Any], where: Sequence[sa.ColumnElement[bool]], least: int) -> dict[int, int]:
    many = sa.func.count()
    query = sa.select(who.label("staff"), many.label("many")).where(*where).group_by(who).having(many >= least)
    return {r.staff: int(r.many) for r in tx.execute(query.limit(MOST_FOUND))}


def gestures_of_cashiers(tx: Tx, scope: Scope, span: Span, least: int) -> dict[int, int]:
    """Cashier key to the gestures that they made and that stand, of those who made that many."""
    g = given_gestures.c
    undone = sa.exists().where(undone_gestures.c.gesture_id == g.id)
    where = [g.merchant_id == scope.merchant_id, g.at >= span[0], g.at < span[1], ~undone]
    return _by_cashier(tx, g.staff_id, where, least)


def refusals_of_cashiers(tx: Tx, scope: Scope, span: Span, least: int) -> dict[int, int]:
    """Cashier key to the gestures for which there was no budget."""
    r = refused_gestures.c
    where = [r.merchant_id == scope.merchant_id, r.at >= span[0], r.at < span[1]]
    return _by_cashier(tx, r.staff_id, where, least)


def deeds_of_cashiers(tx: Tx, scope: Scope, span: Span, whats: Sequence[str], least: int) -> dict[int, int]:
    """Cashier key to how often they did one of these."""
    where = [_D.merchant_id == scope.merchant_id, _D.at >= span[0], _D.at < span[1], _D.what.in_(whats)]
    return _by_cashier(tx, _D.staff_id, where, least)


def deeds_for_members(
    tx: Tx, scope: Scope, span: Span, whats: Mapping[str, str]
) -> list[tuple[int, int, str, datetime]]:
    """Who did what for whom, in the order of their times: deeds of these kinds (route to what it is), of members for
    whom the rarer kinds were done at all."""
    rare = counter_deeds.alias("rare")
    burned = [what for what, kind in whats.items() if kind == "burned"]
    spent = sa.exists().where(
        rare.c.merchant_id == scope.merchant_id,
        rare.c.at >= span[0],
        rare.c.at < span[1],
        rare.c.what.in_(burned),
        rare.c.staff_id == _D.staff_id,
        rare.c.member_id == _D.member_id,
    )
    rows = tx.execute(
        sa.select(_D.staff_id, _D.member_id, _D.what, _D.at)
        .where(_D.merchant_id == scope.merchant_id, _D.at >= span[0], _D.at < span[1], _D.what.in_(list(whats)), spent)
        .order_by(_D.at, _D.id)
        .limit(MOST_DEEDS)
    )
    return [(r.staff_id, r.member_id, whats[r.what], r.at) for r in rows]


# ---------------------------------------------------------------------- names and notes


def names(tx: Tx, staff_ids: Sequence[int]) -> dict[int, str]:
    """Key to name of people of the team."""
    return {r.id: r.name for r in tx.execute(sa.select(staff.c.id, staff.c.name).where(staff.c.id.in_(staff_ids)))}


def public_ids(tx: Tx, member_ids: Sequence[int]) -> dict[int, str]:
    """Key to public id of members."""
    query = sa.select(members.c.id, members.c.public_id).where(members.c.id.in_(member_ids))
    return {r.id: r.public_id for r in tx.execute(query)}


@dataclass(frozen=True)
class Noted:
    """Something odd that is noted once a day: about a cashier, or about a member."""

    pattern: str
    subject: str
    day: date
    staff_id: int | None
    member_id: int | None
    found: int
    allowed: int


def note(tx: Tx, merchant_id: int, noted: Noted, at: datetime) -> bool:
    """Write it down; False where that was done already."""
    make = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(anomalies)
    row = vars(noted) | {"merchant_id": merchant_id, "at": at}
    only = ["merchant_id", "day", "pattern", "subject"]
    statement = make.values(**row).on_conflict_do_nothing(index_elements=only).returning(anomalies.c.id)
    return tx.execute(statement).scalar() is not None


def scope_of(tx: Tx, merchant_id: int) -> Scope:
    """The scope in which a merchant's tills are looked over; it covers nothing else."""
    row = tx.execute(
        sa.select(merchants.c.account_id, accounts.c.issuer_mark)
        .join(accounts, accounts.c.id == merchants.c.account_id)
        .where(merchants.c.id == merchant_id)
    ).one()
    return Scope(row.account_id, merchant_id, "watch", "watch", row.issuer_mark, frozenset())


def somebody_stands(tx: Tx, merchant_id: int, now: datetime) -> bool:
    """Whether anybody of the merchant has a shift that runs."""
    running = sa.select(shifts.c.id).join(staff, staff.c.id == shifts.c.staff_id).where(
        staff.c.merchant_id == merchant_id, shifts.c.ended_at.is_(None), shifts.c.expires_at > now
    )  # fmt: skip
    return tx.execute(running.limit(1)).first() is not None


# ---------------------------------------------------------------------- what was given


@dataclass(frozen=True)
class GivenLine:
    """A gesture, or one that a budget refused (`budget`), for the list."""

    at: datetime
    who: str
    gesture: str
    reason: str | None
    member: str
    cost_minor: int
    undone: bool
    budget: str | None
    complaint: str | None = None


def given_lately(tx: Tx, scope: Scope, most: int) -> list[GivenLine]:
    """The newest gestures and refusals of the merchant's cashiers, the newest first."""
    g, r = given_gestures.c, refused_gestures.c
    made = (
        sa.select(
            g.at,
            staff.c.name.label("who"),
            g.gesture,
            g.reason,
            members.c.public_id.label("member"),
            g.cost_minor,
            undone_gestures.c.gesture_id.is_not(None).label("undone"),
            gesture_complaints.c.complaint,
        )
        .select_from(
            given_gestures.join(staff, staff.c.id == g.staff_id)
            .join(members, members.c.id == g.member_id)
            .outerjoin(undone_gestures, undone_gestures.c.gesture_id == g.id)
            .outerjoin(gesture_complaints, gesture_complaints.c.gesture_id == g.id)
        )
        .where(g.merchant_id == scope.merchant_id)
        .order_by(g.at.desc())
        .limit(most)
    )
    refused = (
        sa.select(r.at, staff.c.name.label("who"), r.gesture, r.budget, members.c.public_id.label("member"))
        .select_from(refused_gestures.join(staff, staff.c.id == r.staff_id).join(members, members.c.id == r.member_id))
        .where(r.merchant_id == scope.merchant_id)
        .order_by(r.at.desc())
        .limit(most)
    )
    lines = [
        GivenLine(x.at, x.who, x.gesture, x.reason, x.member, x.cost_minor, bool(x.undone), None, x.complaint)
        for x in tx.execute(made)
    ]
    lines += [GivenLine(x.at, x.who, x.gesture, None, x.member, 0, False, x.budget) for x in tx.execute(refused)]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:most]


@dataclass(frozen=True)
class CashierSum:
    """What one cashier gave within a span."""

    who: str
    count: int
    cost_minor: int


def sums_of_cashiers(tx: Tx, scope: Scope, span: Span) -> list[CashierSum]:
    """What each cashier gave within a span and did not take back, the most first."""
    g = given_gestures.c
    undone = sa.exists().where(undone_gestures.c.gesture_id == g.id)
    rows = tx.execute(
        sa.select(staff.c.name, sa.func.count().label("many"), sa.func.sum(g.cost_minor).label("cost"))
        .join(staff, staff.c.id == g.staff_id)
        .where(g.merchant_id == scope.merchant_id, g.at >= span[0], g.at < span[1], ~undone)
        .group_by(staff.c.id, staff.c.name)
        .order_by(sa.func.count().desc(), staff.c.name)
        .limit(MOST_FOUND)
    )
    return [CashierSum(r.name, int(r.many), int(r.cost or 0)) for r in rows]
