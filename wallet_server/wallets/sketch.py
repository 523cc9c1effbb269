"""Owns smooth flat shapes on a picture: measured in points, drawn larger than they are and shrunk.

The same calls make a picture at each scale, and equal calls make equal pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from wallet_server.wallets.inks import RGB

# Finer where pixels are large: a phone of three pixels a point shows no steps of a third.
_SMOOTH = {1: 4, 2: 4, 3: 3}
XY = tuple[float, float]


@dataclass(frozen=True)
class Pen:
    """Draws on one mask; `ink` is 255 to add to it and 0 to take away. Angles in degrees, clockwise from the right."""

    draw: ImageDraw.ImageDraw
    unit: float
    left: float
    top: float

    def at(self, x: float, y: float) -> XY:
        """A point of the picture on this mask."""
        return (x - self.left) * self.unit, (y - self.top) * self.unit

    def disc(self, x: float, y: float, radius: float, ink: int = 255) -> None:
        """A filled circle."""
        self.draw.ellipse((*self.at(x - radius, y - radius), *self._end(x + radius, y + radius)), fill=ink)

    def ring(self, x: float, y: float, radius: float, width: float, ink: int = 255) -> None:
        """A circle of this width, `radius` to its middle; an `ink` between 0 and 255 is a faint one."""
        outer = radius + width / 2
        sides = (*self.at(x - outer, y - outer), *self._end(x + outer, y + outer))
        self.draw.ellipse(sides, outline=ink, width=max(1, round(width * self.unit)))

    def arc(self, x: float, y: float, radius: float, width: float, start: float, end: float) -> None:
        """A part of a ring with round ends."""
        outer = radius + width / 2
        sides = (*self.at(x - outer, y - outer), *self._end(x + outer, y + outer))
        self.draw.arc(sides, start, end, fill=255, width=max(1, round(width * self.unit)))
        for angle in (start, end):
            self.disc(*on_circle(x, y, radius, angle), width / 2)

    def polygon(self, points: Sequence[XY], ink: int = 255, soften: float = 0.0) -> None:
        """A filled shape; `soften` rounds its corners by so many points, outwards."""
        placed = [self.at(*point) for point in points]
        self.draw.polygon(placed, fill=ink)
        if soften:
            width = round(2 * soften * self.unit)
            self.draw.line([*placed, placed[0], placed[1]], fill=ink, width=width, joint="curve")

    def path(self, points: Sequence[XY], width: float) -> None:
        """A line through these points with round ends."""
        self.draw.line([self.at(*p) for p in points], fill=255, width=max(1, round(width * self.unit)), joint="curve")
        for x, y in (points[0], points[-1]):
            self.disc(x, y, width / 2)

    def box(self, left: float, top: float, right: float, bottom: float, radius: float = 0.0, ink: int = 255) -> None:
        """A rectangle, with round corners if wished."""
        sides = (*self.at(left, top), *self._end(right, bottom))
        self.draw.rounded_rectangle(sides, radius=radius * self.unit, fill=ink)

    def _end(self, x: float, y: float) -> XY:
        right, bottom = self.at(x, y)
        return right - 1, bottom - 1


class Sketch:
    """A picture of so many points on a ground of one colour, `scale` pixels to a point."""

    def __init__(self, points: tuple[int, int], scale: int, ground: RGB) -> None:
        self._scale = scale
        self._points = points
        self.picture = Image.new("RGB", (points[0] * scale, points[1] * scale), ground)

    @classmethod
    def over(cls, ground: Image.Image, scale: int) -> Sketch:
        """Go on from a copy of a picture that is there."""
        sketch = cls.__new__(cls)
        sketch._scale, sketch._points = scale, (ground.width // scale, ground.height // scale)
        sketch.picture = ground.copy()
        return sketch

    def fill(
        self, ink: RGB, shape: Callable[[Pen], None], box: tuple[int, int, int, int] | None = None, share: float = 1.0
    ) -> None:
        """Lay `ink` where `shape` draws. `box` (left, top, right, bottom in whole points) is all that the shape
        touches: a small one is quick. `share` below 1 lets the ground through."""
        left, top, right, bottom = box or (0, 0, *self._points)
        size = ((right - left) * self._scale, (bottom - top) * self._scale)
        smooth = _SMOOTH[self._scale]
        mask = Image.new("L", (size[0] * smooth, size[1] * smooth))
        shape(Pen(ImageDraw.Draw(mask), self._scale * smooth, left, top))
        mask = mask.reduce(smooth)
        if share < 1:
            mask = mask.point([round(level * share) for level in range(256)])
        self.picture.paste(ink, (left * self._scale, top * self._scale), mask)


def on_circle(x: float, y: float, radius: float, angle: float) -> XY:
    """The point of a circle at this angle."""
    turn = math.radians(angle)
    return x + radius * math.cos(turn), y + radius * math.sin(turn)


def star(x: float, y: float, radius: float, inner: float = 0.5) -> list[XY]:
    """The ten corners of an upright star."""
    return [on_circle(x, y, radius * (inner if corner % 2 else 1.0), corner * 36 - 90) for corner in range(10)]
