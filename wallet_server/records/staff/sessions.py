"""Owns signed-in browsers: sessions, whose secrets are stored as hashes, and how long each lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import accounts, merchants, sessions, staff
from wallet_server.records.staff.staff import COLUMNS, StaffRow, row_of


@dataclass(frozen=True)
class SessionRow:
    """A signed-in browser and whose it is. `confirmed_at` is None while the second factor is awaited."""

    id: int
    public_id: str
    device: str
    remembered: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    person: StaffRow


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """A new session."""
    tx.execute(sa.insert(sessions).values(**values))


_LIVE = (
    sa.select(
        *COLUMNS,
        sessions.c.id.label("session_id"),
        sessions.c.public_id.label("session"),
        sessions.c.device,
        sessions.c.remembered,
        sessions.c.created_at.label("begun_at"),
        sessions.c.seen_at,
        sessions.c.expires_at,
        sessions.c.confirmed_at,
    )
    .select_from(
        sessions.join(staff, staff.c.id == sessions.c.staff_id)
        .join(merchants, merchants.c.id == staff.c.merchant_id)
        .join(accounts, accounts.c.id == staff.c.account_id)
    )
    .where(sessions.c.ended_at.is_(None), sessions.c.expires_at > b("now"), staff.c.disabled_at.is_(None))
)
_BY_SECRET = _LIVE.where(sessions.c.secret_sha256 == b("secret"))


def live(tx: Tx, secret_sha256: bytes, now: datetime) -> SessionRow | None:
    """The session of this secret, if it has neither ended nor expired and its person may still sign in."""
    r = tx.execute(_BY_SECRET, {"secret": secret_sha256, "now": now}).first()
    return None if r is None else _row(r)


def _row(r: sa.Row) -> SessionRow:  # type: ignore[type-arg]
    return SessionRow(
        r.session_id,
        r.session,
        r.device,
        r.remembered,
        r.begun_at,
        r.seen_at,
        r.expires_at,
        r.confirmed_at,
        row_of(r),
    )


def change(tx: Tx, session_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a session."""
    tx.execute(sa.update(sessions).where(sessions.c.id == session_id).values(**values))


def end(tx: Tx, session_id: int, at: datetime) -> None:
    """End one session; one that has ended keeps its time."""
    tx.execute(
        sa.update(sessions).where(sessions.c.id == session_id, sessions.c.ended_at.is_(None)).values(ended_at=at)
    )


def of_person(tx: Tx, staff_id: int, now: datetime) -> list[SessionRow]:
    """A person's live sessions, the last seen first."""
    query = _LIVE.where(sessions.c.staff_id == b("staff_id"), sessions.c.confirmed_at.is_not(None))
    rows = tx.execute(query.order_by(sessions.c.seen_at.desc()).limit(100), {"staff_id": staff_id, "now": now})
    return [_row(r) for r in rows]


def end_of(tx: Tx, staff_id: int, at: datetime, *, public_id: str | None = None, but: int | None = None) -> int:
    """End a person's sessions: all, one, or all but one; returns how many ended."""
    found = sa.update(sessions).where(sessions.c.staff_id == staff_id, sessions.c.ended_at.is_(None))
    if public_id is not None:
        found = found.where(sessions.c.public_id == public_id)
    if but is not None:
        found = found.where(sessions.c.id != but)
    return tx.execute(found.values(ended_at=at)).rowcount


def forget(tx: Tx, before: datetime) -> int:
    """Delete sessions that were over before then; returns how many."""
    over = sa.or_(sessions.c.ended_at < before, sessions.c.expires_at < before)
    return tx.execute(sa.delete(sessions).where(over)).rowcount
