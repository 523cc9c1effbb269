"""Owns what the simulated Google may be told to do instead of answering as usual: live, for everybody or one issuer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

ORDERS_LIMIT = 10_000
WRITES = frozenset(("insert", "patch", "update", "addmessage", "modifylinkedofferobjects"))


@dataclass(frozen=True)
class Order:
    """How requests are answered from now on. A `status` of 200 judges as usual and changes the pace alone. `lost`: the
    change is made and the connection is cut instead of an answer. `times`: after so many requests the order is over;
    None: it stays. `verbs`: only these methods, such as patch or addmessage; empty: all. `after` requests it begins."""

    status: int = 200
    retry_after_seconds: int | None = None
    delay_seconds: float = 0.0
    lost: bool = False
    times: int | None = None
    verbs: frozenset[str] = frozenset()
    after: int = 0


NOTHING = Order()


class Switches:
    """The orders that stand. Safe from any thread.

    `quota_status` is the status of a spent alert quota (403; the live one is not on record), `per_second` what Google
    takes from one service account before 429 (None: everything; the published limit is 20), `duplicates` how often a
    callback is sent, `old_spelling` whether answers carry the old spellings of enums, `review` what a class becomes
    that is put under review, with a comment where that is REJECTED.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.quota_status = 403
        self.per_second: float | None = None
        self.duplicates = 1
        self.old_spelling = True
        self.review: tuple[str, str] = ("APPROVED", "")
        self._clock = clock
        self._lock = threading.Lock()
        self._order: Order | None = None
        self._orders: dict[str, Order] = {}
        self._seen: dict[str, deque[float]] = {}

    def tell(self, order: Order | None, issuer: str | None = None) -> None:
        """From now on so, for this issuer or for everybody; None takes the order back."""
        with self._lock:
            if issuer is None:
                self._order = order
            elif order is None:
                self._orders.pop(issuer, None)
            elif len(self._orders) < ORDERS_LIMIT:
                self._orders[issuer] = order

    def next(self, issuer: str, verb: str) -> Order:
        """The order for a request that has just come; it is counted."""
        with self._lock:
            for key, order in ((issuer, self._orders.get(issuer)), (None, self._order)):
                if order is None or (order.verbs and verb not in order.verbs):
                    continue
                left = self._counted(order)
                if key is None:
                    self._order = left
                elif left is None:
                    del self._orders[issuer]
                else:
                    self._orders[issuer] = left
                return order if order.after == 0 else NOTHING
        return NOTHING

    def spent(self, email: str) -> bool:
        """Whether this service account has used up what it may ask in a second; the request is counted if not."""
        if self.per_second is None:
            return False
        now = self._clock()
        with self._lock:
            seen = self._seen.setdefault(email, deque())
            while seen and seen[0] <= now - 1.0:
                seen.popleft()
            if len(seen) >= self.per_second:
                return True
            seen.append(now)
            return False

    @staticmethod
    def _counted(order: Order) -> Order | None:
        if order.after:
            return replace(order, after=order.after - 1)
        if order.times is None:
            return order
        return replace(order, times=order.times - 1) if order.times > 1 else None
