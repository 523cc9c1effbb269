"""Owns the note of what phones hold: at once where one phone comes, a few at a time where thousands come together.

A note is a transaction with a commit of its own; for each of the phones that a mass change brings back, it would cost
more than signing the card. A server gathers notes for a tenth of a second. One that is lost with a killed process is
made up for: the phone's next download notes it, and what waits for it goes on after `cards.AWAIT_FETCH` at the latest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards, pacing
from wallet_server.records import jobs
from wallet_server.records.announcing import announcements
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import Publication
from wallet_server.records.passes.rung import mark_seen
from wallet_server.records.prepared import planned_once

GATHER_SECONDS = 0.1
PAUSE_SECONDS = 1.0
MOST_AT_ONCE = 500
MOST_WAITING = 50_000
_log = structlog.get_logger("noting")


def seen(ctx: Context, pass_id: int, number: int) -> None:
    """A phone holds this version now (pass key, number)."""
    if ctx.notes is None:
        _write(ctx, [(pass_id, number)])
    else:
        ctx.notes(pass_id, number)


def hold(ctx: Context, tx: Tx, held: Sequence[tuple[int, int]]) -> None:
    """Registered phones hold these versions (pass key, number): whatever was held back for them may have its turn.

    Holds the passes, then their publications, both in the order of their keys.
    """
    now = ctx.now()
    planned_once(tx)
    rows = {row.id: row for row in passes.lock_passes(tx, sorted({key for key, _ in held}))}
    served = passes.hold_published(tx, sorted(rows))
    news = [(key, number) for key, number in sorted(set(held)) if _first_seen(served.get(key), number)]
    mark_seen(tx, news, now)
    told = [served[key] for key, _ in news]
    announcements.note_fetched(
        tx, [(p.news, rows[p.pass_id].member_id, p.alert == "news") for p in told if p.news is not None], now
    )
    waiting = [rows[p.pass_id] for p in told if rows[p.pass_id].loud]
    jobs.put(tx, [jobs.Put(cards.REFRESH, str(r.id), jobs.SERVICE, max(now, r.quiet_until or now)) for r in waiting])


def _first_seen(publication: Publication | None, number: int) -> bool:
    return publication is not None and publication.number == number and publication.seen < number


def _write(ctx: Context, held: Sequence[tuple[int, int]]) -> None:
    with ctx.change() as tx:
        hold(ctx, tx, held)
    ctx.ring()


class Notes:
    """Gathers what phones hold, and how busy this process is serving them; writes both in a thread of its own."""

    def __init__(self, ctx: Context, gauge: pacing.Gauge) -> None:
        self._ctx, self._gauge = ctx, gauge
        self._held: dict[int, int] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="noting", daemon=True)

    def start(self) -> None:
        """From now on `seen` leaves its notes here; the process that calls this must not fork afterwards."""
        self._thread.start()
        self._ctx.notes = self.add

    def add(self, pass_id: int, number: int) -> None:
        """Note this soon; never waits for the database, and forgets what comes in while far too much waits."""
        with self._lock:
            if len(self._held) < MOST_WAITING:
                self._held[pass_id] = max(number, self._held.get(pass_id, 0))
        self._some.set()

    def stop(self, wait_seconds: float = 10.0) -> None:
        """Write what is left; notes that come later are written at once."""
        self._ctx.notes = None
        self._ended = True
        self._some.set()
        self._thread.join(wait_seconds)

    def _loop(self) -> None:
        while not self._ended or self._held:
            self._some.wait()
            self._some.clear()
            if not self._ended:
                time.sleep(GATHER_SECONDS)
            try:
                self._flush()
            except Exception as fault:  # noqa: BLE001 - the notes outlive whatever happens to the database
                _log.warning("notes wait", why=str(fault)[:300])
                self._some.set()
                if self._ended:
                    return
                time.sleep(PAUSE_SECONDS)

    def _flush(self) -> None:
        with self._lock:
            held = list(self._held.items())[:MOST_AT_ONCE]
        if not held:
            return
        with self._ctx.change() as tx:
            hold(self._ctx, tx, held)
            pacing.note(self._ctx, tx, len(held), self._gauge.read())
        with self._lock:
            for pass_id, number in held:
                if self._held.get(pass_id) == number:
                    del self._held[pass_id]
            if self._held:
                self._some.set()
        self._ctx.ring()
