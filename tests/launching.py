"""Owns starting the product's commands in processes of their own, quickly: from one that has loaded the product once.

A fresh Python needs seconds of processor time to load everything, and the journeys start the product many dozen times.
So each test process has one nursery: it loads every command, does nothing, and forks whenever one is asked for. The
child (`tests/nursery.py`) has the variables, the folder and the outputs it was given, a session of its own, and runs
the very `main` of the command line. That a fresh Python starts as well is shown by the tests of the package, the
sandbox and the tour, which go the long way.
"""

from __future__ import annotations

import array
import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

TOP = Path(__file__).resolve().parent.parent
MOST_BYTES = 200_000
_READY_SECONDS = 120.0


class Launched:
    """A command that runs, with the part of `subprocess.Popen` that the tests use. Its exit status comes down a pipe,
    because it is no child of this process."""

    def __init__(self, words: tuple[str, ...], news: int) -> None:
        self.args, self.returncode = words, None
        self._news, self._said = news, b""
        self.returncode: int | None
        while b"\n" not in self._said:
            self._said += self._read(_READY_SECONDS)
        self.pid = int(self._said.partition(b"\n")[0])

    def _read(self, seconds: float) -> bytes:
        if not select.select([self._news], [], [], max(0.0, seconds))[0]:
            return b""
        piece = os.read(self._news, 100)
        if not piece:
            raise RuntimeError("the process that starts the product's commands ended")
        return piece

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self._said += self._read(0.0)
            _, _, status = self._said.partition(b"\n")
            if status.endswith(b"\n"):
                self.returncode = os.waitstatus_to_exitcode(int(status))
                os.close(self._news)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit status. Raises `subprocess.TimeoutExpired`."""
        end = time.monotonic() + timeout
        while (status := self.poll()) is None:
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(self.args, timeout)
            select.select([self._news], [], [], left)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it, and all that it started."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)


def launch(
    *words: str, env: Mapping[str, str], stdout: IO[bytes] | int, stderr: IO[bytes] | int, cwd: Path | None = None
) -> Launched:
    """Start `wallet-server words...` with these variables alone, writing to these files."""
    news, end = os.pipe()
    files = [file if isinstance(file, int) else file.fileno() for file in (stdout, stderr)]
    asked = json.dumps({"words": words, "env": dict(env), "cwd": str(cwd or Path.cwd())}).encode()
    assert len(asked) < MOST_BYTES
    try:
        handed = array.array("i", [*files, end])
        _nursery().sendmsg([asked], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
    finally:
        os.close(end)
    return Launched(words, news)


def ran(
    *words: str, env: Mapping[str, str], timeout: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What `wallet-server words...` said and how it ended. Raises `subprocess.TimeoutExpired`."""
    with TemporaryFile() as out, TemporaryFile() as errors:
        process = launch(*words, env=env, stdout=out, stderr=errors, cwd=cwd)
        try:
            process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(list(words), process.wait(10), _whole(out), _whole(errors))


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _nursery() -> socket.socket:
    """The nursery of this test process; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MOST_BYTES)
    with theirs:
        command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno())]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
        nursery = subprocess.Popen(command, cwd=TOP, env=clean, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        nursery.wait(10)

    atexit.register(end)
    return ours


def until_it_listens(process: Launched | subprocess.Popen[bytes], port: int) -> None:
    """Wait until somebody answers at this port of loopback. Raises `AssertionError` when the process ends before, or
    after a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError("nothing listens")
