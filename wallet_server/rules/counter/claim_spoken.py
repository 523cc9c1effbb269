"""Owns what a cashier is told about a sale of nobody."""

from __future__ import annotations

from wallet_server.rules.sentences import spoken

_KEPT = {
    "fr": "Vente gardée. Code à imprimer sur le ticket : {code}",
    "en": "Sale kept. Code to print on the receipt: {code}",
}
_OVER = {"fr": "Cette vente n’attend plus personne.", "en": "This sale waits for nobody any more."}


def kept(code: str | None, language: str) -> str:
    """What to do with a sale that was kept; `code` is None once it was claimed or ended."""
    tongue = spoken(language)
    return _OVER[tongue] if code is None else _KEPT[tongue].format(code=code)
