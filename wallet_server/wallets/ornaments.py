"""Owns what is drawn behind the words of each kind of card: a dial, a ribbon, a seal, a garland.

Flat shapes in the colours of a palette, to the right of where a phone sets its words. None of them holds text, so one
drawing serves every language.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from wallet_server.rules.passes.card import Palette
from wallet_server.wallets.inks import BLACK, LEGIBLE, RGB, WHITE, colour, contrast, legible, luminance, mix
from wallet_server.wallets.sketch import XY, Pen, Sketch, on_circle, star

_START, _SWEEP = 150.0, 240.0
"""Where the dial begins, and how far it goes round."""


@dataclass(frozen=True)
class _Inks:
    """`faint` may lie under words; `track` and `fill` stand out from the ground, and from each other."""

    ground: RGB
    faint: RGB
    soft: RGB
    track: RGB
    fill: RGB
    tip: RGB
    shade: RGB
    ink: RGB


def _inks(palette: Palette) -> _Inks:
    ground, ink, accent = (colour(text) for text in (palette.background, palette.foreground, palette.label))
    ink = legible(ground, (ink,))
    track = mix(ground, ink, 0.16 if luminance(ground) > 0.4 else 0.22)
    fill = _on_both(ground, track, (accent, ink))
    away = WHITE if luminance(fill) > luminance(track) else BLACK
    shade = mix(fill, BLACK, 0.25) if luminance(fill) > 0.12 else mix(fill, ground, 0.3)
    return _Inks(ground, mix(ground, ink, 0.07), mix(ground, ink, 0.2), track, fill, mix(fill, away, 0.35), shade, ink)


def _on_both(ground: RGB, track: RGB, wanted: tuple[RGB, ...]) -> RGB:
    """The first that stands out on the ground and on the track alike; the best of all where none does."""

    def least(ink: RGB) -> float:
        return min(contrast(ink, ground), contrast(ink, track))

    inks = (*wanted, WHITE, BLACK)
    return next((ink for ink in inks if least(ink) >= LEGIBLE), max(inks, key=least))


# --- a dial: how far it is to the next tier --------------------------------------------------------------------


@dataclass(frozen=True)
class Dial:
    """Where an open ring stands around a star, and the rings of the ground around it, from `first` on `apart`."""

    x: float
    y: float
    radius: float
    width: float
    first: int = 0
    apart: int = 0

    def ground(self, palette: Palette, points: tuple[int, int], scale: int) -> Image.Image:
        """What all percents share."""
        inks = _inks(palette)
        sketch = Sketch(points, scale, inks.ground)

        def rings(pen: Pen) -> None:
            for number in range(10):
                pen.ring(self.x, self.y, self.first + self.apart * number, 1.2, max(0, 190 - 25 * number))

        if self.apart:
            sketch.fill(inks.soft, rings)
        return sketch.picture

    def measured(self, ground: Image.Image, palette: Palette, percent: int | None, scale: int) -> Image.Image:
        """The ring, filled as far as the member has come; full where nothing is left to reach."""
        sketch = Sketch.over(ground, scale)
        _gauge(sketch, _inks(palette), (self.x, self.y), self.radius, self.width, 100 if percent is None else percent)
        return sketch.picture


STRIP_DIAL = Dial(287.0, 82.0, 54.0, 14.0, 86, 24)
THUMBNAIL_DIAL = Dial(45.0, 49.0, 35.0, 10.0)
POSTER_DIAL = Dial(179.0, 190.0, 88.0, 22.0, 132, 34)
"""On a strip of 375 x 144 points right of the words, on a thumbnail of 90 x 90, and in the upper half of a poster of
358 x 448, whose lower half lies under the phone's own words."""


