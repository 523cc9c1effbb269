"""Owns keys: `id.secret`, 256 random bits, stored as SHA-256; what each may do; rotation with an overlap."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.errors import Conflict, Forbidden, Invalid, Unauthenticated
from wallet_server.records import keys as stored
from wallet_server.records import limits, parties
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.keys import KeyLine
from wallet_server.records.parties import KeyChanged
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds

__all__ = [
    "KeyChanged",
    "KeyLine",
    "Known",
    "Meter",
    "Scope",
    "authenticate",
    "demand_good",
    "listed",
    "make",
    "make_key",
    "require",
    "revoke",
    "rotate",
]

TILL = frozenset({"till"})
MAY_SELL = TILL | {"staff"}
"""Who may have a till's key replaced, and so hold one: owners, who are people, and whoever sells with one already."""
MERCHANT = frozenset({"read", "manage", "enrol", "announce"})
SCOPES = TILL | MERCHANT
WINDOW_SECONDS = 60
MOST_KEYS_HELD = 10_000
KNOWN_SECONDS = 60
LONGEST_OVERLAP = timedelta(days=90)
JUST_NOW = timedelta(seconds=30)
MOST_LABEL = 100


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
    row = parties.key(ctx.database, public_id, ctx.clock())
    stored = row.secret_sha256 if row else bytes(32)
    if not hmac.compare_digest(digest(secret), stored) or row is None or not row.live:
        raise Unauthenticated("This key is not valid; it may have been revoked or mistyped.")
    return row.scope


class Known:
    """Scopes of keys that this process was shown a moment ago, by the hash of the whole key: whoever takes one from
    here has the key itself looked at together with what is asked (`demand_good`). What else a scope says (the zone of a
    store, say) may be as old as `KNOWN_SECONDS`."""

    def __init__(self) -> None:
        self._scopes: dict[bytes, tuple[datetime, Scope]] = {}

    def recall(self, ctx: Context, presented: str | None) -> Scope | None:
        """The scope of a key; None where it is not known, or where the database cannot look at it on the way."""
        if presented is None or ctx.database.engine.dialect.name == "sqlite":
            return None
        kept_at, scope = self._scopes.get(digest(presented), (None, None))
        fresh = kept_at is not None and timedelta(0) <= ctx.clock() - kept_at < timedelta(seconds=KNOWN_SECONDS)
        return scope if fresh else None

    def keep(self, ctx: Context, presented: str | None, scope: Scope) -> None:
        """A key that was found to be good just now; not of an account that has a time of its own."""
        if presented is not None and not scope.ahead_seconds:
            if len(self._scopes) >= MOST_KEYS_HELD:
                self._scopes.clear()
            self._scopes[digest(presented)] = ctx.clock(), scope

    def forget(self, presented: str | None) -> None:
        """It is no longer good."""
        self._scopes.pop(digest(presented or ""), None)


def demand_good(tx: Tx, scope: Scope, now: datetime) -> None:
    """Have the key of a scope that was recalled looked at with what is said next, which then raises `KeyChanged`."""
    parties.demand_good_key(tx, scope, now)


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
                parties.note_key(tx, scope.key_id, ctx.clock())
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


@dataclass(frozen=True)
class Made:
    """A key that was just made; `key` with its secret is shown this once. `old_until` of the one whose place it
    takes."""

    public_id: str
    key: str
    old_until: datetime | None = None


def listed(ctx: Context, scope: Scope) -> list[KeyLine]:
    """The merchant's keys that work, without their secrets."""
    with ctx.look() as tx:
        return stored.of_merchant(tx, scope, ctx.clock())


