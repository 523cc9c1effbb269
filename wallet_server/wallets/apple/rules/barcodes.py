"""Owns what each barcode format can hold, and the order in which a card must offer them.

Phones draw the first format of the list that they know. Beside those of iOS 27 an older one is needed, or an older
iPhone shows no code at all (WWDC26, session 209).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from wallet_server.wallets.apple.rules.sentences import Broken, broken


class _Kind(NamedTuple):
    """A format: what may stand in it, in words, and how long it may be (characters; bytes in the encoding for QR)."""

    name: str
    alphabet: re.Pattern[str] | None
    words: str
    most: int
    since_ios_27: bool


_KINDS: Mapping[str, _Kind] = {
    # Capacities at the lowest error correction, of 8-bit data (ISO/IEC 18004, 24778, 15438).
    "PKBarcodeFormatQR": _Kind("QR", None, "", 2953, False),
    "PKBarcodeFormatAztec": _Kind("Aztec", None, "", 1914, False),
    "PKBarcodeFormatPDF417": _Kind("PDF417", None, "", 1108, False),
    # One line of bars: at most 80 characters (ISO/IEC 15417 sets no limit; GS1 sets 48), and ASCII alone.
    "PKBarcodeFormatCode128": _Kind("Code 128", re.compile(r"[\x00-\x7f]*"), "plain ASCII characters", 80, False),
    "PKBarcodeFormatEAN13": _Kind("EAN-13", re.compile(r"[0-9]{13}"), "13 digits", 13, True),
    "PKBarcodeFormatCode39": _Kind(
        "Code 39", re.compile(r"[0-9A-Z .$/+%-]+"), "0-9, A-Z, space and - . $ / + %", 43, True
    ),
    "PKBarcodeFormatCodabar": _Kind(
        "Codabar", re.compile(r"[A-D][0-9$:/.+-]+[A-D]|[0-9$:/.+-]+"), "0-9 and - $ : / . + between A to D", 60, True
    ),
    "PKBarcodeFormatI2of5": _Kind(
        "Interleaved 2 of 5", re.compile(r"([0-9]{2})+"), "an even number of digits", 60, True
    ),
}
_SINCE_IOS_27 = {name for name, kind in _KINDS.items() if kind.since_ios_27}
_LEGACY = {"PKBarcodeFormatQR", "PKBarcodeFormatPDF417", "PKBarcodeFormatAztec"}


def barcode_faults(document: Mapping[str, Any]) -> list[Broken]:
    """The list and, for readers of iOS 8 and before, the single barcode."""
    barcodes: Sequence[Mapping[str, Any]] = document.get("barcodes", ())
    found: list[Broken] = []
    for index, one in enumerate(barcodes):
        if wrong := _content(one.get("format"), one.get("message"), one.get("messageEncoding")):
            found.append(broken(f"barcodes.{index}.{wrong[0]}", wrong[1], *wrong[2]))
    if barcodes and all(one.get("format") in _SINCE_IOS_27 for one in barcodes):
        found.append(broken(f"barcodes.{len(barcodes) - 1}.format", "barcode-no-fallback"))
    if "barcode" in document:
        found += _single(document["barcode"], document.get("barcodes"))
    return found


def never_drawn(document: Mapping[str, Any]) -> Iterator[Broken]:
    """Formats of iOS 27 behind one that every phone draws."""
    older = False
    for index, barcode in enumerate(document.get("barcodes", ())):
        kind = _KINDS[barcode["format"]]
        if older and kind.since_ios_27:
            yield broken(f"barcodes.{index}.format", "never-drawn")
        older = older or not kind.since_ios_27


def _single(barcode: Mapping[str, Any], barcodes: Sequence[Mapping[str, Any]] | None) -> Iterator[Broken]:
    if wrong := _content(barcode.get("format"), barcode.get("message"), barcode.get("messageEncoding")):
        yield broken(f"barcode.{wrong[0]}", wrong[1], *wrong[2])
    if barcode.get("format") not in _LEGACY:
        yield broken("barcode.format", "barcode-legacy")
    elif barcodes is None or (barcodes and not any(_same(barcode, one) for one in barcodes)):
        yield broken("barcode", "barcode-legacy-differs")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("format", "message", "messageEncoding"))


@lru_cache(maxsize=4096)
def _content(
    format_: str | None, message: str | None, encoding: str | None
) -> tuple[str, str, tuple[object, ...]] | None:
    """What is wrong inside one barcode: key, code, values. Remembered: a card that is fetched again has its code."""
    kind = _KINDS.get(format_ or "")
    if kind is None or not message:
        return None
    if encoding == "iso-8859-1" and not message.isascii() and max(message) > "\xff":
        return "messageEncoding", "barcode-not-latin", ()
    if kind.alphabet is not None and not kind.alphabet.fullmatch(message):
        return "message", "barcode-alphabet", (kind.name, kind.words)
    if len(message.encode("latin-1" if encoding == "iso-8859-1" else "utf-8", "replace")) > kind.most:
        return "message", "barcode-too-long", (kind.name, kind.most)
    if kind.name == "EAN-13" and (digit := _check_digit(message)) != message[-1]:
        return "message", "barcode-check-digit", (digit,)
    return None


def _check_digit(number: str) -> str:
    """The thirteenth digit (GS1 General Specifications, 7.9)."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(number[:12]))
    return str(-total % 10)
