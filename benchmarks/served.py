"""Owns an installation that is served for a measurement: `wallet-server run` on cores of its own, and what it spends.

Also the load that asks it: wrk on another core, with requests that were written beforehand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.stories.stage import free_port
from wallet_server.actions.context import Context
from wallet_server.actions.programme import demo
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.cli.opening import open_context
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings

SEARCHED = "/usr/sbin:/usr/bin:/usr/local/bin"
START_SECONDS = 60.0


def missing(*programs: str) -> list[str]:
    """Those of the programs that are not installed."""
    return [name for name in programs if shutil.which(name, path=SEARCHED) is None]


class Installation:
    """The sandbox's demonstration shop in a folder, and `wallet-server run` over it."""

    def __init__(self, folder: Path, database_url: str | None = None, **extra: str) -> None:
        self.folder, self.port = folder, free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.authority = Authority.open(folder / "authority", datetime.now(UTC))
        self.variables = {
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_DATA_DIR": str(folder / "data"),
            "WALLET_PORT": str(self.port),
            "WALLET_BASE_URL": self.base,
            "WALLET_APNS_CA": self.authority.root_pem.decode(),
            **({"WALLET_DATABASE_URL": database_url} if database_url else {}),
            **extra,
        }
        self.ctx: Context = open_context(Settings.from_env(self.variables))
        certificate, key = self.authority.pass_certificate(PASS_TYPE, TEAM)
        self.facts = demo.demonstrate(self.ctx, folder / "sandbox.json", certificate, key, self.authority.wwdr_pem)

    @contextmanager
    def served(self, cores: Sequence[int]) -> Iterator[Served]:
        """The server, until the block ends."""
        command = [sys.executable, "-m", "wallet_server", "run"]
        with started(command, self.base + "/health", cores, self.folder / "server.log", self.variables) as found:
            yield found


class Served:
    """A server and all processes that it started."""

    def __init__(self, process: subprocess.Popen[bytes], base: str) -> None:
        self.process, self.base = process, base

    def cpu_seconds(self) -> float:
        """What all of them have spent so far: user and system (proc(5), fields 14 and 15)."""
        group, ticks = os.getpgid(self.process.pid), 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = file.read_text().rsplit(")", 1)[1].split()
                ticks += (int(fields[11]) + int(fields[12])) * (int(fields[2]) == group)
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(
    command: Sequence[str], knock: str, cores: Sequence[int], log: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """A server on these cores, from when it answers at `knock` until the block ends."""
    pinned = ["taskset", "-c", ",".join(str(core) for core in cores), *command]
    environment = {**os.environ, **(variables or {})}
    with log.open("ab") as lines:
        process = subprocess.Popen(pinned, env=environment, stdout=lines, stderr=lines, start_new_session=True)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(knock):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server did not start: {log.read_text()[-1500:]}")
            time.sleep(0.05)
        yield Served(process, knock.rsplit("/", 1)[0])
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as got:  # noqa: S310 - loopback
            return bool(got.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


@dataclass(frozen=True)
class Request:
    """One GET, as a phone sends it."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    """What wrk saw: answers by status, what failed, wall seconds, and processor seconds that the server spent."""

    statuses: Mapping[str, int]
    errors: int
    seconds: float
    cpu_seconds: float

    @property
    def answers(self) -> int:
        return sum(self.statuses.values())


_SCRIPT = """
local requests, at, counts = {}, 0, {}
function init(args)
  for line in io.lines("%s") do
    local path, headers = line:match("^([^\\t]*)\\t(.*)$")
    local sent = {}
    for name, value in headers:gmatch("([^\\t=]*)=([^\\t]*)") do sent[name] = value end
    requests[#requests + 1] = wrk.format("GET", path, sent)
  end
end
function request() at = at %% #requests + 1; return requests[at] end
function response(status) counts[status] = (counts[status] or 0) + 1; told = ""
  for s, n in pairs(counts) do told = told .. s .. "=" .. n .. " " end end
function setup(thread) the_thread = thread end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%s\\n", e.connect + e.read + e.write + e.timeout, summary.duration,
    the_thread:get("told")))
end
"""


def ask(server: Served, request: Request) -> int:
    """One request, however long it takes: whatever a server loads or draws for its first visitor is there afterwards.
    The status of the answer."""
    asked = urllib.request.Request(server.base + request.path, headers=dict(request.headers))  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(asked, timeout=60) as got:  # noqa: S310
            return int(got.status)
    except urllib.error.HTTPError as other:
        return other.code


def load(server: Served, requests: Sequence[Request], core: int, seconds: int, folder: Path, connections: int) -> Load:
    """Ask these in turn, again and again, for so many seconds, over so many connections."""
    lines = ["\t".join((r.path, *(f"{name}={value}" for name, value in r.headers.items()))) for r in requests]
    lines = [line if "\t" in line else f"{line}\t" for line in lines]
    (folder / "requests").write_text("\n".join(lines) + "\n")
    (folder / "requests.lua").write_text(_SCRIPT % (folder / "requests"))
    command = ["taskset", "-c", str(core), shutil.which("wrk", path=SEARCHED) or "wrk", "-t1", f"-c{connections}"]
    command += [f"-d{seconds}s", "-s", str(folder / "requests.lua"), server.base]
    before = server.cpu_seconds()
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60).stdout
    spent = server.cpu_seconds() - before
    found = next((line.split() for line in said.splitlines() if line.startswith("RESULT ")), None)
    if found is None or found[3:] == ["nil"]:
        raise RuntimeError(f"wrk said something unexpected: {said[-500:]}")
    statuses = {status: int(count) for status, count in (pair.split("=") for pair in found[3:])}
    return Load(statuses, int(found[1]), int(found[2]) / 1e6, spent)


def announced(base: str, facts: Mapping[str, Any], method: str, path: str, body: object = None, **headers: str) -> Any:
    """One call of the merchant's."""
    sent = {"Authorization": f"Bearer {facts['merchant_key']}", "Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, method=method, data=data, headers=sent)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as got:  # noqa: S310
        return json.loads(got.read())
