"""Owns what a process knows of who listens: so that a change that nobody is to be told of costs no statement.

What is guaranteed: an address is told of every change that begins to tell `HEARD_SECONDS` after the address was made,
turned on or changed, whichever process it happens in; in the process that did so, at once. Until then it may be told or
not. Whoever is no longer there is never told: what is found here only says whether the table is to be asked.

How: every change of an address moves a counter in its own transaction. A process that tells looks at this one number
when its last look is older than `LOOK_SECONDS`, and reads the list anew when the number has moved. The number is read
before the list, so that the list is never older than the number it is kept under.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from wallet_server.records.database import Tx
from wallet_server.records.telling import webhooks
from wallet_server.records.telling.webhooks import Listener

LOOK_SECONDS = 2.0
HEARD_SECONDS = 3.0


class Listeners:
    """Safe between threads; one for each process."""

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._changes = -1
        self._forgotten = 0
        self._heard: Mapping[int, Sequence[Listener]] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Somebody was added or has changed: look before the next telling."""
        with self._lock:
            self._forgotten += 1
            self._looked_at = float("-inf")

    def wanting(self, tx: Tx, kind: str, programme_id: int | None, merchant_id: int | None) -> bool:
        """Whether somebody may want to be told this; of a programme that is not known yet (None): of any."""
        heard = self._looked(tx)
        if not heard:
            return False
        ones = heard.get(programme_id, ()) if programme_id is not None else [x for xs in heard.values() for x in xs]
        return any(kind in one.kinds and merchant_id in (None, one.merchant_id) for one in ones)

    def _looked(self, tx: Tx) -> Mapping[int, Sequence[Listener]]:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return self._heard
        forgotten, changes = self._forgotten, webhooks.changes(tx)
        if changes != self._changes:
            heard: dict[int, list[Listener]] = {}
            for one in webhooks.listeners(tx):
                heard.setdefault(one.programme_id, []).append(one)
            with self._lock:
                if changes > self._changes:  # a thread that was slower than another has read something older
                    self._changes, self._heard = changes, heard
        with self._lock:
            if forgotten == self._forgotten:  # else somebody has changed since this looked
                self._looked_at = now
        return self._heard
