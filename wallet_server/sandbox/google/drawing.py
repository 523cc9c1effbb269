"""Owns the HTML of a pass on a simulated Android phone: a fragment for the sandbox's page, in the phone's language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wallet_server.sandbox.google.view import CardView

STATIC = Path(__file__).parent.parent / "static"
LANGUAGES = ("en", "fr")


class Drawing:
    """Draws passes. The template and its words lie beside the page's own; colours are told in `data-background`, since
    the page allows no style but its own."""

    def __init__(self, folder: Path = STATIC) -> None:
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        self._template = environment.get_template("android_card.html")
        words = json.loads((folder / "words.json").read_text("utf-8"))
        self._words: dict[str, dict[str, Any]] = {language: words[language]["android_card"] for language in LANGUAGES}

    def card(self, view: CardView, base: str) -> str:
        """A pass whose code and pictures are below the address `base`."""
        base_language = view.language.lower().split("-")[0]
        language = base_language if base_language in LANGUAGES else LANGUAGES[0]
        numbers = {address: f"{base}/pictures/{number}?v={view.version}" for number, address in enumerate(view.images)}
        return self._template.render(
            card=view, words=self._words[language], language=language, picture=numbers, code=f"{base}/code.svg"
        )
