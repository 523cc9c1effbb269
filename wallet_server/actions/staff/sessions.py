"""Owns signed-in browsers: an opaque secret each, hashed at rest, which slides with use and ends for good."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff.person import OWNER, Person, person_of
from wallet_server.records import sessions
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.sessions import SessionRow
from wallet_server.records.staff import StaffRow

IDLE = timedelta(hours=12)
IDLE_REMEMBERED = timedelta(days=14)
LONGEST = timedelta(days=30)
NOTED = timedelta(minutes=1)
"""How long a visit may go without being written down: not every page is a write."""
MOST_SECRET = 100


@dataclass(frozen=True)
class Visit:
    """One request of a signed-in browser; `pending` while the second factor is awaited."""

    person: Person
    session: str
    session_id: int
    pending: bool
    remembered: bool
    expires_at: datetime


def begin(tx: Tx, row: StaffRow, device: str, remember: bool, confirmed: bool, now: datetime) -> str:
    """A new session; returns its secret, for the cookie alone."""
    secret = secrets.token_urlsafe(32)
    remembered = remember and row.role == OWNER
    sessions.add(
        tx,
        {
            "public_id": new_id("ses"),
            "staff_id": row.id,
            "secret_sha256": digest(secret),
            "device": device[:200],
            "remembered": remembered,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + _idle(remembered),
            "confirmed_at": now if confirmed else None,
        },
    )
    return secret


def _idle(remembered: bool) -> timedelta:
    return IDLE_REMEMBERED if remembered else IDLE


def visit(ctx: Context, secret: str) -> Visit | None:
    """Who this browser is signed in as; keeps the session alive, up to its longest life."""
    if not secret or len(secret) > MOST_SECRET:
        return None
    now = ctx.now()
    with ctx.look() as tx:
        row = sessions.live(tx, digest(secret), now)
    if row is None:
        return None
    if now - row.seen_at >= NOTED:
        expires = min(now + _idle(row.remembered), row.created_at + LONGEST)
        with ctx.change() as tx:
            sessions.change(tx, row.id, {"seen_at": now, "expires_at": expires})
    return _visit(row)


def _visit(row: SessionRow) -> Visit:
    person = person_of(row.person, row.public_id)
    return Visit(person, row.public_id, row.id, row.confirmed_at is None, row.remembered, row.expires_at)


def end(ctx: Context, session_id: int) -> None:
    """Sign this browser out."""
    with ctx.change() as tx:
        sessions.end(tx, session_id, ctx.now())
