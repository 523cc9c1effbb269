"""Owns how a card looks in a browser: the neutral Card, in one language, as the templates show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_datetime
from markupsafe import Markup

from wallet_server.rules import sentences
from wallet_server.rules.passes.card import Balance, Card, Kind, Offer, Stamps, Texts
from wallet_server.rules.programme.program import Money
from wallet_server.web.assets import asset_path
from wallet_server.web.rendering import day_style, in_language, palette_spec, symbol

LEFT_OUT = frozenset({"web", "stop"})
"""Details of the back that the page itself is or has: the link to this page, and the switch for messages."""


_WORDS: Mapping[str, Texts] = {
    "until": {"fr": "Valable jusqu’au", "en": "Valid until"},
    "starts": {"fr": "Début", "en": "Starts"},
    "venue": {"fr": "Lieu", "en": "Venue"},
    "entry": {"fr": "Entrée", "en": "Entrance"},
}
"""In the card's language, which may differ from the page's."""


@dataclass(frozen=True)
class Fact:
    """A small word above a value, on the front of a coupon or a ticket."""

    label: str
    text: str


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
    kind: Kind = "card"
    title: str = ""
    terms: str = ""
    facts: tuple[Fact, ...] = ()
    """`title` stands in the place of the balance on a coupon and a ticket; below it the terms, and the facts."""

    def spoken(self) -> str:
        """The front in one line, for who hears the page."""
        tier = f"{self.tier_label}: {self.tier}" if self.tier else ""
        boxes = self.boxes.sentence if self.boxes else ""
        facts = ". ".join(f"{fact.label}: {fact.text}" for fact in self.facts)
        if self.title:
            return ". ".join(part for part in (self.title, self.terms.rstrip("."), facts, self.news) if part)
        said = (f"{self.balance_label}: {self.balance}", tier, self.gauge, boxes, self.news)
        return ". ".join(part for part in said if part)


def face(card: Card, code: str, tongue: str, symbol_name: str, typed: str = "") -> Face:
    """The card in the page's language where it speaks it; without a code (a preview, a replaced card) no symbol.
    `typed` is what is written under that, where it is not the code itself."""
    spoken = tongue if tongue in card.languages else card.languages[0]
    gauge, news, tier = card.gauge, card.news, card.tier
    return Face(
        language=spoken,
        organisation=card.organisation,
        description=in_language(card.description, spoken),
        balance_label=in_language(card.balance.label, spoken),
        balance=owned(card.balance, spoken),
        tier_label=in_language(tier.label, spoken) if tier else "",
        tier=in_language(tier.name, spoken) if tier else "",
        percent=gauge.percent if gauge else None,
        gauge_label=in_language(gauge.label, spoken) if gauge else "",
        gauge=in_language(gauge.sentence, spoken) if gauge else "",
        news_label=in_language(news.label, spoken) if news else "",
        news=in_language(news.text, spoken) if news else "",
        voided=card.voided,
        colours=palette_spec(card.palette),
        code=typed or code,
        symbol=symbol(code, symbol_name) if code else None,
        back=tuple(
            Side(in_language(detail.label, spoken), in_language(detail.text, spoken), detail.link)
            for detail in card.details
            if detail.key not in LEFT_OUT
        ),
        boxes=_boxes(card.stamps, spoken),
        logo=asset_path(card.logo) if card.logo else None,
        kind=card.kind,
        title=_title(card, spoken),
        terms=in_language(card.offer.terms, spoken) if card.offer else "",
        facts=tuple(_facts(card, spoken)),
    )


def owned(balance: Balance, spoken: str) -> str:
    """A balance as this language writes it: money with its currency, anything else as a number."""
    if balance.iso is None:
        return sentences.number(balance.value, spoken)
    return sentences.money_text(balance.value, Money(balance.iso, balance.exponent), spoken)


def _title(card: Card, spoken: str) -> str:
    if card.offer is not None:
        return in_language(card.offer.title, spoken)
    return in_language(card.event.name, spoken) if card.event else ""


def _facts(card: Card, spoken: str) -> Iterator[Fact]:
    event, until = card.event, _until(card.offer, card)
    if event is not None:
        at = _local(event.starts_at, event.zone)
        begins = format_datetime(at, day_style("d MMMM y, HH:mm", at, spoken), locale=spoken)
        yield Fact(_WORDS["starts"][spoken], begins)
        yield Fact(_WORDS["venue"][spoken], in_language(event.venue, spoken))
        if event.entry:
            yield Fact(_WORDS["entry"][spoken], in_language(event.entry, spoken))
    elif until is not None:
        last = datetime.fromisoformat(until)
        yield Fact(_WORDS["until"][spoken], format_date(last, day_style("d MMMM y", last, spoken), locale=spoken))


def _until(offer: Offer | None, card: Card) -> str | None:
    return offer.until if offer and offer.until else card.expires_at


def _local(instant: str, zone: str) -> datetime:
    """The hour on the door, wherever the page is read."""
    moment = datetime.fromisoformat(instant)
    try:
        return moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return moment


def _boxes(stamps: Stamps | None, spoken: str) -> Boxes | None:
    if stamps is None:
        return None
    label, sentence = in_language(stamps.label, spoken), in_language(stamps.sentence, spoken)
    return Boxes(stamps.filled, stamps.total, label, sentence)
