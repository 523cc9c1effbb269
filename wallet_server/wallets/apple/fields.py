"""Owns the way from a neutral Card to pass.json: which part of the card becomes which key of Apple's format.

Keys and their limits: developer.apple.com/documentation/walletpasses. Only what `rules` knows is ever written. What is
not a field is in `features`.

Where a design asks for a poster, the same fields stand in posterGeneric too, under keys of their own: keys are one pool
for the whole pass. The change is announced by the classic fields alone. Whether iOS 27 compares the fields of the style
that it shows, of both, or joins two messages into a text of its own, is not documented and was not seen on a phone; one
message is what every phone is known to handle. The price: a phone that compares the poster alone updates in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from html import escape
from typing import Any

from wallet_server.rules.addresses import encoded
from wallet_server.rules.passes.card import Alert, Balance, Card, Detail, Event, Gauge, Stamps, Texts
from wallet_server.rules.passes.fitting import fits_header, shortened
from wallet_server.rules.sentences import plural
from wallet_server.wallets.apple import features
from wallet_server.wallets.apple.strings import Phrases
from wallet_server.wallets.designs import Align, Design, Item, Placement, SlotName
from wallet_server.wallets.port import Identity

_CLASSIC: tuple[SlotName, ...] = ("header", "primary", "secondary", "auxiliary", "back")
_ARRAYS: dict[SlotName, str] = {slot: f"{slot}Fields" for slot in _CLASSIC}
POSTER = "posterGeneric"
_POSTER_PRIMARY = 4
_ALIGNMENTS: dict[Align, str] = {
    "left": "PKTextAlignmentLeft",
    "centre": "PKTextAlignmentCenter",
    "right": "PKTextAlignmentRight",
}
# A date in a promotion must not become a calendar entry; an address or a telephone number is worth a tap.
_USEFUL_DETECTORS = ["PKDataDetectorTypePhoneNumber", "PKDataDetectorTypeLink", "PKDataDetectorTypeAddress"]
# The key of a field whose item is another form of a facet: an alert names the facet, whatever form it has here.
_KEYS: dict[Item, str] = {"stamps": "points", "balance": "points"}
# Comma for English, a narrow no-break space (SI, French usage) for the others.
_THOUSANDS = {"en": ","}

Field = dict[str, Any]

_NO_LABEL: Texts = {}
_DAY = {"dateStyle": "PKDateStyleMedium", "timeStyle": "PKDateStyleNone"}
_HOUR = {"dateStyle": "PKDateStyleMedium", "timeStyle": "PKDateStyleShort", "ignoresTimeZone": True}


def compose(
    card: Card, alert: Alert | None, identity: Identity, design: Design, team: str
) -> tuple[dict[str, Any], Phrases]:
    """The document of pass.json and the texts it needs in other languages. Checks nothing: that is `rules.faults`."""
    phrases = Phrases(card.languages or design.languages)
    if any(placed.item == "tier" for placed in design.slots["header"]):
        card = shortened(card, fits_header)
    _reserve_alerting_texts(card, design, phrases)
    document: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": identity.pass_type,
        "teamIdentifier": team,
        "serialNumber": identity.serial,
        "organizationName": phrases.same(card.organisation),
        "description": phrases.key(card.description),
        "sharingProhibited": not design.sharing,
        "backgroundColor": rgb(card.palette.background),
        "foregroundColor": rgb(card.palette.foreground),
        "labelColor": rgb(card.palette.label),
    }
    features.barcodes(document, card, design, identity)
    if design.logo_text:
        document["logoText"] = phrases.same(card.organisation)
    if card.expires_at is not None:
        document["expirationDate"] = card.expires_at
    if card.event is not None or card.balance.iso is not None:
        features.semantics(document, card)
    if card.voided:
        # Without an address the phone stops asking for a card that is gone, and it must not come forward at a shop.
        document["voided"] = True
    else:
        _serve(document, card, identity, design, phrases)
    document[design.style] = style = _style(card, alert, design, phrases)
    if design.poster:
        document[POSTER] = _poster(card, style, design, phrases)
    return document, phrases


@lru_cache(maxsize=1024)
def rgb(colour: str) -> str:
    """`#rrggbb` as Apple writes it; anything else unchanged, for the rules to name."""
    try:
        red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    except ValueError:
        return colour
    return f"rgb({red}, {green}, {blue})" if len(colour) == 7 else colour


def _reserve_alerting_texts(card: Card, design: Design, phrases: Phrases) -> None:
    """Values that can raise an alert get their keys first: another text that reads alike must not move them."""
    if card.stamps:
        phrases.same(_filled(card.stamps))
    if card.tier:
        phrases.key(card.tier.name)
    phrases.key(card.news.text if card.news else design.placeholders["news"])


def _serve(document: dict[str, Any], card: Card, identity: Identity, design: Design, phrases: Phrases) -> None:
    """What only a living card has: where to fetch it again, and the places where it comes forward."""
    if identity.web_service_url is not None:
        # Phones append /v1/...; some readers would ask for //v1/ after a trailing slash.
        document["webServiceURL"] = identity.web_service_url.rstrip("/")
        document["authenticationToken"] = identity.token
    features.relevance(document, card, design, phrases)
    features.service(document, card, identity)


def _style(card: Card, alert: Alert | None, design: Design, phrases: Phrases) -> dict[str, list[Field]]:
    """The arrays of the style that hold something; an empty one has made phones refuse a card."""
    style: dict[str, list[Field]] = {}
    for slot, array in _ARRAYS.items():
        found = [
            field for placed in design.slots[slot] for field in _fields(card, placed, design, phrases, slot == "back")
        ]
        if found:
            style[array] = found
    if alert is not None:
        message = phrases.key(_message(card, alert, design))
        for field in (field for fields in style.values() for field in fields if field["key"] == alert.facet):
            field["changeMessage"] = message
    return style


def _poster(card: Card, style: dict[str, list[Field]], design: Design, phrases: Phrases) -> dict[str, list[Field]]:
    """The same card for iOS 27: header and back as they are, the front's rows as one list of at most four, and the two
    slots that only a poster has."""
    front = [field for slot in ("primary", "secondary", "auxiliary") for field in style.get(f"{slot}Fields", ())]
    rest = {
        slot: [f for placed in design.slots[slot] for f in _fields(card, placed, design, phrases, False)]
        for slot in _POSTER_ALONE
    }
    arrays = {
        "headerFields": style.get("headerFields", []),
        "primaryFields": [_without(field, "textAlignment", "row") for field in front[:_POSTER_PRIMARY]],
        "footerFields": [_without(field, "textAlignment") for field in rest["footer"]],
        "backFields": style.get("backFields", []),
        "additionalInfoFields": [_without(field, "textAlignment") for field in rest["additional"]],
    }
    return {
        array: [{**_without(field, "changeMessage"), "key": f"poster.{field['key']}"} for field in fields]
        for array, fields in arrays.items()
        if fields
    }


_POSTER_ALONE: tuple[SlotName, ...] = ("footer", "additional")


def _without(field: Field, *names: str) -> Field:
    return {name: part for name, part in field.items() if name not in names}


def _message(card: Card, alert: Alert, design: Design) -> Texts:
    """What the lock screen says: the alert's own words, else the design's; for stamps also what comes next."""
    said = {tag: _with_unit(text, card, tag) for tag, text in design.change_messages[alert.facet].items()}
    if any(alert.message.values()):
        return {tag: _with_unit(text, card, tag) for tag, text in alert.message.items()}
    if alert.facet != "points" or card.stamps is None:
        return said
    # A per cent sign ("10% off") could be taken for a further place of a value.
    following = {tag: text for tag, text in card.stamps.sentence.items() if "%" not in text}
    return {tag: f"{text}. {following[tag]}" if tag in following else text for tag, text in said.items()}


def _with_unit(text: str, card: Card, language: str) -> str:
    """The design's words with the currency's own name for several; inside a sentence it is written small, but for
    abbreviations. A single one goes without: a card knows no name for it. So does a name with a per cent sign, which
    could be taken for a further place of a value."""
    unit = card.balance.label.get(language, "")
    single = card.balance.iso is None and card.stamps is None and plural(language, card.balance.value) == "one"
    if single or "%" in unit:
        return text.replace(" {unit}", "").replace("{unit}", "")
    small = unit[:1].lower() + unit[1:] if unit[1:2].islower() else unit
    return text.replace("{unit}", small)


def _fields(card: Card, placed: Placement, design: Design, phrases: Phrases, back: bool) -> Iterator[Field]:
    if placed.item == "details":
        for detail in card.details:
            yield _detail(detail, phrases)
        return
    found = _content(card, placed, design, phrases)
    if found is None:
        return
    label, content = found
    named = phrases.key(label) or phrases.key(design.labels.get(placed.item, _NO_LABEL))
    field = {"key": _KEYS.get(placed.item, placed.item), "label": named, **content}
    if not named:
        del field["label"]
    if placed.row is not None:
        field["row"] = placed.row
    if placed.align in _ALIGNMENTS:
        field["textAlignment"] = _ALIGNMENTS[placed.align]
    if back:
        field["dataDetectorTypes"] = _USEFUL_DETECTORS if placed.item == "news" else []
    yield field


def _content(card: Card, placed: Placement, design: Design, phrases: Phrases) -> tuple[Texts, Field] | None:
    """Label and value of one item, or None when this card has none."""
    match placed.item:
        case "points" | "balance":
            return card.balance.label, _amount(card.balance)
        case "stamps" if card.stamps:
            return card.balance.label, {"value": phrases.same(_filled(card.stamps))}
        case "reward" if card.stamps:
            # The promise is the label: it stands there from the first stamp on.
            return card.stamps.label, {"value": phrases.key(card.stamps.sentence)}
        case "tier" if card.tier:
            return card.tier.label, {"value": phrases.key(card.tier.name)}
        case "gauge" if card.gauge:
            return card.gauge.label, {"value": phrases.key(card.gauge.sentence)}
        case "progress" if card.gauge:
            return design.labels["progress"], {"value": phrases.key(progress(card.gauge, phrases.languages))}
        case "news":
            # Always there: a phone announces the change of a field it knows, not the arrival of a new one.
            text = card.news.text if card.news else design.placeholders["news"]
            return card.news.label if card.news else design.labels["news"], {"value": phrases.key(text)}
        case "organisation":
            return _NO_LABEL, {"value": phrases.same(card.organisation)}
        case "until":
            until = card.offer.until if card.offer else card.expires_at
            return None if until is None else (_NO_LABEL, {"value": until, **_DAY})
    if card.offer is not None and placed.item in ("offer", "terms"):
        return _NO_LABEL, {"value": phrases.key(card.offer.title if placed.item == "offer" else card.offer.terms)}
    return None if card.event is None else _about(card.event, placed.item, phrases)


def _about(event: Event, item: Item, phrases: Phrases) -> tuple[Texts, Field] | None:
    """What a ticket says of its event."""
    match item:
        case "event":
            return _NO_LABEL, {"value": phrases.key(event.name)}
        case "venue":
            return _NO_LABEL, {"value": phrases.key(event.venue)}
        case "starts":
            return _NO_LABEL, {"value": features.local(event.starts_at, event.zone), **_HOUR}
        case "entry" if event.entry:
            return _NO_LABEL, {"value": phrases.key(event.entry)}
    return None


def _amount(balance: Balance) -> Field:
    """A number, so that each phone groups its digits, and writes the currency, in its own way."""
    if balance.iso is None:
        return {"value": balance.value, "numberStyle": "PKNumberStyleDecimal"}
    value = features.Amount.of(balance) if balance.exponent else balance.value
    return {"value": value, "currencyCode": balance.iso}


def _filled(stamps: Stamps) -> str:
    return f"{stamps.filled} / {stamps.total}"


def shows_progress(design: Design) -> bool:
    """Whether cards of this design show how far their holder has come in numbers."""
    return any(placed.item == "progress" for slot in design.slots.values() for placed in slot)


def progress(gauge: Gauge, languages: tuple[str, ...]) -> Texts:
    """How far it is, in the digits of each language."""
    said = f"{gauge.value:,} / {gauge.goal:,}"
    return {tag: said.replace(",", _between_thousands(tag)) for tag in languages}


@lru_cache(maxsize=256)
def _between_thousands(language: str) -> str:
    return _THOUSANDS.get(language.partition("-")[0], "\u202f")


def _detail(detail: Detail, phrases: Phrases) -> Field:
    field: Field = {
        "key": f"detail.{detail.key}",
        "label": phrases.key(detail.label),
        "value": phrases.key(detail.text),
        "dataDetectorTypes": _USEFUL_DETECTORS,
    }
    if detail.link is not None:
        href = escape(encoded(detail.link) or detail.link, quote=True)
        linked = {tag: f'<a href="{href}">{escape(text)}</a>' for tag, text in detail.text.items() if text}
        field["attributedValue"] = phrases.key(linked)
        field["dataDetectorTypes"] = []
    return field
