"""Owns how a phone and its cards are described to somebody who looks at them: plain JSON, in the phone's language."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import segno

from wallet_server.sandbox.passes import Pass
from wallet_server.sandbox.passes.wording import field_text, locale_of
from wallet_server.sandbox.phones.model import Card, Event, Key
from wallet_server.sandbox.phones.phone import Phone

GROUPS = {
    "header": "headerFields",
    "primary": "primaryFields",
    "secondary": "secondaryFields",
    "auxiliary": "auxiliaryFields",
    "footer": "footerFields",
    "back": "backFields",
    "more": "additionalInfoFields",
}
IMAGES = ("logo", "primaryLogo", "secondaryLogo", "strip", "icon", "thumbnail", "background", "artwork")
SHOWN_EVENTS = 30
SHOWN_ALERTS = 10
_URL = re.compile(r"(https?://[^\s<>\"]+[^\s<>\".,;:!?)])")
_RGB = re.compile(r"\s*rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)\s*")


def card_id(key: Key) -> str:
    """A short name for a card that is safe in an address."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]


def card_of(phone: Phone, name: str) -> Card | None:
    return next((card for key, card in phone.cards.items() if card_id(key) == name), None)


def summary(phone: Phone) -> dict[str, Any]:
    """A phone in one line of a list."""
    return {
        "id": phone.device_id,
        "name": phone.name,
        "language": phone.language,
        "online": phone.is_online,
        "cards": len(phone.cards),
        "alerts": len(phone.lock_screen),
    }


def full(phone: Phone) -> dict[str, Any]:
    """Everything there is to see on a phone. Newest alerts and events first."""
    return summary(phone) | {
        "push_token": phone.push_token,
        "settings": dict(vars(phone.settings)),
        "tags": [
            {"web_service": base, "pass_type": pass_type, "tag": tag} for (base, pass_type), tag in phone.tags.items()
        ],
        "lock_screen": [
            {
                "at": alert.at.isoformat(),
                "title": alert.title,
                "text": alert.text,
                "pass_type": alert.pass_type,
                "serial": alert.serial,
                "card": card_id((alert.pass_type, alert.serial)),
            }
            for alert in list(phone.lock_screen)[: -SHOWN_ALERTS - 1 : -1]
        ],
        "events": [_event(event) for event in list(phone.events)[: -SHOWN_EVENTS - 1 : -1]],
        "passes": [card_view(phone, card) for card in phone.cards.values()],
    }


def _event(event: Event) -> dict[str, Any]:
    return {"at": event.at.isoformat(), "kind": event.kind, "text": event.text}


def card_view(phone: Phone, card: Card) -> dict[str, Any]:
    """One card as Wallet draws it: translated and formatted fields, colours, pictures and the code to scan."""
    file, document = card.file, card.file.document
    strings = file.strings(phone.language)
    name = card_id(card.key)
    base = f"/phones/{phone.device_id}/cards/{name}"
    version = file.digest[:12]

    def word(key: str) -> str:
        text = str(document.get(key, ""))
        return strings.get(text, text)

    return {
        "id": name,
        "pass_type": file.pass_type,
        "serial": file.serial,
        "style": file.style,
        "version": version,
        "voided": file.voided,
        "organisation": word("organizationName"),
        "description": word("description"),
        "logo_text": word("logoText"),
        "colours": {part: _colour(document.get(f"{part}Color")) for part in ("background", "foreground", "label")},
        "fields": {
            group: [_field(field, strings, phone) for field in file.fields(source)] for group, source in GROUPS.items()
        },
        "images": {
            image: f"{base}/{image}.png?v={version}" for image in IMAGES if file.has_image(image, phone.language)
        },
        "code": _code(file, f"{base}/code.svg?v={version}"),
        "registered": card.registered,
        "actions": [_button(one) for one in document.get("featuredActions", ())],
        "updatable": file.web_service is not None,
        "last_modified": card.last_modified,
        "notifications": card.notifications,
        "automatic_updates": card.automatic_updates,
    }


def _field(field: Mapping[str, Any], strings: Mapping[str, str], phone: Phone) -> dict[str, Any]:
    label = str(field.get("label", ""))
    text = field_text(field, strings, locale_of(phone.language), phone.zone)
    attributed = field.get("attributedValue")
    source = strings.get(attributed, attributed) if isinstance(attributed, str) else None
    return {
        "key": field["key"],
        "label": strings.get(label, label),
        "value": text,
        "parts": _attributed(source) if source else _detected(text),
    }


class _Links(HTMLParser):
    """Text and links of an attributedValue; all other mark-up is dropped, as Wallet drops it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[dict[str, str]] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            href = dict(attrs).get("href") or ""
            self._href = href if href.startswith(("https://", "http://", "tel:", "mailto:")) else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        self.parts.append({"text": data, "href": self._href} if self._href else {"text": data})


def _attributed(source: str) -> list[dict[str, str]]:
    reader = _Links()
    reader.feed(source)
    reader.close()
    return reader.parts


def _detected(text: str) -> list[dict[str, str]]:
    """Web addresses in a plain value are links, as with Wallet's data detectors."""
    pieces = _URL.split(text)
    return [
        {"text": piece, "href": piece} if index % 2 else {"text": piece} for index, piece in enumerate(pieces) if piece
    ]


def _button(action: Mapping[str, Any]) -> dict[str, str]:
    """A button under the card: Apple's word for it, and where it leads, if that is an address."""
    link = str(action.get("url", ""))
    safe = link.startswith(("https://", "tel:"))
    return {"kind": str(action.get("type", "")), "href": link if safe else ""}


def _colour(value: object) -> str | None:
    found = _RGB.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value.strip() if isinstance(value, str) else None
    return f"rgb({', '.join(str(min(int(part), 255)) for part in found.groups())})"


def _code(file: Pass, address: str) -> dict[str, Any] | None:
    """The first barcode, as on a phone. Only QR is drawn; of the others the text is shown."""
    code = _barcode(file)
    if code is None:
        return None
    kind = str(code["format"]).removeprefix("PKBarcodeFormat")
    drawn = address if kind == "QR" and not file.voided else None
    return {"format": kind, "message": code["message"], "alt": str(code.get("altText", "")), "image": drawn}


def _barcode(file: Pass) -> Mapping[str, Any] | None:
    codes = file.document.get("barcodes") or [file.document.get("barcode")]
    return codes[0] if codes and isinstance(codes[0], Mapping) else None


def code_svg(file: Pass) -> bytes | None:
    """The QR code of a pass as SVG, black on white with its quiet zone; None when it has none."""
    code = _barcode(file)
    if code is None or code["format"] != "PKBarcodeFormatQR":
        return None
    try:
        drawing = segno.make_qr(code["message"].encode(code["messageEncoding"]), error="m")
    except segno.DataOverflowError:
        return None
    out = BytesIO()
    drawing.save(out, kind="svg", scale=1, border=2, dark="#000", light="#fff", xmldecl=False, omitsize=True)
    return out.getvalue()
