"""Owns the phones of the replay: iPhones with a pass, and Android phones with an object in Google Wallet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.stories.stage import Stage, shown
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone


class Carried(Protocol):
    """A member's phone, of either kind."""

    @property
    def device_id(self) -> str: ...

    def points(self) -> int | None:
        """What its card shows."""
        ...

    def code(self) -> str:
        """What a scanner reads off it."""
        ...


@dataclass(frozen=True)
class IPhone:
    """One that has downloaded and registered a pass."""

    stage: Stage
    phone: Phone

    @property
    def device_id(self) -> str:
        return self.phone.device_id

    def points(self) -> int | None:
        found: int | None = shown(self.phone, "points")
        return found

    def code(self) -> str:
        return self.stage.code(self.phone)


@dataclass(frozen=True)
class Android:
    """One that has saved an object, of this id."""

    phone: AndroidPhone
    card: str

    @property
    def device_id(self) -> str:
        return self.phone.device_id

    def points(self) -> int | None:
        return points_of(self.phone.cards[self.card].body)

    def code(self) -> str:
        return self.phone.code(self.card, datetime.now(UTC))


def points_of(body: Mapping[str, Any]) -> int | None:
    """The balance that an object shows."""
    found: int | None = body.get("loyaltyPoints", {}).get("balance", {}).get("int")
    return found


def new_iphone(stage: Stage, member: Mapping[str, Any]) -> IPhone:
    """A phone that opens the member's download link, and has registered."""

    async def made() -> Phone:
        return stage.fleet.add_phone("en")

    phone: Phone = stage.run(made())
    stage.run(phone.open(member["download_url"]))
    stage.until(lambda: all(card.registered for card in phone.cards.values()), "the phone has registered")
    return IPhone(stage, phone)


def new_android(stage: Stage, member: Mapping[str, Any]) -> Android:
    """A phone that opens the page of the member's card and presses the button there."""

    async def made() -> AndroidPhone:
        return stage.androids.add_phone("en")

    phone: AndroidPhone = stage.run(made())
    (held,) = stage.run(phone.open(member["card_url"]))
    return Android(phone, held.id)
