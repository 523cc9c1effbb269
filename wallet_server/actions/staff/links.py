"""Owns one-time links for people: what each is for, how long it lives, and what happens when it is opened."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff import attempts, passwords, second_factor, sessions
from wallet_server.actions.staff.person import checked_email, checked_name
from wallet_server.actions.staff.roles import OWNER
from wallet_server.actions.staff.sessions import Entered
from wallet_server.actions.staff.sign_in import set_password, with_password
from wallet_server.errors import Conflict, Invalid, NotFound, Unauthenticated
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.staff import deeds, factors, invitations, staff
from wallet_server.records.staff.invitations import InvitationRow
from wallet_server.records.staff.staff import StaffRow

FOUND, JOIN, RESET = invitations.FOUND, invitations.JOIN, invitations.RESET
RECOVER, ENTER = invitations.RECOVER, invitations.ENTER
LIVES = {
    FOUND: timedelta(hours=24),
    JOIN: timedelta(days=7),
    RESET: timedelta(hours=24),
    RECOVER: timedelta(hours=24),
    ENTER: timedelta(hours=24),
}
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Link:
    """What stands behind a link that works: what for, in whose shop, for whom, as what."""

    purpose: str
    merchant: str | None
    email: str | None
    role: str


@dataclass(frozen=True)
class Newcomer:
    """Somebody who chooses how to sign in, as typed."""

    name: str
    email: str
    password: str
    language: str


def new_secret() -> str:
    """256 random bits, for an address."""
    return secrets.token_urlsafe(32)


def keep(
    ctx: Context,
    tx: Tx,
    purpose: str,
    secret: str,
    role: str,
    *,
    account_id: int | None = None,
    merchant_id: int | None = None,
    invited_by: int | None = None,
    staff_id: int | None = None,
    email: str | None = None,
) -> None:
    """Write a new link down, its secret as a hash. Raises `Invalid` (`bad-link`) for a secret that is none of ours."""
    if not SECRET.fullmatch(secret):
        raise Invalid("Open the page again and repeat this.", code="bad-link")
    values: dict[str, object] = {
        "public_id": new_id("inv"),
        "purpose": purpose,
        "role": role,
        "secret_sha256": digest(secret),
    }
    values |= {"account_id": account_id, "merchant_id": merchant_id, "invited_by": invited_by, "staff_id": staff_id}
    now = ctx.now()
    invitations.add(tx, values | {"email": email, "created_at": now, "expires_at": now + LIVES[purpose]})


def look(ctx: Context, secret: str, *purposes: str) -> Link:
    """What stands behind a link. Raises `NotFound` (`link-over`) for one that is unknown, used, revoked or over."""
    with ctx.look() as tx:
        row = _open(ctx, tx, secret, purposes)
        email = row.email
        if row.staff_id is not None:
            email = staff.by_id(tx, row.staff_id).email
    return Link(row.purpose, row.merchant, email, row.role)


def _open(ctx: Context, tx: Tx, secret: str, purposes: tuple[str, ...]) -> InvitationRow:
    row = invitations.by_secret(tx, digest(secret)) if SECRET.fullmatch(secret) else None
    if row is None or row.purpose not in purposes or not _works(ctx, row) or not _stands(tx, row):
        raise NotFound("This link was used, taken back, or is over.", code="link-over")
    return row


def _works(ctx: Context, row: InvitationRow) -> bool:
    return row.used_at is None and row.revoked_at is None and row.expires_at > ctx.now()


def _stands(tx: Tx, row: InvitationRow) -> bool:
    """Whether who made it still may: one that was being made while its owner was dismissed is worth nothing."""
    if row.invited_by is None:
        return True
    by = staff.by_id(tx, row.invited_by)
    return by.disabled_at is None and by.role == OWNER


def use(ctx: Context, tx: Tx, secret: str, *purposes: str) -> InvitationRow:
    """Use a link up, in the transaction of what it allows. Raises `NotFound` (`link-over`)."""
    row = _open(ctx, tx, secret, purposes)
    if not invitations.use(tx, row.id, ctx.now()):
        raise NotFound("This link was used, taken back, or is over.", code="link-over")
    return row


def checked(newcomer: Newcomer) -> tuple[Newcomer, str]:
    """The newcomer as stored, and the password's hash. Raises `Invalid`, naming the field."""
    email = checked_email(newcomer.email)
    name = checked_name(newcomer.name)
    passwords.check(newcomer.password, email)
    return Newcomer(name, email, "", newcomer.language), passwords.hashed(newcomer.password)


