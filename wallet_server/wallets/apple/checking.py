"""Owns the check of a design, and of one card: every fault and every warning at once, before anybody has the card.

A design is checked by making passes of specimen cards, in every state and with every alert, the way it is done for
phones, and by reading the files that came out. Only the signature is missing: it needs a certificate.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.apple import rules
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.passfile import Press
from wallet_server.wallets.apple.rules.fit import fitting
from wallet_server.wallets.apple.signing import Signer
from wallet_server.wallets.designs import Design, SlotName
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.specimens import NOBODY, TEAM, specimens

_CLASSIC: tuple[SlotName, ...] = ("header", "primary", "secondary", "auxiliary", "back")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_OURS = frozenset({"pass.json", "manifest.json", "signature"})


@dataclass(frozen=True)
class Told:
    """One fault or warning of a design, and the states of the specimens in which it was met."""

    fault: rules.Broken
    states: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What was found in one design. With `faults` its cards cannot be signed; `warnings` forbid nothing."""

    design: Design
    faults: tuple[Told, ...]
    warnings: tuple[Told, ...]


class _Unsigned(Signer):
    """Leaves the signature empty: nobody ever gets these passes."""

    def __init__(self) -> None:
        """There is no key."""

    def sign(self, manifest: bytes, at: datetime) -> bytes:
        return b""


def check(design: Design) -> Checked:
    """Everything that is wrong with the cards of this design, and all that they do not show well."""
    press = Press(Drawings())
    credentials = Credentials(
        NOBODY.pass_type, TEAM, _EPOCH, _EPOCH + timedelta(days=365), b"", b"", b"", _Unsigned(), nfc=True
    )
    faults: dict[rules.Broken, list[str]] = {}
    warnings: dict[rules.Broken, list[str]] = {}
    for specimen in specimens(design):
        try:
            body = press.make(specimen.card, specimen.alert, NOBODY, design, credentials, _EPOCH)
        except Invalid as refused:
            _gather(faults, specimen.state, _known(refused.faults))
            continue
        document, files = _opened(body)
        _gather(faults, specimen.state, rules.faults(document, files, nfc=True))
        _gather(warnings, specimen.state, rules.warnings(document, files))
        said = shown_in(specimen.card, specimen.alert, design)
        _gather(warnings, specimen.state, fitting(document, design.style, said))
        _gather(warnings, specimen.state, _lacking(design))
    return Checked(design, _told(faults), _told(warnings))


def _lacking(design: Design) -> Iterator[rules.Broken]:
    """What a card may do without. A change is announced by the fields of the classic style alone; coupons are told no
    news."""
    if not any(name.rpartition("/")[2].startswith("logo") for name in design.images):
        yield rules.broken("logo.png", "no-logo")
    placed = {one.item for slot in _CLASSIC for one in design.slots[slot]}
    if design.style != "coupon" and "news" not in placed:
        yield rules.broken("slots", "no-news")


def card_faults(card: Card, design: Design, alert: Alert | None = None) -> list[rules.Broken]:
    """What of its texts, colours, links and places would keep this card from being signed, in a version that rings with
    this alert."""
    document, phrases = compose(card, alert, NOBODY, design, TEAM)
    document.pop("nfc", None)  # whether it may be there is the certificate's to say
    found = [*rules.faults(document, ("icon.png",)), *rules.text_faults(document, phrases.texts())]
    return list(dict.fromkeys(found))


def card_warnings(card: Card, design: Design) -> list[rules.Broken]:
    """The texts of this card that a phone would cut, each in its language (the second of the fault's values)."""
    document, phrases = compose(card, None, NOBODY, design, TEAM)
    said = {language: phrases.shown(language) for language in phrases.languages}
    return list(dict.fromkeys(fitting(document, design.style, said)))


def shown_in(card: Card, alert: Alert | None, design: Design) -> Mapping[str, Mapping[str, str]]:
    """What a phone of each of the card's languages shows for each text of its pass."""
    _, phrases = compose(card, alert, NOBODY, design, TEAM)
    return {language: phrases.shown(language) for language in phrases.languages}


def _known(faults: Iterable[Fault]) -> Iterator[rules.Broken]:
    return (fault for fault in faults if isinstance(fault, rules.Broken))


def _gather(into: dict[rules.Broken, list[str]], state: str, found: Iterable[rules.Broken]) -> None:
    for fault in found:
        states = into.setdefault(fault, [])
        if state not in states:
            states.append(state)


def _told(found: Mapping[rules.Broken, list[str]]) -> tuple[Told, ...]:
    return tuple(Told(fault, tuple(states)) for fault, states in found.items())


def _opened(body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        document: dict[str, Any] = json.loads(archive.read("pass.json"))
        return document, {name: archive.read(name) for name in archive.namelist() if name not in _OURS}
