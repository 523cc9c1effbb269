"""Owns what staff wrote about gestures of goodwill. The books know an entry or a coupon; the words are erased with the
member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import gesture_complaints, goodwill_notes


@dataclass(frozen=True)
class Gesture:
    """Words about an entry or a coupon (`about`, its public id), and the complaint that it answers."""

    member_id: int
    about: str
    text: str
    complaint: str | None
    principal: str
    at: datetime


def add(tx: Tx, gesture: Gesture) -> None:
    """Write it down."""
    tx.execute(sa.insert(goodwill_notes).values(**vars(gesture)))


_NEWEST = Prepared(
    lambda dialect: (
        sa.select(goodwill_notes)
        .where(among(dialect, goodwill_notes.c.member_id), goodwill_notes.c.at > b("since"))
        .order_by(goodwill_notes.c.at, goodwill_notes.c.id)
    )
)


def newest(tx: Tx, member_ids: Sequence[int], since: datetime) -> dict[int, Gesture]:
    """Member key to the last gesture after `since`."""
    return {r.member_id: _gesture(r) for r in _NEWEST.rows(tx, {"ids": list(member_ids), "since": since})}


def about(tx: Tx, public_id: str) -> Gesture | None:
    """The words about this entry or coupon, None where there are none (any more)."""
    r = tx.execute(sa.select(goodwill_notes).where(goodwill_notes.c.about == public_id)).first()
    return None if r is None else _gesture(r)


def _gesture(r: Any) -> Gesture:
    return Gesture(r.member_id, r.about, r.text, r.complaint, r.principal, r.at)


def erase(tx: Tx, member_id: int) -> None:
    """Nothing of it is kept."""
    tx.execute(sa.delete(goodwill_notes).where(goodwill_notes.c.member_id == member_id))
    tx.execute(sa.delete(gesture_complaints).where(gesture_complaints.c.member_id == member_id))
