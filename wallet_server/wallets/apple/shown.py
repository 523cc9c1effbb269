"""Owns how an iPhone shows a pass: the fields of its document, in their places, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet_server.rules.passes.card import Card
from wallet_server.rules.programme.program import Money
from wallet_server.rules.sentences import money_text
from wallet_server.wallets.apple.features import Amount
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.designs import Design
from wallet_server.wallets.port import Identity

_NOBODY = Identity(0, "pass.example.card", "0", "", "0", None)
# Comma for English, a narrow no-break space for the others, as phones group digits.
_THOUSANDS = {"en": ","}


@dataclass(frozen=True)
class Shown:
    """One field: its label above its value."""

    key: str
    label: str
    value: str


@dataclass(frozen=True)
class Pass:
    """A pass, front and back. `secondary` holds the auxiliary fields too: on a store card they share one row."""

    logo_text: str
    header: tuple[Shown, ...]
    primary: tuple[Shown, ...]
    secondary: tuple[Shown, ...]
    back: tuple[Shown, ...]


def shown(card: Card, design: Design, language: str) -> Pass:
    """The same document that is signed for a phone, read as the phone reads it."""
    document, phrases = compose(card, None, _NOBODY, design, "")
    said, style = phrases.shown(language), document[design.style]

    def fields(*names: str) -> tuple[Shown, ...]:
        return tuple(_field(field, said, language) for name in names for field in style.get(f"{name}Fields", ()))

    return Pass(
        logo_text=said.get(document.get("logoText", ""), ""),
        header=fields("header"),
        primary=fields("primary"),
        secondary=fields("secondary", "auxiliary"),
        back=fields("back"),
    )


def _field(field: Mapping[str, Any], said: Mapping[str, str], language: str) -> Shown:
    label = field.get("label", "")
    return Shown(field["key"], said.get(label, label), _value(field, said, language))


def _value(field: Mapping[str, Any], said: Mapping[str, str], language: str) -> str:
    value = field["value"]
    if "currencyCode" in field:
        digits = value.text if isinstance(value, Amount) else str(value)
        money = Money(field["currencyCode"], len(digits.partition(".")[2]))
        return money_text(int(digits.replace(".", "")), money, language)
    if isinstance(value, int):
        return f"{value:,}".replace(",", _THOUSANDS.get(language, "\u202f"))
    return said.get(value, value)
