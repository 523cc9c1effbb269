"""Owns what a text says to one person: the first name in its place, and a neutral sentence where there is none."""

from __future__ import annotations

import re

from wallet_server.rules.characters import UNSHOWABLE

MAX_NAME = 60
_NAME = re.compile(r"@(?:pr[ée]nom|first_?name)\b|\{(?:pr[ée]nom|first_?name)\}", re.IGNORECASE)
_START = re.compile(
    r"^[ \t]*(?:" + _NAME.pattern + r")[ \t\u00a0\u202f]*[,;:!.\u2013\u2014-]*[ \t\u00a0\u202f]*", re.IGNORECASE
)
_BLANK = r"[ \t\u00a0\u202f]*"
_APART = re.compile(rf"{_BLANK},{_BLANK}(?:{_NAME.pattern})(?={_BLANK}(?:[,;:.!?\u2026]|$))", re.IGNORECASE)
"""A name between its commas, or after the last: of two commas one is left, before another sign none."""
_WITHIN = re.compile(r"[ \t\u00a0\u202f]*(?:" + _NAME.pattern + ")", re.IGNORECASE)


def names(text: str) -> bool:
    """Whether a text has a place for the first name: `@prénom`, `@firstname`, or the same in braces."""
    return _NAME.search(text) is not None


def personal(text: str, first_name: str | None) -> str:
    """The text for one person. Without a name the place goes, with the comma that belonged to it: nobody ever reads
    “Bonjour @prénom”, nor “Bonjour ,”."""
    if first_name:
        shown = UNSHOWABLE.sub("", first_name)
        return _NAME.sub(lambda _: shown, text)
    if not names(text):
        return text
    lines = []
    for line in text.split("\n"):
        rest, begun = _START.subn("", line)
        rest = _WITHIN.sub("", _APART.sub("", rest))
        lines.append(rest[:1].upper() + rest[1:] if begun else rest)
    return "\n".join(lines)
