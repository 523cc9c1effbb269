"""Owns the measurement of growth: what each thing costs with a thousand members, and with a million.

Members are made by `multitude`, ten times as many at each step, in a temporary folder; on the first step the product's
own audit says that their books are sound. Then each thing is done for some members who joined one by one. Printed is
the median by the clock; `growth` is the last step beside the first. What grows with the members is a scan, unless it
says so: the page of today reads a fortnight of sales, the list of members counts them all.

    python -m benchmarks.growth [--most 100000] [--database sqlite] [--out out]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from benchmarks import crowd
from benchmarks.crowd import Holder
from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.multitude import Multitude
from benchmarks.replay.summary import GRID, INK, SOFT
from benchmarks.served import Installation
from wallet_server.actions import keys, overview
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.counter.till import SaleLine, Sold
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import cards, devices
from wallet_server.actions.people import journal
from wallet_server.actions.programme.demo import PASS_TYPE
from wallet_server.records import jobs

FIRST = 1_000
HOLDERS = 24
"""Members who joined one by one at each step, for each of whom everything is done."""
CLAIMED = 25

Costs = dict[str, list[float]]


class _Clock:
    """Seconds of each thing, all that were taken."""

    def __init__(self) -> None:
        self.taken: Costs = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.taken.setdefault(what, []).append(time.perf_counter() - begun)


def measure(kind: str, most: int, tell: Callable[[str], None]) -> dict[int, dict[str, float]]:
    """Members to the median seconds of each thing. Raises NoPostgres, and RuntimeError for unsound books."""
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="wallet-growth-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with database(kind, folder) as (address, _):
            installation = Installation(folder, address, WALLET_WORKER="none")
            ctx = installation.ctx
            many = Multitude(ctx, installation.facts)
            step = FIRST
            while step <= most:
                begun = time.monotonic()
                many.grow(step)
                tell(f"{kind}: {step:,} members made in {time.monotonic() - begun:.1f} s")
                if step == FIRST and (faults := upkeep.book_faults(ctx)):
                    raise RuntimeError(f"the books of the copies are not sound: {faults[:3]}")
                found[step] = _costs(ctx, installation.facts, step)
                step *= 10
            ctx.database.close()
    return found


def _costs(ctx: Context, facts: dict[str, Any], step: int) -> dict[str, float]:
    clock = _Clock()
    # As many as the console's list shows, which opens each one's code.
    holders = list(crowd.gather(ctx, facts, max(HOLDERS, journal.PAGE + 1)))
    for number, holder in enumerate(holders[:HOLDERS]):
        _one(ctx, facts, holder, f"{step}-{number}", clock)
    # The first of each opens connections and fills caches.
    return {what: statistics.median(taken[1:]) for what, taken in clock.taken.items()}


def _one(ctx: Context, facts: dict[str, Any], holder: Holder, receipt: str, clock: _Clock) -> None:
    counter, office = (keys.authenticate(ctx, facts[key]) for key in ("till_key", "merchant_key"))
    lines = tuple(SaleLine(str(n), "BREAD", 1000, None, 250, 0, False) for n in range(9))
    with clock("look up a card"):
        till.look_up(ctx, counter, holder.code)
    with clock("sale (the action)"):
        till.sell(ctx, counter, Sold(holder.code, receipt, 2250, lines, "EUR"), None)
    with clock("publish a card"), ctx.change() as tx:
        cards.publish(ctx, tx, [holder.pass_id], ctx.now())
    with clock("list what changed"):
        assert devices.changed_since(ctx, holder.library_id, PASS_TYPE, None)
    with clock("fetch, changed"):
        got = devices.fetch(ctx, PASS_TYPE, holder.serial, holder.token, None, taken=False)
    assert got.body
    with clock("fetch, 304"):
        same = devices.fetch(ctx, PASS_TYPE, holder.serial, holder.token, got.last_modified, taken=False)
    assert same.body is None
    due = ctx.now() + timedelta(hours=2)
    with clock(f"claim {CLAIMED} jobs"), ctx.change() as tx:
        leases = jobs.claim(tx, jobs.BULK, CLAIMED, due, 60)
    assert len(leases) == CLAIMED
    with ctx.change() as tx:
        jobs.release(tx, leases, due - timedelta(minutes=30))
    with clock("console: a member by code"):
        assert journal.search(ctx, office, holder.code).entries
    with clock("console: newest members"):
        assert journal.search(ctx, office, "").entries
    with clock("console: today"):
        overview.today(ctx, office)


def show(console: Console, kind: str, found: dict[int, dict[str, float]]) -> None:
    steps = list(found)
    table = Table(f"{kind}: ms", *(f"{step:,}" for step in steps), "growth", box=None, pad_edge=False)
    for what, first in found[steps[0]].items():
        cells = [f"{found[step][what] * 1000:,.2f}" for step in steps]
        table.add_row(what, *cells, f"{found[steps[-1]][what] / first:.1f}")
    console.print(table)


def plot(kind: str, found: dict[int, dict[str, float]], file: Path) -> None:
    """Draw the costs over the members into a PNG, both axes by powers of ten."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 10, "axes.edgecolor": GRID, "text.color": INK, "axes.labelcolor": SOFT})
    plt.rcParams.update({"xtick.color": SOFT, "ytick.color": SOFT, "axes.titleweight": "bold"})
    figure, axis = plt.subplots(figsize=(10, 6), layout="constrained")
    steps = list(found)
    colours = plt.get_cmap("tab10")
    for number, what in enumerate(found[steps[0]]):
        heights = [found[step][what] * 1000 for step in steps]
        axis.plot(steps, heights, marker="o", linewidth=1.8, color=colours(number), label=what)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(steps, [f"{step:,}" for step in steps])
    axis.set_xlabel("members")
    axis.set_ylabel("milliseconds (median)")
    axis.set_title(f"What each thing costs as the members grow, {kind}", loc="left", color=INK)
    axis.grid(color=GRID)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130, facecolor="white")
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description="How each cost grows with the members.")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--most", type=int, default=100_000, help="members at the last step; 1000000 takes long")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the picture")
    options = parser.parse_args()
    console = Console()
    try:
        found = measure(options.database, options.most, console.print)
    except NoPostgres as fault:
        console.print(f"no PostgreSQL: {fault}")
        return 1
    show(console, options.database, found)
    file = options.out / f"growth-{options.database}.png"
    plot(options.database, found, file)
    console.print(f"drawn into {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
