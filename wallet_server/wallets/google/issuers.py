"""Owns what a batch knows of an issuer while it is worked: the calls it may still make, and whether they are worth it.

Nothing of it outlives the batch but what did not answer, from which the rests grow.
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
"""So many different objects or classes in a row that did not answer, and everything of the issuer waits."""
MOST_REMEMBERED = 10_000
"""So many that did not answer are remembered in a process."""
MOST_DENIED = 3
"""So many different ones that Google denies us, and none taken between them: it is the issuer that is denied."""
_USED_UP = "The rate of this issuer at Google Wallet is used up."
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
    """Answers that did not come, of one process: of each issuer since one came, and of each object or class. One that
    never comes holds up itself alone, ever longer; several different ones in a row are Google, or the way there."""

    def __init__(self) -> None:
        self._rests: dict[str, int] = {}
        self._silent: dict[str, set[str]] = {}
        self._alone: dict[tuple[str, str], int] = {}

    def lost(self, issuer: str, subject: str) -> tuple[int, float]:
        """One more of this object or class: (how many different ones there are by now, seconds for it to rest)."""
        silent = self._silent.setdefault(issuer, set())
        if len(silent) < MOST_FAILURES:
            silent.add(subject)
        failed = self._alone.pop((issuer, subject), 0)
        self._alone[issuer, subject] = min(failed + 1, 10)
        while len(self._alone) > MOST_REMEMBERED:
            self._alone.pop(next(iter(self._alone)), None)
        return len(silent), _growing(failed)

    def backoff(self, issuer: str) -> float:
        """Seconds for an issuer to rest after one more failure of its own."""
        failed = self._rests.get(issuer, 0)
        self._rests[issuer] = min(failed + 1, 10)
        return _growing(failed)

    def answered(self, issuer: str) -> None:
        self._rests.pop(issuer, None)
        self._silent.pop(issuer, None)

    def took(self, issuer: str, subject: str) -> None:
        """A change of this object or class was answered."""
        self._alone.pop((issuer, subject), None)


def _growing(failed: int) -> float:
    """Twice as long each time, never quite the same."""
    return min(FIRST_REST * 2.0**failed, MOST_REST) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


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
        self._denied: set[str] = set()
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
                    self._stopped = Later(max(seconds, 0.1), _USED_UP, of_issuer=True)
                else:
                    time.sleep(max(seconds, 0.005))
            return self._stopped

    def heard(self, given: Answer, subject: str, *, reads: bool = False) -> Later | Refused | None:
        """Note an answer to what was asked of this object or class; what becomes of the card where it is no success of
        its own. A fault of the issuer, and several different ones that are denied, or do not answer, in a row, stop the
        batch. `reads`: nothing was to be changed, so that a success proves little."""
        fault = given.fault
        with self._lock:
            if fault is Fault.AWAY:
                return self._was_lost(given, subject)
            if fault is Fault.BUSY:
                self._stopped = verdict(given, self._email, self._issuer, self._failures.backoff(self._issuer))
                return self._stopped
            self._failures.answered(self._issuer)
            if fault is Fault.SIGNED_OUT:
                self._stopped = verdict(given, self._email, self._issuer, 0.0)
                return self._stopped
            if fault is Fault.DENIED:
                return self._was_denied(given, subject)
            if not reads:
                self._failures.took(self._issuer, subject)
            if fault is None and not reads:
                self._denied.clear()
            return None

    def _was_lost(self, given: Answer, subject: str) -> Later | Refused:
        """The caller holds the lock."""
        different, alone = self._failures.lost(self._issuer, subject)
        if self._stopped is None:
            if different < MOST_FAILURES:
                return verdict(given, self._email, self._issuer, alone)
            found = verdict(given, self._email, self._issuer, self._failures.backoff(self._issuer))
            self._stopped = replace(found, of_issuer=True)
        return self._stopped

    def _was_denied(self, given: Answer, subject: str) -> Later | Refused:
        """One may be denied for what it is; the issuer is known by several. The caller holds the lock."""
        found = verdict(given, self._email, self._issuer, 0.0)
        self._denied.add(subject)
        if len(self._denied) < MOST_DENIED or not isinstance(found, Refused):
            return found
        self._stopped = replace(found, of_issuer=True)
        return self._stopped
