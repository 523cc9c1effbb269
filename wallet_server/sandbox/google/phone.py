"""Owns one simulated Android phone: what its Google Wallet holds and shows, and what rings on its lock screen.

How Google tells its own phones is Google's own affair: here a phone hears of changes from the server beside it, at
once while it is online, all together when it comes back. Which words Google rings with is not on record; these say
what happened and name the card.
"""

from __future__ import annotations

import hmac
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wallet_server.sandbox.google.refusals import Refusal
from wallet_server.sandbox.google.shelf import MESSAGE, Change, Stored, class_kind
from wallet_server.sandbox.google.words import localized
from wallet_server.sandbox.phones.model import Event

if TYPE_CHECKING:
    from wallet_server.sandbox.google.fleet import AndroidFleet

MAX_CARDS = 100
KEPT_ALERTS = 200
KEPT_EVENTS = 500
# What Google says when a field of its list changed; the words are ours.
UPDATED = {
    "loyaltyPoints.balance": ("Your balance has changed", "Votre solde a changé"),
    "secondaryLoyaltyPoints.balance": ("Your card has news", "Du nouveau sur votre carte"),
}
UPDATED_OTHER = ("Your pass was updated", "Votre carte a été mise à jour")


class SaveRefused(Exception):
    """The link saved nothing; the text is what the page said."""


@dataclass(frozen=True)
class Notification:
    """One entry of the lock screen: the moment, the card's name as title, the text, and the object that it opens."""

    at: datetime
    title: str
    text: str
    object_id: str


@dataclass
class Held:
    """A pass in the wallet: as the phone saw it last, with its class. `notifications`: the pass's own switch."""

    kind: str
    body: Mapping[str, Any]
    above: Mapping[str, Any]
    notifications: bool = True

    @property
    def id(self) -> str:
        return str(self.body["id"])


