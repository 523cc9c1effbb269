"""Owns the way from a neutral Card to the body of an object of Google Wallet: which part becomes which field.

Fields: Google's discovery document walletobjects v1, which holds where the written guides differ from it. Checks
nothing: that is `limits`. What all cards of a programme share, their class, is `classes`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from wallet_server.rules.addresses import encoded
from wallet_server.rules.passes.card import Balance, Card, Detail, Gauge, Texts
from wallet_server.rules.passes.fitting import fits_beside, shortened
from wallet_server.wallets.designs import BarcodeFormat, Design
from wallet_server.wallets.google import totp
from wallet_server.wallets.google.form_parts import MAX_LINKED
from wallet_server.wallets.google.living import living
from wallet_server.wallets.google.options import VERTICALS, Vertical
from wallet_server.wallets.google.texts import Body, Speaker, image, speaker_for
from wallet_server.wallets.port import Copy, Identity

MOST_MODULES = 10
"""Text modules that Google shows of one object."""

MICROS = 1_000_000
_INT32 = 2**31 - 1
_INT64 = 2**63 - 1

_FORMATS: Mapping[BarcodeFormat, str] = {
    "qr": "QR_CODE",
    "pdf417": "PDF_417",
    "aztec": "AZTEC",
    "code128": "CODE_128",
    "ean13": "EAN_13",
    "code39": "CODE_39",
    "codabar": "CODABAR",
    "i2of5": "ITF_14",
}
# What the bars of a format can hold; the others hold any text.
_HOLDS: Mapping[BarcodeFormat, re.Pattern[str]] = {
    "ean13": re.compile(r"[0-9]{13}"),
    "code39": re.compile(r"[0-9A-Z .$/+%-]+"),
    "codabar": re.compile(r"[A-D][0-9$:/.+-]+[A-D]|[0-9$:/.+-]+"),
    "i2of5": re.compile(r"[0-9]{14}"),
    "code128": re.compile(r"[\x00-\x7f]+"),
}
_ROTATING = frozenset({"QR_CODE", "PDF_417"})


@dataclass(frozen=True)
class Pictures:
    """Public https addresses: the square logo, the banner, and the wide picture among the details, where there are."""

    logo: str
    banner: str | None = None
    wide: str | None = None


def vertical_of(card: Card, design: Design) -> Vertical:
    """Google's kind of this card. A kind for which the card lacks its main part gives way to a loyalty card."""
    if card.kind == "coupon":
        wanted: Vertical = "offer"
    elif card.kind == "ticket":
        wanted = "eventTicket"
    else:
        wanted = design.google.vertical or VERTICALS[design.style]
    has = {"giftCard": card.balance.iso, "offer": card.offer, "eventTicket": card.event, "loyalty": True}
    return wanted if has[wanted] is not None else "loyalty"


def staying(card: Card, design: Design, kind: str) -> Design:
    """The design with this kind for its cards, that of an object which is there: Google turns none into another kind,
    and whoever saved it would hold an old one for good."""
    found = next((one for one in ("loyalty", "giftCard") if one == kind), None)
    if card.kind != "card" or found is None or vertical_of(card, design) == found:
        return design
    return replace(design, google=design.google.model_copy(update={"vertical": found}))


def class_id(issuer: str, programme: str, card: Card, design: Design) -> str:
    """The class that this card belongs to: its programme's; a class of its own for each offer, event and, where the
    design says so, status. An issuer gives an id once, whatever the kind: gift cards have another than the loyalty
    cards that the programme had before, or will have."""
    base = f"{issuer}.{programme}"
    vertical = vertical_of(card, design)
    if vertical == "offer" and card.offer is not None:
        return f"{base}_offer_{digest(*_all(card.offer.title, card.offer.terms))}"
    if vertical == "eventTicket" and card.event is not None:
        return f"{base}_event_{digest(*_all(card.event.name), card.event.starts_at)}"
    if vertical == "loyalty" and by_tier(card, design) and card.tier is not None:
        return f"{base}_tier_{re.sub('[^A-Za-z0-9_.-]', '-', card.tier.code)}"
    if vertical == "giftCard":
        return f"{base}_gift"
    return base