def _gauge(sketch: Sketch, inks: _Inks, centre: XY, radius: float, width: float, percent: int) -> None:
    x, y = centre
    edge = math.ceil(radius + width)
    box = (math.floor(x) - edge, max(0, math.floor(y) - edge), math.ceil(x) + edge, math.ceil(y) + edge)
    reached = _START + _SWEEP * percent / 100
    sketch.fill(inks.track, lambda pen: pen.arc(x, y, radius, width, _START, _START + _SWEEP), box)
    if reached - _START > math.degrees(width / radius):
        # Nearer to the beginning the knob hides all of it but a crooked edge.
        sketch.fill(inks.fill, lambda pen: pen.arc(x, y, radius, width, _START, reached), box)
    knob = on_circle(x, y, radius, reached)
    sketch.fill(BLACK, lambda pen: pen.disc(knob[0], knob[1] + 1, width * 0.62), box, 0.28)
    sketch.fill(mix(inks.fill, WHITE, 0.9), lambda pen: pen.disc(*knob, width * 0.6), box)
    sketch.fill(inks.fill, lambda pen: pen.disc(*knob, width * 0.28), box)
    corners = star(x, y + 1, radius * 0.46, 0.52)
    sketch.fill(inks.fill if percent >= 100 else inks.track, lambda pen: pen.polygon(corners, soften=2.0), box)


# --- a ribbon: stored value, given away ------------------------------------------------------------------------


def ribbon(palette: Palette, points: tuple[int, int], scale: int) -> Image.Image:
    """A parcel: ribbons that cross under a bow."""
    inks = _inks(palette)
    sketch = Sketch(points, scale, inks.ground)
    width, height = points
    x, y, half = width - 74.0, height / 2 + 2.0, 11.0
    sketch.fill(inks.faint, lambda pen: pen.box(0, y - half, width, y + half))
    sketch.fill(inks.soft, lambda pen: pen.box(x - half, 0, x + half, height))
    for offset in (-half + 2.5, half - 2.5):
        sketch.fill(inks.soft, lambda pen, at=y + offset: pen.box(0, at - 0.6, width, at + 0.6), share=0.8)  # type: ignore[misc]
        sketch.fill(inks.fill, lambda pen, at=x + offset: pen.box(at - 0.6, 0, at + 0.6, height), share=0.75)  # type: ignore[misc]
    for side in (-1.0, 1.0):
        tail = [
            (x + side * 2, y),
            (x + side * 26, y + 40),
            (x + side * 16, y + 39),
            (x + side * 12, y + 47),
            (x, y + 4),
        ]
        sketch.fill(inks.shade, lambda pen, tail=tail: pen.polygon(tail, soften=1.0))  # type: ignore[misc]
    for side in (-1.0, 1.0):
        sketch.fill(inks.fill, lambda pen, side=side: pen.polygon(list(_loop(x, y, side, 1.0)), soften=1.0))  # type: ignore[misc]
        sketch.fill(
            mix(inks.shade, inks.ground, 0.3),
            lambda pen, side=side: pen.polygon(list(_loop(x + side * 9, y - 2, side, 0.52))),  # type: ignore[misc]
        )
    sketch.fill(inks.tip, lambda pen: pen.box(x - 7.5, y - 8.5, x + 7.5, y + 8.5, 4.5))
    return sketch.picture


def _loop(x: float, y: float, side: float, size: float) -> Iterator[XY]:
    """One loop of a bow: out from the knot, up, round and back."""
    for step in range(41):
        turn = math.pi * 2 * step / 40
        reach = (1 - math.cos(turn)) / 2
        yield x + side * size * 46 * reach, y - size * (24 * math.sin(turn) * reach**0.6 + 10 * reach)


# --- a seal: what a coupon is good for -------------------------------------------------------------------------


def seal(palette: Palette, points: tuple[int, int], scale: int) -> Image.Image:
    """A sunburst behind a scalloped seal with a gift on it."""
    inks = _inks(palette)
    sketch = Sketch(points, scale, inks.ground)
    x, y, radius = points[0] - 66.0, points[1] / 2, 43.0

    def rays(pen: Pen) -> None:
        for start in range(0, 360, 20):
            pen.polygon([(x, y), on_circle(x, y, 420, start), on_circle(x, y, 420, start + 10)])

    sketch.fill(inks.faint, rays, share=0.8)
    box = (round(x) - 60, 0, round(x) + 60, points[1])
    sketch.fill(inks.ground, lambda pen: pen.disc(x, y, radius + 11), box)

    def scallops(pen: Pen) -> None:
        pen.disc(x, y, radius)
        for bump in range(20):
            pen.disc(*on_circle(x, y, radius, bump * 18), 7.4)

    sketch.fill(inks.fill, scallops, box)
    sketch.fill(inks.ground, lambda pen: pen.ring(x, y, radius - 5, 1.6), box)
    sketch.fill(inks.ground, lambda pen: _gift(pen, x, y, 46.0), box)
    return sketch.picture


