"""Draws the icons and logos of the shipped designs anew: python scripts/draw_design_images.py

They stand in for a merchant's own. Flat shapes only, so that a pass stays small; the pictures are committed, and this
is how they were made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw

from wallet_server.wallets.inks import RGB, WHITE, colour, mix
from wallet_server.wallets.sketch import Pen, Sketch, on_circle, star

TEMPLATES = Path(__file__).parents[1] / "passes" / "templates"
ICON, LOGO, RIM = 38, 50, 1.6
EMBLEM, EMBLEM_SYMBOL = 220, 112
"""Google cuts its square to a disc and wants the outer 15 % free: the symbol takes the middle half."""
Draw = Callable[[Pen, float, float, float], None]
"""Pen, middle and size (the side of the square that the symbol fills)."""


def crown(pen: Pen, x: float, y: float, size: float) -> None:
    half = size / 2
    points = [(-1, -0.45), (-0.5, 0.05), (0, -0.75), (0.5, 0.05), (1, -0.45), (0.78, 0.45), (-0.78, 0.45)]
    pen.polygon([(x + a * half, y + b * half) for a, b in points], soften=size * 0.03)
    pen.box(x - 0.78 * half, y + 0.58 * half, x + 0.78 * half, y + 0.8 * half, size * 0.04)
    for a, b in ((-1, -0.52), (0, -0.84), (1, -0.52)):
        pen.disc(x + a * half, y + b * half, size * 0.075)


def parcel(pen: Pen, x: float, y: float, size: float) -> None:
    def bar(left: float, top: float, right: float, bottom: float, ink: int = 255) -> None:
        placed = (x + left * size, y + top * size, x + right * size, y + bottom * size)
        pen.box(*placed, size * 0.04 if ink else 0, ink)

    for side in (-0.14, 0.14):
        pen.disc(x + side * size, y - 0.3 * size, 0.16 * size)
        pen.disc(x + side * size, y - 0.3 * size, 0.08 * size, 0)
    bar(-0.48, -0.22, 0.48, 0.02)
    bar(-0.41, 0.08, 0.41, 0.5)
    bar(-0.06, -0.22, 0.06, 0.5, 0)


def ticket(pen: Pen, x: float, y: float, size: float) -> None:
    half, high = size * 0.56, size * 0.34
    pen.box(x - half, y - high, x + half, y + high, size * 0.09)
    for side in (-1, 1):
        pen.disc(x + side * half, y, size * 0.13, 0)
    for step in range(4):
        top = y - high + size * (0.07 + step * 0.16)
        pen.box(x + size * 0.17, top, x + size * 0.22, top + size * 0.08, 0, 0)
    pen.polygon(star(x - size * 0.16, y + size * 0.01, size * 0.19), ink=0)


def seal(pen: Pen, x: float, y: float, size: float) -> None:
    radius = size * 0.44
    pen.disc(x, y, radius)
    for bump in range(14):
        pen.disc(*on_circle(x, y, radius, bump * 360 / 14), size * 0.1)
    lean = math.radians(-45)
    end = (math.cos(lean) * size * 0.25, math.sin(lean) * size * 0.25)
    pen.polygon(
        [
            (x - end[0] - size * 0.035, y - end[1] - size * 0.035),
            (x + end[0] - size * 0.035, y + end[1] - size * 0.035),
            (x + end[0] + size * 0.035, y + end[1] + size * 0.035),
            (x - end[0] + size * 0.035, y - end[1] + size * 0.035),
        ],
        ink=0,
    )
    for side in (-1, 1):
        pen.disc(x + side * size * 0.17, y + side * size * 0.17, size * 0.1, 0)


def medal(pen: Pen, x: float, y: float, size: float) -> None:
    pen.arc(x, y + size * 0.06, size * 0.47, size * 0.13, 150, 390)
    pen.polygon(star(x, y + size * 0.08, size * 0.27, 0.52), soften=size * 0.02)


def ribbons(pen: Pen, x: float, y: float, size: float) -> None:
    """Three chevrons, one above the other, as ranks are sewn on a sleeve."""
    for step in (-0.3, 0.0, 0.3):
        top, arm, thick = y + step * size - size * 0.1, size * 0.42, size * 0.13
        pen.polygon(
            [
                (x, top),
                (x + arm, top + size * 0.24),
                (x + arm, top + size * 0.24 + thick),
                (x, top + thick),
                (x - arm, top + size * 0.24 + thick),
                (x - arm, top + size * 0.24),
            ]
        )


SYMBOLS: dict[str, tuple[str, str, Draw]] = {
    "tiers": ("#3b2a6b", "#f5c451", crown),
    "gift": ("#8f1d3f", "#ffd9c7", parcel),
    "event": ("#0f4c5c", "#ffd166", ticket),
    "coupon": ("#b5421f", "#fff3e2", seal),
    "club": ("#14213d", "#8fd3ff", medal),
    "ranks": ("#2f4a3a", "#f3e3b3", ribbons),
}


def coin(pen: Pen, x: float, y: float, size: float) -> None:
    pen.ring(x, y, size * 0.47, size * 0.07)
    pen.polygon(star(x, y + size * 0.02, size * 0.33, 0.5), soften=size * 0.02)


def tick(pen: Pen, x: float, y: float, size: float) -> None:
    radius = size * 0.42
    pen.disc(x, y, radius)
    for bump in range(16):
        pen.disc(*on_circle(x, y, radius, bump * 360 / 16), size * 0.085)
    half = size * 0.045
    places = [(-0.2, 0.01), (-0.055, 0.155), (0.21, -0.15)]
    for (left, top), (right, low) in pairwise(places):
        length = math.hypot(right - left, low - top)
        a, b = (low - top) / length * half, -(right - left) / length * half
        line = [(left * size + a, top * size + b), (right * size + a, low * size + b)]
        back = [(right * size - a, low * size - b), (left * size - a, top * size - b)]
        pen.polygon([(x + p, y + q) for p, q in line + back], ink=0)
    for left, top in places:
        pen.disc(x + left * size, y + top * size, half, 0)


EMBLEMS: dict[str, tuple[str, str, Draw]] = {
    **SYMBOLS,
    "points": ("#1f3a5f", "#f2b84b", coin),
    "stamps": ("#12372a", "#fbf7ec", tick),
}


def picture(ground: RGB, ink: RGB, draw: Draw, points: int, scale: int, size: float) -> Image.Image:
    """The symbol on its ground, with two faint rings behind it."""
    sketch = Sketch((points, points), scale, ground)
    for reach in (0.62, 0.86):
        ghost = mix(ground, WHITE, 0.1)
        sketch.fill(ghost, lambda pen, reach=reach: pen.ring(points, 0, points * reach, points * 0.035))  # type: ignore[misc]
    sketch.fill(ink, lambda pen: draw(pen, points / 2, points / 2, size))
    return sketch.picture


def rounded(square: Image.Image, scale: int) -> Image.Image:
    """A disc with a white rim, clear around it."""
    side, smooth = square.width, 4
    mask = Image.new("L", (side * smooth, side * smooth))
    ImageDraw.Draw(mask).ellipse((0, 0, side * smooth - 1, side * smooth - 1), fill=255)
    inner = Image.new("L", mask.size)
    rim = RIM * scale * smooth
    ImageDraw.Draw(inner).ellipse((rim, rim, side * smooth - 1 - rim, side * smooth - 1 - rim), fill=255)
    disc = Image.composite(square, Image.new("RGB", square.size, WHITE), inner.reduce(smooth))
    disc.putalpha(mask.reduce(smooth))
    return disc


def main() -> None:
    for name, (ground, ink, draw) in SYMBOLS.items():
        folder = TEMPLATES / name / "apple"
        folder.mkdir(parents=True, exist_ok=True)
        for scale in (1, 2, 3):
            suffix = "" if scale == 1 else f"@{scale}x"
            icon = picture(colour(ground), colour(ink), draw, ICON, scale, 22)
            icon.save(folder / f"icon{suffix}.png", optimize=True)
            logo = rounded(picture(colour(ground), colour(ink), draw, LOGO, scale, 27), scale)
            logo.save(folder / f"logo{suffix}.png", optimize=True)
    for name, (ground, ink, draw) in EMBLEMS.items():
        folder = TEMPLATES / name / "google"
        folder.mkdir(parents=True, exist_ok=True)
        emblem = picture(colour(ground), colour(ink), draw, EMBLEM, 3, EMBLEM_SYMBOL)
        emblem.quantize(64, dither=Image.Dither.NONE).save(folder / "logo.png", optimize=True)


if __name__ == "__main__":
    main()
