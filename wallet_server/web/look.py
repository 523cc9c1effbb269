"""Owns the page that shows every component of the pages in each of its states, for whoever builds or translates one."""

from __future__ import annotations

from flask import Blueprint, Response

from wallet_server.rules.passes.card import Palette
from wallet_server.web.rendering import language, press, render

look = Blueprint("look", __name__)

COLOURS = (
    "ground", "tile", "line", "edge", "ink", "soft", "accent", "on-accent",
    "good", "good-ground", "bad", "bad-ground", "wait", "wait-ground",
)  # fmt: skip
SAMPLE = Palette("#12372a", "#fbf7ec", "#b9dcc4")
BARS = (3, 5, 2, 8, 6, 9, 12)


@look.get("/look")
def page() -> Response:
    """Type, colours, forms, lists, states; no member's data and nothing that can be sent."""
    tongue = language()
    words = press().words[tongue].look
    return render(
        "look.html",
        tongue,
        palettes=[SAMPLE],
        colours=COLOURS,
        bars=[(number, 26 + 44 * place, value, 110 - 8 * value, 8 * value) for place, (number, value) in
              enumerate(zip(words.weekdays.split(), BARS, strict=True))],
    )  # fmt: skip