def by_tier(card: Card, design: Design) -> bool:
    """Whether each status has a class of its own, in that status's colours."""
    return card.tier is not None and design.google.tier == "class"


@lru_cache(maxsize=1024)
def digest(*texts: str) -> str:
    """Twelve characters that stand for these texts."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _all(*said: Texts) -> Iterator[str]:
    return (part for texts in said for pair in sorted(texts.items()) for part in pair)


def compose(
    copy: Copy,
    design: Design,
    issuer: str,
    at: datetime,
    *,
    banner: str | None,
    wide: str | None = None,
    places: bool = True,
    message: Body | None = None,
    belongs: str | None = None,
) -> Body:
    """The whole body of the object, in the class `belongs` or else in its own. `banner` is the address of the picture
    that shows this member's state, `wide` of such a one among the details; without `places` it names none, for an
    issuer whom Google grants none; `message` is what `news` made."""
    if any("tier" in row and len(row) > 1 for row in design.google.rows):
        copy = replace(copy, card=shortened(copy.card, fits_beside))
    card, identity = copy.card, copy.identity
    speaker = speaker_for(card.languages or design.languages)
    vertical = vertical_of(card, design)
    body: Body = {
        "id": f"{issuer}.{identity.serial}",
        "classId": belongs or class_id(issuer, copy.programme, card, design),
        "state": _state(card, at),
    }
    _code(body, card, design, identity, vertical)
    match vertical:
        case "loyalty":
            _loyalty(body, copy, design, speaker)
        case "giftCard":
            body["cardNumber"] = identity.said
            body["balance"] = money(card.balance)
        case "eventTicket":
            _ticket(body, copy, design, speaker)
        case "offer":
            pass  # all that an offer says stands in its class
    if banner is not None:
        body["heroImage"] = image(banner, speaker.localized(_picture_said(card)))
    if wide is not None:
        body["imageModulesData"] = [{"id": "state", "mainImage": image(wide, speaker.localized(_picture_said(card)))}]
    _modules(body, card, design, speaker, vertical)
    if design.google.group:
        body["groupingInfo"] = {"groupingId": copy.programme, "sortIndex": 0 if card.kind == "card" else 1}
    if not design.google.screenshots:
        body["passConstraints"] = {"screenshotEligibility": "INELIGIBLE"}
    interval = {"start": card.valid_from, "end": card.expires_at}
    if any(interval.values()):
        body["validTimeInterval"] = {name: {"date": date} for name, date in interval.items() if date is not None}
    if not card.voided:
        living(body, card, speaker, places)
        if message is not None:
            body["messages"] = [message]
    return body


def news(card: Card, design: Design, ends_at: datetime, *, notify: bool) -> Body | None:
    """The latest news as a message, until `ends_at`: without an end Google would show it for ever. Its id is that of
    its words."""
    if card.news is None or card.voided:
        return None
    speaker = speaker_for(card.languages or design.languages)
    return message(f"news-{digest(*_all(card.news.text))}", card.news.label, card.news.text, ends_at, notify, speaker)


def message(name: str, header: Texts, body: Texts, ends_at: datetime, notify: bool, speaker: Speaker) -> Body:
    """A Message of the Wallet API."""
    said: Body = {
        "id": name,
        "messageType": "TEXT_AND_NOTIFY" if notify else "TEXT",
        "displayInterval": {"end": {"date": _written(ends_at)}},
    }
    speaker.put(said, "header", header)
    speaker.put(said, "body", body)
    return said


@lru_cache(maxsize=64)
def _written(instant: datetime) -> str:
    """UTC, to the second: a batch has one instant."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(card: Card, at: datetime) -> str:
    if card.voided:
        return "INACTIVE"
    if card.offer is not None and card.offer.until != card.expires_at and card.kind == "coupon":
        return "COMPLETED"  # a coupon that was used is greyed from then on, not from its last day on
    if card.expires_at is not None and card.expires_at <= _written(at):
        return "EXPIRED"
    return "ACTIVE"


