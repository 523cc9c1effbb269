"""Owns the words of the letter that says where a member stands: status, how far it is to the next, what waits there."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from wallet_server.rules.passes.card import Card, Detail, Texts
from wallet_server.rules.people.letters import Text
from wallet_server.rules.sentences import number, spoken

_BOXES = 10
_WORDS = {
    "fr": {
        "subject": "Votre statut chez {shop}\u00a0: {tier}",
        "tier": "Votre statut\u00a0: {tier}",
        "titled": "{label}\u00a0: {text}",
        "card": "Votre carte",
        "stop": "Ne plus recevoir ces e-mails",
    },
    "en": {
        "subject": "Your status at {shop}: {tier}",
        "tier": "Your status: {tier}",
        "titled": "{label}: {text}",
        "card": "Your card",
        "stop": "Stop these e-mails",
    },
}


@dataclass(frozen=True)
class Links:
    """Where the letter leads: to the card on the web, and to the page that stops such letters."""

    card: str
    stop: str


def of_standing(card: Card, language: str, links: Links) -> Text:
    """The letter for a card that shows a tier, in this language where the card speaks it."""
    tongue = spoken(language if language in card.languages else card.languages[0])
    words, shop = _WORDS[tongue], card.organisation
    tier = _in(card.tier.name, tongue) if card.tier else ""
    subject = words["subject"].format(shop=shop, tier=tier)
    title = words["tier"].format(tier=tier)
    parts = [_titled(card, key, tongue) for key in ("benefits", "teaser")]
    gauge = card.gauge
    sentence = _in(gauge.sentence, tongue) if gauge else ""
    percent = gauge.percent if gauge else None
    counted = f"{number(gauge.value, tongue)} / {number(gauge.goal, tongue)}" if gauge else ""
    bar = "" if percent is None else f"{_drawn(percent)} {counted}"
    ends = [words["titled"].format(label=words[name], text=getattr(links, name)) for name in ("card", "stop")]
    plain = [title, parts[0], bar, sentence, parts[1], *ends, shop]
    html = _html(tongue, subject, title, (parts[0], sentence, parts[1]), (percent, counted), words, links, shop)
    return Text(subject, "\n\n".join(part for part in plain if part) + "\n", html)


def _in(texts: Texts, tongue: str) -> str:
    return texts.get(tongue) or next(iter(texts.values()), "")


def _titled(card: Card, key: str, tongue: str) -> str:
    """An entry of the back with its label; "" where the card has none."""
    found: Detail | None = next((one for one in card.details if one.key == key), None)
    if found is None:
        return ""
    label, text = _in(found.label, tongue), _in(found.text, tongue)
    return f"{label}\n{text}" if "\n" in text else _WORDS[tongue]["titled"].format(label=label, text=text)


def _drawn(percent: int) -> str:
    """The gauge as text; full once all of it is reached, and not before."""
    full = _BOXES * percent // 100
    return "\u25b0" * full + "\u25b1" * (_BOXES - full)


def _html(
    tongue: str,
    subject: str,
    title: str,
    said: tuple[str, str, str],
    gauge: tuple[int | None, str],
    words: dict[str, str],
    links: Links,
    shop: str,
) -> str:
    """As mail programs draw it: a table for the bar, every style in its element."""
    benefits, sentence, reward = (escape(part).replace("\n", "<br>") for part in said)
    percent, counted = gauge
    ends = " · ".join(
        f'<a href="{escape(address, quote=True)}">{escape(words[name])}</a>'
        for name, address in (("card", links.card), ("stop", links.stop))
    )
    parts = [
        f'<p style="font-size:24px;font-weight:bold;margin:0 0 16px">{escape(title)}</p>',
        f"<p>{benefits}</p>" if benefits else "",
        "" if percent is None else _bar(percent, escape(counted)),
        f'<p style="font-weight:bold">{sentence}</p>' if sentence else "",
        f"<p>{reward}</p>" if reward else "",
        f"<p>{escape(shop)}</p>",
        f'<p style="font-size:13px">{ends}</p>',
    ]
    return (
        f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
        '<body style="font-family:sans-serif;font-size:16px;line-height:1.5;max-width:32em">'
        f"{''.join(parts)}</body></html>"
    )


def _bar(percent: int, counted: str) -> str:
    cells = (("#12503c", percent), ("#ddd5c6", 100 - percent))
    drawn = "".join(
        f'<td width="{width}%" bgcolor="{colour}" style="height:12px;font-size:1px">&nbsp;</td>'
        for colour, width in cells
        if width
    )
    table = f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>{drawn}</tr></table>'
    return f"{table}<p>{counted}</p>"
