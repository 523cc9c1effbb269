"""Owns the addresses of a card's pictures for Google Wallet: drawn here, put into a store, fetched by Google.

An address stands for its content, so a picture that was drawn before has the address that Google knows already.
"""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from wallet_server.errors import Invalid
from wallet_server.rules.passes.card import Card
from wallet_server.wallets import logos
from wallet_server.wallets.banner import MEASURING, Banners
from wallet_server.wallets.designs import Design
from wallet_server.wallets.drawing import Drawn, Kept
from wallet_server.wallets.google.objects import Pictures

PNG = "image/png"
Pictured = Callable[[str], bytes | None]
"""SHA-256 of a picture that a programme names to its bytes; None when it is not there."""
Placed = Callable[[bytes, str], str]
"""Puts bytes of a media type where everybody can fetch them; the address is that of the content."""


def no_pictures(_sha256: str) -> bytes | None:
    """Where nobody keeps pictures each design shows its own logo."""
    return None


class Gallery:
    """The pictures of one process. Keeps the addresses of the last `limit`."""

    def __init__(self, banners: Banners, pictures: Pictured, placed: Placed, limit: int = 2048) -> None:
        self._banners, self._pictures, self._placed = banners, pictures, placed
        self._known: Kept[tuple[object, ...], str] = Kept(limit)

    def of_object(self, card: Card, design: Design) -> str | None:
        """The address of the banner that shows this member's state; None where it is the same for all."""
        drawing = design.google.banner
        if drawing == "stamps":
            return self._banner(card, drawing, (card.stamps.filled, card.stamps.total)) if card.stamps else None
        if drawing not in MEASURING:
            return None
        return self._banner(card, drawing, card.gauge.percent if card.gauge else None)

    def among_details(self, card: Card, design: Design) -> str | None:
        """The address of the wide picture among the details that shows this member's state; None where the design has
        none of that kind."""
        if design.google.picture != "stamps" or card.stamps is None:
            return None
        return self._picture(card, "stamps", (card.stamps.filled, card.stamps.total))

    def of_class(self, card: Card, design: Design) -> Pictures:
        """The logo, and what all cards show alike."""
        drawing, wide = design.google.banner, design.google.picture
        still = drawing is not None and drawing != "stamps" and drawing not in MEASURING
        return Pictures(
            self._logo(card, design),
            self._banner(card, drawing or "", None) if still else None,
            None if wide is None or wide == "stamps" else self._picture(card, wide),
        )

    def _banner(self, card: Card, drawing: str, state: Drawn) -> str:
        key = ("banner", drawing, card.palette, state)
        return self._known.get(key, lambda: self._placed(self._banners.picture(drawing, card.palette, state), PNG))

    def _picture(self, card: Card, drawing: str, state: tuple[int, int] | None = None) -> str:
        key = ("wide", drawing, card.palette, state)
        return self._known.get(key, lambda: self._placed(self._banners.wide(drawing, card.palette, state), PNG))

    def _logo(self, card: Card, design: Design) -> str:
        key = ("logo", card.logo, card.palette.background if card.logo else "", design.name, design.version)
        return self._known.get(key, lambda: self._placed(self._emblem(card, design), PNG))

    def _emblem(self, card: Card, design: Design) -> bytes:
        """The merchant's logo as a square; the design's own where it is gone or broken."""
        raw = None if card.logo is None else self._pictures(card.logo)
        if raw is not None:
            try:
                return logos.emblem_of(raw, card.palette.background)
            except (OSError, Invalid):
                pass
        return design.emblem or _enlarged(design.images["icon@3x.png"])


def _enlarged(icon: bytes) -> bytes:
    """The icon of a design that has no square logo: not sharp, but there."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(icon), formats=("PNG",)) as picture:
        side = (logos.EMBLEM, logos.EMBLEM)
        picture.convert("RGB").resize(side, Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()
