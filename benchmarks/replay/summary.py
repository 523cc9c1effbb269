"""Owns the summary of a replay: percentiles, the lines that are printed, and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from benchmarks.replay.run import Outcome

PERCENTS = (50, 95, 99)
INK, SOFT, GRID = "#12372a", "#5b6f66", "#dfe7e2"
TILL, PHONE, HELD, WORK = "#2f7d5b", "#c8742c", "#e3b98f", "#3d6ea5"


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank; NaN when there are no values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def latencies(outcome: Outcome) -> list[tuple[str, list[float]]]:
    """What was timed, in seconds, in the order in which it is shown."""
    return [
        ("till: sale to answer", [a.answered_at - a.begun_at for a in outcome.answers if not a.fault]),
        ("phone: spaced sales", list(outcome.quiet.unheld)),
        ("phone: full speed, not held back", list(outcome.main.unheld)),
        ("phone: full speed, all sales", list(outcome.main.every)),
    ]


def rate(outcome: Outcome) -> float:
    """Baskets a second while the tills sent as fast as they were answered."""
    return (len(outcome.answers) - len(outcome.phones)) / outcome.seconds


def show(console: Console, outcome: Outcome, name: str, window: float) -> None:
    """Print the figures."""
    counts = outcome.counts
    console.print(
        f"[bold]{name}[/]: {counts['sales']:,} baskets with {counts['lines']:,} lines, "
        f"{rate(outcome):.1f} baskets/s at full speed; coalescing window {window:g} s"
    )
    table = Table("milliseconds", *(f"p{p}" for p in PERCENTS), "sales", box=None, pad_edge=False)
    for what, values in latencies(outcome):
        cells = [f"{percentile(values, p) * 1000:,.0f}" for p in PERCENTS]
        table.add_row(what, *cells, f"{len(values):,}")
    console.print(table)
    console.print(", ".join(f"{what} {count:,}" for what, count in counts.items()))


def plot(outcome: Outcome, name: str, window: float, file: Path) -> None:
    """Draw the figures into a PNG."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 10, "axes.edgecolor": GRID, "text.color": INK, "axes.labelcolor": SOFT})
    plt.rcParams.update({"xtick.color": SOFT, "ytick.color": SOFT, "axes.titleweight": "bold"})
    figure, axes = plt.subplots(2, 2, figsize=(12.5, 8.2), layout="constrained")
    counts = outcome.counts
    verdict = "every figure agrees" if not outcome.differences else f"{len(outcome.differences)} DIFFERENCES"
    figure.suptitle(
        f"{counts['sales']:,} real baskets of {len(outcome.phones):,} members on {name}\n"
        f"{rate(outcome):.0f} baskets a second, {counts['lines']:,} lines; {verdict}",
        fontsize=15,
        fontweight="bold",
    )
    _flow(axes[0, 0], outcome)
    _bars(axes[0, 1], outcome)
    _curves(axes[1, 0], outcome, window)
    _numbers(axes[1, 1], outcome)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130, facecolor="white")
    plt.close(figure)


def _clean(axis: Any, title: str) -> None:
    axis.set_title(title, loc="left", color=INK)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0)


def _flow(axis: Any, outcome: Outcome) -> None:
    """What was sold and what phones showed, second by second."""
    start = min(a.begun_at for a in outcome.answers)
    sold = [a.answered_at - start for a in outcome.answers]
    end = max([*sold, *outcome.showings])
    step = max(1.0, end / 120)
    edges = [n * step for n in range(int(end / step) + 2)]
    for moments, colour, label in (
        (sold, TILL, "baskets answered"),
        (outcome.showings, PHONE, "cards changed on phones"),
    ):
        heights = [0] * (len(edges) - 1)
        for moment in moments:
            heights[min(len(heights) - 1, max(0, int(moment / step)))] += 1
        axis.stairs([h / step for h in heights], edges, color=colour, linewidth=1.6, label=label)
    _clean(axis, "Every second of the replay")
    axis.set_xlabel("seconds since the first basket")
    axis.set_ylabel("per second")
    axis.grid(axis="y", color=GRID)
    axis.set_ylim(0, axis.get_ylim()[1] * 1.15)
    axis.legend(frameon=False, loc="upper right", ncols=2)


def _bars(axis: Any, outcome: Outcome) -> None:
    timed = [(what, values) for what, values in latencies(outcome) if values]
    shades = {50: 1.0, 95: 0.6, 99: 0.3}
    for row, (what, values) in enumerate(timed):
        colour = TILL if what.startswith("till") else PHONE
        for percent in reversed(PERCENTS):
            value = percentile(values, percent) * 1000
            axis.barh(row, value, height=0.42, color=colour, alpha=shades[percent])
        texts = "   ".join(f"p{p} {percentile(values, p) * 1000:,.0f}" for p in PERCENTS)
        axis.text(0, row - 0.28, f"{what}:  {texts} ms", va="bottom", fontsize=9.5, color=INK)
    axis.set_yticks([])
    axis.set_ylim(len(timed) - 0.4, -0.75)
    _clean(axis, "How long it takes (p50 dark, p95, p99 light)")
    axis.set_xlabel("milliseconds")
    axis.grid(axis="x", color=GRID)
    axis.set_axisbelow(True)


def _curves(axis: Any, outcome: Outcome, window: float) -> None:
    colours = (TILL, PHONE, HELD, WORK)
    names = ("till answers", "phone, spaced sales", "phone, not held back", "phone, all sales")
    for short, (_, values), colour in zip(names, latencies(outcome), colours, strict=True):
        if values:
            ordered = sorted(max(value * 1000, 0.5) for value in values)
            shares = [100 * (n + 1) / len(ordered) for n in range(len(ordered))]
            axis.plot(ordered, shares, color=colour, linewidth=1.8, label=short)
    axis.axvline(window * 1000, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    axis.text(window * 1000, 3, f" window {window:g} s", color=SOFT, fontsize=9)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    _clean(axis, "Share of sales answered, or shown, within …")
    axis.set_xlabel("milliseconds")
    axis.set_ylabel("%")
    axis.set_ylim(0, 101)
    axis.grid(color=GRID)
    axis.legend(frameon=False, fontsize=9, loc="upper left")


def _numbers(axis: Any, outcome: Outcome) -> None:
    wanted = (
        "earning sales",
        "coalesced",
        "versions",
        "pushes",
        "lists",
        "fetches",
        "not modified",
        "changes at Google",
        "alerts",
    )
    values = [outcome.counts[name] for name in wanted]
    axis.barh(range(len(wanted)), values, color=WORK, height=0.6)
    for row, value in enumerate(values):
        axis.text(value, row, f"  {value:,}", va="center", fontsize=9.5, color=INK)
    axis.set_yticks(range(len(wanted)), ["304 answers" if name == "not modified" else name for name in wanted])
    axis.invert_yaxis()
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.set_xlim(0, max(values) * 1.15)
    _clean(axis, "From sales to phones")
