"""Owns the making of a .pkpass: a card composed, checked against every rule, drawn, packed and signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.passes.card import Alert, Card, Palette
from wallet_server.wallets import logos
from wallet_server.wallets.apple import rules
from wallet_server.wallets.apple.archive import Packed, pack, seal
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.features import Amount
from wallet_server.wallets.apple.fields import compose
from wallet_server.wallets.apple.plates import Compose, Files, Plates, outline
from wallet_server.wallets.apple.strings import Phrases, UnshowableText
from wallet_server.wallets.designs import Design
from wallet_server.wallets.drawing import SCALES, Drawing, Drawings, Drawn, Kept
from wallet_server.wallets.port import Identity

MEDIA_TYPE = "application/vnd.apple.pkpass"
_SCALES = ("", *(f"@{scale}x" for scale in SCALES[1:]))


Pictures = Callable[[str], bytes | None]
"""SHA-256 of a picture that a programme names to its bytes; None when it is not there."""


_MEASURING: frozenset[Drawing] = frozenset({"gauge", "dial", "ring", "poster"})
_IN_LANGUAGE = re.compile(r".*\.lproj/(logo|icon)(@[23]x)?\.png")


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
        self._fronts: Kept[tuple[str, int, str, str, str, Drawn, str | None], Packed] = Kept(limit)
        self._names: Kept[tuple[str, int, bool], tuple[str, ...]] = Kept(limit)
        self._plates = Plates(limit)
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
        logo = self._logo(card)
        papers = identity.pass_type, identity.web_service_url, credentials.team, credentials.nfc, bool(logo)
        kind = outline(card, alert, identity, design, *papers)
        files = None if kind is None else self._plates.printed(kind)
        if files is None:
            files = self._checked(card, alert, identity, design, credentials, bool(logo))
            if kind is not None:
                self._plates.learn(kind, card, identity, design, files, _compose_for(alert, design, credentials))
        signer = credentials.signer
        return seal(self._front(card, design, logo), files, lambda manifest: signer.sign(manifest, at))

    def _checked(
        self, card: Card, alert: Alert | None, identity: Identity, design: Design, credentials: Credentials, logo: bool
    ) -> Files:
        """pass.json and the strings files, composed and checked against every rule."""
        found: list[Fault] = []
        document, phrases = _composed(card, alert, identity, design, credentials)
        files = _written(document, phrases, found)
        names = [*self._names_of(design, logo), *(name for name, _ in files[1:])]
        found += rules.faults(document, names, sandbox=self._sandbox, nfc=credentials.nfc)
        if found:
            raise Invalid(_sentence(found), code="invalid-card", faults=found)
        return files

    def _names_of(self, design: Design, logo: bool) -> tuple[str, ...]:
        """The names of the pictures of a card, known before any is drawn."""

        def named() -> tuple[str, ...]:
            stems = [stem for stem, drawing in _drawings(design) if drawing]
            drawn = (f"{stem}{scale}.png" for stem in stems for scale in _SCALES)
            return (*_shown(design, logo), *drawn)

        return self._names.get((design.name, design.version, logo), named)

    def _front(self, card: Card, design: Design, logo: Mapping[str, bytes]) -> Packed:
        drawn = _drawn(card, design)
        palette = card.palette
        colours = palette.background, palette.foreground, palette.label
        key = (design.name, design.version, *colours, drawn, card.logo if logo else None)
        return self._fronts.get(key, lambda: self._draw(palette, drawn, design, logo))

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
        pictures = {**_shown(design, bool(logo)), **logo}
        for stem, drawing in _drawings(design):
            if drawing:
                made = self._drawings.picture(drawing, design.name, design.version, palette, drawn)
                names = (f"{stem}{scale}.png" for scale in _SCALES)
                pictures.update(zip(names, made.pngs, strict=True))
        return pack(pictures)


def _drawings(design: Design) -> tuple[tuple[str, Drawing | None], ...]:
    return ("strip", design.strip), ("thumbnail", design.thumbnail), ("artwork", design.artwork)


def _shown(design: Design, logo: bool) -> Mapping[str, bytes]:
    """The design's own pictures, as far as they show: the merchant's logo and icon are for every language."""
    if not logo:
        return design.images
    return {name: raw for name, raw in design.images.items() if not _IN_LANGUAGE.fullmatch(name)}


def _drawn(card: Card, design: Design) -> Drawn:
    if design.strip == "stamps":
        return (card.stamps.filled, card.stamps.total) if card.stamps else None
    return card.gauge.percent if card.gauge and _measures(design) else None


def _measures(design: Design) -> bool:
    return any(drawing in _MEASURING for _, drawing in _drawings(design))


def _composed(
    card: Card, alert: Alert | None, identity: Identity, design: Design, credentials: Credentials
) -> tuple[dict[str, Any], Phrases]:
    document, phrases = compose(card, alert, identity, design, credentials.team)
    if not credentials.nfc:
        # With it no phone would open the card at all: better one that is not read without contact.
        document.pop("nfc", None)
    return document, phrases


def _compose_for(alert: Alert | None, design: Design, credentials: Credentials) -> Compose:
    """What makes a plate of a card that was checked before."""

    def composed(card: Card, identity: Identity) -> tuple[Files, Phrases]:
        document, phrases = _composed(card, alert, identity, design, credentials)
        return _written(document, phrases, []), phrases

    return composed


def _written(document: dict[str, Any], phrases: Phrases, found: list[Fault]) -> Files:
    """pass.json and the strings files; adds a fault for each text that cannot be shown. Going through every text costs
    more than all the rest of the build, so it is done only when there is a trace of such a character."""
    try:
        written = orjson.dumps(document, default=_exact)
        files = [("pass.json", written), *phrases.files()]
    except (orjson.JSONEncodeError, UnshowableText):
        # Half a surrogate pair, or an integer beyond 64 bits, which `rules.faults` has named already.
        found += rules.text_faults(document, phrases.texts())
        return []
    if _suspicious(written):
        found += rules.text_faults(document, phrases.texts())
    return files


def _exact(value: object) -> orjson.Fragment:
    if isinstance(value, Amount):
        return orjson.Fragment(value.text)
    raise TypeError


def _suspicious(written: bytes) -> bool:
    """Whether JSON may hold what `rules.text_faults` refuses: an escaped control, DEL, U+FFFE or U+FFFF. Searches
    for one byte each, in compiled code: those for two cost as much as packing the whole pass."""
    if b"\x7f" in written or (b"\xef" in written and b"\xef\xbf" in written):
        return True
    return b"\\" in written and any(one[:1] in _CONTROLS for one in written.split(b"\\")[1:])


_CONTROLS = frozenset((b"u", b"b", b"f"))
"""What follows the backslash where JSON escapes a control that is neither a tab nor the end of a line."""


def _sentence(found: list[Fault]) -> str:
    if len(found) == 1:
        return f"This card cannot be issued: {found[0].sentence}"
    return f"This card cannot be issued, for {len(found)} reasons. The first: {found[0].sentence}"
