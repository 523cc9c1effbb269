"""Owns the languages of a pass: which text stands in pass.json and what `<language>.lproj/pass.strings` makes of it.

A phone raises an alert only when the `value` in pass.json itself differs from the one before. So the key of a text
is the text in the card's first language, never a name such as `news.value`: a new text is a new value, and a phone
whose language is not among the card's shows the first language instead of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from wallet_server.rules.characters import UNSHOWABLE
from wallet_server.rules.passes.card import Texts

# Appended to a key whose text stands there already with other translations; it has no width on any screen.
_INVISIBLE = "\u200b"
# KDE's reader takes every UTF-16 for big-endian, whatever the mark says; phones take both.
_BOM = b"\xfe\xff"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class UnshowableText(ValueError):
    """A translation holds a character that no phone can show."""


class Phrases:
    """The texts of one pass, gathered while pass.json is composed."""

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self._first = self.languages[0]
        self._said: dict[str, tuple[str, ...]] = {}
        # Thirty texts of each pass go through here: both languages in one call of compiled code.
        self._all = itemgetter(*self.languages) if len(self.languages) > 1 else self._alone

    def key(self, texts: Texts) -> str:
        """The text to write into pass.json. A language without a text of its own gets the first language's."""
        try:
            said = self._all(texts)
        except KeyError:
            said = ()
        if not said or not all(said):
            first = texts.get(self._first) or next(filter(None, texts.values()), "")
            if not first:
                return ""
            said = tuple([texts.get(language) or first for language in self.languages])
        key: str = said[0]
        return key if self._said.setdefault(key, said) == said else self._put(said)

    def _alone(self, texts: Texts) -> tuple[str, ...]:
        return (texts[self._first],)

    def same(self, text: str) -> str:
        """The same text in every language, kept apart from a translated one that reads alike."""
        return self._put((text,) * len(self.languages)) if text else ""

    def _put(self, said: tuple[str, ...]) -> str:
        key = said[0]
        while self._said.setdefault(key, said) != said:
            key += _INVISIBLE
        return key

    def files(self) -> list[tuple[str, bytes]]:
        """A pass.strings for each language, the same keys in each, UTF-16 with a byte order mark as Apple asks for
        text beyond ASCII; none at all when no text needs a translation. Raises `UnshowableText`."""
        columns = zip(*[lines for one in self._said.items() if (lines := _LINES[one])], strict=True)
        return [
            (f"{language}.lproj/pass.strings", _BOM + b"".join(column))
            for language, column in zip(self.languages, columns, strict=False)
        ]

    def shown(self, language: str) -> dict[str, str]:
        """What a phone of this language shows for each text of pass.json; the first language's for another."""
        place = self.languages.index(language) if language in self.languages else 0
        return {key: said[place] for key, said in self._said.items()}

    def texts(self) -> list[tuple[str, str]]:
        """Every language with each of its texts."""
        return [one for said in self._said.values() for one in zip(self.languages, said, strict=True)]


class _Lines(dict[tuple[str, tuple[str, ...]], tuple[bytes, ...]]):
    """The line of a text (its key, what is said) in each language, and none for a text that is the same in all. Labels,
    places and terms are the same for all members of a programme, so most lines of most passes are here already. A
    dictionary is asked in compiled code and costs a fifth of `lru_cache`; a full one is emptied."""

    def __missing__(self, one: tuple[str, tuple[str, ...]]) -> tuple[bytes, ...]:
        key, said = one
        if said.count(key) == len(said):
            return ()
        if any(map(UNSHOWABLE.search, said)):
            raise UnshowableText
        if len(self) >= _MOST_LINES:
            self.clear()
        safe = key.translate(_ESCAPES)
        made = self[one] = tuple(f'"{safe}" = "{text.translate(_ESCAPES)}";\n'.encode("utf-16-be") for text in said)
        return made


_LINES, _MOST_LINES = _Lines(), 8192
