"""Owns keys: `id.secret`, 256 random bits, stored as SHA-256; what each may do; rotation with an overlap."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Forbidden, TooMany, Unauthenticated
from wallet_server.records import limits, parties
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.scope import Scope

__all__ = ["Meter", "Scope", "authenticate", "make_key", "require", "revoke", "rotate"]

TILL = frozenset({"till"})
MERCHANT = frozenset({"read", "manage", "enrol", "announce"})
SCOPES = TILL | MERCHANT
WINDOW_SECONDS = 60


def make_key(
    tx: Tx, account_id: int, merchant_id: int, till_id: int | None, scopes: frozenset[str], at: datetime
) -> str:
    """A new key; its secret is shown this once and stored as a hash."""
    public_id, secret = new_id("key"), secrets.token_urlsafe(32)
    parties.add_key(tx, public_id, account_id, merchant_id, till_id, scopes, digest(secret), at)
    return f"{public_id}.{secret}"


def authenticate(ctx: Context, presented: str | None) -> Scope:
    """The scope a key speaks for. Raises `Unauthenticated`; an unknown id and a wrong secret answer alike."""
    public_id, _, secret = (presented or "").partition(".")
    if not public_id or not secret or len(presented or "") > 200:
        raise Unauthenticated("Send your key as `Authorization: Bearer key_….…`.")
    with ctx.look() as tx:
        row = parties.key(tx, public_id, ctx.now())
    stored = row.secret_sha256 if row else bytes(32)
    if not hmac.compare_digest(digest(secret), stored) or row is None or not row.live:
        raise Unauthenticated("This key is not valid; it may have been revoked or mistyped.")
    return row.scope


def require(scope: Scope, wanted: str) -> None:
    """Raises `Forbidden` when the key's scopes do not cover this."""
    if wanted not in scope.scopes:
        raise Forbidden(f"This key may not do that; it needs the scope `{wanted}`.", code="needs-scope")


@dataclass(frozen=True)
class Allowance:
    """What is left of a key's limit in this window."""

    limit: int
    remaining: int
    reset_seconds: int


class Meter:
    """Counts requests per key and minute over all processes together, taking them from the database in slices."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slice = max(1, limit // 20)
        self._held: dict[str, tuple[int, int, int]] = {}  # key: (window, left of the slice, taken by everyone)

    def count(self, ctx: Context, scope: Scope) -> Allowance:
        """One more request. Raises `TooMany` beyond the limit."""
        second = int(ctx.now().timestamp())
        window, reset = second // WINDOW_SECONDS, WINDOW_SECONDS - second % WINDOW_SECONDS
        held = self._held.get(scope.key_id)
        if held is None or held[0] != window or held[1] <= 0:
            with ctx.change() as tx:
                taken = limits.take(tx, f"key:{scope.key_id}", window, self._slice)
            held = (window, max(0, min(self._slice, self._limit - taken + self._slice)), taken)
            if len(self._held) > 10_000:
                self._held.clear()
        if held[1] <= 0:
            self._held[scope.key_id] = held
            raise TooMany(
                f"This key may make {self._limit} requests a minute; wait {reset} seconds.", retry_after_seconds=reset
            )
        self._held[scope.key_id] = (held[0], held[1] - 1, held[2])
        return Allowance(self._limit, max(0, self._limit - held[2] + held[1] - 1), reset)


def rotate(ctx: Context, scope: Scope, public_id: str, keep_until: datetime) -> None:
    """Let one of the merchant's keys run out; make its successor first."""
    with ctx.change() as tx:
        parties.end_key(tx, scope, public_id, keep_until, at_once=False)


def revoke(ctx: Context, scope: Scope, public_id: str) -> None:
    """End one of the merchant's keys now."""
    with ctx.change() as tx:
        parties.end_key(tx, scope, public_id, ctx.now(), at_once=True)
