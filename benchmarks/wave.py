"""Owns the measurement of a wave: an announcement to thousands of cards, whose phones all come back for the new pass.

Server and embedded worker have cores of their own; the push service and the phones one core; tills sell all the while.
A phone waits a moment, asks what changed and fetches what is listed, on one of so many connections; it verifies
nothing. Shown are passes served in a second beside the bare signatures of the server's cores in the same run, what was
refused, and the tills' wait; the plot has pushes, fetches and the tills' p95, second by second. Prints a table; asserts
nothing about time. Needs taskset.

    python -m benchmarks.wave --cards 20000 --out out
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import matplotlib as mpl
import matplotlib.pyplot as plt
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks import crowd
from benchmarks.crowd import Holder
from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.fetching import signatures
from benchmarks.replay.summary import percentile
from benchmarks.served import Installation, announced, missing
from wallet_server.actions.programme.demo import PASS_TYPE
from wallet_server.records.schema import publications, stores
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority

CONNECTIONS = 32
MOST_CARDS = 200_000
STALL_SECONDS = 60.0
WELL = frozenset((200, 204, 304))


@dataclass
class Counts:
    """What the phones saw, by second of the monotonic clock: pushes, fetches; in all: answers by kind."""

    pushes: Counter[int] = field(default_factory=Counter)
    fetches: Counter[int] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)


class Phones:
    """All phones of the wave, on one event loop."""

    def __init__(self, port: int, holders: Mapping[str, Holder], since: str, spread: float) -> None:
        self._port, self._holders, self._since, self._spread = port, holders, since, spread
        self._due: deque[Holder] = deque()
        self._some = asyncio.Semaphore(0)
        self.counts = Counts()

    async def on_push(self, token: str, _topic: str, _headers: Mapping[str, str], _payload: bytes = b"") -> None:
        """The hook of the push service: the phone comes back within `spread` seconds."""
        self.counts.pushes[int(time.monotonic())] += 1
        holder = self._holders.get(token)
        if holder is not None:
            asyncio.get_running_loop().call_later(random.uniform(0, self._spread), self._wake, holder)

    def _wake(self, holder: Holder) -> None:
        self._due.append(holder)
        self._some.release()

    async def connection(self) -> None:
        """One connection, over which phone after phone asks."""
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while True:
            await self._some.acquire()
            holder = self._due.popleft()
            try:
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                await self._come_back(reader, writer, holder)
            except (OSError, asyncio.IncompleteReadError, ValueError) as fault:
                self.counts.answers[type(fault).__name__] += 1
                reader = writer = None
                self._wake(holder)

    async def _come_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holder: Holder) -> None:
        path = f"/apple/v1/devices/{holder.library_id}/registrations/{PASS_TYPE}?passesUpdatedSince=1"
        status = await self._ask(reader, writer, path, "")
        self.counts.answers[f"list {status}"] += 1
        headers = f"Authorization: ApplePass {holder.token}\r\nIf-Modified-Since: {self._since}\r\n"
        status = await self._ask(reader, writer, f"/apple/v1/passes/{PASS_TYPE}/{holder.serial}", headers)
        self.counts.answers[f"pass {status}"] += 1
        if status == 200:
            self.counts.fetches[int(time.monotonic())] += 1

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, headers: str) -> int:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
        return int(head[9:12])


def play(pipe: Connection, folder: Path, port: int, core: int, spread: float) -> None:
    """The process of the phones: told who they are, and to stop; answers with what was counted."""
    os.sched_setaffinity(0, {core})
    asyncio.run(_play(pipe, folder, port, spread))


def _read(file: Path) -> dict[str, Holder]:
    return {facts["push_token"]: Holder(**facts) for facts in json.loads(file.read_text())}


async def _play(pipe: Connection, folder: Path, port: int, spread: float) -> None:
    loop = asyncio.get_running_loop()
    holders: dict[str, Holder] = {}
    phones = Phones(port, holders, "", spread)
    authority = Authority.open(folder / "authority", datetime.now(UTC))
    async with ApnsServer(authority, on_push=phones.on_push) as server:
        pipe.send(server.address)
        file, since = await loop.run_in_executor(None, pipe.recv)
        holders.update(_read(Path(file)))
        phones._since = since
        tasks = [asyncio.create_task(phones.connection()) for _ in range(CONNECTIONS)]
        pipe.send("ready")
        while await loop.run_in_executor(None, pipe.recv) == "how far":
            pipe.send(phones.counts)
        for task in tasks:
            task.cancel()
        pipe.send(phones.counts)


class Tills(threading.Thread):
    """Sales at a steady pace; `waits` has (monotonic second, seconds waited), `faults` what was refused."""

    def __init__(self, base: str, key: str, holders: Sequence[Holder], per_second: float) -> None:
        super().__init__(daemon=True)
        self._base, self._key, self._holders, self._pace = base, key, holders, 1 / per_second
        self.ended = threading.Event()
        self.waits: list[tuple[int, float]] = []
        self.faults: Counter[str] = Counter()

    def run(self) -> None:
        number, due = 0, time.monotonic()
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pace, time.monotonic() - 1)
            number += 1
            self._sell(self._holders[number * 7919 % len(self._holders)], number)

    def _sell(self, holder: Holder, number: int) -> None:
        body = {"code": holder.code, "receipt": f"W{number}", "currency": "EUR", "amount_minor": 100}
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        asked = urllib.request.Request(self._base + "/v1/sales", data, headers)  # noqa: S310 - loopback
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(asked, timeout=60) as got:  # noqa: S310
                got.read()
        except urllib.error.HTTPError as refused:
            self.faults[str(refused.code)] += 1
        except OSError as fault:
            self.faults[type(fault).__name__] += 1
        self.waits.append((int(begun), time.monotonic() - begun))


@dataclass(frozen=True)
class Wave:
    """What came of it. `begun` is the second of the announcement; `signed` bare signatures a second of one core."""

    cards: int
    counts: Counts
    waits: Sequence[tuple[int, float]]
    calm: Sequence[float]
    sales_refused: int
    begun: int
    cpu_seconds: float
    signed: float
    cores: int


def measure(kind: str, cards: int, per_second: float, spread: float) -> Wave:
    """Raises NoPostgres."""
    cores = sorted(os.sched_getaffinity(0))
    serving = cores[:-1] if kind == "postgresql" else cores[:1]
    with tempfile.TemporaryDirectory(prefix="wallet-wave-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with database(kind, folder) as (address, _):
            extra = {"WALLET_WORKERS": str(len(serving)), "WALLET_REQUESTS_PER_MINUTE": "10000000"}
            installation = Installation(folder, address, **extra)
            ours, theirs = multiprocessing.get_context("spawn").Pipe()
            arguments = (theirs, folder, installation.port, cores[-1], spread)
            process = multiprocessing.get_context("spawn").Process(target=play, args=arguments, daemon=True)
            process.start()
            try:
                installation.variables["WALLET_APNS_URL"] = ours.recv()
                holders = list(crowd.gather(installation.ctx, installation.facts, cards))
                (folder / "holders.json").write_text(json.dumps([vars(one) for one in holders]))
                ours.send((str(folder / "holders.json"), _make_ready(installation, holders[0])))
                ours.recv()
                return _run(installation, holders, ours, serving, cores[-1], per_second)
            finally:
                installation.ctx.database.close()
                process.terminate()
                process.join(10)


def _make_ready(installation: Installation, one: Holder) -> str:
    """Noon at every store, outside everybody's quiet hours; the Last-Modified that all phones hold."""
    ahead = 12 - datetime.now(UTC).hour
    zone = f"Etc/GMT{-ahead:+d}" if ahead else "UTC"
    with installation.ctx.change() as tx:
        tx.execute(sa.update(stores).values(zone=zone))
        held = tx.execute(
            sa.select(publications.c.last_modified).where(publications.c.pass_id == one.pass_id)
        ).scalar_one()
    return f"{held:%a, %d %b %Y %H:%M:%S} GMT"


