"""Owns the product's server as a child process of the sandbox: start, plug pulled, restart, stop, nobody left behind.

The child leads a process group of its own, so that a killed server takes its workers with it. On Linux the kernel tells
the child when the sandbox itself is killed, so that even then no server stays behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

HEALTH_PAUSE_SECONDS = 0.05
HEALTH_TIMEOUT_SECONDS = 2.0
TAIL_BYTES = 4000

# Runs in the child before the server: asks for SIGTERM when the parent dies (prctl, PR_SET_PDEATHSIG), and looks
# whether it died already. A separate program, because code between fork and exec is not safe beside threads.
_LAUNCH = """
import os, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != parent:
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ServerFailed(Exception):
    """The server did not come up; the text ends with its last lines."""


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits, in seconds, and how often in a row it restarts a server that dies by itself.

    A start is waited for as long as the process lives, up to `start_seconds`; after `slow_seconds` it is called slow.
    """

    start_seconds: float = 180.0
    slow_seconds: float = 15.0
    stop_seconds: float = 15.0
    first_pause_seconds: float = 0.5
    limit_pause_seconds: float = 10.0
    restarts: int = 5
    settled_seconds: float = 30.0


class Supervisor:
    """One server process. `command` is run with `env` (the whole environment); it is up when `health_url` answers 200,
    over https to what `tls` trusts.

    `state` is one of stopped, starting, running, killed, failed; `changed` is called after each change of it, `slow`
    once for each start that takes long.
    """

    def __init__(
        self,
        command: Sequence[str],
        health_url: str,
        log_path: Path,
        *,
        env: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        patience: Patience = Patience(),
        changed: Callable[[str], None] | None = None,
        slow: Callable[[], None] | None = None,
    ) -> None:
        self.state = "stopped"
        self.starts = 0
        self.kills = 0
        self._command = list(command)
        self._health_url = health_url
        self._log_path = log_path
        self._tls = tls
        self._env = dict(env) if env is not None else None
        self._patience = patience
        self._changed = changed
        self._slow = slow
        self._log_begins = 0
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs; also the id of its process group."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises ServerFailed, leaving nothing running."""
        async with self._one_at_a_time:
            if self._process is None:
                await self._bring_up()

    async def kill_and_restart(self) -> None:
        """Pull the plug: SIGKILL to the whole group, then start again. Raises ServerFailed."""
        await self._forget_watcher()
        async with self._one_at_a_time:
            await self._forget_watcher()
            self.kills += 1
            self._now("killed")
            await self._end()
            await self._bring_up()

    async def stop(self) -> None:
        """Ask the server to end, wait, then make it end. Calling it twice does no harm."""
        await self._forget_watcher()
        async with self._one_at_a_time:
            await self._forget_watcher()
            process = self._process
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), self._patience.stop_seconds)
            await self._end()
            self._now("stopped")

    async def _bring_up(self) -> None:
        process = await self._launch()
        self._watcher = asyncio.create_task(self._watch(process))

    async def _launch(self) -> asyncio.subprocess.Process:
        self._now("starting")
        self.starts += 1
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._log_begins = log.tell()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )
        self._process = process
        try:
            await self._until_healthy(process)
        except BaseException:
            await self._end()
            self._now("failed")
            raise
        self._now("running")
        return process

    async def _until_healthy(self, process: asyncio.subprocess.Process) -> None:
        timeout = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT_SECONDS)
        began = time.monotonic()
        told = False
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while (waited := time.monotonic() - began) < self._patience.start_seconds:
                if waited >= self._patience.slow_seconds and not told:
                    told = True
                    if self._slow is not None:
                        self._slow()
                if process.returncode is not None:
                    raise ServerFailed(f"The server ended with code {process.returncode}.\n{self._tail()}")
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with session.get(self._health_url, ssl=self._tls or True) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(HEALTH_PAUSE_SECONDS)
        seconds = self._patience.start_seconds
        raise ServerFailed(f"The server did not answer at {self._health_url} within {seconds:g} s.\n{self._tail()}")

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Start the server again when it dies by itself, with growing pauses, a limited number of times in a row."""
        failures = 0
        while failures < self._patience.restarts:
            began = time.monotonic()
            await process.wait()
            if time.monotonic() - began > self._patience.settled_seconds:
                failures = 0
            async with self._one_at_a_time:
                self._now("killed")
                await self._end()
                while failures < self._patience.restarts:
                    pause = self._patience.first_pause_seconds * 2**failures
                    failures += 1
                    await asyncio.sleep(min(pause, self._patience.limit_pause_seconds))
                    with suppress(ServerFailed):
                        process = await self._launch()
                        break
                else:
                    self._now("failed")
                    return
        await process.wait()
        await self._end()
        self._now("failed")

    async def _end(self) -> None:
        """Kill whatever is left of the process group."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _forget_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    def _tail(self) -> str:
        """The last lines of this start."""
        with self._log_path.open("rb") as log:
            log.seek(max(self._log_begins, self._log_path.stat().st_size - TAIL_BYTES))
            return log.read().decode("utf-8", "replace")

    def _now(self, state: str) -> None:
        self.state = state
        if self._changed is not None:
            self._changed(state)
