"""Owns signed-in browsers: an opaque secret each, hashed at rest, which slides with use and ends for good."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff import attempts
from wallet_server.actions.staff.person import Person, person_of
from wallet_server.actions.staff.roles import OWNER
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.staff import sessions
from wallet_server.records.staff.sessions import SessionRow
from wallet_server.records.staff.staff import StaffRow

IDLE = timedelta(hours=12)
IDLE_REMEMBERED = timedelta(days=14)
LONGEST = timedelta(days=30)
PENDING = timedelta(minutes=10)
"""How long the second factor may take."""
NOTED = timedelta(minutes=1)
"""How long a visit may go without being written down: not every page is a write."""
KEPT = timedelta(days=30)
"""How long ended sessions are kept, for the day when somebody is seen who should not have been."""
RECENT = timedelta(minutes=30)
"""How long after signing in one may add another way to sign in: who finds an open browser later may not."""
MOST_SECRET = 100


@dataclass(frozen=True)
class Visit:
    """One request of a signed-in browser. `pending` while the second factor is awaited; `days_left` to set one up, None
    where there is no need to; `secured` when there is one."""

    person: Person
    session: str
    session_id: int
    pending: bool
    remembered: bool
    secured: bool
    days_left: int | None
    entered_at: datetime


@dataclass(frozen=True)
class Entered:
    """A browser that was let in: the secret for its cookie, whether it may keep it, and whether a second factor is
    awaited."""

    secret: str
    remembered: bool
    pending: bool = False


@dataclass(frozen=True)
class Device:
    """A live session, for its person's own list."""

    session: str
    device: str
    begun_at: datetime
    seen_at: datetime


def begin(tx: Tx, row: StaffRow, device: str, remember: bool, now: datetime, *, pending: bool = False) -> Entered:
    """A new session."""
    secret = secrets.token_urlsafe(32)
    remembered = remember and row.role == OWNER
    public_id = new_id("ses")
    sessions.add(
        tx,
        {
            "public_id": public_id,
            "staff_id": row.id,
            "secret_sha256": digest(secret),
            "device": device[:200],
            "remembered": remembered,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + (PENDING if pending else _idle(row.role, remembered)),
            "confirmed_at": None if pending else now,
        },
    )
    sessions.forget(tx, now - KEPT)
    attempts.note("session began", row, session=public_id, pending=pending)
    return Entered(secret, remembered, pending)


def _idle(role: str, remembered: bool) -> timedelta:
    return IDLE_REMEMBERED if remembered and role == OWNER else IDLE


def visit(ctx: Context, secret: str) -> Visit | None:
    """Who this browser is signed in as; keeps the session alive, up to its longest life."""
    if not secret or len(secret) > MOST_SECRET:
        return None
    now = ctx.now()
    with ctx.look() as tx:
        row = sessions.live(tx, digest(secret), now)
    if row is None:
        return None
    if row.confirmed_at is not None and now - row.seen_at >= NOTED:
        expires = min(now + _idle(row.person.role, row.remembered), row.created_at + LONGEST)
        with ctx.change() as tx:
            sessions.change(tx, row.id, {"seen_at": now, "expires_at": expires})
    return _visit(ctx, row, now)


def _visit(ctx: Context, row: SessionRow, now: datetime) -> Visit:
    who = row.person
    left = None
    if who.role == OWNER and not who.secured:
        grace = timedelta(days=ctx.settings.second_factor_days)
        left = max(0, -((now - who.created_at - grace) // timedelta(days=1)))
    person = person_of(who, row.public_id)
    pending = row.confirmed_at is None
    return Visit(person, row.public_id, row.id, pending, row.remembered, who.secured, left, row.created_at)


def enter_time(ctx: Context, person: Person) -> None:
    """What this request does from here on is done in the time of the person's account."""
    with ctx.look() as tx:
        ctx.times.enter_account(tx, person.scope.account_id)


def require_recent(ctx: Context, here: Visit) -> None:
    """Raises `Conflict` (`sign-in-again`) where the sign-in was too long ago for what is to be done."""
    if ctx.now() - here.entered_at > RECENT:
        raise Conflict("To be safe: sign out, sign in again, and do this within half an hour.", code="sign-in-again")


def devices(ctx: Context, person: Person) -> list[Device]:
    """Where this person is signed in."""
    with ctx.look() as tx:
        rows = sessions.of_person(tx, person.staff_id, ctx.now())
    return [Device(r.public_id, r.device, r.created_at, r.seen_at) for r in rows]


def end(ctx: Context, session_id: int) -> None:
    """Sign this browser out."""
    with ctx.change() as tx:
        sessions.end(tx, session_id, ctx.now())


def end_one(ctx: Context, person: Person, session: str) -> None:
    """Sign another of one's browsers out. Raises `NotFound`."""
    with ctx.change() as tx:
        known = {row.public_id for row in sessions.of_person(tx, person.staff_id, ctx.now())}
        if session not in known:
            raise NotFound("There is no such session.")
        sessions.end_of(tx, person.staff_id, ctx.now(), public_id=session)


def end_weaker(ctx: Context, here: Visit) -> None:
    """The person has just set up a first second factor: browsers that a password alone let in are signed out, but for
    this one."""
    if not here.secured:
        with ctx.change() as tx:
            sessions.end_of(tx, here.person.staff_id, ctx.now(), but=here.session_id)


def end_everywhere(ctx: Context, person: Person) -> None:
    """Sign out of everything, this browser too."""
    with ctx.change() as tx:
        sessions.end_of(tx, person.staff_id, ctx.now())
