"""Owns what a batch knows of an issuer while it is worked: the calls it may still make, and whether they are worth it.

Nothing of it outlives the batch but the number of failures in a row, from which the rest grows.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from wallet_server.wallets.google.answers import Answer, Fault, verdict
from wallet_server.wallets.google.api import CONNECTIONS
from wallet_server.wallets.port import Later, Refused

FIRST_REST, MOST_REST = 5.0, 300.0
MOST_FAILURES = 3
"""So many answers in a row that did not come, and the rest of the batch waits."""
MOST_DENIED = 3
"""So many different cards that Google denies us, and none taken between them: it is the issuer that is denied."""
SLICE = 25
"""Calls taken from the shared rate at once: fewer would cost more than they save, more would be lost at the end."""


class Rates(Protocol):
    """The rate of each issuer, shared by all processes."""

    def take(self, issuer: str, want: int) -> tuple[int, float]:
        """Up to `want` calls, and after how many seconds there will be more."""
        ...


class Unlimited:
    """No limit: for tests, and for measuring."""

    def take(self, issuer: str, want: int) -> tuple[int, float]:
        return want, 0.0


class Hands(threading.local):
    """Threads for the calls of a batch. They outlive it, for starting them costs as much as their calls; each thread
    that calls has its own, so that no lane waits for the cards of another, and they end with it."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="google-wallet")


class Failures:
    """Failures in a row of each issuer, of one process."""

    def __init__(self) -> None:
        self._failed: dict[str, int] = {}

    def backoff(self, issuer: str) -> float:
        """Seconds to rest after one more failure: twice as long each time, never quite the same."""
        failed = self._failed.get(issuer, 0)
        self._failed[issuer] = min(failed + 1, 10)
        return min(FIRST_REST * 2.0**failed, MOST_REST) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter

    def well(self, issuer: str) -> None:
        self._failed.pop(issuer, None)


class Turn:
    """One batch of one issuer. `pending` is about how many calls it will make; `patience_seconds` how long it may wait
    for its rate in all."""

    def __init__(
        self, issuer: str, email: str, rates: Rates, failures: Failures, pending: int, patience_seconds: float
    ) -> None:
        self._issuer, self._email = issuer, email
        self._rates, self._failures = rates, failures
        self._pending, self._granted = pending, 0
        self._ends = time.monotonic() + patience_seconds
        self._gate, self._lock = threading.Lock(), threading.Lock()
        self._lost = 0
        self._denied: set[object] = set()
        self._stopped: Later | Refused | None = None

    def wait(self) -> Later | Refused | None:
        """Wait for the right to one call; what becomes of the card instead, where it has none."""
        with self._gate:
            while self._stopped is None:
                if self._granted > 0:
                    self._granted -= 1
                    self._pending = max(1, self._pending - 1)
                    return None
                self._granted, seconds = self._rates.take(self._issuer, max(1, min(self._pending, SLICE)))
                if self._granted:
                    continue
                rest = self._ends - time.monotonic()
                if seconds > rest:
                    self._stopped = Later(max(seconds, 0.1), "The rate of this issuer at Google Wallet is used up.")
                else:
                    time.sleep(max(seconds, 0.005))
            return self._stopped

    def heard(self, given: Answer, card: object, *, reads: bool = False) -> Later | Refused | None:
        """Note an answer to what was asked for this card; what becomes of the card where it is no success of its own. A
        fault of the issuer, several cards in a row that are denied, or several answers in a row that did not come,
        stop the batch. `reads`: nothing was to be changed, so that a success proves no right to."""
        fault = given.fault
        with self._lock:
            if fault not in (Fault.AWAY, Fault.BUSY):
                self._lost = 0
                if fault is not Fault.DENIED and fault is not Fault.SIGNED_OUT:
                    if fault is None and not reads:
                        self._denied.clear()
                    self._failures.well(self._issuer)
                    return None
            if fault is Fault.DENIED:
                return self._was_denied(given, card)
            self._lost += 1
            if self._stopped is not None and fault is Fault.AWAY:
                return self._stopped
            found = verdict(given, self._email, self._issuer, self._failures.backoff(self._issuer))
            if fault is not Fault.AWAY or self._lost >= MOST_FAILURES:
                self._stopped = found
            return found

    def _was_denied(self, given: Answer, card: object) -> Later | Refused:
        """One card may be denied for what it is; the issuer is known by several. The caller holds the lock."""
        found = verdict(given, self._email, self._issuer, 0.0)
        self._denied.add(card)
        if len(self._denied) < MOST_DENIED or not isinstance(found, Refused):
            return found
        self._stopped = replace(found, of_issuer=True)
        return self._stopped
