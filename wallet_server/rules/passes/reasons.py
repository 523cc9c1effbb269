"""Owns how the reason of a rest is told to people. It is kept with the code of its kind before it, which `blamed` and
other programs read; nobody else should have to."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS: Mapping[str, str] = {
    "credentials": "The certificate or key that this server keeps cannot be used, so that Apple was not asked",
    "configuration": "A setting is wrong, so that Apple refuses what is sent",
    "tokens": "Apple refuses too many phones at once",
}
"""Code of a kind of reason to what it means, for whoever runs the server."""


def bare(why: str) -> str:
    """The reason without its code, where the words around it say what the code does."""
    code, _, sentence = why.partition(": ")
    return sentence if code in _KINDS and sentence else why


def in_words(why: str) -> str:
    """The reason with words in its code's place, where it stands alone."""
    code, _, sentence = why.partition(": ")
    return f"{_KINDS[code]}: {sentence}" if code in _KINDS and sentence else why
