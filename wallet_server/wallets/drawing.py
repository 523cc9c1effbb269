"""Owns what is drawn for a card, for every wallet alike: the gauge that shows the way to the next tier, and the store
of all drawings.

Drawings are made of the palette and a whole percent, or two counts of boxes, alone; they hold no text (so no language
and no font), come out byte for byte equal for equal input, and are kept in a bounded cache: at most 101 gauges and 230
stamp cards for each palette.
"""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from wallet_server.rules.passes.card import Palette
from wallet_server.wallets import ornaments, stamp_card
from wallet_server.wallets.inks import BLACK, LEGIBLE, RGB, WHITE, colour, contrast, legible, luminance, mix

__all__ = [
    "LEGIBLE",
    "RGB",
    "SCALES",
    "STRIP_POINTS",
    "Drawing",
    "Drawings",
    "Drawn",
    "Kept",
    "Strip",
    "contrast",
]

STRIP_POINTS = (375, 144)
TICKET_STRIP_POINTS = (375, 98)
THUMBNAIL_POINTS = (90, 90)
POSTER_POINTS = (358, 448)

Drawing = Literal["gauge", "stamps", "dial", "ribbon", "seal", "garland", "ring", "poster"]

Drawn = int | None | tuple[int, int]
"""The state that a drawing shows: whole percents (None: nothing left to reach), or the filled boxes of so many."""

_DIALS: Mapping[str, tuple[ornaments.Dial, tuple[int, int]]] = {
    "dial": (ornaments.STRIP_DIAL, STRIP_POINTS),
    "ring": (ornaments.THUMBNAIL_DIAL, THUMBNAIL_POINTS),
    "poster": (ornaments.POSTER_DIAL, POSTER_POINTS),
}
_ORNAMENTS: Mapping[str, tuple[Callable[[Palette, tuple[int, int], int], Image.Image], tuple[int, int]]] = {
    "ribbon": (ornaments.ribbon, STRIP_POINTS),
    "seal": (ornaments.seal, STRIP_POINTS),
    "garland": (ornaments.garland, TICKET_STRIP_POINTS),
}
SCALES = (1, 2, 3)

# In points. The bar lies below the primary field, whose text a phone sets over the upper part; all y of the bar count
# from the top of its band.
_BAND_TOP = 104
_BAR_LEFT, _BAR_RIGHT, _BAR_MIDDLE, _BAR_HALF = 16.0, 330.0, 20.0, 5.0
_KNOB_RADIUS = 8.5
_STAR_CENTRE, _STAR_RADIUS = (349.0, 19.6), 10.5
_SMOOTH = 4

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Strip:
    """One picture at each of `SCALES`: PNG bytes."""

    pngs: tuple[bytes, ...] = field(repr=False)