def make(ctx: Context, scope: Scope, label: str, scopes: Collection[str], wish: Asked | None = None) -> Made | None:
    """A further key of the merchant's own software; None for a replay, which cannot show it again.

    Raises `Invalid` (`name-needed`, `bad-scopes`) and `Forbidden` (`needs-scope`) for a scope that the caller has not.
    """
    wanted, plain = frozenset(scopes), _label(label)
    if not wanted or not wanted <= MERCHANT:
        raise Invalid(f"Choose among {', '.join(sorted(MERCHANT))}.", code="bad-scopes", field="scopes")
    _demand_all(scope, wanted)

    def act(tx: Tx) -> str:
        key = make_key(tx, scope.account_id, scope.merchant_id, None, wanted, ctx.clock())
        public_id = key.partition(".")[0]
        stored.call(tx, public_id, plain)
        deeds.add(tx, scope, deeds.KEY_MADE, ctx.now(), about=public_id, detail=plain)
        return key

    key = _once(ctx, wish, act)
    return None if key is None else Made(key.partition(".")[0], key)


def rotate(ctx: Context, scope: Scope, public_id: str, keep_until: datetime, wish: Asked | None = None) -> Made | None:
    """A successor of one of the merchant's keys with the same scopes; both work until `keep_until`. None for a replay.

    Raises `NotFound`, `Invalid` (`bad-overlap`), `Forbidden` (`needs-scope`) and `Conflict` (`device-key`,
    `key-replaced`). A till's key is replaced by a person (`MAY_SELL`): whoever may manage may not sell.
    """
    now = ctx.clock()  # keys are looked at before it is known whose they are: by everybody's time
    if keep_until > now - JUST_NOW:
        keep_until = max(keep_until, now)  # at once, as it was when the caller looked at the clock
    if not now <= keep_until <= now + LONGEST_OVERLAP:
        raise Invalid(f"The old key works for at most {LONGEST_OVERLAP.days} days more.", code="bad-overlap")

    def act(tx: Tx) -> str:
        row = stored.one(tx, scope, public_id)
        _demand_all(scope, row.scopes - TILL)
        if row.scopes >= TILL and not scope.scopes & MAY_SELL:
            raise Forbidden("An owner replaces the key of a till, in the console.", code="needs-scope")
        if row.device is not None:
            raise Conflict("A paired device has this key; pair the device again instead.", code="device-key")
        key = make_key(tx, scope.account_id, scope.merchant_id, row.till_id, row.scopes, now)
        successor = key.partition(".")[0]
        if (row.ends_at is not None and row.ends_at <= now) or not stored.replace(tx, public_id, successor, keep_until):
            raise Conflict("This key was replaced or ended already.", code="key-replaced")
        stored.call(tx, successor, row.label)
        deeds.add(tx, scope, deeds.KEY_ROTATED, ctx.now(), about=successor, detail=row.label or row.till)
        return key

    key = _once(ctx, wish, act)
    return None if key is None else Made(key.partition(".")[0], key, keep_until)


def _once(ctx: Context, wish: Asked | None, act: Callable[[Tx], str]) -> str | None:
    """The secret is in no stored answer: a replay has none."""
    if wish is None:
        with ctx.change() as tx:
            return act(tx)
    shown: list[str] = []

    def facts(tx: Tx) -> Facts:
        shown[:] = [act(tx)]
        return {"key": shown[0].partition(".")[0]}

    _, replayed = once(ctx, wish, facts)
    return None if replayed else shown[0]


def _demand_all(scope: Scope, wanted: frozenset[str]) -> None:
    """Nobody makes a key that may do more than they may."""
    for one in sorted(wanted - scope.scopes):
        require(scope, one)


def _label(text: str) -> str:
    plain = " ".join(text.split())
    if not plain or len(plain) > MOST_LABEL or not plain.isprintable():
        raise Invalid(f"Give a name of at most {MOST_LABEL} characters.", code="name-needed", field="label")
    return plain


def revoke(ctx: Context, scope: Scope, public_id: str) -> None:
    """End one of the merchant's keys now; doing it again changes nothing. Raises `NotFound`."""
    with ctx.change() as tx:
        row = stored.one(tx, scope, public_id)
        parties.end_key(tx, scope, public_id, ctx.clock(), at_once=True)
        if row.revoked_at is None:
            called = row.label or row.device or row.till
            deeds.add(tx, scope, deeds.KEY_ENDED, ctx.now(), about=public_id, detail=called)
