"""Owns how a card looks in a browser: the neutral Card, in one language, as the templates show it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from wallet_server.rules import sentences
from wallet_server.rules.card import Card, Stamps
from wallet_server.web.assets import asset_path
from wallet_server.web.rendering import in_language, palette_spec, symbol

LEFT_OUT = frozenset({"web", "stop"})
"""Details of the back that the page itself is or has: the link to this page, and the switch for messages."""


@dataclass(frozen=True)
class Side:
    """One entry on the back."""

    label: str
    text: str
    link: str | None


@dataclass(frozen=True)
class Boxes:
    """The boxes of a stamp card, with what they are good for and what comes next."""

    filled: int
    total: int
    label: str
    sentence: str

    @property
    def columns(self) -> int:
        """Boxes side by side: rows of equal length, at most seven in one."""
        rows = 1 if self.total <= 5 else -(-self.total // 7) if self.total > 14 else 2
        return -(-self.total // rows)


@dataclass(frozen=True)
class Face:
    """A card in one language; `language` is the card's own and may differ from the page's."""

    language: str
    organisation: str
    description: str
    balance_label: str
    balance: str
    tier_label: str
    tier: str
    percent: int | None
    gauge_label: str
    gauge: str
    news_label: str
    news: str
    voided: bool
    colours: str
    code: str
    symbol: Markup | None
    back: tuple[Side, ...]
    boxes: Boxes | None
    logo: str | None

    def spoken(self) -> str:
        """The front in one line, for who hears the page."""
        tier = f"{self.tier_label}: {self.tier}" if self.tier else ""
        boxes = self.boxes.sentence if self.boxes else ""
        said = (f"{self.balance_label}: {self.balance}", tier, self.gauge, boxes, self.news)
        return ". ".join(part for part in said if part)


def face(card: Card, code: str, tongue: str, symbol_name: str) -> Face:
    """The card in the page's language where it speaks it; without a code (a preview, a replaced card) no symbol."""
    spoken = tongue if tongue in card.languages else card.languages[0]
    gauge, news, tier = card.gauge, card.news, card.tier
    return Face(
        language=spoken,
        organisation=card.organisation,
        description=in_language(card.description, spoken),
        balance_label=in_language(card.balance.label, spoken),
        balance=sentences.number(card.balance.value, spoken),
        tier_label=in_language(tier.label, spoken) if tier else "",
        tier=in_language(tier.name, spoken) if tier else "",
        percent=gauge.percent if gauge else None,
        gauge_label=in_language(gauge.label, spoken) if gauge else "",
        gauge=in_language(gauge.sentence, spoken) if gauge else "",
        news_label=in_language(news.label, spoken) if news else "",
        news=in_language(news.text, spoken) if news else "",
        voided=card.voided,
        colours=palette_spec(card.palette),
        code=code,
        symbol=symbol(code, symbol_name) if code else None,
        back=tuple(
            Side(in_language(detail.label, spoken), in_language(detail.text, spoken), detail.link)
            for detail in card.details
            if detail.key not in LEFT_OUT
        ),
        boxes=_boxes(card.stamps, spoken),
        logo=asset_path(card.logo) if card.logo else None,
    )


def _boxes(stamps: Stamps | None, spoken: str) -> Boxes | None:
    if stamps is None:
        return None
    label, sentence = in_language(stamps.label, spoken), in_language(stamps.sentence, spoken)
    return Boxes(stamps.filled, stamps.total, label, sentence)
