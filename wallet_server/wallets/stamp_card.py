"""Owns the drawing of a stamp card: its boxes in rows, a mark in each that is filled, a gift in the last.

A filled box differs from an empty one in its shape, not in its colour alone; both stand out from the ground by at
least `inks.LEGIBLE`, and so does the mark from its box, whatever the palette.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from wallet_server.rules.passes.card import Palette
from wallet_server.wallets.inks import LEGIBLE, RGB, colour, contrast, legible, luminance, mix

LEAST, MOST = 2, 20

# In points.
_MARGIN_X, _MARGIN_Y = 16.0, 12.0
_GAP, _WIDEST_GAP = 8.0, 14.0
_LARGEST = 64.0
_MOST_ROWS = 4
# A further row is worth its place only where it makes the boxes so much larger.
_WORTH_A_ROW = 1.25
_SMOOTH = 4
# Hands do not stamp straight: degrees by which the marks lean in turn.
_LEANS = (-9, 4, -3, 8)

_Draw = Callable[[ImageDraw.ImageDraw, int], None]


@dataclass(frozen=True)
class Box:
    """One box: its middle and its side, in points."""

    x: float
    y: float
    side: float


def boxes(total: int, width: float, height: float) -> tuple[Box, ...]:
    """The boxes of a card, in reading order, as large as they can be, in as few rows as look well. Raises ValueError
    for fewer than 2 or more than 20."""
    if not LEAST <= total <= MOST:
        raise ValueError(f"a stamp card has {LEAST} to {MOST} boxes")
    room = (width - 2 * _MARGIN_X, height - 2 * _MARGIN_Y)
    rows = 1
    for more in range(2, _MOST_ROWS + 1):
        if _side(total, more, room) >= _side(total, rows, room) * _WORTH_A_ROW:
            rows = more
    side = _side(total, rows, room)
    most = -(-total // rows)
    gap = min(_WIDEST_GAP, (room[0] - most * side) / (most - 1)) if most > 1 else 0.0
    gap_y = min(_WIDEST_GAP, (room[1] - rows * side) / (rows - 1)) if rows > 1 else 0.0
    return tuple(_placed(total, rows, side, gap, gap_y, width, height))


def _side(total: int, rows: int, room: tuple[float, float]) -> float:
    columns = -(-total // rows)
    across = (room[0] - _GAP * (columns - 1)) / columns
    down = (room[1] - _GAP * (rows - 1)) / rows
    return min(across, down, _LARGEST)


def _placed(total: int, rows: int, side: float, gap: float, gap_y: float, width: float, height: float) -> Iterator[Box]:
    top = (height - rows * side - (rows - 1) * gap_y) / 2
    for row in range(rows):
        # The first rows take one more where it does not come out even.
        columns = total // rows + (row < total % rows)
        left = (width - columns * side - (columns - 1) * gap) / 2
        for column in range(columns):
            yield Box(left + column * (side + gap) + side / 2, top + row * (side + gap_y) + side / 2, side)


@dataclass(frozen=True)
class _Inks:
    ground: RGB
    hollow: RGB
    edge: RGB
    stamp: RGB
    mark: RGB


def _inks(palette: Palette) -> _Inks:
    ground, ink, accent = (colour(text) for text in (palette.background, palette.foreground, palette.label))
    edge = legible(ground, (accent, ink))
    stamp = legible(ground, (ink, accent))
    hollow = mix(ground, edge, 0.08 if luminance(ground) > 0.4 else 0.12)
    return _Inks(
        ground=ground,
        hollow=hollow if contrast(edge, hollow) >= LEGIBLE else ground,
        edge=edge,
        stamp=stamp,
        mark=legible(stamp, (ground, accent)),
    )


def drawn(palette: Palette, filled: int, total: int, points: tuple[int, int], scale: int) -> Image.Image:
    """The strip of `points`, `scale` pixels to a point."""
    inks = _inks(palette)
    picture = Image.new("RGB", (points[0] * scale, points[1] * scale), inks.ground)
    placed = boxes(total, *points)
    side = round(placed[0].side * scale)
    masks: dict[tuple[str, int], Image.Image] = {}

    def mask(name: str, draw: _Draw, lean: int = 0) -> Image.Image:
        if (name, lean) not in masks:
            masks[name, lean] = _mask(side, draw)
        return masks[name, lean]

    for number, box in enumerate(placed):
        corner = (round(box.x * scale - side / 2), round(box.y * scale - side / 2))
        last = number == total - 1
        lean = 0 if last else _LEANS[number % len(_LEANS)]
        if number < filled:
            picture.paste(inks.stamp, corner, mask("stamp", _seal(lean), lean))
            symbol = mask("gift", _gift) if last else mask("tick", _tick(lean), lean)
            picture.paste(inks.mark, corner, symbol)
        else:
            picture.paste(inks.hollow, corner, mask("hollow", _disc))
            picture.paste(inks.edge, corner, mask("edge", _edge))
            if last:
                picture.paste(inks.edge, corner, mask("gift", _gift))
    return picture


# --- shapes: each drawn on a square of `unit` pixels, in shares of it ----------------------------------------------


def _mask(side: int, draw: _Draw) -> Image.Image:
    """Drawn larger and shrunk, so that its edges are smooth."""
    square = Image.new("L", (side * _SMOOTH, side * _SMOOTH))
    draw(ImageDraw.Draw(square), side * _SMOOTH)
    return square.reduce(_SMOOTH)


def _round(pen: ImageDraw.ImageDraw, unit: int, x: float, y: float, radius: float, fill: int = 255) -> None:
    pen.ellipse(((x - radius) * unit, (y - radius) * unit, (x + radius) * unit - 1, (y + radius) * unit - 1), fill=fill)


def _disc(pen: ImageDraw.ImageDraw, unit: int) -> None:
    _round(pen, unit, 0.5, 0.5, 0.455)


def _edge(pen: ImageDraw.ImageDraw, unit: int) -> None:
    _round(pen, unit, 0.5, 0.5, 0.47)
    _round(pen, unit, 0.5, 0.5, 0.435, fill=0)


def _seal(lean: int) -> _Draw:
    """A round stamp with a wavy rim and a thin line inside it."""

    def draw(pen: ImageDraw.ImageDraw, unit: int) -> None:
        _round(pen, unit, 0.5, 0.5, 0.45)
        for wave in range(16):
            angle = math.radians(lean + wave * 22.5)
            _round(pen, unit, 0.5 + 0.42 * math.cos(angle), 0.5 + 0.42 * math.sin(angle), 0.075)
        _round(pen, unit, 0.5, 0.5, 0.385, fill=0)
        _round(pen, unit, 0.5, 0.5, 0.36)

    return draw


def _tick(lean: int) -> _Draw:
    def draw(pen: ImageDraw.ImageDraw, unit: int) -> None:
        turn = math.radians(lean)
        points = []
        for x, y in ((-0.2, 0.01), (-0.055, 0.155), (0.21, -0.15)):
            points.append(
                (0.5 + x * math.cos(turn) - y * math.sin(turn), 0.5 + x * math.sin(turn) + y * math.cos(turn))
            )
        pen.line([(x * unit, y * unit) for x, y in points], fill=255, width=round(0.1 * unit), joint="curve")
        for x, y in points:
            _round(pen, unit, x, y, 0.05)

    return draw


def _gift(pen: ImageDraw.ImageDraw, unit: int) -> None:
    """A box with a lid, a ribbon and a bow."""

    def bar(left: float, top: float, right: float, bottom: float, fill: int = 255) -> None:
        sides = (left * unit, top * unit, right * unit - 1, bottom * unit - 1)
        pen.rounded_rectangle(sides, radius=0.02 * unit if fill else 0, fill=fill)

    for x in (0.42, 0.58):
        _round(pen, unit, x, 0.3, 0.085)
        _round(pen, unit, x, 0.3, 0.04, fill=0)
    bar(0.26, 0.36, 0.74, 0.48)
    bar(0.29, 0.51, 0.71, 0.74)
    bar(0.475, 0.36, 0.525, 0.74, fill=0)
