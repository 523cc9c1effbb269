"""Owns the comparison of our APNs client with the limit of the machine: the same pushes to the same server, in one run,
by h2load (C) and by the product's bell.

Client and server are pinned to a core each. The server is nghttpd, which is fast enough not to be what is measured; it
keeps no count, so a second part rings the sandbox's APNs server (strict, in Python), which counts what it accepted.
Prints a table; asserts nothing about time. Needs nghttpd, h2load (package nghttp2) and taskset (util-linux).

    python benchmarks/apns_fanout.py --sends 50000
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Bell, BellSettings, Fate, Target

PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"
SENDS_LIMIT = 2_000_000
# nghttpd serves files: one empty file answers every device, whose path is moved into the query. (Its --echo-upload
# would answer any path, but makes a temporary file for each push, and then the file system is what is measured.)
TAKEN = "taken"
SEARCHED = "/usr/sbin:/usr/bin:/usr/local/bin"


@dataclass(frozen=True)
class Row:
    what: str
    sends: int
    accepted: int
    counted_by_server: int | None
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds if self.seconds else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Fan-out of APNs pushes beside h2load.")
    parser.add_argument("--sends", type=int, default=50_000, help="pushes of each client to nghttpd")
    parser.add_argument(
        "--sandbox-sends", type=int, default=10_000, help="pushes to the sandbox's APNs server; 0: none"
    )
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many rounds is shown")
    options = parser.parse_args()
    if not (1 <= options.sends <= SENDS_LIMIT and 0 <= options.sandbox_sends <= SENDS_LIMIT):
        parser.error(f"between 1 and {SENDS_LIMIT} sends")
    missing = [name for name in ("nghttpd", "h2load", "taskset") if shutil.which(name, path=SEARCHED) is None]
    if missing:
        print(f"not installed: {', '.join(missing)} (Debian: nghttp2 nghttp2-server util-linux)", file=sys.stderr)
        return 1
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority.open(folder / "certificates", datetime.now(UTC))
        os.sched_setaffinity(0, {cores[0]})
        rows = []
        with nghttpd(folder, authority, cores[-1]) as port:
            limits = [h2load(folder, port, options.sends) for _ in range(options.rounds)]
            ours = [bell(f"https://127.0.0.1:{port}/{TAKEN}?", authority, options.sends) for _ in range(options.rounds)]
            rows += [max(limits, key=lambda row: row.rate), max(ours, key=lambda row: row.rate)]
        if options.sandbox_sends:
            rows.append(strict(folder, authority, options.sandbox_sends, cores[-1]))
    show(rows)
    return 0 if all(row.accepted == row.sends for row in rows) else 1


@contextmanager
def nghttpd(folder: Path, authority: Authority, core: int) -> Iterator[int]:
    certificate, key = authority.server_identity()
    (folder / "certificate").write_bytes(certificate)
    (folder / "key").write_bytes(key)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    program = shutil.which("nghttpd", path=SEARCHED) or "nghttpd"
    (folder / TAKEN).touch()
    flags = ["-a", "127.0.0.1", "-m", "1000", "-d", "."]
    command = ["taskset", "-c", str(core), program, *flags, str(port), "key", "certificate"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        for _ in range(100):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        try:
            yield port
        finally:
            process.terminate()


def h2load(folder: Path, port: int, sends: int) -> Row:
    (folder / "payload").write_bytes(b"{}")
    url = f"https://127.0.0.1:{port}/{TAKEN}?/3/device/{'ab' * 32}"
    program = shutil.which("h2load", path=SEARCHED) or "h2load"
    headers = ["-H", f"apns-topic: {PASS_TYPE}", "-H", "apns-priority: 5", "-H", "apns-push-type: background"]
    command = [program, "-n", str(sends), "-c", "1", "-t", "1", "-m", "100", "-d", "payload", *headers, url]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    accepted = re.search(r"status codes: (\d+) 2xx", said)
    took = re.search(r"finished in ([\d.]+)(us|ms|s)", said)
    if accepted is None or took is None:
        raise RuntimeError(f"h2load said something unexpected: {said[:500]}")
    seconds = float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[took[2]]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row("h2load -c 1 -m 100", sends, int(accepted[1]), None, seconds, cpu)


def bell(address: str, authority: Authority, sends: int, what: str = "our bell, 1 connection") -> Row:
    now = datetime.now(UTC)
    ringer = Bell(BellSettings(connections=1), address=address, trust_pem=authority.root_pem, sandbox=True)
    certificate, key = authority.pass_certificate(PASS_TYPE, TEAM)
    targets = (Target(f"{number:064x}", now, number) for number in range(sends))
    began, cpu = time.perf_counter(), time.process_time()
    fates = Counter(outcome.fate for outcome in ringer.ring(certificate, key, PASS_TYPE, targets, now))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    ringer.close()
    return Row(what, sends, fates[Fate.TOLD], None, seconds, cpu)


def strict(folder: Path, authority: Authority, sends: int, core: int) -> Row:
    """The sandbox's APNs server in a process of its own: what it counted stands beside what the client was told."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, folder / "certificates", core), daemon=True
    )
    process.start()
    try:
        row = bell(ours.recv(), authority, sends, "our bell, sandbox APNs server")
        ours.send("stop")
        counted = int(ours.recv())
    finally:
        process.join(timeout=10)
        process.terminate()
    return Row(row.what, row.sends, row.accepted, counted, row.seconds, row.cpu_seconds)


def _serve(pipe: Connection, certificates: Path, core: int) -> None:
    os.sched_setaffinity(0, {core})
    with ApnsServer(Authority.open(certificates, datetime.now(UTC))).in_thread() as server:
        pipe.send(server.address)
        pipe.recv()
        pipe.send(server.counts.accepted)


def show(rows: list[Row]) -> None:
    best = rows[0].rate
    print(f"{'client':<32}{'sends':>9}{'200s':>9}{'server':>9}{'per s':>10}{'CPU us':>8}{'of h2load':>11}")
    for row in rows:
        counted = "-" if row.counted_by_server is None else str(row.counted_by_server)
        cpu = row.cpu_seconds / row.sends * 1e6
        share = row.rate / best
        print(f"{row.what:<32}{row.sends:>9}{row.accepted:>9}{counted:>9}{row.rate:>10,.0f}{cpu:>8.1f}{share:>11.3f}")
    print(f"resident at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
