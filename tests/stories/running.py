"""Owns the sandbox as a person starts it: `wallet-server sandbox --json` in a process of its own, and its line."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.launching import ran

READY_SECONDS = 90.0
STOP_SECONDS = 40.0


@dataclass(frozen=True)
class Running:
    """A sandbox that answers. `links` is the line it printed."""

    links: Mapping[str, str]
    data: Path

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the product on the sandbox's data, beside its server."""
        variables = {"WALLET_ENVIRONMENT": "sandbox", "WALLET_DATA_DIR": str(self.data)}
        return ran(*words, env=clean() | variables, timeout=90)


def clean() -> dict[str, str]:
    """This process's variables without settings of the product: the tests' own machine must not colour the story."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[Running]:
    """Start one on two free ports, with its data in `folder`; ends it with SIGTERM and expects it to leave quietly."""
    log = folder / "sandbox.log"
    command = [sys.executable, "-m", "wallet_server", "sandbox", "--json"]
    command += ["--port", str(free_pair()), "--data", str(folder / "data"), *options]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, env=clean(), stdout=subprocess.PIPE, stderr=errors, start_new_session=True, text=True
        )
    try:
        yield Running(json.loads(_first_line(process, log)), folder / "data")
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0, log.read_text()[-2000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        if process.stdout:
            process.stdout.close()


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    end = time.monotonic() + READY_SECONDS
    with closing(selectors.DefaultSelector()) as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < end:
            if waiting.select(1.0):
                line = process.stdout.readline()
                assert line, log.read_text()[-2000:]
                return line
    raise AssertionError(f"the sandbox was not ready within {READY_SECONDS:.0f} s: {log.read_text()[-2000:]}")


def free_pair() -> int:
    """A port nobody listens on, whose neighbour is free as well (the phones' page lives there)."""
    for _ in range(50):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise AssertionError("no two neighbouring ports are free")
