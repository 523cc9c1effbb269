"""Owns the wide picture of a card that stands by itself, without words over it: a banner, three times as wide as high,
and the square logo beside the name.

Sizes: developers.google.com/wallet, brand guidelines (hero image 1032 x 336; logo from 660 x 660, cut to a disc, so
that nothing may stand in the outer 15 %).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from PIL import Image

from wallet_server.rules.passes.card import Palette
from wallet_server.wallets import ornaments, stamp_card
from wallet_server.wallets.drawing import Drawn, Kept
from wallet_server.wallets.inks import BLACK, WHITE, colour, legible, luminance, mix
from wallet_server.wallets.sketch import Pen, Sketch, star

POINTS, WIDE_POINTS, SCALE = (344, 112), (620, 200), 3
MEASURING = frozenset({"gauge", "dial"})
"""Banners that show how far a member has come."""

_DIAL = ornaments.Dial(172.0, 62.0, 41.0, 11.0, 70, 22)
_LEFT, _RIGHT, _MIDDLE, _HALF = 30.0, 286.0, 56.0, 7.0
_STAR = (310.0, 55.5, 15.0)
_ORNAMENTS: Mapping[str, Callable[[Palette, tuple[int, int], int], Image.Image]] = {
    "ribbon": ornaments.ribbon,
    "seal": ornaments.seal,
    "garland": ornaments.garland,
}


class Banners:
    """The banners of all cards of one process: at most `limit` of some 20 KB each."""

    def __init__(self, limit: int = 512) -> None:
        self._made: Kept[tuple[str, Palette, Drawn], bytes] = Kept(limit)

    def picture(self, drawing: str, palette: Palette, state: Drawn) -> bytes:
        """A PNG of 1032 x 336 pixels, byte for byte equal for equal arguments. `state` is a whole percent (None:
        nothing left to reach) or the filled boxes of so many; an ornament has none. Raises ValueError for a colour
        that is none."""
        shown = max(0, min(100, state)) if isinstance(state, int) else state
        return self._made.get((drawing, palette, shown), lambda: _drawn(drawing, palette, shown))

    def wide(self, drawing: str, palette: Palette, state: tuple[int, int] | None = None) -> bytes:
        """An ornament, or the boxes of a stamp card, as wide as a phone's screen at its finest, 1860 x 600 pixels: a
        PNG."""
        if state is not None:
            filled, total = max(0, min(state[1], state[0])), state[1]
            boxes = lambda: _png(stamp_card.drawn(palette, filled, total, WIDE_POINTS, SCALE))  # noqa: E731
            return self._made.get((f"wide {drawing}", palette, (filled, total)), boxes)
        draw = _ORNAMENTS[drawing]
        return self._made.get((f"wide {drawing}", palette, None), lambda: _png(draw(palette, WIDE_POINTS, SCALE)))


def _drawn(drawing: str, palette: Palette, state: Drawn) -> bytes:
    if isinstance(state, tuple):
        filled, total = state
        return _png(stamp_card.drawn(palette, max(0, min(total, filled)), total, POINTS, SCALE))
    if drawing in _ORNAMENTS:
        return _png(_ORNAMENTS[drawing](palette, POINTS, SCALE))
    if drawing == "dial":
        return _png(_DIAL.measured(_DIAL.ground(palette, POINTS, SCALE), palette, state, SCALE))
    return _png(_bar(palette, 100 if state is None else state))


def _bar(palette: Palette, percent: int) -> Image.Image:
    """A bar with a knob, and the goal at its end."""
    ground, ink, accent = (colour(text) for text in (palette.background, palette.foreground, palette.label))
    ink = legible(ground, (ink,))
    track = mix(ground, ink, 0.16 if luminance(ground) > 0.4 else 0.22)
    fill = legible(track, (accent, ink))
    sketch = Sketch(POINTS, SCALE, ground)

    def rings(pen: Pen) -> None:
        for number in range(9):
            pen.ring(_STAR[0], _STAR[1], 34 + 26 * number, 1.2, max(0, 190 - 24 * number))

    sketch.fill(mix(ground, ink, 0.2), rings)
    reached = _LEFT + _HALF + (_RIGHT - _LEFT - 2 * _HALF) * percent / 100
    sketch.fill(track, lambda pen: pen.box(_LEFT, _MIDDLE - _HALF, _RIGHT, _MIDDLE + _HALF, _HALF))
    sketch.fill(fill, lambda pen: pen.box(_LEFT, _MIDDLE - _HALF, reached + _HALF, _MIDDLE + _HALF, _HALF))
    corners = star(*_STAR)
    sketch.fill(fill if percent == 100 else track, lambda pen: pen.polygon(corners, soften=1.2))
    sketch.fill(BLACK, lambda pen: pen.disc(reached, _MIDDLE + 1.5, 13), share=0.28)
    sketch.fill(mix(fill, WHITE, 0.9), lambda pen: pen.disc(reached, _MIDDLE, 12.5))
    sketch.fill(fill, lambda pen: pen.disc(reached, _MIDDLE, 5.5))
    return sketch.picture


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    # Few flat colours: as a palette a third of the size, and nobody sees the difference.
    picture.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, "PNG", compress_level=9)
    return file.getvalue()
