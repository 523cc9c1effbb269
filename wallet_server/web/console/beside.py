"""Owns what the pages of a card in the making show of it: three members' cards as each wallet would have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from wallet_server.actions.programme.designing import Drawing, Preview
from wallet_server.rules.passes.card import Card
from wallet_server.rules.passes.card_form import LANGUAGES
from wallet_server.web.assets import asset_path
from wallet_server.web.face import owned
from wallet_server.web.rendering import context, in_language, palette_spec, root, symbol

PATH = "/console/card"
DRAWINGS: Mapping[str, Drawing] = {"dial": "dial", "ring": "ring", "ribbon": "ribbon", "seal": "seal"}
"""What a member's card may show beside gauges and boxes, by its name in an address."""
DIALS = ("dial", "ring")


def shown(drawn: Preview, tongue: str) -> dict[str, Any]:
    """The samples for the templates: `states` in the page's language, `promise` in both."""
    programme = drawn.reading.programme
    states = [
        {
            "name": name,
            "card": sample.card,
            "apple": sample.apple,
            "colours": palette_spec(sample.card.palette),
            "strip": _picture_path(sample.card, drawn.strip),
            "thumbnail": _picture_path(sample.card, drawn.thumbnail),
            "google": _google(sample.card, tongue),
        }
        for name, sample in drawn.samples.items()
    ]
    return {
        "states": states,
        "organisation": programme.organisation,
        "card_logo": asset_path(programme.logo) if programme.logo else "",
        "promise": {tag: drawn.promise[tag] for tag in LANGUAGES if tag in drawn.promise},
        "code": _sample_code(),
        "palettes": [sample.card.palette for sample in drawn.samples.values()],
    }


def _google(sample: Card, tongue: str) -> dict[str, Any]:
    """What Google's loyalty card shows of the same card: its balance, the second value beside it, and the details."""
    balance = f"{sample.stamps.filled} / {sample.stamps.total}" if sample.stamps else owned(sample.balance, tongue)
    return {
        "programme": in_language(sample.description, tongue),
        "balance": (in_language(sample.balance.label, tongue), balance),
        "second": (in_language(sample.tier.label, tongue), in_language(sample.tier.name, tongue))
        if sample.tier
        else None,
        "sentence": in_language((sample.stamps or sample.gauge).sentence, tongue)  # type: ignore[union-attr]
        if sample.stamps or sample.gauge
        else "",
        "details": [(in_language(one.label, tongue), in_language(one.text, tongue)) for one in sample.details],
    }


def _sample_code() -> Markup:
    """A code such as stands on every card; this one belongs to nobody."""
    return symbol(f"{context().settings.base_url}/", "QR")


def _picture_path(sample: Card, drawing: Drawing | None) -> str:
    """What the card's design draws for this member; nothing where it draws nothing there."""
    if drawing is None:
        return ""
    drawn: str = "plain" if drawing in ("gauge", "stamps") else drawing
    if sample.stamps and drawing == "stamps":
        drawn = f"s{sample.stamps.filled}-{sample.stamps.total}"
    elif sample.gauge and drawing == "gauge":
        drawn = f"g{sample.gauge.percent}"
    elif sample.gauge and drawing in DIALS:
        drawn = f"{drawing}{sample.gauge.percent}"
    return f"{root()}{PATH}/strip/{palette_spec(sample.palette)}/{drawn}.png"
