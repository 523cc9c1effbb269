"""Owns keys: `id.secret`, 256 random bits, stored as SHA-256; what each may do; rotation with an overlap."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Forbidden, Unauthenticated
from wallet_server.records import limits, parties
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.scope import Scope

__all__ = ["Meter", "Scope", "authenticate", "make_key", "require", "revoke", "rotate"]

TILL = frozenset({"till"})
MERCHANT = frozenset({"read", "manage", "enrol", "announce"})
SCOPES = TILL | MERCHANT
WINDOW_SECONDS = 60
MOST_KEYS_HELD = 10_000


def make_key(
    tx: Tx, account_id: int, merchant_id: int, till_id: int | None, scopes: frozenset[str], at: datetime
) -> str:
    """A new key; its secret is shown this once and stored as a hash. That of a test account says so by its name."""
    prefix = "testkey" if parties.mode_of(tx, account_id) == parties.TEST else "key"
    public_id, secret = new_id(prefix), secrets.token_urlsafe(32)
    parties.add_key(tx, public_id, account_id, merchant_id, till_id, scopes, digest(secret), at)
    return f"{public_id}.{secret}"


def authenticate(ctx: Context, presented: str | None) -> Scope:
    """The scope a key speaks for. Raises `Unauthenticated`; an unknown id and a wrong secret answer alike."""
    public_id, _, secret = (presented or "").partition(".")
    if not public_id or not secret or len(presented or "") > 200:
        raise Unauthenticated("Send your key as `Authorization: Bearer key_….…`.")
    row = parties.key(ctx.database, public_id, ctx.now())
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
    """What is left of a key's limit in this window; `spent` means that this request is already beyond it."""

    limit: int
    remaining: int
    reset_seconds: int
    spent: bool


@dataclass
class _Held:
    """What this process may still count in a window, and what all processes together had taken by then."""

    window: int
    left: int
    taken: int


class Meter:
    """Counts requests per key and minute over all processes together, taking them from the database in slices."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slice = max(1, limit // 20)
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def count(self, ctx: Context, scope: Scope) -> Allowance:
        """One more request. Whoever is beyond the limit costs no further write before the next window."""
        second = int(ctx.now().timestamp())
        window, reset = second // WINDOW_SECONDS, WINDOW_SECONDS - second % WINDOW_SECONDS
        allowance = self._from_slice(scope.key_id, window, reset)
        while allowance is None:
            with ctx.change() as tx:
                taken = limits.take(tx, f"key:{scope.key_id}", window, self._slice)
                parties.note_key(tx, scope.key_id, ctx.now())
            self._add_slice(scope.key_id, window, taken)
            allowance = self._from_slice(scope.key_id, window, reset)
        return allowance

    def _from_slice(self, key: str, window: int, reset: int) -> Allowance | None:
        with self._lock:
            held = self._held.get(key)
            if held is None or held.window != window:
                return None
            if held.left <= 0:
                return Allowance(self._limit, 0, reset, True) if held.taken >= self._limit else None
            held.left -= 1
            return Allowance(self._limit, max(0, self._limit - held.taken) + held.left, reset, False)

    def _add_slice(self, key: str, window: int, taken: int) -> None:
        granted = max(0, min(self._slice, self._limit - taken + self._slice))
        with self._lock:
            if len(self._held) > MOST_KEYS_HELD:
                self._held.clear()
            held = self._held.get(key)
            if held is None or held.window != window:
                held = self._held[key] = _Held(window, 0, 0)
            held.left += granted
            held.taken = max(held.taken, taken)


def rotate(ctx: Context, scope: Scope, public_id: str, keep_until: datetime) -> None:
    """Let one of the merchant's keys run out; make its successor first."""
    with ctx.change() as tx:
        parties.end_key(tx, scope, public_id, keep_until, at_once=False)


def revoke(ctx: Context, scope: Scope, public_id: str) -> None:
    """End one of the merchant's keys now."""
    with ctx.change() as tx:
        parties.end_key(tx, scope, public_id, ctx.now(), at_once=True)
