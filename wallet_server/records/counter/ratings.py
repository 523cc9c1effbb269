"""Owns what members say of their visits, at most once for each sale, and the tickets that a low mark opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.counter.visits import TOUCH
from wallet_server.records.database import Tx
from wallet_server.records.schema import members, ratings, sales, staff, stores, tickets
from wallet_server.records.scope import Scope

OPEN, CLOSED = "open", "closed"
MOST_LISTED = 200


@dataclass(frozen=True)
class VisitRow:
    """A sale that may be rated, with its store; `mark` is the one that was given, if any."""

    sale_id: int
    public_id: str
    programme_id: int
    merchant_id: int
    member_id: int
    store_id: int
    store: str
    zone: str
    occurred_at: datetime
    mark: int | None


@dataclass(frozen=True)
class TicketRow:
    """A low mark that somebody should answer, or has answered (`closed_by` is that person's name)."""

    public_id: str
    state: str
    member: str
    store: str | None
    mark: int
    text: str | None
    visited_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    note: str | None


_VISITS = (
    sa.select(
        sales.c.id.label("sale_id"),
        sales.c.public_id,
        sales.c.programme_id,
        sales.c.merchant_id,
        sales.c.member_id,
        sales.c.store_id,
        stores.c.name.label("store"),
        stores.c.zone,
        sales.c.occurred_at,
        ratings.c.mark,
    )
    .join(stores, stores.c.id == sales.c.store_id)
    .outerjoin(ratings, ratings.c.sale_id == sales.c.id)
    .where(sales.c.member_id == b("member"), sales.c.occurred_at >= b("since"), ~TOUCH)
    .order_by(sales.c.occurred_at.desc(), sales.c.id.desc())
    .limit(1)
)
_VISIT = _VISITS.where(sales.c.public_id == b("sale"))


def visit(tx: Tx, member_id: int, since: datetime, sale: str | None = None) -> VisitRow | None:
    """The member's last sale that is not older than `since`; or the one that is named, if it is the member's."""
    values = {"member": member_id, "since": since}
    r = tx.execute(_VISITS, values).first() if sale is None else tx.execute(_VISIT, {**values, "sale": sale}).first()
    return None if r is None else VisitRow(**r._mapping)


def count_since(tx: Tx, member_id: int, since: datetime) -> int:
    """How often this member has rated since then."""
    query = (
        sa.select(sa.func.count()).select_from(ratings).where(ratings.c.member_id == member_id, ratings.c.at > since)
    )
    return int(tx.execute(query).scalar_one())


def add_rating(tx: Tx, public_id: str, of: VisitRow, mark: int, text: str | None, at: datetime) -> int | None:
    """What the member says of a sale; None when that sale was rated before."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    row = {
        "public_id": public_id,
        "programme_id": of.programme_id,
        "merchant_id": of.merchant_id,
        "member_id": of.member_id,
        "sale_id": of.sale_id,
        "store_id": of.store_id,
        "mark": mark,
        "text": text,
        "at": at,
    }
    insert = make(ratings).values(row).on_conflict_do_nothing(index_elements=["sale_id"]).returning(ratings.c.id)
    key = tx.execute(insert).scalar()
    return None if key is None else int(key)


def open_ticket(tx: Tx, public_id: str, merchant_id: int, rating_id: int, member_id: int, at: datetime) -> None:
    tx.execute(
        sa.insert(tickets).values(
            public_id=public_id,
            merchant_id=merchant_id,
            rating_id=rating_id,
            member_id=member_id,
            state=OPEN,
            opened_at=at,
        )
    )


_TICKETS = (
    sa.select(
        tickets.c.public_id,
        tickets.c.state,
        members.c.public_id.label("member"),
        stores.c.name.label("store"),
        ratings.c.mark,
        ratings.c.text,
        sales.c.occurred_at.label("visited_at"),
        tickets.c.opened_at,
        tickets.c.closed_at,
        staff.c.name.label("closed_by"),
        tickets.c.note,
    )
    .join(members, members.c.id == tickets.c.member_id)
    .join(ratings, ratings.c.id == tickets.c.rating_id)
    .outerjoin(stores, stores.c.id == ratings.c.store_id)
    .outerjoin(sales, sales.c.id == ratings.c.sale_id)
    .outerjoin(staff, staff.c.id == tickets.c.closed_by)
    .where(tickets.c.merchant_id == b("merchant"))
)


def tickets_of(tx: Tx, scope: Scope, *, state: str | None = None, most: int = MOST_LISTED) -> list[TicketRow]:
    """The merchant's tickets, the open ones first and the newest of each first; `state` asks for some alone."""
    query = _TICKETS.order_by(
        sa.case((tickets.c.state == OPEN, 0), else_=1), tickets.c.opened_at.desc(), tickets.c.id.desc()
    ).limit(most)
    if state is not None:
        query = query.where(tickets.c.state == state)
    return [TicketRow(**r._mapping) for r in tx.execute(query, {"merchant": scope.merchant_id})]


def close_ticket(
    tx: Tx, scope: Scope, public_id: str, note: str | None, staff_id: int | None, at: datetime
) -> TicketRow:
    """Note what was done about one; a ticket that was closed before stays as it was. Raises `NotFound`."""
    tx.execute(
        sa.update(tickets)
        .where(tickets.c.public_id == public_id, tickets.c.merchant_id == scope.merchant_id, tickets.c.state == OPEN)
        .values(state=CLOSED, closed_at=at, closed_by=staff_id, note=note)
    )
    found = tx.execute(_TICKETS.where(tickets.c.public_id == public_id), {"merchant": scope.merchant_id}).first()
    if found is None:
        raise NotFound("There is no such ticket.", field="ticket")
    return TicketRow(**found._mapping)
