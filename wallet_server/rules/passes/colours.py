"""Owns what colours do to each other: contrast as WCAG 2.2 measures it, and the inks that are read on a ground."""

from __future__ import annotations

import re

from wallet_server.rules.passes.card import Palette

RGB = tuple[int, int, int]

LEGIBLE = 4.5
"""WCAG 2.2, 1.4.3: text needs this much contrast with its ground."""
FAINT = 5.6
"""Below this text can be read, but not in sunlight; no ground that is clearly light or dark comes so low."""

_HEX = re.compile("#[0-9a-fA-F]{6}")
_LIGHT: RGB = (255, 253, 248)
_DARK: RGB = (22, 19, 15)
_WHITE: RGB = (255, 255, 255)
_BLACK: RGB = (0, 0, 0)


def is_colour(text: str) -> bool:
    """Whether this is `#rrggbb`."""
    return _HEX.fullmatch(text) is not None


def rgb(text: str) -> RGB:
    """`#rrggbb` in numbers. Raises ValueError."""
    if not is_colour(text):
        raise ValueError(f"{text!r} is no colour")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(one: RGB, other: RGB) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def inked(background: str) -> Palette:
    """A ground with inks that are read on it: text as far from it as can be, labels nearer but still legible.

    Of black and white one always has a contrast of at least 4.58, so there is no ground without an ink.
    """
    ground = rgb(background)
    soft, hard = max(((_LIGHT, _WHITE), (_DARK, _BLACK)), key=lambda inks: contrast(inks[1], ground))
    ink = soft if contrast(soft, ground) >= LEGIBLE else hard
    label = next(mixed for share in (30, 24, 18, 12, 6, 0) if _legible(mixed := _mix(ink, ground, share), ground))
    return Palette(background.lower(), _hex(ink), _hex(label))


def _legible(ink: RGB, ground: RGB) -> bool:
    return contrast(ink, ground) >= LEGIBLE


def _mix(one: RGB, other: RGB, percent: int) -> RGB:
    red, green, blue = (a + (b - a) * percent // 100 for a, b in zip(one, other, strict=True))
    return red, green, blue


def _hex(colour: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: RGB) -> float:
    """Relative luminance, 0 for black to 1 for white (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
