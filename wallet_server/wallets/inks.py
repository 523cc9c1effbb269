"""Owns the colours of drawings: an ink that can be seen on any ground.

Source: WCAG 2.2, 1.4.11 (graphical objects need 3:1 against what is beside them).
"""

from __future__ import annotations

from PIL import ImageColor

from wallet_server.rules.passes.colours import RGB, contrast, luminance

__all__ = ["BLACK", "LEGIBLE", "RGB", "WHITE", "colour", "contrast", "legible", "luminance", "mix"]

LEGIBLE = 3.0
WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)


def legible(ground: RGB, wanted: tuple[RGB, ...]) -> RGB:
    """The first wanted colour that stands out on the ground, or else black or white (one of them always does)."""
    best = max((WHITE, BLACK), key=lambda ink: contrast(ink, ground))
    return next((ink for ink in wanted if contrast(ink, ground) >= LEGIBLE), best)


def colour(text: str) -> RGB:
    """`#rrggbb` in numbers. Raises ValueError."""
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """One colour with this share of the other in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
