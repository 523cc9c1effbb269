"""Owns the threads that carry messages to strangers' addresses, so that no lane of delivery waits for one of them.

Addresses that answer slowly or not at all have threads of their own: a hundred of them hold up nobody else. One address
has at most `AT_ONCE` at a time.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

QUICK, SLOW, AT_ONCE = 16, 8, 2


class Couriers:
    """Safe between threads; one for each process. Nobody is employed before there is something to carry."""

    def __init__(self) -> None:
        self._free = {False: QUICK, True: SLOW}
        self._busy: Counter[int] = Counter()
        self._changed = threading.Condition()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether a round is to end after the message that it carries."""
        return self._stopping

    def begin(self) -> None:
        """They may set off again."""
        self._stopping = False

    def send_off(self, address: int, slow: bool, round_: Callable[[], None]) -> bool:
        """Carry a round to this address in a thread of its own, which sees to its own failures; False when all are
        away, or as many as may be at this address."""
        with self._changed:
            if self._stopping or self._free[slow] <= 0 or self._busy[address] >= AT_ONCE:
                return False
            self._free[slow] -= 1
            self._busy[address] += 1
        thread = threading.Thread(target=self._go, args=(address, slow, round_), name="courier", daemon=True)
        thread.start()
        return True

    def _go(self, address: int, slow: bool, round_: Callable[[], None]) -> None:
        try:
            round_()
        finally:
            with self._changed:
                self._free[slow] += 1
                self._busy[address] -= 1
                if not self._busy[address]:
                    del self._busy[address]
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Until all are back; False when they were not in time."""
        ends = time.monotonic() + seconds
        with self._changed:
            while self._busy:
                left = ends - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return not self._busy
        return True

    def stop(self, seconds: float) -> bool:
        """Nobody sets off any more; True when all were back in time."""
        self._stopping = True
        return self.wait(seconds)
