"""Owns the doorbells: how a commit in one process wakes the worker in another, at once or, if the bell is lost, soon.

The row is the letter and this is only the bell: it may be late, double or lost and nothing is lost. Processes on one
host ring through datagrams on sockets in the data folder; workers elsewhere look for themselves every half second.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import socket
import sys
import threading
import time
from pathlib import Path

import structlog

from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import refresh
from wallet_server.delivery.worker import Worker
from wallet_server.errors import WalletError

RETRY_SECONDS = 2.0
LISTING_SECONDS = 1.0
MAX_BELLS = 64
COLLECTED_AFTER = 10_000, 20, 50
TURN_SECONDS = 0.0005
"""How long a thread that only computes keeps the interpreter from the others, a tenth of Python's own: whoever sells
lets go of it at each word with the database, and waits so long to have it back, a dozen times a sale."""
_log = structlog.get_logger("delivery")


class Doorbells:
    """Rings every worker of this host. One that lives in this process is rung directly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Worker | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._listed_at = float("-inf")
        self._others: list[str] = []

    def own(self, worker: Worker | None) -> None:
        """The worker of this process, if it has one."""
        self._own = worker

    def ring(self) -> None:
        """Called after a commit; never waits and never fails."""
        if self._own is not None:
            self._own.ring()
            return
        now = time.monotonic()
        if now - self._listed_at > LISTING_SECONDS:
            self._listed_at = now
            self._others = [str(path) for path in sorted(self._folder.glob("*.bell"))[:MAX_BELLS]]
        for path in self._others:
            with contextlib.suppress(OSError):
                self._socket.sendto(b"!", path)


class Engine:
    """A worker with its doorbell: started, rung by others, stopped."""

    def __init__(self, ctx: Context, folder: Path) -> None:
        self._ctx = ctx
        self._worker = Worker(ctx)
        self._path = folder / f"{os.getpid()}.bell"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ended = False

    def start(self) -> Worker:
        """Begin to work; on the embedded database, jobs that a killed process left behind are taken over at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        settle()
        with contextlib.suppress(WalletError):
            upkeep.schedule(self._ctx)
            if self._ctx.database.sqlite:
                outbox.take_over(self._ctx)
            refresh.ring_unheard(self._ctx)
        self._worker.start()
        threading.Thread(target=self._listen, name="doorbell", daemon=True).start()
        return self._worker

    def _listen(self) -> None:
        while not self._ended:
            try:
                self._socket.recv(16)
            except OSError:
                return
            self._worker.ring()

    def stop(self, wait_seconds: float = 20.0) -> bool:
        """Finish what was begun and hand back the rest; True when that was done in time."""
        self._ended = True
        done = self._worker.stop(wait_seconds)
        self._path.unlink(missing_ok=True)
        self._socket.close()
        return done


def settle() -> None:
    """Make this process fit for its work, once all is loaded: nobody at a counter waits long for a thread that
    publishes or signs, and what is loaded stays for good, out of the collector's way. That looks for circles among
    fresh objects less often than by default: a batch makes thousands of rows and no circle, and every time the
    collector looked through all of them, an eighth of what a push from the database cost."""
    sys.setswitchinterval(TURN_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


class Embedded:
    """The worker inside a serving process: of several such processes exactly one has it, and another takes over."""

    def __init__(self, ctx: Context, folder: Path, bells: Doorbells) -> None:
        self._ctx, self._folder, self._bells = ctx, folder, bells
        self._engine: Engine | None = None
        self._stopping = threading.Event()
        self._lock_file: int | None = None

    def start(self) -> None:
        """Try to be the one; go on trying in the background."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._try():
            settle()
            threading.Thread(target=self._keep_trying, name="embedded", daemon=True).start()

    def _try(self) -> bool:
        handle = os.open(self._folder / "embedded.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._lock_file = handle
        self._engine = Engine(self._ctx, self._folder)
        self._bells.own(self._engine.start())
        _log.info("delivery runs here", pid=os.getpid())
        return True

    def _keep_trying(self) -> None:
        while not self._stopping.wait(RETRY_SECONDS):
            if self._try():
                return

    def stop(self) -> None:
        """Finish what was begun; another process may have the worker from now on."""
        self._stopping.set()
        self._bells.own(None)
        if self._engine is not None:
            self._engine.stop()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