# --- the code --------------------------------------------------------------------------------------------------


def rotates(card: Card, design: Design) -> bool:
    """Whether the code changes every thirty seconds: the design says so, or the programme."""
    return design.google.rotating_barcode or card.rotating


def _code(body: Body, card: Card, design: Design, identity: Identity, vertical: Vertical) -> None:
    known = design.barcode_formats if card.barcode is None else (card.barcode,)
    drawn = next((one for one in known if one not in _HOLDS or _HOLDS[one].fullmatch(identity.brief)), known[0])
    kind = _FORMATS[drawn]
    shown = {"alternateText": identity.said} if design.barcode_alt_text == "code" else {}
    if rotates(card, design):
        body["rotatingBarcode"] = {
            "type": kind if kind in _ROTATING else "QR_CODE",
            "valuePattern": totp.pattern(identity.code),
            "totpDetails": {
                "algorithm": "TOTP_SHA1",
                "periodMillis": str(totp.PERIOD_SECONDS * 1000),
                "parameters": [{"key": totp.secret(identity).hex(), "valueLength": totp.DIGITS}],
            },
        }
        return
    # Bars in one line have room for the short form alone.
    body["barcode"] = {"type": kind, "value": identity.brief if drawn in _HOLDS else identity.code, **shown}
    if kind == "QR_CODE" and not identity.code.isascii():
        body["barcode"]["renderEncoding"] = "UTF_8"
    if design.google.account and vertical == "loyalty":
        body["accountId"] = identity.said


# --- what only one kind has ------------------------------------------------------------------------------------


def _loyalty(body: Body, copy: Copy, design: Design, speaker: Speaker) -> None:
    card = copy.card
    if copy.holder:
        body["accountName"] = copy.holder
    points: Body = {"balance": balance(card, design)}
    speaker.put(points, "label", card.balance.label)
    body["loyaltyPoints"] = points
    if card.tier is not None and not by_tier(card, design):
        status: Body = {"balance": {"string": speaker.plain(card.tier.name)}}
        speaker.put(status, "label", card.tier.label)
        body["secondaryLoyaltyPoints"] = status
    _offers(body, copy, design)


def _ticket(body: Body, copy: Copy, design: Design, speaker: Speaker) -> None:
    event = copy.card.event
    if event is not None and event.entry and speaker.plain(event.entry):
        body["seatInfo"] = {"gate": speaker.localized(event.entry)}
    if copy.holder:
        body["ticketHolderName"] = copy.holder
    _offers(body, copy, design)


def _offers(body: Body, copy: Copy, design: Design) -> None:
    """The coupons beside it, the newest where they are more than it may name. As objects they are handed to whoever has
    the card, and never taken off its list: those that are over are inactive themselves."""
    issuer = body["id"].partition(".")[0]
    if design.google.coupons == "objects" and copy.linked:
        body["linkedObjectIds"] = [f"{issuer}.{serial}" for serial in copy.linked[:MAX_LINKED]]
    elif design.google.coupons == "offers" and copy.offers and not copy.card.voided:
        body["linkedOfferIds"] = [f"{issuer}.{serial}" for serial in copy.offers[-MAX_LINKED:]]


def balance(card: Card, design: Design) -> Body:
    """The balance in exactly one form: money, boxes of a stamp card, a whole number, or as text what is too large for
    that."""
    if card.balance.iso is not None:
        exact = money(card.balance)
        if abs(int(exact["micros"])) <= _INT64:
            return {"money": exact}
        return {"string": f"{_major(card.balance)} {card.balance.iso}"}
    if card.stamps is not None and "stamps" in design.shown:
        return {"string": f"{card.stamps.filled} / {card.stamps.total}"}
    value = card.balance.value
    return {"int": value} if abs(value) <= _INT32 else {"string": str(value)}


