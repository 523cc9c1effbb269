"""Owns the geometry of the console's plots: whole numbers that a template draws as SVG, without any style in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, TOP, FOOT = 150, 22, 112
"""In the units of the drawing; `FOOT` is where columns stand."""


@dataclass(frozen=True)
class Column:
    """A column with its label below and its value above; `middle` is where both are centred."""

    label: str
    text: str
    x: int
    y: int
    width: int
    height: int
    middle: int


@dataclass(frozen=True)
class Columns:
    """A plot of columns."""

    width: int
    height: int
    foot: int
    columns: tuple[Column, ...]


def columns(values: Sequence[tuple[str, int, str]], width: int = 340) -> Columns:
    """Columns of (label, value at least 0, value as written), the highest as high as there is room."""
    most = max((value for _, value, _ in values), default=0)
    step = width / max(1, len(values))
    drawn = []
    for place, (label, value, text) in enumerate(values):
        height = 0 if most <= 0 else round((FOOT - TOP) * value / most)
        # What is more than nothing is seen.
        height = max(2, height) if value > 0 else 0
        x = round(place * step + step * 0.14)
        drawn.append(Column(label, text, x, FOOT - height, round(step * 0.72), height, round(place * step + step / 2)))
    return Columns(width, HEIGHT, FOOT, tuple(drawn))


@dataclass(frozen=True)
class Share:
    """A part of a whole: its name, how many as written, of which `percent` is drawn, and a sentence about it."""

    name: str
    text: str
    percent: int
    why: str = ""
    href: str = ""
    code: str = ""


def percent(part: int, whole: int) -> int:
    """Of a hundred, never 0 or 100 unless it is."""
    if whole <= 0 or part <= 0:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))
