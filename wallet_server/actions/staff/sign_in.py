"""Owns signing in: address and password first, what else is needed after that, and the answer to those who fail."""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.staff import passwords, sessions
from wallet_server.actions.staff.person import normal_email
from wallet_server.errors import Unauthenticated
from wallet_server.records import staff


@dataclass(frozen=True)
class Entered:
    """A browser that was let in: the secret for its cookie, and whether it may keep it."""

    secret: str
    remembered: bool


def with_password(ctx: Context, email: str, password: str, device: str, *, remember: bool) -> Entered:
    """Sign in. Raises `Unauthenticated` (`wrong-sign-in`), which never tells whether the address exists."""
    with ctx.look() as tx:
        row = staff.by_email(tx, normal_email(email))
    right = passwords.matches(row.password_hash if row else None, password)
    if row is None or not right or row.disabled_at is not None:
        raise Unauthenticated("Address or password is not right.", code="wrong-sign-in")
    with ctx.change() as tx:
        secret = sessions.begin(tx, row, device, remember, True, ctx.now())
    return Entered(secret, remember)