class Kept(Generic[_Key, _Made]):
    """The last `limit` things made, by key; safe between threads. Two threads may make the same thing at once (it
    comes out equal); nothing is made under the lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: OrderedDict[_Key, _Made] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _Made]) -> _Made:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = make()
        with self._lock:
            self._made[key] = made
            while len(self._made) > self._limit:
                self._made.popitem(last=False)
        return made

    def __len__(self) -> int:
        return len(self._made)


class Drawings:
    """The drawings of all wallets in one process: at most `limit` strips of some 50 KB, and their grounds."""

    def __init__(self, limit: int = 512) -> None:
        self._grounds: Kept[Palette, tuple[Image.Image, ...]] = Kept(8)
        self._strips: Kept[tuple[str, int, Palette, int | None], Strip] = Kept(limit)
        self._stamps: Kept[tuple[str, int, Palette, int, int], Strip] = Kept(limit)
        self._dials: Kept[tuple[str, Palette], tuple[Image.Image, ...]] = Kept(12)
        self._pictures: Kept[tuple[str, Palette, int | None], Strip] = Kept(limit)

    def gauge(self, design: str, version: int, palette: Palette, percent: int | None) -> Strip:
        """The strip behind the primary field. `percent` is cut to 0..100; None draws the ground without a bar (a
        member of the highest tier has nothing left to reach). Raises ValueError for a colour that is none."""
        shown = None if percent is None else max(0, min(100, percent))
        return self._strips.get((design, version, palette, shown), lambda: self._draw(palette, shown))

    def stamps(self, design: str, version: int, palette: Palette, filled: int, total: int) -> Strip:
        """The strip of a stamp card: `total` boxes (2 to 20), the first `filled` stamped. Raises ValueError for another
        total and for a colour that is none."""
        shown = max(0, min(total, filled))

        def draw() -> Strip:
            pictures = (stamp_card.drawn(palette, shown, total, STRIP_POINTS, scale) for scale in SCALES)
            return Strip(tuple(map(_png, pictures)))

        return self._stamps.get((design, version, palette, shown, total), draw)

    def picture(self, drawing: Drawing, design: str, version: int, palette: Palette, state: Drawn) -> Strip:
        """Any drawing by its name. A stamp card without boxes is drawn as the ground of a gauge; an ornament has no
        state. Raises ValueError as the others do."""
        if isinstance(state, tuple):
            return self.stamps(design, version, palette, *state)
        if drawing in _DIALS:
            shown = None if state is None else max(0, min(100, state))
            return self._pictures.get((drawing, palette, shown), lambda: self._dial(drawing, palette, shown))
        if drawing in _ORNAMENTS:
            draw, points = _ORNAMENTS[drawing]

            def drawn() -> Strip:
                return Strip(tuple(_png(draw(palette, points, scale)) for scale in SCALES))

            return self._pictures.get((drawing, palette, None), drawn)
        return self.gauge(design, version, palette, state)

    def _dial(self, drawing: str, palette: Palette, percent: int | None) -> Strip:
        dial, points = _DIALS[drawing]

        def ground() -> tuple[Image.Image, ...]:
            return tuple(dial.ground(palette, points, scale) for scale in SCALES)

        grounds = self._dials.get((drawing, palette), ground)
        pairs = zip(grounds, SCALES, strict=True)
        return Strip(tuple(_png(dial.measured(ground, palette, percent, scale)) for ground, scale in pairs))

    def _draw(self, palette: Palette, percent: int | None) -> Strip:
        inks = _inks(palette)
        grounds = self._grounds.get(palette, lambda: tuple(_ground(inks, scale) for scale in SCALES))
        pngs = []
        for ground, scale in zip(grounds, SCALES, strict=True):
            picture = ground.copy()
            if percent is not None:
                _bar(picture, inks, percent, scale)
            pngs.append(_png(picture))
        return Strip(tuple(pngs))


# --- colours ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Inks:
    ground: RGB
    ornament: RGB
    track: RGB
    fill: RGB
    tip: RGB
    knob: RGB
    dot: RGB


def _inks(palette: Palette) -> _Inks:
    ground, ink, accent = (colour(c) for c in (palette.background, palette.foreground, palette.label))
    ink = legible(ground, (ink,))
    track = mix(ground, ink, 0.16 if luminance(ground) > 0.4 else 0.22)
    fill = legible(track, (accent, ink))
    away = WHITE if luminance(fill) > luminance(track) else BLACK
    return _Inks(
        ground=ground,
        ornament=mix(ground, accent if contrast(accent, ground) > 1.5 else ink, 0.5),
        track=track,
        fill=fill,
        tip=mix(fill, away, 0.35),
        knob=mix(fill, WHITE, 0.9),
        dot=fill if contrast(fill, WHITE) > 1.3 else ground,
    )


# --- shapes ----------------------------------------------------------------------------------------------------


def _ground(inks: _Inks, scale: int) -> Image.Image:
    """What all percents of one palette share: the colours and the rings behind the text."""
    size = (STRIP_POINTS[0] * scale, STRIP_POINTS[1] * scale)
    # The card's own colour, so that the strip has no edges; flat areas also make small files.
    picture = Image.new("RGB", size, inks.ground)
    picture.paste(inks.ornament, mask=_rings(size, scale))
    return picture


def _gradient(size: tuple[int, int], start: RGB, end: RGB) -> Image.Image:
    """From left to right."""
    ramp = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize(size)
    return Image.composite(Image.new("RGB", size, end), Image.new("RGB", size, start), ramp)


def _rings(size: tuple[int, int], scale: int) -> Image.Image:
    """Thin rings around a point near the right edge, fading towards the text on the left."""
    rings = Image.new("L", (size[0] * 2, size[1] * 2))
    draw = ImageDraw.Draw(rings)
    unit = scale * 2
    x, y = 330 * unit, 8 * unit
    for number, radius in enumerate(range(30, 240, 26)):
        reach = radius * unit
        shade = max(0, 84 - 9 * number)
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=shade, width=max(2, round(1.5 * unit)))
    return rings.reduce(2)


def _bar(picture: Image.Image, inks: _Inks, percent: int, scale: int) -> None:
    """Track, goal, fill and knob, drawn on the lower band alone."""
    band = picture.crop((0, _BAND_TOP * scale, picture.width, picture.height))
    reached = _BAR_LEFT + _BAR_HALF + (_BAR_RIGHT - _BAR_LEFT - 2 * _BAR_HALF) * percent / 100
    band.paste(inks.track, mask=_pill(_BAR_RIGHT, scale))
    band.paste(_gradient(band.size, inks.fill, inks.tip), mask=_pill(reached + _BAR_HALF, scale))
    band.paste(inks.fill if percent == 100 else inks.track, mask=_star(scale))
    knob = _disc(reached, _KNOB_RADIUS, scale)
    shadow = ImageChops.offset(knob, 0, scale).filter(ImageFilter.GaussianBlur(1.6 * scale))
    band.paste(BLACK, mask=shadow.point([round(level * 0.35) for level in range(256)]))
    band.paste(inks.knob, mask=knob)
    band.paste(inks.dot, mask=_disc(reached, _KNOB_RADIUS - 4.5, scale))
    picture.paste(band, (0, _BAND_TOP * scale))


def _pill(right: float, scale: int) -> Image.Image:
    def draw(pen: ImageDraw.ImageDraw, unit: int) -> None:
        sides = (_BAR_LEFT, _BAR_MIDDLE - _BAR_HALF, right, _BAR_MIDDLE + _BAR_HALF)
        left, top, end, bottom = (side * unit for side in sides)
        pen.rounded_rectangle((left, top, end - 1, bottom - 1), radius=(bottom - top) / 2, fill=255)

    return _mask(scale, draw)


def _disc(x: float, radius: float, scale: int) -> Image.Image:
    def draw(pen: ImageDraw.ImageDraw, unit: int) -> None:
        left, top = (x - radius) * unit, (_BAR_MIDDLE - radius) * unit
        pen.ellipse((left, top, left + 2 * radius * unit, top + 2 * radius * unit), fill=255)

    return _mask(scale, draw)


def _star(scale: int) -> Image.Image:
    """The goal at the end of the bar: five points, upright, with softened corners."""

    def draw(pen: ImageDraw.ImageDraw, unit: int) -> None:
        x, y = _STAR_CENTRE
        corners = []
        for corner in range(10):
            reach = _STAR_RADIUS * (0.5 if corner % 2 else 1.0) - 1.0
            angle = math.pi * (corner / 5 - 0.5)
            corners.append(((x + reach * math.cos(angle)) * unit, (y + reach * math.sin(angle)) * unit))
        pen.polygon(corners, fill=255)
        pen.line([*corners, corners[0], corners[1]], fill=255, width=2 * unit, joint="curve")

    return _mask(scale, draw)


def _mask(scale: int, draw: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """A mask of the band, drawn larger and shrunk, so that its edges are smooth."""
    width, height = STRIP_POINTS[0] * scale, (STRIP_POINTS[1] - _BAND_TOP) * scale
    drawn = Image.new("L", (width * _SMOOTH, height * _SMOOTH))
    draw(ImageDraw.Draw(drawn), scale * _SMOOTH)
    return drawn.reduce(_SMOOTH)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return file.getvalue()
