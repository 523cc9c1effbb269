"""Owns how pages are made: the language of an answer, its texts and templates, addresses of static files, symbols."""

from __future__ import annotations

import functools
import gettext
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import segno
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Response, current_app, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from wallet_server.actions.context import Context
from wallet_server.rules.passes.card import Palette, Texts

LANGUAGES = ("fr", "en")
FOLDER = Path(__file__).parent
PALETTE = re.compile(r"([0-9a-f]{6})-([0-9a-f]{6})-([0-9a-f]{6})")


class Words:
    """The texts of one language, by area and name: `words.join.title`; `words.today.count("stamps", 3)` where the
    number decides. A name that does not exist is an error, not a blank."""

    def __init__(self, areas: Mapping[str, Catalogue], prefix: str = "") -> None:
        self._areas, self._prefix = areas, prefix

    def __getattr__(self, name: str) -> Any:
        known = self._areas.get(name) if not self._prefix else None
        if known is not None:
            return Words({name: known}, f"{name}.")
        return self._text(name)

    def _text(self, name: str) -> Any:
        area, _, path = f"{self._prefix}{name}".partition(".")
        catalogue = self._areas.get(area)
        if catalogue is None or not path:
            raise AttributeError(name)
        if path in catalogue.names:
            return catalogue.texts.gettext(path)
        if any(known.startswith(f"{path}.") for known in catalogue.names):
            return Words({area: catalogue}, f"{area}.{path}.")
        raise AttributeError(name)

    def of(self, name: str, fallback: str) -> str:
        """A text by a name that comes from elsewhere (an error code, say)."""
        try:
            found = self._text(name)
        except AttributeError:
            return fallback
        return found if isinstance(found, str) else fallback

    def count(self, name: str, number: int, *more: object) -> str:
        """The form of a text that fits the number, which goes into its first place."""
        area, _, path = f"{self._prefix}{name}".partition(".")
        catalogue = self._areas[area]
        if path not in catalogue.names:
            raise AttributeError(name)
        return catalogue.texts.ngettext(path, path, number).format(number, *more)

    def json(self) -> str:
        """All of it, for a script to read from an attribute."""
        area, _, path = self._prefix.partition(".")
        catalogue = self._areas[area]
        table: dict[str, Any] = {}
        for name in catalogue.names:
            if name.startswith(path):
                *steps, last = name.removeprefix(path).split(".")
                place = table
                for step in steps:
                    place = place.setdefault(step, {})
                place[last] = catalogue.texts.gettext(name)
        return json.dumps(table, ensure_ascii=False)


@dataclass(frozen=True)
class Catalogue:
    """One area's texts in one language: a gettext domain, and the names (msgids) that it knows."""

    texts: gettext.NullTranslations
    names: tuple[str, ...]


class Press:
    """Templates, texts and the fingerprints of the static files, read once when the application is built."""

    def __init__(self, folder: Path = FOLDER) -> None:
        loader = FileSystemLoader(folder / "templates")
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self.words = {tongue: Words(catalogues(folder / "texts" / tongue)) for tongue in LANGUAGES}
        self.versions = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in (folder / "static").iterdir()
        }

    def page(self, template: str, values: Mapping[str, Any]) -> str:
        """One page or part of a page."""
        return self._environment.get_template(template).render(values)


@functools.cache
def catalogues(folder: Path) -> Mapping[str, Catalogue]:
    """Every area of one language: the .po files that translators edit, compiled here, so that none is ever stale. Read
    once in a process, however many applications it builds."""
    found: dict[str, Catalogue] = {}
    for file in sorted(folder.glob("*.po")):
        with file.open("rb") as lines:
            messages = read_po(lines)
        compiled = io.BytesIO()
        write_mo(compiled, messages)
        compiled.seek(0)
        names = tuple(_name(message) for message in messages if message.id)
        found[file.stem] = Catalogue(gettext.GNUTranslations(compiled), names)
    return found


def _name(message: Message) -> str:
    return str(message.id[0] if isinstance(message.id, (tuple, list)) else message.id)


