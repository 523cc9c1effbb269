"""Owns counting what this process sees, and adding it to the totals that all processes share.

Counting costs a lock and an addition; every few seconds the sums go into the database. What a killed process has not
handed in is lost: a few seconds of figures, never of facts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

import structlog

from wallet_server.records.database import Database
from wallet_server.records.operating import counters

EVERY_SECONDS = 5.0
_log = structlog.get_logger("tally")


class Tally:
    """Sums by name since they were last handed in; safe between threads. Names are few and written in the source."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1) -> None:
        if count:
            with self._lock:
                self._sums[name] += count

    def add_all(self, counts: Mapping[str, int]) -> None:
        with self._lock:
            self._sums.update(counts)

    def hand_in(self, database: Database) -> None:
        """Add the sums to the shared totals; when the database is away they wait for the next time."""
        with self._lock:
            sums, self._sums = self._sums, Counter()
        sums = Counter({name: count for name, count in sums.items() if count})
        if not sums:
            return
        try:
            with database.change() as tx:
                counters.add(tx, sums)
        except Exception as fault:  # noqa: BLE001 - the figures outlive whatever happens to the database
            self.add_all(sums)
            _log.warning("figures wait", why=str(fault)[:300])


class Keeper:
    """Hands a process's sums in, every few seconds and at its end."""

    def __init__(self, tally: Tally, database: Database) -> None:
        self._tally, self._database = tally, database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="tally", daemon=True)

    def start(self) -> None:
        """Begin; the process that calls this must not fork afterwards."""
        self._thread.start()

    def stop(self) -> None:
        """Hand in the rest."""
        self._stopping.set()
        self._thread.join(EVERY_SECONDS)

    def _keep(self) -> None:
        ended = False
        while not ended:
            ended = self._stopping.wait(EVERY_SECONDS)
            self._tally.hand_in(self._database)
