"""Owns the making of a .pkpass: a card composed, checked against every rule, drawn, packed and signed."""

from __future__ import annotations

from datetime import datetime

import orjson

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.card import Alert, Card, Palette
from wallet_server.wallets.apple import rules
from wallet_server.wallets.apple.archive import Packed, pack, seal
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.strings import strings_file
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
        tables = phrases.tables()
        pictures = (*design.images, *_STRIP_NAMES) if design.strip else tuple(design.images)
        names = (*pictures, *(f"{language}.lproj/pass.strings" for language in tables))
        found = rules.faults(document, names, tables, sandbox=self._sandbox)
        if found:
            raise Invalid(_sentence(found), code="invalid-card", faults=found)
        files = [("pass.json", orjson.dumps(document))]
        files += [(f"{language}.lproj/pass.strings", strings_file(table)) for language, table in tables.items()]
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


def _sentence(found: list[Fault]) -> str:
    if len(found) == 1:
        return f"This card cannot be issued: {found[0].sentence}"
    return f"This card cannot be issued, for {len(found)} reasons. The first: {found[0].sentence}"
