"""Owns what a card may hold: every rule that a phone, or Apple's own tools, would refuse a pass for.

Sources: developer.apple.com/documentation/walletpasses (Pass, PassFieldContent), the validation of Apple's
open-source pass builder, and limits that phones apply in silence. Checked before signing, all faults at once, in
sentences for the person who wrote the card's texts. It stands in the path of every pass, so what concerns one key is
declared (and checked in compiled code), and only what concerns several is written out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from wallet_server.rules.characters import UNSHOWABLE
from wallet_server.wallets.apple.rules.barcodes import barcode_faults, never_drawn
from wallet_server.wallets.apple.rules.explain import explain, sound
from wallet_server.wallets.apple.rules.forms import MAX_JSON_INTEGER, MAX_PLACES, POSTER, STYLES, check_of
from wallet_server.wallets.apple.rules.pictures import (
    MAX_PASS_BYTES,
    bundle_faults,
    content_faults,
    file_faults,
    picture_warnings,
    size_faults,
)
from wallet_server.wallets.apple.rules.sentences import SENTENCES, Broken, broken, said
from wallet_server.wallets.apple.rules.together import date_warnings, field_faults, rare_faults, service_faults

__all__ = [
    "MAX_JSON_INTEGER",
    "MAX_PASS_BYTES",
    "MAX_PLACES",
    "SENTENCES",
    "Broken",
    "broken",
    "bundle_faults",
    "faults",
    "said",
    "size_faults",
    "style_of",
    "text_faults",
    "warnings",
]

_DEFAULT_DISTANCE = 100
"""About how many metres phones take for a store card, a coupon and a generic pass; maxDistance only shortens it."""


def style_of(document: Mapping[str, Any]) -> str:
    """The classic style of a pass; that of a store card for one that has none."""
    for style in STYLES:
        if style in document:
            return style
    return STYLES[0]


def faults(
    document: Mapping[str, Any], files: Collection[str], *, sandbox: bool = False, nfc: bool = False
) -> list[Broken]:
    """Every fault of one pass: `document` is pass.json, `files` the names of the other files; a mapping of names to
    contents has the contents checked too. In the sandbox alone the web service may be plain http, as phones allow
    with the developer switch. A contactless part is refused unless the certificate allows it (`nfc`): without that
    a phone does not open the card at all. The characters of the texts are `text_faults`."""
    style = style_of(document)
    found: list[Broken] = []
    seen = document
    try:
        check_of(style)(document)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        found += explain(errors)
        seen = sound(document, errors)
    found += service_faults(document, sandbox)
    found += barcode_faults(seen)
    found += field_faults(seen, style)
    found += rare_faults(seen, nfc)
    found += file_faults(tuple(files), style, POSTER in document)
    if isinstance(files, Mapping):
        found += content_faults(_written_bytes(document), files)
    return found


def _written_bytes(document: Mapping[str, Any]) -> int:
    try:
        return len(orjson.dumps(document))
    except orjson.JSONEncodeError:
        return 0


def warnings(document: Mapping[str, Any], files: Collection[str]) -> list[Broken]:
    """What a phone takes but does not show well, of a pass without faults. `fitting` looks at the texts."""
    found = [*never_drawn(document)]
    found += picture_warnings(files if isinstance(files, Mapping) else tuple(files))
    style = style_of(document)
    if style != "eventTicket" and document.get("maxDistance", 0) > _DEFAULT_DISTANCE:
        found.append(broken("maxDistance", "distance-ignored", _DEFAULT_DISTANCE))
    if style == "generic" and document.keys() & {"relevantDate", "relevantDates"} and "locations" not in document:
        found.append(broken("relevantDates", "date-without-place"))
    return [*found, *date_warnings(document)]


def text_faults(document: Mapping[str, Any], translations: Iterable[tuple[str, str]]) -> list[Broken]:
    """Texts, in pass.json and among the translations (language, text), with characters that no phone can show."""
    texts = [*_every_text("", document)]
    texts += [(f"{language}.lproj/pass.strings", text) for language, text in translations]
    return [broken(path, "unshowable") for path, text in texts if UNSHOWABLE.search(text)]


def _every_text(path: str, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield path, found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _every_text(f"{path}.{key}" if path else key, value)
    elif isinstance(found, Sequence):
        for index, value in enumerate(found):
            yield from _every_text(f"{path}.{index}", value)
