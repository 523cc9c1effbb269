"""Owns which characters a card can show: one text with another keeps every card that carries it from being signed; and
which can be seen: a text of others alone is a blank one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

# Controls other than tab and line ends, halves of surrogate pairs, and the two non-characters of the basic plane.
UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
# Fillers of Hangul and Braille and what joins or varies other characters: of other categories, and as invisible.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(0xFE00 + n) for n in range(16)}
CANNOT_BE_SHOWN = "This text holds a character that cannot be shown; write it again."


def blank(text: str) -> bool:
    """Whether nothing of a text can be seen: spaces, line ends, and what only joins, parts or directs other signs."""
    if "!" <= text[:1] <= "~":  # as nearly all texts begin
        return False
    return all(unicodedata.category(one) in _UNSEEN or one in _FILLERS for one in text)


def texts(found: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a document, however deep, each with its place: `tiers.levels.0.names.fr`."""
    if isinstance(found, str):
        yield path, found
        return
    inside: Iterator[tuple[object, object]] = iter(())
    if isinstance(found, Mapping):
        inside = iter(found.items())
    elif isinstance(found, Sequence):
        inside = iter(enumerate(found))
    for name, one in inside:
        yield from texts(one, f"{path}.{name}" if path else str(name))