class AndroidPhone:
    """One phone with one Google account, which has the phone's id. Made by `AndroidFleet.add_phone`."""

    def __init__(self, fleet: AndroidFleet, device_id: str) -> None:
        self.device_id = device_id
        self.name, self.language = "", "en"
        self.is_online = True
        self.notifications = True
        self.cards: dict[str, Held] = {}
        self.lock_screen: deque[Notification] = deque(maxlen=KEPT_ALERTS)
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._fleet = fleet
        self._missed: deque[Change] = deque(maxlen=KEPT_ALERTS)

    async def open(self, url: str) -> list[Held]:
        """Tap a save link, or a link to a page that has one: the passes are in the wallet. Raises SaveRefused."""
        if not self.is_online:
            raise SaveRefused("This phone is offline.")
        jwt = await self._fleet.follow(url, self.language)
        if len(self.cards) >= MAX_CARDS:
            raise SaveRefused(f"This phone holds {MAX_CARDS} passes already.")
        try:
            saved = self._fleet.google.save(jwt, self.device_id)
        except Refusal as refusal:
            said = str(refusal.body["error"]["message"])
            self.note("refused", said)
            raise SaveRefused(said) from refusal
        for stored in saved:
            known = self.cards.get(stored.id)
            self._see(stored)
            self.cards[stored.id].notifications = known.notifications if known else True
            self.note("saved", stored.id)
        return [self.cards[stored.id] for stored in saved]

    def remove(self, object_id: str) -> None:
        """The owner throws a pass away; its issuer is called back. Raises KeyError for one that is not here."""
        held = self.cards.pop(object_id)
        stored = self._fleet.google.shelf.find(held.kind, object_id)
        if stored is not None:
            self._fleet.google.unsave(stored, self.device_id)
        self.note("removed", object_id)

    def offline(self) -> None:
        self.is_online = False
        self.note("offline", "")

    def online(self) -> None:
        """Back on the network: what was missed is seen, and rings now."""
        self.is_online = True
        self.note("online", "")
        missed, self._missed = self._missed, deque(maxlen=KEPT_ALERTS)
        for change in missed:
            self.hear(change)

    def code(self, object_id: str, at: datetime) -> str:
        """What the card's code says at this moment (UTC); "" for a pass without one. Raises KeyError."""
        return code_of(self.cards[object_id].body, at)

    def linked(self, held: Held) -> list[Held]:
        """The offers that stand beside a card, as Google has them; those that it has not are left out."""
        shelf = self._fleet.google.shelf
        found = (shelf.find("offerObject", str(one)) for one in held.body.get("linkedOfferIds", ()))
        return [
            Held(one.kind, dict(one.body), dict(above.body) if above else {})
            for one in found
            if one is not None
            for above in [shelf.find(class_kind(one.kind), one.class_id)]
        ]

    def hear(self, change: Change) -> None:
        """A class or an object has changed."""
        if not self.is_online:
            self._missed.append(change)
            return
        for held in list(self.cards.values()):
            if change.id not in (held.id, held.body.get("classId")):
                continue
            stored = self._fleet.google.shelf.find(held.kind, held.id)
            if stored is not None:
                self._see(stored)
                self._ring(self.cards[held.id], change)

    def note(self, kind: str, text: str) -> None:
        """Write down what happened."""
        self.events.append(Event(self._fleet.google.clock(), kind, text))
        self._fleet.told(self, kind)

    def _see(self, stored: Stored) -> None:
        above = self._fleet.google.shelf.find(class_kind(stored.kind), stored.class_id)
        known = self.cards.get(stored.id)
        held = Held(stored.kind, dict(stored.body), dict(above.body) if above else {})
        if known is not None:
            held.notifications = known.notifications
            self.note("updated", stored.id)
        self.cards[stored.id] = held

    def _ring(self, held: Held, change: Change) -> None:
        if change.rung is None or held.id in change.silent or not (self.notifications and held.notifications):
            return
        text = self._rung_with(held, change)
        title = title_of(held, self.language)
        self.lock_screen.append(Notification(self._fleet.google.clock(), title, text, held.id))
        self.note("alert", f"{title}: {text}")

    def _rung_with(self, held: Held, change: Change) -> str:
        rung = str(change.rung)
        if not rung.startswith(MESSAGE):
            english, french = UPDATED.get(rung, UPDATED_OTHER)
            return french if self.language.startswith("fr") else english
        owner = held.body if change.id == held.id else held.above
        named = [one for one in owner.get("messages", ()) if str(one.get("id", "")) == rung.removeprefix(MESSAGE)]
        message = named[-1] if named else {}
        parts = [localized(message, part, self.language) for part in ("header", "body")]
        return ": ".join(part for part in parts if part)


def title_of(held: Held, language: str) -> str:
    """The name of a pass: its programme's, offer's, event's or merchant's."""
    for body, part in (
        (held.above, "programName"),
        (held.above, "title"),
        (held.above, "eventName"),
        (held.above, "merchantName"),
        (held.body, "cardTitle"),
        (held.above, "issuerName"),
    ):
        text = localized(body, part, language)
        if text:
            return text
    return held.id


def code_of(body: Mapping[str, Any], at: datetime) -> str:
    """What the code of an object says at a moment: a rotating one goes before one that stands still."""
    rotating = body.get("rotatingBarcode")
    if not rotating:
        return str(body.get("barcode", {}).get("value", ""))
    details = rotating["totpDetails"]
    period = int(details["periodMillis"])
    millis = int(at.timestamp() * 1000)
    counter = millis // period
    start = counter * period
    text = str(rotating["valuePattern"])
    for number, one in enumerate(details["parameters"]):
        text = text.replace(f"{{totp_value_{number}}}", _totp(one["key"], counter, int(one["valueLength"])))
    text = text.replace("{totp_timestamp_millis}", str(start))
    return re.sub(r"\{totp_timestamp_seconds\}", str(start // 1000), text)


def _totp(key: str, counter: int, digits: int) -> str:
    """RFC 6238 with SHA-1, the only algorithm that Google knows."""
    mac = hmac.digest(bytes.fromhex(key), counter.to_bytes(8, "big"), "sha1")
    place = mac[-1] & 0x0F
    number = int.from_bytes(mac[place : place + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)
