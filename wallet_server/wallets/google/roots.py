"""Owns Google's root keys for callbacks: fetched over https, kept for a while, never asked for too often.

A floor keeps forged callbacks from making the product ask Google for each of them; a ceiling makes it learn of new and
withdrawn keys; a key never outlives its own date, nor Google's last answer by more than some days.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from wallet_server.errors import Unavailable
from wallet_server.wallets.google.callbacks import MAX_ROOTS, PROTOCOL, Root, is_p256

KEYS = "https://pay.google.com/gp/m/issuer/keys"
FLOOR = timedelta(minutes=1)
CEILING = timedelta(hours=24)
LAST = timedelta(days=7)
"""So long after Google's last answer its keys are believed: what it withdrew meanwhile nobody here has heard of."""
MAX_BYTES = 64 * 1024

Fetch = Callable[[], bytes]
"""The document of the root keys as Google serves it; raises OSError or `WalletError` when it does not."""


def parse(raw: bytes) -> tuple[Root, ...]:
    """The root keys of a document that may sign callbacks. Raises ValueError for a document of another form."""
    found = json.loads(raw[: MAX_BYTES + 1])
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("no list of keys")
    roots = []
    for one in found["keys"][:MAX_ROOTS]:
        if not isinstance(one, dict) or one.get("protocolVersion") != PROTOCOL:
            continue
        try:
            der = base64.b64decode(one.get("keyValue", ""), validate=True)
            expires = one.get("keyExpiration")
            until = None if expires is None else datetime.fromtimestamp(int(expires) / 1000, UTC)
        except (binascii.Error, ValueError, TypeError, OverflowError, OSError):
            continue
        if is_p256(der):
            roots.append(Root(der, until))
    return tuple(roots)


def _living(roots: tuple[Root, ...], now: datetime) -> tuple[Root, ...]:
    return tuple(root for root in roots if root.expires_at is None or root.expires_at > now)


class Roots:
    """The root keys of one process; safe between threads."""

    def __init__(self, fetch: Fetch, *, floor: timedelta = FLOOR, ceiling: timedelta = CEILING) -> None:
        self._fetch, self._floor, self._ceiling = fetch, floor, ceiling
        self._kept: tuple[Root, ...] = ()
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._lock = threading.Lock()

    def at(self, now: datetime, *, unknown: bool = False) -> tuple[Root, ...]:
        """The keys that are good at `now` (UTC). `unknown`: one that is not among them signed something, so ask again
        unless that was done just now. Raises `Unavailable` when there is none and Google cannot be asked."""
        with self._lock:
            asking = self._old(now) or (unknown and self._may_ask(now))
            if asking:
                self._asked_at = now
        if asking:
            self._renew(now)
        with self._lock:
            heard = self._fetched_at is not None and now - self._fetched_at < LAST
            living = _living(self._kept, now) if heard else ()
        if not living:
            raise Unavailable("Google's keys for callbacks cannot be fetched just now; try again in a moment.")
        return living

    def _old(self, now: datetime) -> bool:
        if not self._may_ask(now):
            return False
        if self._fetched_at is None or now - self._fetched_at >= self._ceiling:
            return True
        return any(root.expires_at is not None and root.expires_at <= now for root in self._kept)

    def _may_ask(self, now: datetime) -> bool:
        return self._asked_at is None or now - self._asked_at >= self._floor

    def _renew(self, now: datetime) -> None:
        """What was kept stays good while Google cannot be asked. Nobody waits for whoever asks: forged callbacks must
        not hold the server's threads while Google is slow."""
        try:
            # One that has run out is not kept: each call would ask for another in its place.
            found = _living(parse(self._fetch()), now)
        except (OSError, ValueError, Unavailable):
            return
        if found:
            with self._lock:
                self._kept, self._fetched_at = found, now
