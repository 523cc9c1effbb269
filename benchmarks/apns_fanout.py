"""Owns the comparison of our fan-out with others' and with the limit of the machine: the same pushes, the same server.

Ours is the whole way of a mass change's ring jobs, from a real database: claimed in slices, their phones looked up,
rung through the product's bell, what they answered noted, the jobs ended. Beside it the bell alone, fed by a generator;
h2load (C), the limit; Go's net/http; aioapns. Client and server have a core each. Near: nghttpd, which is fast enough
not to be what is measured. Far: a server framed by hand that answers after 50 ms and counts its answers. Every figure
is the median of several rounds taken in turns; processor time is shown beside the clock, because a shared machine's
clock measures its neighbours. Prints tables; asserts nothing about time.

Needs nghttpd, h2load (Debian: nghttp2), taskset; go (golang-go) and a Python that has aioapns for the peers.

    python -m benchmarks.apns_fanout --sends 20000 --aioapns /path/to/venv/bin/python
    python -m benchmarks.apns_fanout --memory 1000000
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks import crowd
from benchmarks.databases import KINDS, database
from benchmarks.served import SEARCHED, Installation, missing
from tests.stories.stage import free_port
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.actions.vendors.credentials import Vault
from wallet_server.delivery.engine import settle
from wallet_server.delivery.worker import MASS, run_once
from wallet_server.records.jobs import BULK
from wallet_server.records.schema import publications
from wallet_server.wallets.apple.push import Bell, BellSettings, Fate, Target
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings

SENDS_LIMIT = 2_000_000
FAR_MILLISECONDS = 50
PEER_DEPTH = 100
FAR_DEPTH = 1_000
# nghttpd serves files: one empty file answers every device, whose path is moved into the query. (Its --echo-upload
# would answer any path, but makes a temporary file for each push, and then the file system is what is measured.)
TAKEN = "3/device/taken"
PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Run:
    """One client's pushes once: what it was told of, and what that took."""

    sends: int
    accepted: int
    seconds: float
    cpu_seconds: float


class Server:
    """Where the pushes go; `folder` holds certificates of the sandbox's authority as files, for the peers."""

    def __init__(self, installation: Installation, port: int, depth: int) -> None:
        self.installation, self.port, self.depth = installation, port, depth
        self.folder = installation.folder
        self.address = f"https://127.0.0.1:{port}/{TAKEN}?"


def write_identities(installation: Installation) -> None:
    folder, authority = installation.folder, installation.authority
    certificate, key = authority.server_identity()
    pair = authority.pass_certificate(PASS_TYPE, TEAM)
    files = {"server.pem": certificate, "server.key": key, "root.pem": authority.root_pem, "payload": b"{}"}
    files |= {"client.pem": pair[0], "client.key": pair[1], "both.pem": pair[0] + pair[1]}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / TAKEN).parent.mkdir(parents=True)
    (folder / TAKEN).touch()


@contextmanager
def nghttpd(installation: Installation, core: int) -> Iterator[Server]:
    """The server that is near."""
    port = free_port()
    program = shutil.which("nghttpd", path=SEARCHED) or "nghttpd"
    command = ["taskset", "-c", str(core), program, "-a", "127.0.0.1", "-m", "1000", "-d", ".", str(port)]
    with subprocess.Popen(
        [*command, "server.key", "server.pem"], cwd=installation.folder, stdout=subprocess.DEVNULL
    ) as process:
        _wait_for(port)
        try:
            yield Server(installation, port, PEER_DEPTH)
        finally:
            process.terminate()


