"""Owns what a pass holds beside its fields: the code to scan, when and where it comes forward, its buttons, and what a
phone understands of it by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wallet_server.rules.addresses import encoded
from wallet_server.rules.passes.card import Action, App, Balance, Card, Event
from wallet_server.wallets.apple.strings import Phrases
from wallet_server.wallets.designs import BarcodeFormat, Design
from wallet_server.wallets.port import Identity

_FORMATS: Mapping[BarcodeFormat, str] = {
    "qr": "PKBarcodeFormatQR",
    "pdf417": "PKBarcodeFormatPDF417",
    "aztec": "PKBarcodeFormatAztec",
    "code128": "PKBarcodeFormatCode128",
    "ean13": "PKBarcodeFormatEAN13",
    "code39": "PKBarcodeFormatCode39",
    "codabar": "PKBarcodeFormatCodabar",
    "i2of5": "PKBarcodeFormatI2of5",
}
# What the bars of a format can hold; the others hold any text.
_HOLDS: Mapping[BarcodeFormat, re.Pattern[str]] = {
    "ean13": re.compile(r"[0-9]{13}"),
    "code39": re.compile(r"[0-9A-Z .$/+%-]+"),
    "codabar": re.compile(r"[A-D][0-9$:/.+-]+[A-D]|[0-9$:/.+-]+"),
    "i2of5": re.compile(r"([0-9]{2})+"),
    "code128": re.compile(r"[\x00-\x7f]+"),
}
_LEGACY = {"PKBarcodeFormatQR", "PKBarcodeFormatPDF417", "PKBarcodeFormatAztec"}
_LONGEST_SPAN = timedelta(hours=24)


def formats_of(card: Card, design: Design) -> tuple[BarcodeFormat, ...]:
    """In which formats the code is drawn: the programme's choice goes before the design's."""
    return design.barcode_formats if card.barcode is None else (card.barcode,)


def barcodes(document: dict[str, Any], card: Card, design: Design, identity: Identity) -> None:
    """The code in the format of the card, or in each of the design that can hold it; in all of them where none can, for
    the rules to name. Phones draw the first that they know. Bars in one line have room for its short form alone."""
    formats = formats_of(card, design)
    if len(formats) > 1:
        formats = tuple(one for one in formats if one not in _HOLDS or _HOLDS[one].fullmatch(identity.brief)) or formats
    alt_text = identity.said if design.barcode_alt_text == "code" else None
    found = [_barcode(_FORMATS[one], identity.brief if one in _HOLDS else identity.code, alt_text) for one in formats]
    document["barcodes"] = found
    if design.legacy_barcode:
        # Readers that follow iOS 8 and some apps on Android know this key alone.
        old = next((one for one in found if one["format"] in _LEGACY), None)
        if old is not None:
            document["barcode"] = old


def _barcode(kind: str, code: str, alt_text: str | None) -> dict[str, str]:
    barcode = {
        "format": kind,
        "message": code,
        "messageEncoding": "iso-8859-1" if code.isascii() else "utf-8",
    }
    if alt_text is not None:
        barcode["altText"] = alt_text
    return barcode


def relevance(document: dict[str, Any], card: Card, design: Design, phrases: Phrases) -> None:
    """Where a living card comes forward, and when. A phone that is given both shows the card only where both hold, so
    a ticket of a known hour names no shops."""
    dated = card.event is not None and design.style in ("eventTicket", "generic")
    if card.event is not None and dated:
        document["relevantDates"] = [_dates(card.event)]
    if card.places and not dated:
        document["locations"] = [
            {"latitude": place.latitude, "longitude": place.longitude, "relevantText": phrases.key(place.text)}
            for place in card.places
        ]
        if card.max_distance_metres is not None:
            document["maxDistance"] = card.max_distance_metres
    if card.beacons:
        document["beacons"] = [
            {
                "proximityUUID": beacon.uuid,
                **({} if beacon.major is None else {"major": beacon.major}),
                **({} if beacon.minor is None else {"minor": beacon.minor}),
                "relevantText": phrases.key(beacon.text),
            }
            for beacon in card.beacons
        ]


def _dates(event: Event) -> dict[str, str]:
    """From the beginning to the end where that is within a day. iOS 18 calls a single moment relevantDate, iOS 26
    date."""
    start, end = event.starts_at, event.ends_at
    if end is not None and timedelta() < _moment(end) - _moment(start) <= _LONGEST_SPAN:
        return {"startDate": start, "endDate": end}
    return {"date": start, "relevantDate": start}


def service(document: dict[str, Any], card: Card, identity: Identity) -> None:
    """What else only a living card has: buttons, the app, and the part for readers without contact."""
    if card.actions:
        document["featuredActions"] = [_action(one, number) for number, one in enumerate(card.actions, 1)]
    if card.app is not None:
        _app(document, card.app)
    if card.nfc is not None:
        document["nfc"] = {
            "encryptionPublicKey": card.nfc.public_key,
            "message": identity.brief,
            "requiresAuthentication": card.nfc.needs_unlocking,
        }


def _action(action: Action, number: int) -> dict[str, str]:
    where = "placeIdentifier" if action.kind == "place" else "url"
    return {"identifier": f"{action.kind}.{number}", "type": action.kind, where: encoded(action.link) or action.link}


def _app(document: dict[str, Any], app: App) -> None:
    document["associatedStoreIdentifiers"] = [app.store_id]
    if app.launch_link is not None:
        document["appLaunchURL"] = encoded(app.launch_link) or app.launch_link


def semantics(document: dict[str, Any], card: Card) -> None:
    """What a phone may use beside showing it: an amount of money, and the name, venue and hours of an event."""
    found: dict[str, Any] = {}
    if card.balance.iso is not None:
        found["balance"] = {"amount": major_units(card.balance), "currencyCode": card.balance.iso}
    event = card.event
    if event is not None:
        first = card.languages[0] if card.languages else ""
        name, venue = event.name.get(first), event.venue.get(first)
        found |= {"eventName": name} if name else {}
        found |= {"venueName": venue} if venue else {}
        found["eventStartDate"] = event.starts_at
        if event.ends_at is not None:
            found["eventEndDate"] = event.ends_at
    if found:
        document["semantics"] = found


class Amount(float):
    """A number of major units for the checks, and the exact decimal text of it for the bytes of pass.json: near 2^53
    minor units no float tells two cents apart."""

    text: str

    @classmethod
    def of(cls, balance: Balance) -> Amount:
        """The balance, of a currency with decimals."""
        text = major_units(balance)
        amount = cls(text)
        amount.text = text
        return amount


def major_units(balance: Balance) -> str:
    """Decimal text of an amount of money, such as 12.50; exact."""
    if not balance.exponent:
        return str(balance.value)
    whole, rest = divmod(abs(balance.value), 10**balance.exponent)
    return f"{'-' if balance.value < 0 else ''}{whole}.{rest:0{balance.exponent}d}"


@lru_cache(maxsize=1024)
def local(instant: str, zone: str) -> str:
    """The instant with the offset of the place where it happens: a phone elsewhere shows the hour on the door. As it
    is where there is no such zone, for the rules to name what is no date."""
    try:
        return _moment(instant).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return instant


@lru_cache(maxsize=1024)
def _moment(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
