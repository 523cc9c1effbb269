"""Owns the languages of a pass: which text stands in pass.json and what `<language>.lproj/pass.strings` makes of it.

A phone raises an alert only when the `value` in pass.json itself differs from the one before. So the key of a text
is the text in the card's first language, never a name such as `news.value`: a new text is a new value, and a phone
whose language is not among the card's shows the first language instead of a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wallet_server.rules.card import Texts

# Appended to a key whose text stands there already with other translations; it has no width on any screen.
_INVISIBLE = "\u200b"
_BOM = b"\xff\xfe"


class Phrases:
    """The texts of one pass, gathered while pass.json is composed."""

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self._versions: dict[str, tuple[str, ...]] = {}

    def key(self, texts: Texts) -> str:
        """The text to write into pass.json. A language without a text of its own gets the first language's."""
        first = texts.get(self.languages[0]) or next(filter(None, texts.values()), "")
        if not first:
            return ""
        versions = tuple([texts.get(language) or first for language in self.languages])
        key = first
        while self._versions.setdefault(key, versions) != versions:
            key += _INVISIBLE
        return key

    def same(self, text: str) -> str:
        """The same text in every language, kept apart from a translated one that reads alike."""
        return self.key({self.languages[0]: text})

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Language to key to text, the same keys in each; texts that need no translation are left out."""
        kept = {key: said for key, said in self._versions.items() if any(version != key for version in said)}
        if not kept:
            return {}
        return {tag: {key: said[i] for key, said in kept.items()} for i, tag in enumerate(self.languages)}


def strings_file(table: Mapping[str, str]) -> bytes:
    """One pass.strings: UTF-16 with a byte order mark, as Apple asks for text beyond ASCII."""
    lines = [f'"{_escape(key)}" = "{_escape(text)}";\n' for key, text in table.items()]
    return _BOM + "".join(lines).encode("utf-16-le")


def _escape(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text
