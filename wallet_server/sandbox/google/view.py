"""Owns how a pass is described as Google Wallet draws it: front, details, code and messages, in the phone's language.

The layout is Google's: name and logo, up to three rows, the code, the hero picture; below it messages and details.
Rows come from the class's template where it has one (`cardTemplateOverride`), else from the kind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import segno

from wallet_server.sandbox.google import words
from wallet_server.sandbox.google.phone import AndroidPhone, Held, code_of, title_of
from wallet_server.sandbox.google.rules import moment
from wallet_server.sandbox.google.words import localized

SHOWN_ALERTS = 10
SHOWN_EVENTS = 30
SHOWN_MODULES = 10
PLAIN_COLOUR = "#3c4043"
_HEX = re.compile(r"#([0-9a-fA-F]{6})")
_MODULE = re.compile(r"textModulesData\['([^']+)'\]")
_SAFE = ("https://", "http://", "tel:", "mailto:", "geo:")
_DEFAULT_ROWS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "loyaltyObject": (("object.loyaltyPoints.balance", "object.secondaryLoyaltyPoints.balance", "class.rewardsTier"),),
    "giftCardObject": (("object.balance", "object.cardNumber"), ("object.pin",)),
    "offerObject": (("class.provider", "object.validTimeInterval.end"),),
    "eventTicketObject": (("class.dateTime.start", "class.venue.name"), ("object.ticketHolderName",)),
    "genericObject": (("object.subheader", "object.header"),),
}


@dataclass(frozen=True)
class Part:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True)
class Note:
    """A message: its header, and its body as text and links."""

    header: str
    body: tuple[Link, ...]
    rings: bool


@dataclass(frozen=True)
class Code:
    """The code on the front. `drawn`: it is a QR code, whose picture is `code_svg`; of others the text is shown."""

    format: str
    value: str
    text: str
    drawn: bool
    rotates: bool


@dataclass(frozen=True)
class CardView:
    """A pass to be drawn. Pictures are addresses as the issuer gave them."""

    id: str
    object_id: str
    kind: str
    version: str
    language: str
    state: str
    issuer: str
    title: str
    background: str
    dark: bool
    logo: str = ""
    logo_text: str = ""
    hero: str = ""
    hero_text: str = ""
    rows: tuple[tuple[Part, ...], ...] = ()
    code: Code | None = None
    messages: tuple[Note, ...] = ()
    details: tuple[Part, ...] = ()
    links: tuple[Link, ...] = ()
    modules: tuple[Link, ...] = ()
    pictures: tuple[str, ...] = ()
    button: Link | None = None
    offers: tuple[Part, ...] = ()
    places: int = 0
    ends: str = ""
    notifications: bool = True
    valid: bool = field(default=True)

    @property
    def images(self) -> tuple[str, ...]:
        """Every picture that the card shows."""
        return tuple(one for one in (self.logo, self.hero, *self.pictures) if one)


def card_id(object_id: str) -> str:
    """A short name for a pass that is safe in an address."""
    return hashlib.sha256(object_id.encode()).hexdigest()[:16]


def held_by(phone: AndroidPhone, name: str) -> Held | None:
    return next((held for held in phone.cards.values() if card_id(held.id) == name), None)


def card_view(held: Held, language: str, at: datetime, linked: Sequence[Held] = ()) -> CardView:
    """A pass as Google Wallet shows it at this moment (UTC), on a phone in this language, with the offers that are
    `linked` to it."""
    body, above = held.body, held.above
    colour = str(body.get("hexBackgroundColor") or above.get("hexBackgroundColor") or PLAIN_COLOUR)
    hero = body.get("heroImage") or above.get("heroImage") or {}
    logo = next((one for one in (above.get(name) for name in _LOGOS) if one), body.get("logo") or {})
    app = body.get("appLinkData") or above.get("appLinkData") or {}
    state = str(body.get("state", "ACTIVE"))
    return CardView(
        id=card_id(held.id),
        object_id=held.id,
        kind=held.kind,
        version=hashlib.sha256(repr((body, above)).encode()).hexdigest()[:12],
        language=language,
        state=state,
        issuer=localized(above, "issuerName", language) or localized(body, "cardTitle", language),
        title=title_of(held, language),
        background=colour,
        dark=_is_dark(colour),
        logo=_address(logo),
        logo_text=words.translation(logo.get("contentDescription", {}), language),
        hero=_address(hero),
        hero_text=words.translation(hero.get("contentDescription", {}), language),
        rows=tuple(_rows(held, language)),
        code=_code(body, at),
        messages=tuple(_messages(held, language, at)),
        details=tuple(_details(held, language)),
        links=tuple(_links(held, language)),
        modules=tuple(_modules(held, language)),
        pictures=tuple(_pictures(held)),
        button=_button(app, language),
        offers=tuple(_offer(one, language) for one in linked),
        places=len(body.get("merchantLocations", ())) + len(above.get("merchantLocations", ())),
        ends=words.date(body.get("validTimeInterval", {}).get("end", {}).get("date", ""), language),
        notifications=held.notifications,
        valid=state == "ACTIVE",
    )


def _offer(held: Held, language: str) -> Part:
    """An offer in one line: its title, and until when it is good, or what became of it."""
    state = str(held.body.get("state", "ACTIVE"))
    end = held.body.get("validTimeInterval", {}).get("end", {}).get("date", "")
    return Part(title_of(held, language), words.date(end, language) if state == "ACTIVE" else state)


_LOGOS = ("programLogo", "titleImage", "logo")


def summary(phone: AndroidPhone) -> dict[str, Any]:
    """A phone in one line of a list."""
    return {
        "id": phone.device_id,
        "name": phone.name,
        "language": phone.language,
        "online": phone.is_online,
        "cards": len(phone.cards),
        "alerts": len(phone.lock_screen),
    }


def lock_screen(phone: AndroidPhone) -> list[dict[str, str]]:
    """The newest notifications first."""
    return [
        {"at": one.at.isoformat(), "title": one.title, "text": one.text, "card": card_id(one.object_id)}
        for one in list(phone.lock_screen)[: -SHOWN_ALERTS - 1 : -1]
    ]


def code_svg(value: str) -> bytes | None:
    """A QR code as SVG, black on white with its quiet zone; None when it is too long for one."""
    try:
        drawing = segno.make_qr(value, error="m", encoding="utf-8" if not value.isascii() else None)
    except (segno.DataOverflowError, ValueError):
        return None
    out = BytesIO()
    drawing.save(out, kind="svg", scale=1, border=2, dark="#000", light="#fff", xmldecl=False, omitsize=True)
    return out.getvalue()


def _rows(held: Held, language: str) -> Iterator[tuple[Part, ...]]:
    template = held.above.get("classTemplateInfo", {}).get("cardTemplateOverride", {}).get("cardRowTemplateInfos")
    if template:
        rows = [[_paths_of(item) for item in _items(row)] for row in template]
    else:
        rows = [[[path] for path in row] for row in _DEFAULT_ROWS.get(held.kind, ())]
    for row in rows:
        parts = tuple(part for paths in row if (part := _first(held, paths, language)) is not None)
        if parts:
            yield parts[:3]


def _items(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("oneItem", "twoItems", "threeItems"):
        for place in ("item", "startItem", "middleItem", "endItem"):
            item = row.get(kind, {}).get(place)
            if item:
                yield item


def _paths_of(item: Mapping[str, Any]) -> list[str]:
    """The fields that an item may show."""
    return [str(one.get("fieldPath", "")) for one in item.get("firstValue", {}).get("fields", ())]


def _first(held: Held, paths: list[str], language: str) -> Part | None:
    """Google shows the first of several fields that is not empty."""
    found = (_at(held, path, language) for path in paths)
    return next((part for part in found if part is not None and part.value), None)


def _at(held: Held, path: str, language: str) -> Part | None:
    """What stands at a field path, with the label that belongs to it."""
    side, _, rest = path.partition(".")
    body = held.body if side == "object" else held.above
    module = _MODULE.fullmatch(rest)
    if module:
        found = next((one for one in body.get("textModulesData", ()) if one.get("id") == module[1]), None)
        return Part(localized(found, "header", language), localized(found, "body", language)) if found else None
    name, _, inner = rest.partition(".")
    value = body.get(name)
    if name in ("loyaltyPoints", "secondaryLoyaltyPoints") and isinstance(value, Mapping):
        return Part(localized(value, "label", language), words.balance(value.get("balance", {}), language))
    if isinstance(value, Mapping) and "micros" in value:
        return Part("", words.money(value, language))
    if inner and isinstance(value, Mapping):
        last = value.get(inner)
        text = words.date(last["date"], language) if isinstance(last, Mapping) and "date" in last else ""
        text = text or (words.date(last, language) if isinstance(last, str) else localized(value, inner, language))
        return Part("", text)
    label = localized(held.above, f"{name}Label", language)
    return Part(label, localized(body, name, language))


def _code(body: Mapping[str, Any], at: datetime) -> Code | None:
    code = body.get("rotatingBarcode") or body.get("barcode")
    if not code:
        return None
    kind, value = str(code.get("type", "")), code_of(body, at)
    return Code(kind, value, str(code.get("alternateText", "")), kind == "QR_CODE", "rotatingBarcode" in body)


def _messages(held: Held, language: str, at: datetime) -> Iterator[Note]:
    for owner in (held.body, held.above):
        for one in reversed(owner.get("messages", ())):
            span = one.get("displayInterval", {})
            start, end = (moment(span.get(name, {}).get("date")) for name in ("start", "end"))
            if (start is None or start <= at) and (end is None or at < end):
                body = tuple(_parts(localized(one, "body", language)))
                yield Note(localized(one, "header", language), body, one.get("messageType") == "TEXT_AND_NOTIFY")


def _details(held: Held, language: str) -> Iterator[Part]:
    for name in ("accountName", "accountId"):
        if held.body.get(name):
            yield Part(localized(held.above, f"{name}Label", language), str(held.body[name]))
    for name in ("rewardsTier", "secondaryRewardsTier", "details", "finePrint"):
        text = localized(held.above, name, language)
        if text:
            yield Part(localized(held.above, f"{name}Label", language), text)
    for owner in (held.body, held.above):
        for one in owner.get("textModulesData", ())[:SHOWN_MODULES]:
            yield Part(localized(one, "header", language), localized(one, "body", language))


def _links(held: Held, language: str) -> Iterator[Link]:
    homes = [held.above["homepageUri"]] if "homepageUri" in held.above else []
    for one in (
        *held.body.get("linksModuleData", {}).get("uris", ()),
        *held.above.get("linksModuleData", {}).get("uris", ()),
        *homes,
    ):
        address = str(one.get("uri", ""))
        if address.startswith(_SAFE):
            yield Link(localized(one, "description", language) or address, address)


def _modules(held: Held, language: str) -> Iterator[Link]:
    """Value-added modules, the object's before the class's, by their own order."""
    for owner in (held.body, held.above):
        for one in sorted(owner.get("valueAddedModuleData", ()), key=lambda module: module.get("sortIndex", 2**31)):
            head = words.translation(one.get("header", {}), language)
            said = words.translation(one.get("body", {}), language)
            address = str(one.get("uri", ""))
            yield Link(": ".join(text for text in (head, said) if text), address if address.startswith(_SAFE) else "")


def _pictures(held: Held) -> Iterator[str]:
    for owner in (held.body, held.above):
        for one in owner.get("imageModulesData", ())[:1]:
            address = _address(one.get("mainImage", {}))
            if address:
                yield address


def _button(app: Mapping[str, Any], language: str) -> Link | None:
    """The button on the front that leads to an app or a page."""
    for kind in ("androidAppLinkInfo", "webAppLinkInfo"):
        target = app.get(kind, {}).get("appTarget", {})
        address = str(target.get("targetUri", {}).get("uri", ""))
        name = str(target.get("packageName", ""))
        if address or name:
            text = words.translation(app.get("displayText", {}), language) or name or address
            return Link(text, address if address.startswith(_SAFE) else "")
    return None


def _address(image: Mapping[str, Any]) -> str:
    address = str(image.get("sourceUri", {}).get("uri", ""))
    return address if address.startswith(("https://", "http://")) else ""


def _is_dark(colour: str) -> bool:
    """Whether white text reads better on it (relative luminance, WCAG 2)."""
    found = _HEX.fullmatch(colour)
    if found is None:
        return True
    parts = [int(found[1][place : place + 2], 16) / 255 for place in (0, 2, 4)]
    light = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] < 0.36


class _Anchors(HTMLParser):
    """Text and links of a message; all other mark-up is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Link] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            href = dict(attrs).get("href") or ""
            self._href = href if href.startswith(_SAFE) else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        self.parts.append(Link(data, self._href))


def _parts(source: str) -> list[Link]:
    reader = _Anchors()
    reader.feed(source)
    reader.close()
    return reader.parts
