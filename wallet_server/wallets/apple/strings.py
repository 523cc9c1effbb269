"""Owns the languages of a pass: which text stands in pass.json and what `<language>.lproj/pass.strings` makes of it.

A phone raises an alert only when the `value` in pass.json itself differs from the one before. So the key of a text
is the text in the card's first language, never a name such as `news.value`: a new text is a new value, and a phone
whose language is not among the card's shows the first language instead of a name.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet_server.rules.card import Texts

# Appended to a key whose text stands there already with other translations; it has no width on any screen.
_INVISIBLE = "\u200b"
_BOM = b"\xff\xfe"


class Phrases:
    """The texts of one pass, gathered while pass.json is composed."""

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self._first = self.languages[0]
        self._said: dict[str, tuple[str, ...]] = {}

    def key(self, texts: Texts) -> str:
        """The text to write into pass.json. A language without a text of its own gets the first language's."""
        said = tuple(map(texts.get, self.languages))
        if all(said):
            return self._put(said)  # type: ignore[arg-type]  # no text is missing
        first = texts.get(self._first) or next(filter(None, texts.values()), "")
        return self._put(tuple([text or first for text in said])) if first else ""

    def same(self, text: str) -> str:
        """The same text in every language, kept apart from a translated one that reads alike."""
        return self._put((text,) * len(self.languages)) if text else ""

    def _put(self, said: tuple[str, ...]) -> str:
        key = said[0]
        while self._said.setdefault(key, said) != said:
            key += _INVISIBLE
        return key

    def tables(self) -> tuple[list[str], list[tuple[str, list[str]]]]:
        """The keys of the texts that need a translation, and for each language its texts in the same order. Both
        are empty when nothing differs."""
        count = len(self.languages)
        keys = [key for key, said in self._said.items() if said.count(key) != count]
        if not keys:
            return [], []
        columns = zip(*[self._said[key] for key in keys], strict=True)
        return keys, [(tag, list(column)) for tag, column in zip(self.languages, columns, strict=True)]


def strings_file(keys: Sequence[str], said: Sequence[str]) -> bytes:
    """One pass.strings: UTF-16 with a byte order mark, as Apple asks for text beyond ASCII.

    No text holds a NUL (`rules.text_faults`): it parts them here, so that all are escaped in one go."""
    raw = "\x00".join([*keys, *said])
    safe = raw.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    if safe != raw:
        parts = safe.split("\x00")
        keys, said = parts[: len(keys)], parts[len(keys) :]
    lines = [f'"{key}" = "{text}";\n' for key, text in zip(keys, said, strict=True)]
    return _BOM + "".join(lines).encode("utf-16-le")
