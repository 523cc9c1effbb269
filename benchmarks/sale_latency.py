"""Owns the measurement of the way from a till to a phone: sale sent, sale answered, push received, card changed.

Sales come at a steady pace from several tills, each member's further apart than the coalescing window, so that every
sale is owed a push of its own. Server and embedded worker are one process; tills, and APNs with the phones, one each.
Beside it, in the same run, the bare round trip of one push to the same APNs server through the product's own client.
Prints a table; asserts nothing about time.

    python -m benchmarks.sale_latency --sales 1000 --per-second 50
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.replay.phones import Carried
from benchmarks.replay.run import Member, add_tills, enrol
from benchmarks.replay.summary import PERCENTS, percentile
from benchmarks.replay.tills import Answered, Errand, shop
from tests.stories.stage import Stage
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.sandbox.phones.fleet import Notice
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.wallets.apple.push import Bell, BellSettings, Target

AMOUNT_MINOR = 100
WARM_UP = 2
COALESCE_SECONDS = 1.0
MARGIN = 2.0
ARRIVAL_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """Seconds of every sale, and of every bare push; processor seconds that server and worker spent on one sale."""

    answered: list[float]
    pushed: list[float]
    updated: list[float]
    bare: list[float]
    lost: int
    server_cpu: float


class Watch:
    """When each phone was pushed to and when its card changed, monotonic seconds."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, str], list[float]] = {}

    def heard(self, notice: Notice) -> None:
        if notice.event.kind in ("push", "updated"):
            self.at.setdefault((notice.device_id, notice.event.kind), []).append(time.monotonic())

    def after(self, phone: Carried, kind: str, since: float) -> float | None:
        """The first such event of the phone after this moment."""
        return next((at for at in self.at.get((phone.device_id, kind), ()) if at >= since), None)


def measure(kind: str, sales: int, per_second: float) -> Run:
    """Raises NoPostgres."""
    # So many members that each buys no sooner than MARGIN windows after its last sale.
    count = min(sales, int(per_second * COALESCE_SECONDS * MARGIN * 2))
    with tempfile.TemporaryDirectory(prefix="wallet-latency-") as name:
        Path(name).chmod(0o711)
        with (
            database(kind, Path(name)) as (address, _),
            Stage(Path(name), address, coalesce_seconds=COALESCE_SECONDS) as stage,
        ):
            members = enrol(stage, range(count), lambda *_: None)
            keys = add_tills(stage)
            _sell(stage, keys, members, WARM_UP * count, per_second, "warm")
            _rest(stage)
            watch, before = Watch(), _cpu_seconds(stage)
            with stage.fleet.subscribe() as subscription:
                subscription.put = watch.heard  # type: ignore[method-assign]
                answers = _sell(stage, keys, members, sales, per_second, "timed")
                _rest(stage)
            spent = (_cpu_seconds(stage) - before) / sales
            return _joined(answers, members, watch, _bare(stage), spent)


def _cpu_seconds(stage: Stage) -> float:
    """What the server and every process it started have spent so far: user and system (proc(5), fields 14 and 15)."""
    group, ticks = os.getpgid(stage._process.pid) if stage._process else 0, 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rsplit(")", 1)[1].split()
            ticks += (int(fields[11]) + int(fields[12])) * (int(fields[2]) == group)
    return ticks / os.sysconf("SC_CLK_TCK")


def _rest(stage: Stage) -> None:
    """Until every push has been sent and the phones have nothing left to do, and every window is over."""
    stage.until(lambda: _idle(stage), "the product has nothing left to refresh", ARRIVAL_SECONDS)
    stage.run(stage.fleet.settle())
    time.sleep(COALESCE_SECONDS * MARGIN)


def _idle(stage: Stage) -> bool:
    said = stage.command("jobs", "list").stdout
    return "refresh" not in said


def _sell(
    stage: Stage, keys: Sequence[str], members: dict[int, Member], sales: int, per_second: float, name: str
) -> list[Answered]:
    errands = [
        Errand(n % len(members), n // len(members), _body(members[n % len(members)], f"{name}-{n}"))
        for n in range(sales)
    ]
    with shop(stage.base, keys, errands, per_second) as coming:
        return list(coming)


def _body(member: Member, receipt: str) -> bytes:
    sale = {"code": member.code, "receipt": receipt, "currency": "EUR", "amount_minor": AMOUNT_MINOR}
    return json.dumps(sale).encode()


def _joined(
    answers: Sequence[Answered], members: dict[int, Member], watch: Watch, bare: list[float], server_cpu: float
) -> Run:
    pushed, updated, lost = [], [], 0
    for answer in answers:
        phone = members[answer.household].phone
        push = watch.after(phone, "push", answer.begun_at)
        change = watch.after(phone, "updated", answer.begun_at)
        if answer.fault or push is None or change is None:
            lost += 1
            continue
        pushed.append(push - answer.begun_at)
        updated.append(change - answer.begun_at)
    return Run([a.answered_at - a.begun_at for a in answers], pushed, updated, bare, lost, server_cpu)


def _bare(stage: Stage, rings: int = 200) -> list[float]:
    """One push at a time to a phone that has no card and does nothing about it."""

    async def new_phone() -> Phone:
        return stage.fleet.add_phone()

    phone: Phone = stage.run(new_phone())
    bell = Bell(
        BellSettings(connections=1), address=stage.apns.address, trust_pem=stage.authority.root_pem, sandbox=True
    )
    certificate, key = stage.authority.pass_certificate(PASS_TYPE, TEAM)
    took = []
    for number in range(rings + 10):
        now = datetime.now(UTC)
        begun = time.monotonic()
        list(bell.ring(certificate, key, PASS_TYPE, [Target(phone.push_token, now, number)], now))
        took.append(time.monotonic() - begun)
    bell.close()
    return took[10:]


def show(console: Console, kind: str, run: Run, per_second: float) -> None:
    """Print one database's table, milliseconds."""
    table = Table(f"{kind}, {per_second:g} sales/s", *(f"p{p}" for p in PERCENTS), "count", box=None, pad_edge=False)
    for what, values in (
        ("sale sent to answer", run.answered),
        ("sale sent to push received", run.pushed),
        ("sale sent to card changed on the phone", run.updated),
        ("bare APNs round trip, one push at a time", run.bare),
    ):
        table.add_row(what, *(f"{percentile(values, p) * 1000:,.1f}" for p in PERCENTS), f"{len(values):,}")
    console.print(table)
    ratio = percentile(run.pushed, 50) / percentile(run.bare, 50)
    console.print(f"sale to push is {ratio:.0f} bare round trips at p50; {run.lost} sales lost")
    console.print(f"server and worker: {run.server_cpu * 1000:.1f} ms of processor a sale, from the till to the fetch")


def main() -> int:
    parser = argparse.ArgumentParser(description="From a sale to a push and to the phone.")
    parser.add_argument("--database", choices=KINDS, help="only this one; by default both in turn")
    parser.add_argument("--sales", type=int, default=1_000)
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    console = Console()
    lost = 0
    for kind in [options.database] if options.database else KINDS:
        for _ in range(options.rounds):
            try:
                run = measure(kind, options.sales, options.per_second)
            except NoPostgres as fault:
                console.print(f"no PostgreSQL: {fault}")
                break
            lost += run.lost
            show(console, kind, run, options.per_second)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