def add_person(
    ctx: Context, tx: Tx, newcomer: Newcomer, password_hash: str, account_id: int, merchant_id: int, role: str
) -> int:
    """Write somebody down. Raises `Conflict` (`email-taken`): only the holder of a secret link is told so."""
    values = {"public_id": new_id("stf"), "account_id": account_id, "merchant_id": merchant_id, "role": role}
    values |= {"email": newcomer.email, "name": newcomer.name, "language": newcomer.language}
    made = staff.add(tx, values | {"password_hash": password_hash, "created_at": ctx.now()})
    if made is None:
        raise Conflict("Somebody signs in with this address already; take another.", code="email-taken", field="email")
    return made


def join(ctx: Context, secret: str, newcomer: Newcomer, device: str, address: str) -> Entered:
    """Join the team that the link invites to, and be signed in.

    Raises `NotFound` (`link-over`), `Conflict` (`email-taken`), `Invalid` and `TooMany`.
    """
    plain, password_hash = checked(newcomer)

    def act() -> Entered:
        with ctx.change() as tx:
            row = use(ctx, tx, secret, JOIN)
            if row.account_id is None or row.merchant_id is None:
                raise NotFound("This link leads to no shop.", code="link-over")
            made = add_person(ctx, tx, plain, password_hash, row.account_id, row.merchant_id, row.role)
            person = staff.by_id(tx, made)
            attempts.note("joined", person, role=row.role)
            _did(ctx, tx, person, deeds.JOINED, row.role)
            return sessions.begin(tx, person, device, False, ctx.now())

    return or_enter(ctx, act, newcomer, device, address)


def _did(ctx: Context, tx: Tx, row: StaffRow, what: str, detail: str | None = None) -> None:
    principal = f"staff:{row.public_id}"
    deeds.add_by(tx, row.merchant_id, principal, what, ctx.now(), staff_id=row.id, detail=detail)


def or_enter(ctx: Context, act: Callable[[], Entered], newcomer: Newcomer, device: str, address: str) -> Entered:
    """Do it; or, when the link was just used with this very address and password, sign in: a double click is not an
    error."""
    try:
        return act()
    except (NotFound, Conflict) as fault:
        try:
            return with_password(ctx, newcomer.email, newcomer.password, device, address, remember=False)
        except Unauthenticated:
            raise fault from None


def choose_password(ctx: Context, secret: str, password: str) -> None:
    """A new password by a link for it; every session ends, and a lost second factor is forgotten if the link says so.

    Raises `NotFound` (`link-over`) and `Invalid`.
    """
    with ctx.look() as tx:
        found = _open(ctx, tx, secret, (RESET, RECOVER))
        email = staff.by_id(tx, found.staff_id or 0).email
    passwords.check(password, email)
    fresh = passwords.hashed(password)
    with ctx.change() as tx:
        row = use(ctx, tx, secret, RESET, RECOVER)
        person = staff.by_id(tx, row.staff_id or 0)
        set_password(ctx, tx, person, fresh)
        _did(ctx, tx, person, deeds.PASSWORD)
        if row.purpose == RECOVER:
            second_factor.drop(ctx, tx, person)
            factors.drop_passkeys(tx, person.id)
            attempts.note("second factor removed", person, how="recovery")


def enter(ctx: Context, secret: str, device: str, language: str = "") -> Entered:
    """Sign in by a link alone, in the sandbox only; whoever enters reads `language` from now on, where one is given.
    Raises `NotFound` (`link-over`)."""
    if not ctx.settings.sandbox:
        raise NotFound("This link was used, taken back, or is over.", code="link-over")
    with ctx.change() as tx:
        row = use(ctx, tx, secret, ENTER)
        if language and row.staff_id:
            staff.change(tx, row.staff_id, {"language": language})
        return sessions.begin(tx, staff.by_id(tx, row.staff_id or 0), device, True, ctx.now())