def press() -> Press:
    """The press of this application."""
    made: Press = current_app.extensions["wallet-pages"]
    return made


def context() -> Context:
    """The context of this installation."""
    ctx: Context = current_app.extensions["wallet"]
    return ctx


def language(otherwise: str = "en") -> str:
    """The language of this answer: asked for by `?lang=`, else by Accept-Language, else `otherwise`, else English."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        return asked
    return request.accept_languages.best_match(LANGUAGES) or (otherwise if otherwise in LANGUAGES else "en")


def in_language(texts: Texts, tongue: str) -> str:
    """A text of a card or programme; in its first language where it does not have this one."""
    return texts[tongue] if tongue in texts else next(iter(texts.values()), "")


def root() -> str:
    """The path under which this service is reached from outside, without a slash at its end; usually empty."""
    return urlsplit(context().settings.base_url).path.rstrip("/")


def public_path(link: str) -> str:
    """The path of a link of ours: relative, so that a browser that reached this service by another name stays there
    (and within form-action)."""
    return urlsplit(link).path


def static_file(name: str) -> str:
    """The address of a static file; it changes when the file does, so that it may be kept for ever."""
    return f"{root()}/static/{name}?v={press().versions[name]}"


def here(**changes: str | None) -> str:
    """This page's path with its query, some parameters changed or (None) left out."""
    query = {name: value for name, value in request.args.items() if len(value) <= 300} | changes
    kept = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{root()}{request.path}" + (f"?{kept}" if kept else "")


def chosen_language() -> str | None:
    """The language that was asked for in the address, if any: links within the pages keep it."""
    asked = request.args.get("lang")
    return asked if asked in LANGUAGES else None


def render(
    template: str, tongue: str, *, status: int = 200, palettes: Sequence[Palette] = (), **values: Any
) -> Response:
    """One HTML page that nobody may keep. `palettes` are the cards' colours that it shows."""
    other = next(name for name in LANGUAGES if name != tongue)
    everything = {
        "lang": tongue,
        "t": press().words[tongue],
        "root": root(),
        "static": static_file,
        "palettes": [palette_address(spec) for spec in dict.fromkeys(map(palette_spec, palettes))],
        "alternates": {name: here(lang=name) for name in LANGUAGES},
        "other": other,
        "other_words": press().words[other],
        **values,
    }
    response = Response(press().page(template, everything), status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = tongue
    response.vary.update(("Accept-Language", "User-Agent"))
    return response


def part(template: str, tongue: str, **values: Any) -> str:
    """A part of a page, for a script that swaps it."""
    return press().page(template, {"lang": tongue, "t": press().words[tongue], "root": root(), **values})


def symbol(text: str, name: str) -> Markup:
    """A QR symbol as inline SVG, black on white whatever the page's colours; `name` is read to who cannot see it."""
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(omitsize=True, border=4, light="#fff", svgclass="qr", lineclass=None)
    safe = Markup(drawn)  # noqa: S704 - paths and numbers that segno draws; the text is in them as modules alone
    return Markup("<span class=symbol role=img aria-label='{}'>{}</span>").format(name, safe)


def palette_spec(palette: Palette) -> str:
    """The colours as they stand in an address: `12372a-fbf7ec-b9dcc4`."""
    return "-".join(colour.lstrip("#") for colour in (palette.background, palette.foreground, palette.label))


def palette_address(spec: str) -> str:
    """Where the colours of cards are found: in a style sheet of their own, as no page has inline styles."""
    return f"{root()}/palette/{spec}.css"


def palette_sheet(spec: str) -> str | None:
    """That style sheet, or None when this is not a palette."""
    found = PALETTE.fullmatch(spec)
    if found is None:
        return None
    background, foreground, label = found.groups()
    return f".p-{spec}{{--card:#{background};--on-card:#{foreground};--card-label:#{label}}}"


def day_style(style: str, day: date, tongue: str) -> str:
    """A pattern of CLDR as this language writes this day: in French the first of a month is `1er`."""
    return style.replace("d MMMM", "d'er' MMMM") if tongue == "fr" and day.day == 1 else style
