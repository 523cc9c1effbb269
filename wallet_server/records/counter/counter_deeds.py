"""Owns the book of what each cashier did at a till: what, about whom, and when. It is added to and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import counter_deeds, given_gestures, members, staff
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class Done:
    """What somebody did about one thing."""

    at: datetime
    what: str
    who: str


def add(tx: Tx, scope: Scope, what: str, about: str | None, member: str | None, at: datetime) -> None:
    """The cashier who stands at the caller's till did something, in the transaction in which it happens; nothing where
    the till did not say who stands there. `member` and `about` are public ids."""
    if scope.cashier is None:
        return
    whom: object = None
    if member is not None:
        whom = sa.select(members.c.id).where(members.c.public_id == member).scalar_subquery()
    row: dict[str, object] = {
        "merchant_id": scope.merchant_id,
        "till_id": scope.till_id,
        "staff_id": scope.cashier.staff_id,
    }
    row |= {"what": what, "about": about, "at": at}
    tx.execute(sa.insert(counter_deeds).values(**row, member_id=whom))


def about(tx: Tx, scope: Scope, public_id: str) -> list[Done]:
    """Who of the merchant's cashiers did what to one thing, the newest first."""
    query = (
        sa.select(counter_deeds.c.at, counter_deeds.c.what, staff.c.name.label("who"))
        .join(staff, staff.c.id == counter_deeds.c.staff_id)
        .where(counter_deeds.c.about == public_id, counter_deeds.c.merchant_id == scope.merchant_id)
    )
    return [Done(r.at, r.what, r.who) for r in tx.execute(query.order_by(counter_deeds.c.id.desc()).limit(20))]


def names(tx: Tx, scope: Scope, public_ids: Sequence[str]) -> dict[str, str]:
    """Public id of a sale or an entry to the name of the merchant's cashier whose it is; who took it back later has an
    entry of their own."""
    if not public_ids:
        return {}
    found: dict[str, str] = {}
    for table in (given_gestures, counter_deeds):
        query = (
            sa.select(table.c.about, staff.c.name)
            .join(staff, staff.c.id == table.c.staff_id)
            .where(table.c.about.in_(list(public_ids)), table.c.merchant_id == scope.merchant_id)
            .order_by(table.c.id.desc())
        )
        found |= {r.about: r.name for r in tx.execute(query)}
    return found
