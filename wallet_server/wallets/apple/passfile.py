"""Owns the making of a .pkpass: a card composed, checked against every rule, drawn, packed and signed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.card import Alert, Card, Palette
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


class Press:
    """Makes passes; shared by all threads. Keeps the packed pictures of the last `limit` drawn states, some 100 KB
    each."""

    def __init__(self, drawings: Drawings, *, sandbox: bool = False, limit: int = 256) -> None:
        self._drawings = drawings
        self._sandbox = sandbox
        self._fronts: Kept[tuple[str, int, Palette, int | None], Packed] = Kept(limit)

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
        percent = card.gauge.percent if card.gauge else None
        key = (design.name, design.version, card.palette, percent)
        return self._fronts.get(key, lambda: self._draw(card.palette, percent, design))

    def _draw(self, palette: Palette, percent: int | None, design: Design) -> Packed:
        pictures = dict(design.images)
        if design.strip:
            strip = self._drawings.gauge(design.name, design.version, palette, percent)
            pictures.update(zip(_STRIP_NAMES, strip.pngs, strict=True))
        return pack(pictures)


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
