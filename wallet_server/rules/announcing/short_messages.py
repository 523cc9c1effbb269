"""Owns how many parts a short message takes: GSM-7 or UCS-2 (3GPP TS 23.038), joined by a header (TS 23.040)."""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Of the extension table: an escape and the character."""
GSM, UCS = "gsm-7", "ucs-2"
_ROOM = {GSM: (160, 153), UCS: (70, 67)}
"""Characters of a message alone, and of each part where there are several."""


@dataclass(frozen=True)
class Parts:
    """The coding that a text takes, its units (septets, or pairs of bytes), and how many parts are paid for."""

    coding: str
    units: int
    parts: int


def parts(text: str) -> Parts:
    """How a text goes out. A character outside GSM-7 makes the whole of it UCS-2; one outside the Basic Multilingual
    Plane counts twice there."""
    if all(one in _BASIC or one in _EXTENDED for one in text):
        sizes, coding = [2 if one in _EXTENDED else 1 for one in text], GSM
    else:
        sizes, coding = [len(one.encode("utf-16-be")) // 2 for one in text], UCS
    alone, joined = _ROOM[coding]
    units = sum(sizes)
    if units <= alone:
        return Parts(coding, units, 1)
    # A character of two units is never cut in two: it begins the next part.
    count, used = 1, 0
    for size in sizes:
        if used + size > joined:
            count, used = count + 1, 0
        used += size
    return Parts(coding, units, count)