def money(owned: Balance) -> Body:
    """Exact for up to six decimals."""
    return {"currencyCode": owned.iso, "micros": str(owned.value * MICROS // 10**owned.exponent)}


def _major(owned: Balance) -> str:
    whole, rest = divmod(abs(owned.value), 10**owned.exponent)
    said = f"{'-' if owned.value < 0 else ''}{whole}"
    return f"{said}.{rest:0{owned.exponent}d}" if owned.exponent else said


# --- modules ---------------------------------------------------------------------------------------------------


_Module = tuple[str, Texts, Texts]
"""Id, header and body of a text module."""


def _modules(body: Body, card: Card, design: Design, speaker: Speaker, vertical: Vertical) -> None:
    modules = [*_front(card, design, vertical)]
    modules += [(_name(one.key), one.label, one.text) for one in card.details if one.link is None]
    if len(modules) > MOST_MODULES:
        modules[MOST_MODULES - 1 :] = [_joined(modules[MOST_MODULES - 1 :])]
    if modules:
        body["textModulesData"] = [_module(*one, speaker) for one in modules]
    links = [_link(one, speaker) for one in card.details if one.link is not None]
    if not card.voided:
        links += [
            {"id": f"call-{number}", "uri": action.link, **_described(speaker, "call")}
            for number, action in enumerate(card.actions, 1)
            if action.kind == "call"
        ]
    if links:
        body["linksModuleData"] = {"uris": links}


def _front(card: Card, design: Design, vertical: Vertical) -> Iterator[_Module]:
    """What the front shows beside the balance: as modules it is in every language, and a row may name them."""
    tier, gauge, stamps = card.tier, card.gauge, card.stamps
    if tier is not None and not by_tier(card, design) and (vertical != "loyalty" or len(set(tier.name.values())) > 1):
        yield "tier", tier.label, tier.name
    if stamps is not None:
        yield "reward", stamps.label, stamps.sentence
    if gauge is not None:
        yield "gauge", gauge.label, gauge.sentence
        if "progress" in design.labels and "progress" in design.shown:
            yield "progress", design.labels["progress"], _progress(gauge, card.languages)
    if card.offer is not None and vertical != "offer":
        yield "offer", card.offer.title, card.offer.terms


def _progress(gauge: Gauge, languages: Sequence[str]) -> Texts:
    said = f"{gauge.value:,} / {gauge.goal:,}"
    narrow = said.replace(",", "\u202f")
    return {tag: said if tag.partition("-")[0] == "en" else narrow for tag in languages}


def _module(name: str, header: Texts, text: Texts, speaker: Speaker) -> Body:
    module: Body = {"id": name}
    speaker.put(module, "header", header)
    speaker.put(module, "body", text)
    return module


def _joined(modules: Sequence[_Module]) -> _Module:
    """What is more than Google shows, as one module: nothing is lost."""
    tags = dict.fromkeys(tag for _, header, text in modules for tag in (*header, *text))
    said = {
        tag: "\n\n".join(f"{header.get(tag, '')}\n{text.get(tag, '')}".strip() for _, header, text in modules)
        for tag in tags
    }
    return "more", {}, said


def _name(key: str) -> str:
    """An id that a row may name: dots separate the parts of a path."""
    return f"detail-{re.sub('[^A-Za-z0-9_-]', '-', key)}"


def _link(detail: Detail, speaker: Speaker) -> Body:
    """An address that is its own text is better told by its label."""
    bare = speaker.plain(detail.text) in ("", detail.link)
    link: Body = {"id": _name(detail.key), "uri": encoded(detail.link or "") or detail.link}
    speaker.put(link, "description", detail.label if bare else detail.text)
    return link


def _described(speaker: Speaker, key: str) -> Body:
    said: Body = {}
    speaker.put(said, "description", speaker.word(key))
    return said


def _picture_said(card: Card) -> Texts:
    if card.stamps is not None:
        return card.stamps.sentence
    return card.gauge.sentence if card.gauge is not None else card.description