def _run(
    installation: Installation, holders: Sequence[Holder], ours: Connection, serving: list[int], core: int, pace: float
) -> Wave:
    signed = signatures(serving[0], 0.5)
    with installation.served(serving) as server:
        os.sched_setaffinity(0, {core})
        tills = Tills(server.base, installation.facts["till_key"], holders, pace)
        tills.start()
        time.sleep(5)
        calm = [waited for _, waited in tills.waits]
        before = server.cpu_seconds()
        begun = int(time.monotonic())
        _announce(server.base, installation.facts)
        counts = _until_all_came(ours, len(holders))
        spent = server.cpu_seconds() - before
        tills.ended.set()
        tills.join(60)
    ours.send("stop")
    signed = statistics.median([signed, signatures(serving[0], 0.5), signatures(serving[0], 0.5)])
    waits = [one for one in tills.waits if one[0] >= begun]
    refused = sum(tills.faults.values())
    return Wave(len(holders), counts, waits, calm, refused, begun, spent, signed, len(serving))


def _announce(base: str, facts: Mapping[str, Any]) -> None:
    ends = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    body = {"programme": facts["programme"], "texts": {"fr": "Ce soir, deux pour un"}, "ends_at": ends}
    made = announced(base, facts, "POST", "/v1/announcements", body, **{"Idempotency-Key": str(uuid4())})
    confirmation = f"/v1/announcements/{made['announcement']}/confirmation"
    announced(base, facts, "POST", confirmation, None, **{"Idempotency-Key": str(uuid4())})


