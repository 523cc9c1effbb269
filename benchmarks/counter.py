"""Owns the measurement of a till's customer: look up, quote and count a sale, over HTTP, while others do the same.

Eight tills, each a thread with one connection in a process of their own, serve customers one after the other, first
without a pause between them and then with one, on an installation with many members (copies made by `multitude`; the
customers joined one by one). Printed are the medians and the 95th percentiles by the clock of each of the three calls
and of the customer, customers a second, and beside them as many tills asking a bare Flask route on the same server and,
on PostgreSQL, the fixed reference of `sales_reference` on the same database.

    python -m benchmarks.counter [--members 1000000] [--database postgresql] [--tills 8] [--seconds 20] [--pauses 0 0.5]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks import crowd
from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.multitude import Multitude
from benchmarks.sales_reference import PROCESSES, REFERENCE, THREADS, Turn, counting
from benchmarks.served import Installation, started

CUSTOMERS = 200
LINES = 10
BARE_SECONDS = 5.0
REFERENCE_SALES = 8_000
CALLS = ("look up", "quote", "sale")
Taken = dict[str, list[float]]


def serve(base: str, keys: list[str], codes: list[str], seconds: float, pause: float, out: Any) -> None:
    """The tills' process: puts what each call took, in seconds, and how many were refused."""
    taken: Taken = {name: [] for name in (*CALLS, "customer")}
    refused: list[int] = []
    numbers, ends, day = itertools.count(), time.monotonic() + seconds, f"{time.time():.0f}"

    def till(key: str, turn: int) -> None:
        line = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        goods = [{"sku": f"A{n}", "category": "BREAD", "amount_minor": 150 + n} for n in range(LINES)]
        for number in numbers:
            if time.monotonic() > ends:
                return
            code = codes[(number + turn) % len(codes)]
            sale = {"code": code, "currency": "EUR", "lines": goods}
            bodies = ({"code": code}, sale, {**sale, "receipt": f"{day}-{number}"})
            begun = time.perf_counter()
            for name, path, body in zip(CALLS, ("/v1/lookups", "/v1/quotes", "/v1/sales"), bodies, strict=True):
                asked = time.perf_counter()
                line.request("POST", path, json.dumps(body), headers)
                answer = line.getresponse()
                answer.read()
                taken[name].append(time.perf_counter() - asked)
                if answer.status != 200:
                    refused.append(answer.status)
            taken["customer"].append(time.perf_counter() - begun)
            if pause:
                time.sleep(pause)

    threads = [threading.Thread(target=till, args=(key, turn * 7)) for turn, key in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put((taken, refused))


def ask_bare(base: str, tills: int, seconds: float, out: Any) -> None:
    """The same tills on a route that does nothing."""
    taken: list[float] = []
    ends = time.monotonic() + seconds

    def till() -> None:
        line = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
        while time.monotonic() < ends:
            asked = time.perf_counter()
            line.request("GET", "/hello")
            line.getresponse().read()
            taken.append(time.perf_counter() - asked)

    threads = [threading.Thread(target=till) for _ in range(tills)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(({"bare Flask route": taken}, []))


def _apart(target: Any, *given: Any) -> tuple[Taken, list[int]]:
    """Run this in a process of its own, so that measuring does not take the server's lock."""
    making = multiprocessing.get_context("spawn")
    out = making.Queue()
    process = making.Process(target=target, args=(*given, out))
    process.start()
    found: tuple[Taken, list[int]] = out.get(timeout=600)
    process.join(30)
    return found


def measure(
    kind: str, members: int, tills: int, seconds: float, pauses: Sequence[float], tell: Any
) -> tuple[Mapping[float, Taken], Taken, Turn | None]:
    """What was taken by pause, on the bare route, and by the fixed reference. Raises NoPostgres, and RuntimeError when
    a call was refused."""
    found: dict[float, Taken] = {}
    turn: Turn | None = None
    with tempfile.TemporaryDirectory(prefix="wallet-counter-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with database(kind, folder) as (address, _):
            extra = {"WALLET_REQUESTS_PER_MINUTE": "10000000", "WALLET_THREADS": "8"}
            extra |= {"WALLET_WORKERS": "2"} if kind == "postgresql" else {}
            place = Installation(folder, address, **extra)
            begun = time.monotonic()
            Multitude(place.ctx, place.facts).grow(members)
            tell(f"{kind}: {members:,} members in {time.monotonic() - begun:.0f} s")
            codes = [holder.code for holder in crowd.gather(place.ctx, place.facts, CUSTOMERS)]
            keys = [place.facts["till_key"]] * tills
            with place.served((0, 1)) as server:
                _apart(serve, server.base, keys, codes, 3.0, 0.0)
                for pause in pauses:
                    found[pause], refused = _apart(serve, server.base, keys, codes, seconds, pause)
                    if refused:
                        raise RuntimeError(f"{len(refused)} calls were refused: {sorted(set(refused))}")
            if kind == "postgresql":
                with counting(address, place.ctx.settings, keys[0], codes) as counters:
                    counters.count(REFERENCE, REFERENCE_SALES // 8, "warm")
                    counters.settled(address)
                    turn = counters.count(REFERENCE, REFERENCE_SALES, "turn")
            place.ctx.database.close()
        port = place.port
        command = [sys.executable, "-m", "benchmarks.bare", str(port), "--workers", "2"]
        with started(command, f"http://127.0.0.1:{port}/hello", (0, 1), folder / "bare.log") as bare:
            _apart(ask_bare, bare.base, tills, 1.0)
            plain, _ = _apart(ask_bare, bare.base, tills, BARE_SECONDS)
    return found, plain, turn


def _figures(taken: list[float], seconds: float) -> list[str]:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    found = (cuts[49] * 1000, cuts[94] * 1000, cuts[98] * 1000, len(taken) / seconds)
    return [f"{len(taken):,}", *(f"{figure:,.1f}" for figure in found)]


def main() -> int:
    parser = argparse.ArgumentParser(description="What a customer at the till waits for.")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--tills", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--pauses", type=float, nargs="+", default=[0.0, 0.5], help="seconds between two customers of a till"
    )
    options = parser.parse_args()
    console = Console()
    try:
        found, plain, turn = measure(
            options.database, options.members, options.tills, options.seconds, options.pauses, console.print
        )
    except NoPostgres as why:
        console.print(f"PostgreSQL was not measured: {why}")
        return 1
    table = Table(title=f"{options.tills} tills, {options.members:,} members, {options.database}")
    for heading in ("between customers", "call", "times", "median ms", "p95 ms", "p99 ms", "a second"):
        table.add_column(heading, justify="left" if heading in ("call", "between customers") else "right")
    for pause, taken in found.items():
        for name in taken:
            table.add_row(f"{pause:g} s", name, *_figures(taken[name], options.seconds))
        table.add_section()
    for name in plain:
        table.add_row("0 s", name, *_figures(plain[name], BARE_SECONDS))
    console.print(table)
    if turn is not None:
        whole = found[min(found)]
        served = len(whole["customer"]) / options.seconds
        console.print(
            f"the fixed reference, {PROCESSES} processes of {THREADS} threads: {turn.rate:,.0f} transactions a second; "
            f"customers (three calls each) without a pause {served / turn.rate:.2f} of it, "
            f"calls {len(CALLS) * served / turn.rate:.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
