"""Owns what is said of each fault: one stable code for each rule, and its sentence in English and in French.

The sentences are for whoever wrote the card's texts, chose its colours or filled its design folder. `{0}` and `{1}`
are what the rule found, as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.errors import Fault
from wallet_server.wallets.apple.rules.words_card import CARD
from wallet_server.wallets.apple.rules.words_parts import PARTS


@dataclass(frozen=True)
class Broken(Fault):
    """A fault of a card, with the code of its rule: `said` puts it into another language."""

    code: str
    values: tuple[str, ...] = ()


def broken(path: str, code: str, *values: object) -> Broken:
    """A fault in the words of the product, English."""
    told = tuple(map(str, values))
    return Broken(path, SENTENCES[code][0].format(*told), code, told)


def said(fault: Broken, language: str) -> str:
    """The sentence in French or, for every other language, in English."""
    return SENTENCES[fault.code][1].format(*fault.values) if language == "fr" else fault.sentence


SENTENCES = CARD | PARTS
"""Code to sentence: English, French. A code, once given, stays."""