def _until_all_came(ours: Connection, cards: int) -> Counts:
    came, moved = 0, time.monotonic()
    while True:
        time.sleep(0.5)
        ours.send("how far")
        counts: Counts = ours.recv()
        now = sum(counts.fetches.values())
        if now > came:
            came, moved = now, time.monotonic()
        if came >= cards or time.monotonic() - moved > STALL_SECONDS:
            return counts


def show(console: Console, kind: str, wave: Wave) -> None:
    fetched, seconds = sum(wave.counts.fetches.values()), sorted(wave.counts.fetches)
    lasted = max(1, seconds[-1] - seconds[0] + 1) if seconds else 1
    peak = statistics.median(sorted(wave.counts.fetches.values())[-5:]) if seconds else 0
    limit = wave.signed * wave.cores
    refused = sum(n for what, n in wave.counts.answers.items() if what.split()[-1] not in map(str, WELL))
    table = Table(f"{kind}: {wave.cards:,} cards", "", "of the signing limit", box=None, pad_edge=False)
    table.add_row("pushes taken", f"{sum(wave.counts.pushes.values()):,}", "")
    table.add_row("passes fetched", f"{fetched:,} in {lasted} s", "")
    table.add_row("passes a second, first to last", f"{fetched / lasted:,.0f}", f"{fetched / lasted / limit:.2f}")
    table.add_row("passes a second, best five seconds", f"{peak:,.0f}", f"{peak / limit:.2f}")
    by_cpu = fetched / wave.cpu_seconds
    table.add_row("passes a processor second, all told", f"{by_cpu:,.0f}", f"{by_cpu / wave.signed:.2f}")
    table.add_row("bare key.sign, a second of its cores", f"{limit:,.0f}", "1.00")
    table.add_row("requests refused or cut", f"{refused + wave.sales_refused:,}", "")
    during = [waited for _, waited in wave.waits]
    for what, waits in (("before", wave.calm), ("during", during)):
        p50, p95 = (percentile(waits, p) * 1000 for p in (50, 95))
        table.add_row(f"sales {what}: p50, p95", f"{p50:,.0f} ms, {p95:,.0f} ms ({len(waits)} sales)", "")
    console.print(table)
    console.print(f"answers to phones: {dict(sorted(wave.counts.answers.items()))}")


def plot(wave: Wave, title: str, file: Path) -> None:
    """Pushes and fetches a second, and the tills' p95, from the announcement on."""
    mpl.use("Agg")
    last = max([*wave.counts.fetches, *wave.counts.pushes, wave.begun]) + 1
    seconds = list(range(wave.begun, last))
    waits: dict[int, list[float]] = {}
    for second, waited in wave.waits:
        waits.setdefault(second, []).append(waited)
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 7), sharex=True, layout="constrained")
    from_begin = [second - wave.begun for second in seconds]
    above.plot(from_begin, [wave.counts.pushes[s] for s in seconds], label="pushes a second", color="#7a5195")
    above.plot(from_begin, [wave.counts.fetches[s] for s in seconds], label="passes fetched a second", color="#2f6f4f")
    limit = wave.signed * wave.cores
    above.axhline(limit, color="#888888", linestyle=":", label="bare signatures of the server's cores")
    above.axhline(0.4 * limit, color="#bbbbbb", linestyle="--", label="40 % of them")
    above.set_title(title)
    above.legend(frameon=False)
    known = [second for second in seconds if second in waits]
    points = [percentile(waits[second], 95) * 1000 for second in known]
    below.plot([second - wave.begun for second in known], points, color="#b5533c", label="tills' p95, ms")
    below.axhline(100, color="#bbbbbb", linestyle="--")
    below.set_xlabel("seconds after the announcement")
    below.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description="An announcement whose phones all come back.")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--cards", type=int, default=20_000)
    parser.add_argument("--sales-per-second", type=float, default=5.0)
    parser.add_argument("--spread", type=float, default=1.0, help="seconds within which a phone comes back")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the plot")
    options = parser.parse_args()
    if not 1 <= options.cards <= MOST_CARDS:
        parser.error(f"between 1 and {MOST_CARDS} cards")
    console = Console(width=120)
    if absent := missing("taskset"):
        console.print(f"not installed: {', '.join(absent)} (Debian: util-linux)")
        return 1
    if len(os.sched_getaffinity(0)) < 2:
        console.print("Two cores are needed: one for the server, one for the phones.")
        return 1
    try:
        wave = measure(options.database, options.cards, options.sales_per_second, options.spread)
    except NoPostgres as fault:
        console.print(f"no PostgreSQL: {fault}")
        return 1
    show(console, options.database, wave)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"wave-{options.database}.png"
    plot(wave, f"{wave.cards:,} cards, {options.database}", file)
    console.print(f"plot: {file}")
    return 0 if sum(wave.counts.fetches.values()) >= wave.cards else 1


if __name__ == "__main__":
    sys.exit(main())
