"""Owns the book of what people did: who, what, to whom and when. It is added to and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import staff, staff_events
from wallet_server.records.scope import Scope

FOUNDED, INVITED, TAKEN_BACK, JOINED = "founded", "invited", "taken_back", "joined"
ROLE, DISABLED, ENABLED, UNLOCKED = "role", "disabled", "enabled", "unlocked"
RESET, RECOVER, PASSWORD = "reset", "recover", "password"
PAIRED, UNPAIRED = "paired", "unpaired"
PUBLISHED, SENT, RECALLED = "published", "sent", "recalled"
CERTIFIED, RENEWED, GONE_BACK = "certified", "renewed", "gone_back"
CARD_BACK, CARD_ENDED, COUPON_ENDED, LEFT = "card_back", "card_ended", "coupon_ended", "left"
CARD_LIMITED = "card_limited"
MERGED, IMPORTED, IMPORT_SETTLED = "merged", "imported", "import_settled"
CLOSED = "closed"
GOODWILL, GESTURE_UNDONE, GESTURE_REFUSED = "goodwill", "gesture_undone", "gesture_refused"
PIN = "pin"
KEY_MADE, KEY_ROTATED, KEY_ENDED = "key_made", "key_rotated", "key_ended"
ANOMALY, LIMITS = "anomaly", "limits"
OFFLINE_ACCEPTED, OFFLINE_REFUSED, OFFLINE_NOTED = "offline_accepted", "offline_refused", "offline_noted"
OPERATOR = "operator"
_STAFF = "staff:"


@dataclass(frozen=True)
class DeedRow:
    """What was done. `who` is None for a key of the shop's software and for the operator (`principal` tells which);
    `about` is the public id of what it was done to, `detail` a role, a version or a device's name."""

    id: int
    at: datetime
    what: str
    who: str | None
    principal: str
    whom: str | None
    about: str | None
    detail: str | None


def add(
    tx: Tx,
    scope: Scope,
    what: str,
    at: datetime,
    *,
    whom: int | None = None,
    about: str | None = None,
    detail: str | None = None,
) -> None:
    """The caller did something, in the transaction in which it happens; the cashier who stands at a till is its
    person."""
    principal = OPERATOR if scope.key_id == OPERATOR else scope.principal
    staff_id = scope.cashier.staff_id if scope.cashier else None
    add_by(tx, scope.merchant_id, principal, what, at, staff_id=staff_id, whom=whom, about=about, detail=detail)


def add_by(
    tx: Tx,
    merchant_id: int,
    principal: str,
    what: str,
    at: datetime,
    *,
    staff_id: int | None = None,
    whom: int | None = None,
    about: str | None = None,
    detail: str | None = None,
) -> None:
    """The same, by a person (`staff_id`), by the operator, or by whoever the principal names."""
    who: object = staff_id
    if who is None and principal.startswith(_STAFF):
        who = sa.select(staff.c.id).where(staff.c.public_id == principal.removeprefix(_STAFF)).scalar_subquery()
    row = {"merchant_id": merchant_id, "at": at, "what": what, "staff_id": who, "principal": principal}
    row |= {"whom_id": whom, "about": about, "detail": detail[:200] if detail else None}
    tx.execute(sa.insert(staff_events).values(**row))


_WHOM = staff.alias("whom")
_DEEDS = sa.select(staff_events, staff.c.name.label("who"), _WHOM.c.name.label("whom")).select_from(
    staff_events.outerjoin(staff, staff.c.id == staff_events.c.staff_id).outerjoin(
        _WHOM, _WHOM.c.id == staff_events.c.whom_id
    )
)


def of_merchant(tx: Tx, scope: Scope, most: int, before: int | None = None) -> list[DeedRow]:
    """What was done in this merchant's name, the newest first."""
    query = _DEEDS.where(staff_events.c.merchant_id == scope.merchant_id)
    if before is not None:
        query = query.where(staff_events.c.id < before)
    return [_row(r) for r in tx.execute(query.order_by(staff_events.c.id.desc()).limit(most))]


def about(tx: Tx, scope: Scope, public_id: str, whats: Sequence[str], detail: str | None = None) -> list[DeedRow]:
    """What was done to one thing, the newest first."""
    query = _DEEDS.where(staff_events.c.about == public_id, staff_events.c.merchant_id == scope.merchant_id)
    if detail is not None:
        query = query.where(staff_events.c.detail == detail)
    query = query.where(staff_events.c.what.in_(whats)).order_by(staff_events.c.id.desc()).limit(20)
    return [_row(r) for r in tx.execute(query)]


def _row(r: sa.Row) -> DeedRow:  # type: ignore[type-arg]
    return DeedRow(r.id, r.at, r.what, r.who, r.principal, r.whom, r.about, r.detail)
