"""Owns the pace of mass changes as all processes share it: the database has what was told and served each second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from wallet_server.actions.context import Context
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.rules.announcing import pacing
from wallet_server.rules.announcing.pacing import Second

TOLD, SERVED, IN_HAND = "pace:told", "pace:served", "pace:in-hand"
_MILLI = 1000


class Gauge:
    """WSGI: how many requests this process has in hand, as thousandths of a second spent in them."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._spent = 0.0
        self._since = time.monotonic()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun = time.monotonic()
        try:
            return self._app(environ, start_response)
        finally:
            self.add(time.monotonic(), time.monotonic() - begun)

    def add(self, now: float, seconds: float) -> None:
        """A request took so long until now (monotonic). What is a second old and was not asked for is forgotten, and a
        long request counts once for the second in which it ends: a quiet spell is no crowd."""
        with self._lock:
            if now - self._since > 1.0:
                self._spent, self._since = 0.0, now
            self._spent += min(seconds, 1.0)

    def read(self) -> int:
        """Milliseconds spent in requests since this was last read, within the last second or so."""
        with self._lock:
            spent, self._spent = self._spent, 0.0
            self._since = time.monotonic()
        return int(spent * _MILLI)


def note(ctx: Context, tx: Tx, served: int, milliseconds: int) -> None:
    """So many cards were fetched just now, and so much time was spent in requests."""
    second = int(ctx.now().timestamp())
    limits.take(tx, SERVED, second, served)
    limits.take(tx, IN_HAND, second, milliseconds)


def told(ctx: Context, tx: Tx, cards: int) -> None:
    """So many cards of a mass change are being told."""
    limits.take(tx, TOLD, int(ctx.now().timestamp()), cards)


def forget(tx: Tx, second: int) -> int:
    """Drop what was counted before this second (Unix time); returns how many rows."""
    return limits.forget_windows(tx, second, (TOLD, SERVED, IN_HAND))


def allowed(ctx: Context) -> int:
    """How many cards of mass changes may be told just now; 0: look again in a moment."""
    with ctx.look() as tx:
        return _allowed(ctx, tx)


def left(ctx: Context, tx: Tx) -> int:
    """The same within the transaction that claims them: another that does so waits, and sees what this one had."""
    told(ctx, tx, 0)
    return _allowed(ctx, tx)


def _allowed(ctx: Context, tx: Tx) -> int:
    now = ctx.now().timestamp()
    second = int(now)
    found = limits.taken_since(tx, (TOLD, SERVED, IN_HAND), second - pacing.LOOK_BACK)
    before = [
        Second(found.get((TOLD, one), 0), found.get((SERVED, one), 0), found.get((IN_HAND, one), 0) / _MILLI)
        for one in range(second - pacing.LOOK_BACK, second)
    ]
    rate = pacing.per_second(before, ctx.settings.workers, ctx.settings.cards_per_second)
    return pacing.allowance(rate, found.get((TOLD, second), 0), now - second)