@contextmanager
def far(installation: Installation, core: int, answered: list[int]) -> Iterator[Server]:
    """The server that is far away; what it answered is in `answered` afterwards."""
    port = free_port()
    command = ["taskset", "-c", str(core), sys.executable, "-m", "benchmarks.peers.far_apns"]
    command += [str(installation.folder / name) for name in ("server.pem", "server.key")]
    with subprocess.Popen(
        [*command, str(port), str(FAR_MILLISECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        _wait_for(port)
        try:
            yield Server(installation, port, FAR_DEPTH)
        finally:
            said, _ = process.communicate(timeout=30)
            answered.append(int(said))


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


# --- who takes part --------------------------------------------------------------------------------------------


def product(server: Server, sends: int) -> Run:
    """The ring jobs of so many cards, which stand in the database."""
    ctx = server.installation.ctx
    bell = Bell(BellSettings(), address=server.address, trust_pem=server.installation.authority.root_pem, sandbox=True)
    ctx.wallets = {"apple": AppleWallet(Designs({}), Drawings(), Vault(ctx), bell, sandbox=True)}
    settle()
    done, begun, spent = 0, time.perf_counter(), time.process_time()
    while done < sends:
        worked = run_once(ctx, BULK, most=MASS)
        if not worked:
            break
        done += worked
    seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
    bell.close()
    with ctx.look() as tx:
        told = sa.select(sa.func.count()).where(publications.c.rung == 2, publications.c.number == 2)
        accepted = int(tx.execute(told).scalar_one())
    return Run(sends, accepted, seconds, cpu)


def bell_alone(server: Server, sends: int) -> Run:
    """The bell, fed by a generator."""
    now, authority = datetime.now(UTC), server.installation.authority
    ringer = Bell(BellSettings(), address=server.address, trust_pem=authority.root_pem, sandbox=True)
    certificate, key = authority.pass_certificate(PASS_TYPE, TEAM)
    targets = (Target(f"{number:064x}", now, number) for number in range(sends))
    begun, cpu = time.perf_counter(), time.process_time()
    fates = Counter(outcome.fate for outcome in ringer.ring(certificate, key, PASS_TYPE, targets, now))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    ringer.close()
    return Run(sends, fates[Fate.TOLD], seconds, cpu)


def h2load(server: Server, sends: int) -> Run:
    program = shutil.which("h2load", path=SEARCHED) or "h2load"
    headers = ["-H", f"apns-topic: {PASS_TYPE}", "-H", "apns-priority: 5", "-H", "apns-push-type: background"]
    url = f"{server.address}/3/device/{'ab' * 32}"
    command = [program, "-n", str(sends), "-c", "1", "-t", "1", "-m", str(server.depth), "-d", "payload"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(
        [*command, *headers, url], cwd=server.folder, capture_output=True, text=True, timeout=600
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    accepted = re.search(r"status codes: (\d+) 2xx", said)
    took = re.search(r"finished in ([\d.]+)(us|ms|s)", said)
    if accepted is None or took is None:
        raise RuntimeError(f"h2load said something unexpected: {said[:500]}")
    seconds = float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[took[2]]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(sends, int(accepted[1]), seconds, cpu)


def go(program: Path) -> Callable[[Server, int], Run]:
    def run(server: Server, sends: int) -> Run:
        files = [str(server.folder / name) for name in ("root.pem", "client.pem", "client.key")]
        command = [str(program), server.address, *files, PASS_TYPE, str(sends), str(server.depth)]
        return _said(command, sends)

    return run


def aioapns(python: str) -> Callable[[Server, int], Run]:
    def run(server: Server, sends: int) -> Run:
        files = [str(server.folder / name) for name in ("root.pem", "both.pem")]
        fewer = max(1, sends // 5)  # it takes a fiftieth of the limit: all of them would take the whole evening
        command = [python, str(PEERS / "apns_peer.py"), f"127.0.0.1:{server.port}", *files, PASS_TYPE]
        return _said([*command, str(fewer), str(server.depth), "taken?"], fewer)

    return run


def _said(command: list[str], sends: int) -> Run:
    said = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if said.returncode:
        raise RuntimeError(said.stderr[-500:])
    accepted, seconds, cpu = said.stdout.split()
    return Run(sends, int(accepted), float(seconds), float(cpu))


def build_go(folder: Path) -> Path | None:
    """Go's client, built from source; None where there is no Go."""
    compiler = shutil.which("go")
    if compiler is None:
        return None
    environment = {**os.environ, "GOCACHE": str(folder / "go-cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    program = folder / "apns_peer"
    subprocess.run(
        [compiler, "build", "-o", str(program), str(PEERS / "apns_peer.go")], check=True, env=environment, timeout=600
    )
    return program


# --- the comparison --------------------------------------------------------------------------------------------


def compare(kind: str, sends: int, rounds: int, python: str | None, console: Console) -> None:
    settle()  # as a worker does, and a serving process
    cores = sorted(os.sched_getaffinity(0))
    for distance in ("near", "far"):
        found: dict[str, list[Run]] = {}
        answered: list[int] = []
        with tempfile.TemporaryDirectory(prefix="wallet-fanout-") as name:
            peers = _peers(Path(name), python, console if distance == "near" else None)
            os.sched_setaffinity(0, {cores[0]})
            for number in range(rounds):
                folder = Path(name) / str(number)
                folder.mkdir()
                Path(name).chmod(0o711)
                folder.chmod(0o711)
                with database(kind, folder) as (address, _):
                    installation = Installation(folder, address)
                    write_identities(installation)
                    crowd.multiply(installation.ctx, installation.facts, sends)
                    served = nghttpd(installation, cores[-1]) if distance == "near" else None
                    with served or far(installation, cores[-1], answered) as server:
                        for what, client in peers.items():
                            found.setdefault(what, []).append(client(server, sends))
                    installation.ctx.database.close()
            os.sched_setaffinity(0, set(cores))
        show(console, f"{kind}, {distance}", found, sum(answered))


def _peers(folder: Path, python: str | None, console: Console | None) -> dict[str, Callable[[Server, int], Run]]:
    peers: dict[str, Callable[[Server, int], Run]] = {"h2load": h2load}
    program = build_go(folder)
    if program is not None:
        peers["Go net/http"] = go(program)
    elif console is not None:
        console.print("[bold red]GO IS NOT COMPARED: there is no go here (Debian: golang-go).[/]")
    if python is not None:
        peers["aioapns"] = aioapns(python)
    elif console is not None:
        console.print("[bold red]AIOAPNS IS NOT COMPARED: name a Python that has it with --aioapns.[/]")
    return peers | {"our bell, from a generator": bell_alone, "our ring jobs, from the database": product}


def show(console: Console, title: str, found: dict[str, list[Run]], answered: int) -> None:
    table = Table(
        title, "pushes", "200s", "per s", "CPU us", "of h2load", "by CPU", "times aioapns", "by CPU", box=None
    )
    rates = {what: statistics.median(r.accepted / r.seconds for r in runs) for what, runs in found.items()}
    costs = {what: statistics.median(r.cpu_seconds / r.sends for r in runs) for what, runs in found.items()}
    for what, runs in found.items():
        slow = "aioapns" in found
        table.add_row(
            what,
            f"{sum(r.sends for r in runs):,}",
            f"{sum(r.accepted for r in runs):,}",
            f"{rates[what]:,.0f}",
            f"{costs[what] * 1e6:.1f}",
            f"{rates[what] / rates['h2load']:.3f}",
            f"{costs['h2load'] / costs[what]:.3f}",
            f"{rates[what] / rates['aioapns']:.1f}" if slow else "",
            f"{costs['aioapns'] / costs[what]:.1f}" if slow else "",
        )
    console.print(table)
    if answered:
        console.print(f"the far server counted {answered:,} answers of 200")


def memory(kind: str, most: int, console: Console) -> None:
    """What the process holds after ten thousand pushes and after so many, each in a process of its own."""
    for sends in (10_000, most):
        command = [sys.executable, "-m", "benchmarks.apns_fanout", "--database", kind, "--memory-of", str(sends)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=7200)
        console.print(said.stdout.strip() or said.stderr[-500:])


def memory_of(kind: str, sends: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="wallet-fanout-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with database(kind, folder) as (address, _):
            installation = Installation(folder, address)
            write_identities(installation)
            crowd.multiply(installation.ctx, installation.facts, sends)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            with nghttpd(installation, cores[-1]) as server:
                run = product(server, sends)
            installation.ctx.database.close()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{sends:>9,} pushes: {run.accepted:,} taken, {before:.0f} MB resident before, {after:.0f} MB at most")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fan-out of pushes beside h2load, Go and aioapns.")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--sends", type=int, default=20_000, help="pushes of each client and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--aioapns", help="a Python that has aioapns")
    parser.add_argument("--memory", type=int, help="only this: memory after 10,000 pushes and after so many")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 1 <= max(options.sends, options.memory or 1) <= SENDS_LIMIT:
        parser.error(f"between 1 and {SENDS_LIMIT} sends")
    if absent := missing("nghttpd", "h2load", "taskset"):
        print(f"not installed: {', '.join(absent)} (Debian: nghttp2 util-linux)", file=sys.stderr)
        return 1
    console = Console(width=140)
    if options.memory_of:
        memory_of(options.database, options.memory_of)
    elif options.memory:
        memory(options.database, options.memory, console)
    else:
        compare(options.database, options.sends, options.rounds, options.aioapns, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
