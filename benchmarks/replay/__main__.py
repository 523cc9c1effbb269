"""Owns the command `python -m benchmarks.replay`, which `make replay` runs: progress, summary, verdict.

    python -m benchmarks.replay --database sqlite --baskets 2000 --households 50

Exit status 1 when any figure differs anywhere; the differences are listed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.replay.baskets import Basket, choose
from benchmarks.replay.run import Outcome, replay
from benchmarks.replay.summary import plot, show
from tests.stories.stage import Stage

GOOGLE_RATE = "200"
"""Requests a second: the replay sells in minutes what a chain sells in a year."""
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Replay real baskets through the till API and check every balance.")
    parser.add_argument("--database", choices=KINDS, help="only this one; by default both in turn")
    parser.add_argument("--baskets", type=int, default=20_500, help="the last of each household is sent at the end")
    parser.add_argument(
        "--households",
        type=int,
        default=500,
        help="each becomes a member, by turns with an iPhone and an Android phone",
    )
    parser.add_argument("--coalesce", type=float, default=5.0, help="WALLET_COALESCE_SECONDS of the product")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures")
    options = parser.parse_args()
    console = Console()
    baskets = choose(options.households, options.baskets)
    console.print(
        f"{len(baskets):,} baskets of {options.households} households with "
        f"{sum(len(basket.lines) for basket in baskets):,} lines; dollars; 2017 shrunk to the last 29 days, in order"
    )
    verdicts = [
        _one(console, kind, baskets, options.coalesce, options.out)
        for kind in ([options.database] if options.database else KINDS)
    ]
    return 0 if all(verdicts) else 1


def _one(console: Console, kind: str, baskets: list[Basket], coalesce_seconds: float, out: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="wallet-replay-") as name:
        Path(name).chmod(0o711)
        try:
            with database(kind, Path(name)) as (address, what):
                console.rule(what)
                settings = {"WALLET_GOOGLE_REQUESTS_PER_SECOND": GOOGLE_RATE}
                with Stage(
                    Path(name), address, coalesce_seconds=coalesce_seconds, extra=settings, google=True
                ) as stage:
                    outcome = _with_progress(console, stage, baskets, coalesce_seconds)
        except NoPostgres as fault:
            console.print(f"[bold red]Not replayed on PostgreSQL[/]: {fault}")
            return False
    picture = out / f"replay-{kind}.png"
    show(console, outcome, NAMES[kind], coalesce_seconds)
    plot(outcome, NAMES[kind], coalesce_seconds, picture)
    console.print(outcome.trial_balance.strip(), style="dim")
    console.print(f"drawn: {picture}")
    for difference in outcome.differences:
        console.print(f"[red]{difference}[/]")
    if not outcome.differences:
        console.print(
            "[bold green]True[/]: for every member, cached balance = postings = lots = oracle = phone; "
            "the trial balance is zero"
        )
    return not outcome.differences


def _with_progress(console: Console, stage: Stage, baskets: list[Basket], coalesce_seconds: float) -> Outcome:
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done, total=of)

        return replay(stage, baskets, coalesce_seconds, tell)


if __name__ == "__main__":
    sys.exit(main())