def _gift(pen: Pen, x: float, y: float, size: float) -> None:
    """A box with a lid, a ribbon and a bow, in a square of this size around a point."""

    def bar(left: float, top: float, right: float, bottom: float, ink: int = 255) -> None:
        placed = (x + left * size, y + top * size, x + right * size, y + bottom * size)
        pen.box(*placed, 0.03 * size if ink else 0, ink)

    for side in (-0.12, 0.12):
        pen.disc(x + side * size, y - 0.29 * size, 0.135 * size)
        pen.disc(x + side * size, y - 0.29 * size, 0.065 * size, 0)
    bar(-0.42, -0.2, 0.42, 0.0)
    bar(-0.36, 0.05, 0.36, 0.44)
    bar(-0.055, -0.2, 0.055, 0.44, 0)


# --- a garland: an event ---------------------------------------------------------------------------------------


def garland(palette: Palette, points: tuple[int, int], scale: int) -> Image.Image:
    """Two strings of bunting across the right, and confetti under them."""
    inks = _inks(palette)
    sketch = Sketch(points, scale, inks.ground)
    width, height = points
    colours = (inks.fill, inks.ink, mix(inks.fill, inks.ground, 0.45))
    for start, end, sag, size, share in (
        ((width * 0.5, -16.0), (width + 18.0, 20.0), 22.0, 12.0, 0.42),
        ((width * 0.6, -10.0), (width + 12.0, -6.0), 44.0, 17.0, 1.0),
    ):
        rope = [_hang(start, end, sag, step / 60) for step in range(61)]
        sketch.fill(mix(inks.ground, inks.ink, 0.6 * share), lambda pen, rope=rope: pen.path(rope, 1.3))  # type: ignore[misc]
        flags = [_flag(start, end, sag, size, number) for number in range(_FLAGS)]
        for turn, ink in enumerate(colours):
            row = flags[turn::3]
            sketch.fill(mix(inks.ground, ink, share), lambda pen, row=row: _all(pen, row))  # type: ignore[misc]
    for turn, ink in enumerate(colours):
        for first, share in ((turn, 0.5), (turn + 3, 0.85)):
            pieces = [_piece(width, height, number) for number in range(first, 26, 6)]
            sketch.fill(mix(inks.ground, ink, share), lambda pen, pieces=pieces: _strew(pen, pieces))  # type: ignore[misc]
    return sketch.picture


_FLAGS = 9


def _flag(start: XY, end: XY, sag: float, size: float, number: int) -> list[XY]:
    left, right = (_hang(start, end, sag, (number + part) / _FLAGS) for part in (0.14, 0.86))
    tip = ((left[0] + right[0]) / 2 - (right[1] - left[1]) * 0.4, (left[1] + right[1]) / 2 + size)
    return [left, right, tip]


def _all(pen: Pen, shapes: list[list[XY]]) -> None:
    for shape in shapes:
        pen.polygon(shape, soften=0.8)


def _piece(width: float, height: float, number: int) -> tuple[float, float, float]:
    """Confetti strewn by the golden angle: evenly, and the same each time."""
    turn, reach = number * 2.399963, math.sqrt(number)
    return (
        width * 0.82 + math.cos(turn) * 12.5 * reach,
        height * 0.76 + math.sin(turn) * 4.6 * reach,
        1.3 + number % 3 * 0.55,
    )


def _strew(pen: Pen, pieces: list[tuple[float, float, float]]) -> None:
    for x, y, radius in pieces:
        pen.disc(x, y, radius)


def _hang(start: XY, end: XY, sag: float, part: float) -> XY:
    """A point of a rope between two nails."""
    x = start[0] + (end[0] - start[0]) * part
    return x, start[1] + (end[1] - start[1]) * part + sag * 4 * part * (1 - part)
