"""Owns the colours of drawings: contrast, and an ink that can be seen on any ground.

Source: WCAG 2.2, 1.4.11 (graphical objects need 3:1 against what is beside them) and its relative luminance.
"""

from __future__ import annotations

from PIL import ImageColor

RGB = tuple[int, int, int]
LEGIBLE = 3.0
WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)


def contrast(one: RGB, other: RGB) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


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


def luminance(colour: RGB) -> float:
    """Relative luminance, 0 for black to 1 for white."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
