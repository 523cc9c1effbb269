"""Owns the making of a .pkpass: a card composed, checked against every rule, drawn, packed and signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.card import Alert, Card, Palette
from wallet_server.wallets import logos
from wallet_server.wallets.apple import rules
from wallet_server.wallets.apple.archive import Packed, pack, seal
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.strings import Phrases, UnshowableText
from wallet_server.wallets.designs import Design
from wallet_server.wallets.drawing import SCALES, Drawings, Kept
from wallet_server.wallets.port import Identity

MEDIA_TYPE = "application/vnd.apple.pkpass"
_STRIP_NAMES = tuple("strip.png" if scale == 1 else f"strip@{scale}x.png" for scale in SCALES)


Pictures = Callable[[str], bytes | None]
"""SHA-256 of a picture that a programme names to its bytes; None when it is not there."""

Drawn = int | None | tuple[int, int]
"""What the strip shows: the percent of a gauge (None without one), or the filled boxes of a stamp card of so many."""


def no_pictures(_sha256: str) -> bytes | None:
    """Where nobody keeps pictures each design shows its own logo."""
    return None


class Press:
    """Makes passes; shared by all threads. Keeps the packed pictures of the last `limit` drawn states, some 100 KB
    each, and the logos that were fitted last."""

    def __init__(
        self, drawings: Drawings, *, pictures: Pictures = no_pictures, sandbox: bool = False, limit: int = 256
    ) -> None:
        self._drawings = drawings
        self._pictures = pictures
        self._sandbox = sandbox
        self._fronts: Kept[tuple[str, int, Palette, Drawn, str | None], Packed] = Kept(limit)
        self._logos: Kept[tuple[str, str], Mapping[str, bytes]] = Kept(limit)

    def make(
        self,
        card: Card,
        alert: Alert | None,
        identity: Identity,
        design: Design,
        credentials: Credentials,
        at: datetime,
    ) -> bytes:
        """The signed bytes. Raises `Invalid` with every fault; nothing invalid is ever signed."""
        document, phrases = compose(card, alert, identity, design, credentials.team)
        found: list[Fault] = []
        files = _written(document, phrases, found)
        names = [*design.images, *(_STRIP_NAMES if design.strip else ()), *(name for name, _ in files[1:])]
        found += rules.faults(document, names, sandbox=self._sandbox)
        if found:
            raise Invalid(_sentence(found), code="invalid-card", faults=found)
        signer = credentials.signer
        return seal(self._front(card, design), files, lambda manifest: signer.sign(manifest, at))

    def _front(self, card: Card, design: Design) -> Packed:
        drawn = _drawn(card, design)
        logo = self._logo(card)
        key = (design.name, design.version, card.palette, drawn, card.logo if logo else None)
        return self._fronts.get(key, lambda: self._draw(card.palette, drawn, design, logo))

    def _logo(self, card: Card) -> Mapping[str, bytes]:
        """The merchant's logo and icon in Apple's sizes; nothing where the picture is gone or broken: a card with the
        design's own logo is better than none."""
        if card.logo is None:
            return {}
        key = (card.logo, card.palette.background)
        try:
            return self._logos.get(key, lambda: logos.files(self._found(key[0]), key[1]))
        except (OSError, Invalid):
            return {}

    def _found(self, sha256: str) -> bytes:
        picture = self._pictures(sha256)
        if picture is None:
            raise FileNotFoundError(sha256)
        return picture

    def _draw(self, palette: Palette, drawn: Drawn, design: Design, logo: Mapping[str, bytes]) -> Packed:
        pictures = {**design.images, **logo}
        if design.strip:
            name, version = design.name, design.version
            strip = (
                self._drawings.stamps(name, version, palette, *drawn)
                if isinstance(drawn, tuple)
                else self._drawings.gauge(name, version, palette, drawn)
            )
            pictures.update(zip(_STRIP_NAMES, strip.pngs, strict=True))
        return pack(pictures)


def _drawn(card: Card, design: Design) -> Drawn:
    if design.strip == "stamps":
        return (card.stamps.filled, card.stamps.total) if card.stamps else None
    return card.gauge.percent if card.gauge else None


def _written(document: dict[str, Any], phrases: Phrases, found: list[Fault]) -> list[tuple[str, bytes]]:
    """pass.json and the strings files; adds a fault for each text that cannot be shown. Going through every text costs
    more than all the rest of the build, so it is done only when there is a trace of such a character."""
    try:
        written = orjson.dumps(document)
        files = [("pass.json", written), *phrases.files()]
    except (orjson.JSONEncodeError, UnshowableText):
        # Half a surrogate pair, or an integer beyond 64 bits, which `rules.faults` has named already.
        found += rules.text_faults(document, phrases.texts())
        return []
    if _suspicious(written):
        found += rules.text_faults(document, phrases.texts())
    return files


def _suspicious(written: bytes) -> bool:
    """Whether JSON may hold what `rules.text_faults` refuses: an escaped control, DEL, U+FFFE or U+FFFF. Searches
    for a fixed text, each in compiled code."""
    return b"\x7f" in written or b"\xef\xbf" in written or b"\\u0" in written or b"\\b" in written or b"\\f" in written


def _sentence(found: list[Fault]) -> str:
    if len(found) == 1:
        return f"This card cannot be issued: {found[0].sentence}"
    return f"This card cannot be issued, for {len(found)} reasons. The first: {found[0].sentence}"
