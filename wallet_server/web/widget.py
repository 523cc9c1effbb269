"""Owns the progress of a member as a merchant's own site frames it: no name, no number, no link, no cookie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, request

from wallet_server.actions.people import widget
from wallet_server.rules.passes.card import Card
from wallet_server.rules.sentences import number
from wallet_server.web.face import face
from wallet_server.web.rendering import LANGUAGES, chosen_language, context, in_language, render

widget_pages = Blueprint("widget", __name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors "
)
THEMES = ("light", "dark")
TEASER = "teaser"


@dataclass(frozen=True)
class Bar:
    """How far it is: the bar in percent, its numbers as the card has them, the sentence, and what waits there."""

    percent: int
    counted: str
    name: str
    sentence: str
    reward_label: str
    reward: str


@widget_pages.get("/widget/<token>")
def page(token: str) -> Response:
    """In the language of its member (`?lang=` for another), and for light and dark sites (`?theme=` for one)."""
    shown = widget.progress(context(), token)
    tongue = chosen_language() or (shown.language if shown.language in LANGUAGES else "en")
    theme = request.args.get("theme", "")
    card = shown.card
    response = render(
        "widget.html",
        tongue,
        status=200 if card else 404,
        palettes=[card.palette] if card else [],
        face=face(card, "", tongue, "") if card else None,
        bars=list(_bars(card, tongue)) if card else [],
        theme=theme if theme in THEMES else "",
    )
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Content-Security-Policy"] = POLICY + " ".join(shown.sites)
    return response


def _bars(card: Card, tongue: str) -> Iterator[Bar]:
    """To the next tier, and to the next reward of a card with stamps."""
    spoken = tongue if tongue in card.languages else card.languages[0]
    gauge, stamps = card.gauge, card.stamps
    if gauge is not None:
        waits = next((detail for detail in card.details if detail.key == TEASER), None)
        yield Bar(
            gauge.percent,
            f"{number(gauge.value, spoken)} / {number(gauge.goal, spoken)}",
            in_language(gauge.label, spoken),
            in_language(gauge.sentence, spoken),
            in_language(waits.label, spoken) if waits else "",
            in_language(waits.text, spoken) if waits else "",
        )
    if stamps is not None:
        yield Bar(
            100 * stamps.filled // stamps.total,
            f"{stamps.filled} / {stamps.total}",
            in_language(card.balance.label, spoken),
            in_language(stamps.sentence, spoken),
            "",
            in_language(stamps.label, spoken),
        )
