"""Owns the measurement of what phones ask: a pass that is unchanged, one that is cached, one that must be signed.

Beside each, in the same run and on the same core, a bare Flask route under the same server, and the bare RSA signature
that is the limit of a pass that changed; and what any server in this interpreter has to do for such a pass, which is
neither composed nor checked there: one look at the database, the hashes, the signature, the bytes. wrk has a core of
its own. Every figure is the median of several rounds taken in turns; processor time is shown beside the clock, because
a shared machine's clock measures its neighbours. Prints a table; asserts nothing about time. Needs wrk and taskset
(Debian: wrk util-linux).

    python -m benchmarks.fetching --rounds 3 --seconds 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from rich.console import Console
from rich.table import Table

from benchmarks import bare, crowd
from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.served import Installation, Load, Request, Served, ask, load, missing, started
from tests.stories.stage import free_port
from wallet_server.actions.passes import devices
from wallet_server.actions.programme.demo import PASS_TYPE
from wallet_server.records.schema import publications
from wallet_server.web.apple_service import headers_of

CACHED = 200
"""Passes that stay cached; those that change are so many that none does."""
CONNECTIONS = 8


@dataclass(frozen=True)
class Way:
    """One kind of request, the status that each answer must have, and what is done before each round."""

    name: str
    status: str
    server: Served
    requests: list[Request]
    before: Callable[[], None] = lambda: None


def measure(kind: str, passes: int, rounds: int, seconds: int, cores: list[int]) -> dict[str, list[Load]]:
    """Loads by way. Raises NoPostgres."""
    serving, asking = cores[:-1], cores[-1]
    with tempfile.TemporaryDirectory(prefix="wallet-fetching-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        address, _ = stack.enter_context(database(kind, folder))
        installation = Installation(folder, address, WALLET_WORKER="none", WALLET_WORKERS=str(len(serving)))
        holders = list(crowd.gather(installation.ctx, installation.facts, passes))
        server = stack.enter_context(installation.served(serving))
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.bare", str(port), "--workers", str(len(serving))]
        knock = f"http://127.0.0.1:{port}{bare.ROUTE}"
        kept = installation.ctx.settings.database_url or ""
        where = {bare.PASSES: kept.removeprefix("sqlite:///").replace("postgresql+psycopg:", "postgresql:")}
        hello = stack.enter_context(started(command, knock, serving, folder / "bare.log", where))

        def unseen() -> None:
            with installation.ctx.change() as tx:
                tx.execute(sa.update(publications).values(seen=0))

        ways = [
            Way("bare Flask route", "200", hello, [Request(bare.ROUTE, {})]),
            Way("unchanged pass (304)", "304", server, [_asked(installation, h, True) for h in holders[:CACHED]]),
            Way("cached pass", "200", server, [_asked(installation, h, False) for h in holders[:CACHED]]),
            Way("changed pass, signed anew", "200", server, [_asked(installation, h) for h in holders], unseen),
            Way("the same without a thought", "200", hello, [_thoughtless(h) for h in holders]),
        ]
        found: dict[str, list[Load]] = {way.name: [] for way in ways}
        for way in ways:
            assert str(ask(way.server, way.requests[0])) == way.status
        for _ in range(rounds):
            for way in ways:
                way.before()
                got = load(way.server, way.requests, asking, seconds, folder, CONNECTIONS)
                if got.errors or set(got.statuses) != {way.status}:
                    raise RuntimeError(f"{way.name}: answers {got.statuses}, {got.errors} failed")
                found[way.name].append(got)
        installation.ctx.database.close()
    return found


def _asked(installation: Installation, holder: crowd.Holder, unchanged: bool = False) -> Request:
    headers = {"Authorization": f"ApplePass {holder.token}"}
    if unchanged:
        got = devices.fetch(installation.ctx, PASS_TYPE, holder.serial, holder.token, None, taken=False)
        headers["If-Modified-Since"] = dict(headers_of(got))["Last-Modified"]
    return Request(f"/apple/v1/passes/{PASS_TYPE}/{holder.serial}", headers)


def _thoughtless(holder: crowd.Holder) -> Request:
    return Request(f"{bare.PASS}{PASS_TYPE}/{holder.serial}", {"Authorization": f"ApplePass {holder.token}"})


def signatures(core: int, seconds: float) -> float:
    """Bare signatures in a second of one core's processor time."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    how, digest, content = padding.PKCS1v15(), hashes.SHA256(), b"x" * 107
    done, begun = 0, time.process_time()
    while time.process_time() - begun < seconds:
        for _ in range(10):
            key.sign(content, how, digest)
        done += 10
    spent = time.process_time() - begun
    os.sched_setaffinity(0, allowed)
    return done / spent


def show(console: Console, kind: str, found: dict[str, list[Load]], signed: float, cores: int) -> None:
    table = Table(
        kind, "answers", "per s", "CPU us", "of bare Flask", "by CPU", "of key.sign", "by CPU", box=None, pad_edge=False
    )
    costs = {name: statistics.median(one.cpu_seconds / one.answers for one in loads) for name, loads in found.items()}
    rates = {name: statistics.median(one.answers / one.seconds for one in loads) for name, loads in found.items()}
    first = next(iter(found))
    for name, loads in found.items():
        table.add_row(
            name,
            f"{sum(one.answers for one in loads):,}",
            f"{rates[name]:,.0f}",
            f"{costs[name] * 1e6:,.0f}",
            f"{rates[name] / rates[first]:.2f}",
            f"{costs[first] / costs[name]:.2f}",
            f"{rates[name] / (signed * cores):.2f}",
            f"{1 / costs[name] / signed:.2f}",
        )
    console.print(table)
    console.print(f"bare key.sign: {signed:,.0f} a second of one core's processor time; the server has {cores} core(s)")


def main() -> int:
    parser = argparse.ArgumentParser(description="What phones ask, beside a bare Flask route and a bare signature.")
    parser.add_argument("--database", choices=KINDS, help="only this one; by default both in turn")
    parser.add_argument("--passes", type=int, default=2_000, help="more than are kept signed (64 MB, some 640)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each way and round")
    options = parser.parse_args()
    console = Console()
    if absent := missing("wrk", "taskset"):
        console.print(f"not installed: {', '.join(absent)} (Debian: wrk util-linux)")
        return 1
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        console.print("Two cores are needed: one for the server, one for wrk.")
        return 1
    for kind in [options.database] if options.database else KINDS:
        try:
            signed = [signatures(cores[0], 0.5)]
            found = measure(kind, options.passes, options.rounds, options.seconds, cores)
            signed += [signatures(cores[0], 0.5) for _ in range(2)]
        except NoPostgres as fault:
            console.print(f"no PostgreSQL: {fault}")
            continue
        show(console, kind, found, statistics.median(signed), len(cores) - 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
