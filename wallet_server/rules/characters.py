"""Owns which characters a card can show: one text with another keeps every card that carries it from being signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

# Controls other than tab and line ends, halves of surrogate pairs, and the two non-characters of the basic plane.
UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
CANNOT_BE_SHOWN = "This text holds a character that cannot be shown; write it again."


def unshowable(found: object, path: str = "") -> Iterator[str]:
    """Where in a document, however deep, a text holds such a character: paths such as `tiers.levels.0.names.fr`."""
    if isinstance(found, str):
        if UNSHOWABLE.search(found):
            yield path
        return
    inside: Iterator[tuple[object, object]] = iter(())
    if isinstance(found, Mapping):
        inside = iter(found.items())
    elif isinstance(found, Sequence):
        inside = iter(enumerate(found))
    for name, one in inside:
        yield from unshowable(one, f"{path}.{name}" if path else str(name))
