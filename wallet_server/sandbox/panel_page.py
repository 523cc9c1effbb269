"""Owns the sandbox page's language and its assembly from the files in `static`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

LANGUAGES = ("en", "fr")


class Pages:
    """The page in each language. `folder` holds page.html and words.json."""

    def __init__(self, folder: Path) -> None:
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        self._template = environment.get_template("page.html")
        self._words: dict[str, dict[str, Any]] = json.loads((folder / "words.json").read_text("utf-8"))

    def render(self, asked: str, links: Mapping[str, str], has: Collection[str]) -> str:
        """The page for an Accept-Language header, or for a language named outright. `has` names what there is of
        server, apns, android and letters."""
        language = choose(asked)
        words = self._words[language]
        return self._template.render(
            language=language,
            other=next(name for name in LANGUAGES if name != language),
            words=words,
            spoken=json.dumps(words["script"], ensure_ascii=False),
            links=links,
            has=has,
        )


def choose(accepted: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110 section 12.5.4); English when none fits."""
    ranked: list[tuple[float, int, str]] = []
    for place, item in enumerate(accepted.split(",")[:20]):
        name, _, weight = item.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, name.strip().lower().split("-")[0]))
        except ValueError:
            continue
    return next((name for weight, _, name in sorted(ranked) if name in LANGUAGES and weight < 0), LANGUAGES[0])
