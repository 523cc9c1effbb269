"""Owns gestures that staff made at tills, in the order in which they were made: given, taken back, refused, and what of
a budget they used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    gesture_complaints,
    gesture_turns,
    given_gestures,
    member_events,
    refused_gestures,
    sales,
    undone_gestures,
)
from wallet_server.records.scope import Scope

_G = given_gestures.c


@dataclass(frozen=True)
class NewGesture:
    """What was given to whom by whom; `about` is the public id of the entry or of the voucher, where there is one."""

    public_id: str
    programme_id: int
    merchant_id: int
    till_id: int | None
    staff_id: int
    member_id: int
    programme_version_id: int
    gesture: str
    kind: str
    reason: str
    units: int
    cost_minor: int
    about: str | None
    at: datetime


@dataclass(frozen=True)
class GivenRow(NewGesture):
    """The same, with its key and whether it was taken back."""

    id: int
    undone: bool


_STANDS = undone_gestures.c.gesture_id.is_(None)
_JOINED = given_gestures.outerjoin(undone_gestures, undone_gestures.c.gesture_id == _G.id)
_ROWS = sa.select(given_gestures, undone_gestures.c.gesture_id.label("taken_back")).select_from(_JOINED)


def _row(r: sa.Row[Any]) -> GivenRow:
    named = {column.name: getattr(r, column.name) for column in given_gestures.columns}
    return GivenRow(**named, undone=r.taken_back is not None)


def add(tx: Tx, new: NewGesture, complaint: str | None) -> None:
    """Write it down; the complaint apart, so that it goes with the member."""
    key = tx.execute(sa.insert(given_gestures).values(**vars(new)).returning(_G.id)).scalar_one()
    if complaint is not None:
        row = {"gesture_id": key, "member_id": new.member_id, "complaint": complaint}
        tx.execute(sa.insert(gesture_complaints).values(**row))


def undo(tx: Tx, gesture_id: int, staff_id: int, at: datetime) -> None:
    """It was taken back; its member is held."""
    tx.execute(sa.insert(undone_gestures).values(gesture_id=gesture_id, staff_id=staff_id, at=at))


def refuse(tx: Tx, scope: Scope, member: tuple[int, int], gesture: str, budget: str, at: datetime) -> None:
    """A budget had no room for it. `member` is the programme's key and the member's."""
    row: dict[str, object] = {"programme_id": member[0], "member_id": member[1], "merchant_id": scope.merchant_id}
    row |= {"till_id": scope.till_id, "staff_id": scope.cashier.staff_id if scope.cashier else None}
    tx.execute(sa.insert(refused_gestures).values(**row, gesture=gesture, budget=budget, at=at))


_ABOUT = _ROWS.where(_G.public_id == b("public_id"))


def by_public(tx: Tx, public_id: str) -> GivenRow | None:
    """The gesture of this id, whoever asks."""
    found = tx.execute(_ABOUT, {"public_id": public_id}).first()
    return None if found is None else _row(found)


def in_shop(tx: Tx, scope: Scope, public_id: str) -> GivenRow:
    """One of the merchant's gestures. Raises `NotFound`."""
    found = by_public(tx, public_id)
    if found is None or found.merchant_id != scope.merchant_id:
        raise NotFound("There is no such gesture.")
    return found


_NEWEST = Prepared(
    lambda dialect: _ROWS.where(among(dialect, _G.member_id), _G.at > b("since"), _STANDS).order_by(_G.at, _G.id)
)


def newest(tx: Tx, member_ids: Sequence[int], since: datetime) -> dict[int, GivenRow]:
    """Member key to the last gesture after `since` that stands."""
    return {r.member_id: _row(r) for r in _NEWEST.rows(tx, {"ids": list(member_ids), "since": since})}


# ---------------------------------------------------------------------- budgets


def take_turn(tx: Tx, kind: str, owner: int) -> None:
    """From here on nobody else counts what this cashier, or this programme, has given."""
    make = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(gesture_turns)
    statement = make.values(kind=kind, owner=owner, taken=1)
    more = {"taken": gesture_turns.c.taken + 1}
    tx.execute(statement.on_conflict_do_update(index_elements=["kind", "owner"], set_=more))


_OWNERS = {"cashier": _G.staff_id, "programme": _G.programme_id}
_SUMS = sa.select(
    sa.func.count(_G.id),
    sa.func.coalesce(sa.func.sum(_G.units), 0),
    sa.func.coalesce(sa.func.sum(_G.cost_minor), 0),
).select_from(_JOINED)


def used(
    tx: Tx, whose: str, owner: int, programme_id: int, span: tuple[datetime, datetime] | None, gesture: str | None
) -> tuple[int, int, int]:
    """How many gestures, units and minor units somebody gave or got within a span (None: ever), of one gesture or of
    all; those apart that were taken back. What a member had before two were merged counts on."""
    own = _G.member_id.in_(line_of(owner)) if whose == "member" else _OWNERS[whose] == owner
    query = _SUMS.where(own, _G.programme_id == programme_id, _STANDS)
    if span is not None:
        query = query.where(_G.at >= span[0], _G.at < span[1])
    if gesture is not None:
        query = query.where(_G.gesture == gesture)
    count, units, cost = tx.execute(query).one()
    return int(count), int(units), int(cost)


# ---------------------------------------------------------------------- what a condition asks


def last_gesture(tx: Tx, member_id: int, gesture: str | None = None) -> datetime | None:
    """When a member last had a gesture that stands, or this one."""
    query = sa.select(sa.func.max(_G.at)).select_from(_JOINED).where(_G.member_id.in_(line_of(member_id)), _STANDS)
    found: datetime | None = tx.execute(query if gesture is None else query.where(_G.gesture == gesture)).scalar()
    return found


def last_sale(tx: Tx, member_id: int) -> datetime | None:
    """When a member last bought something."""
    newest_sale = sa.select(sa.func.max(sales.c.occurred_at)).where(sales.c.member_id.in_(line_of(member_id)))
    found: datetime | None = tx.execute(newest_sale).scalar()
    return found


def last_event(tx: Tx, member_id: int, name: str, since: datetime) -> datetime | None:
    """When the last event of this name since then was reported of a member."""
    query = sa.select(sa.func.max(member_events.c.recorded_at)).where(
        member_events.c.member_id.in_(line_of(member_id)),
        member_events.c.name == name,
        member_events.c.occurred_at >= since,
    )
    found: datetime | None = tx.execute(query).scalar()
    return found
