"""Owns the console's pages on which a shop makes its card: the live form, and publication."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, current_app, redirect, request
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.programme import assets, designing, drafted
from wallet_server.actions.programme.designing import Desk, Preview, Wrong
from wallet_server.actions.staff import OWNER, Person, deeds
from wallet_server.actions.staff.roles import PARTS
from wallet_server.actions.vendors import signing
from wallet_server.errors import Conflict, Invalid, NotFound, WalletError
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.passes.card_form import DEFAULTS, STAMPS, TERMS, Typed
from wallet_server.web import trying
from wallet_server.web.assets import asset_path
from wallet_server.web.console.beside import DRAWINGS, PATH
from wallet_server.web.console.beside import shown as shown_beside
from wallet_server.web.console.card_notes import cut, notes, taken
from wallet_server.web.console.door import console_page, signed_in, speaks, visit, words
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import (
    PALETTE,
    chosen_language,
    context,
    in_language,
    palette_address,
    palette_spec,
    part,
    press,
    root,
    symbol,
)

card = Blueprint("console-card", __name__)

SECTION = "card"
POSTER = "/console/poster"
SWATCHES = (
    ("fir", "#12372a"), ("night", "#1d2b4f"), ("wine", "#6b1f33"), ("brick", "#a63a1e"),
    ("coffee", "#4a2f20"), ("cream", "#f3e3c3"), ("sky", "#cfe3f1"), ("slate", "#2b2f33"),
)  # fmt: skip
"""Grounds on which everything reads well, by the name of their text."""
PLATES: Mapping[str, assets.Plate] = {"plate-light": "light", "plate-dark": "dark"}
PROGRAMME = re.compile(r"[0-9A-Za-z_]{1,64}")
DRAWN = re.compile(
    r"s(?P<filled>\d{1,2})-(?P<total>\d{1,2})|g(?P<gauge>\d{1,3})|plain|(?P<other>[a-z]+)(?P<percent>\d{1,3})?"
)
ROOM = 64 * 1024


@card.before_request
def roomy() -> None:
    """A signed-in person may send a picture; before the guard reads the form."""
    if request.path == f"{PATH}" and request.method == "POST" and visit() is not None:
        request.max_content_length = assets.MAX_BYTES + ROOM


# ---------------------------------------------------------------------- the form


@card.get(PATH)
def page() -> Response:
    """The form, as it was drafted last."""
    person = signed_in("card")
    found = _desk(person)
    return _page(person, found, found.typed if person.role in PARTS["card"].change else None)


@card.post(PATH)
def change() -> Answer:
    """Keep what was typed; `do` says what else the person wants: `live` a new preview, `publish` to go on."""
    person = signed_in("card")
    do = request.form.get("do", "preview")
    live = request.headers.get("X-Part") == "live"
    found = _desk(person)
    typed = taken(_typed(), do)
    try:
        typed = _with_picture(person, typed, do)
        refused = None
    except (Invalid, NotFound) as fault:
        refused = Wrong("logo", "picture", (words(fault, "designer"),))
    try:
        _save(person, found, typed, do)
    except Conflict as fault:
        if fault.code != "draft-moved":
            raise
        return _moved(person, found, typed, live)
    if live:
        return _parts(person, refused)
    return _next(person, do, refused)


def _programme() -> str | None:
    """The programme that was chosen, where the shop has several."""
    name = request.args.get("programme")
    if name is not None and not PROGRAMME.fullmatch(name):
        raise NotFound("There is no such programme.", field="programme")
    return name


def _desk(person: Person) -> Desk:
    return designing.desk(context(), person, _programme())


def _to(path: str, **query: str) -> Answer:
    """On to a page of the same programme's card, in the language that was asked for."""
    return redirect(f"{root()}{PATH}{path}{_kept(**query)}", 303)


def _kept(**query: str) -> str:
    """What links from one page of the card to another keep."""
    kept = {"programme": _programme(), "lang": chosen_language()}
    asked = urlencode(query | {name: value for name, value in kept.items() if value})
    return f"?{asked}" if asked else ""


def _choices(found: Desk) -> list[tuple[str, str, bool]]:
    """(name, address, whether it is this one) of the shop's programmes, if there are several."""
    tongue = chosen_language()
    kept = {"lang": tongue} if tongue else {}
    if len(found.programmes) < 2:
        return []
    return [
        (name, f"{root()}{PATH}?{urlencode({'programme': one, **kept})}", one == found.programme)
        for one, name in found.programmes
    ]


def _save(person: Person, found: Desk, typed: Typed, do: str) -> None:
    """Over whatever stands there only when the person says so (`do=over`); what is there already is not saved anew."""
    if found.typed is None:
        raise Conflict("This programme is not made in the form.", code="not-simple")
    after = found.revision if do == "over" else _whole("revision")
    if found.revision and dict(typed) == found.typed:
        return
    designing.save(context(), person, typed, after, _programme())


def _whole(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


def _typed() -> dict[str, str]:
    """The fields as they were sent: the colour is one of those offered or one of the person's own."""
    typed = {name: request.form.get(name, "" if name == "tiers" else DEFAULTS[name]) for name in DEFAULTS}
    chosen = request.form.get("chosen", "own")
    typed["colour"] = request.form.get("colour", DEFAULTS["colour"]) if chosen == "own" else chosen
    return typed


def _with_picture(person: Person, typed: dict[str, str], do: str) -> dict[str, str]:
    sent = request.files.get("picture")
    ctx = context()
    if do == "unlogo":
        return {**typed, "logo": "", "bare": ""}
    if isinstance(sent, FileStorage) and sent.filename:
        kept = assets.keep(ctx, person.scope, sent.stream.read(assets.MAX_BYTES + 1))
        return {**typed, "logo": kept, "bare": kept}
    if do in PLATES and typed["bare"]:
        return {**typed, "logo": assets.keep_on_plate(ctx, typed["bare"], PLATES[do])}
    return {**typed, "logo": typed["bare"]} if do == "unplate" else typed


def _next(person: Person, do: str, refused: Wrong | None) -> Answer:
    """Without scripts: the page again, or on to publication when nothing is wrong."""
    found = _desk(person)
    if refused is None and do != "publish":
        return _to("")
    if refused is None and found.typed is not None:
        reading, _ = designing.pending(context(), person.scope, found, person.language)
        if not reading.faults:
            return _to("/publish")
    return _page(person, found, found.typed, checked=do == "publish", refused=refused, status=400)


def _moved(person: Person, found: Desk, typed: Typed, live: bool) -> Answer:
    """Another window, or another person, saved meanwhile: both versions stand until the person chooses."""
    if live:
        told = part("console/_card_moved.html", speaks(person), found=found, query=_kept())
        return Response(orjson.dumps({"moved": told}), 409, mimetype="application/json")
    return _page(person, found, typed, moved=True, status=409)


def _page(
    person: Person,
    found: Desk,
    typed: Typed | None,
    *,
    status: int = 200,
    checked: bool = False,
    moved: bool = False,
    refused: Wrong | None = None,
) -> Response:
    tongue = speaks(person)
    if typed is None and found.document is None:
        raise NotFound("There is no card yet.")
    if typed is None:
        drawn = designing.standing(context(), person.scope, found.document or {}, tongue)
        return console_page(
            "console/card_read_only.html",
            person,
            section=SECTION,
            found=found,
            published_by=_published_by(person, found),
            choices=_choices(found),
            cut=list(cut(drawn, tongue)),
            **shown_beside(drawn, tongue),
        )
    drawn = designing.preview(context(), person.scope, typed, found.document, tongue, found.programme)
    return console_page(
        "console/card.html",
        person,
        section=SECTION,
        query=_kept(),
        status=status,
        found=found,
        published_by=_published_by(person, found),
        choices=_choices(found),
        typed=typed,
        tab=secrets.token_urlsafe(9),
        checked=checked,
        moved=moved,
        notes=notes(drawn, tongue, checked, refused),
        swatches=SWATCHES,
        boxes=STAMPS,
        terms=TERMS,
        **shown_beside(drawn, tongue),
        **_logo_part(typed, drawn),
    )


def _published_by(person: Person, found: Desk) -> str:
    """Who published what the members have, and when, as far as that was noted."""
    done = deeds.published(context(), person.scope, found.programme, found.version)
    if done is None:
        return ""
    words, say = press().words[speaks(person)], Wording(speaks(person), person.scope.zone)
    who = done.who or words.team.by.of(done.by, done.by)
    told: str = words.designer.published_by.format(who, say.moment(done.at), found.version)
    return told


def _parts(person: Person, refused: Wrong | None) -> Response:
    """What of the page changes as one types, for its script."""
    found = _desk(person)
    tongue = speaks(person)
    typed = found.typed or dict(DEFAULTS)
    drawn = designing.preview(context(), person.scope, typed, found.document, tongue, found.programme)
    shown = shown_beside(drawn, tongue)
    noted = notes(drawn, tongue, request.form.get("checked") == "yes", refused)
    body = {
        "revision": found.revision,
        "palettes": [palette_address(palette_spec(palette)) for palette in shown.pop("palettes")],
        "says": in_language(drawn.promise, tongue),
        "parts": {
            "shown": part("console/_card_shown.html", tongue, **shown),
            "mini": part("console/_card_mini.html", tongue, **shown),
            "logo": part("console/_card_logo.html", tongue, typed=typed, **_logo_part(typed, drawn)),
            "suggested": part("console/_card_suggested.html", tongue, typed=typed, suggested=drawn.suggested),
            "standing": part("console/_card_standing.html", tongue, found=found, when=None),
        },
        "notes": {
            name: {"html": part("console/_card_note.html", tongue, notes=said), "wrong": any(n["bad"] for n in said)}
            for name, said in noted.items()
        },
    }
    response = Response(orjson.dumps(body), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _logo_part(typed: Typed, drawn: Preview) -> dict[str, Any]:
    hidden = any(one.code == "logo_hidden" for one in drawn.warnings)
    return {
        "suggested": drawn.suggested,
        "logo_path": asset_path(typed["logo"]) if typed["logo"] else "",
        "on_plate": bool(typed["bare"]) and typed["bare"] != typed["logo"],
        "needs_plate": hidden,
    }


@card.get(f"{PATH}/strip/<spec>/<drawn>.png")
def strip(spec: str, drawn: str) -> Response:
    """The picture behind a card that nobody has yet: the same that phones get."""
    person = signed_in("card")
    colours, state = PALETTE.fullmatch(spec), DRAWN.fullmatch(drawn)
    if colours is None or state is None:
        raise NotFound("There is no such picture.")
    palette = Palette(*(f"#{one}" for one in colours.groups()))
    other = state["other"]
    if other is not None and other not in DRAWINGS:
        raise NotFound("There is no such picture.")
    percent = state["gauge"] or state["percent"]
    shape = (int(state["filled"]), int(state["total"])) if state["filled"] else int(percent) if percent else None
    picture = designing.strip(context(), person.scope, palette, shape, DRAWINGS.get(other or "", "gauge"))
    return Response(picture, mimetype="image/png", headers={"Cache-Control": "private, max-age=86400"})


# ---------------------------------------------------------------------- publication


@card.get(f"{PATH}/publish")
def confirm(refused: WalletError | None = None) -> Answer:
    """What publishing would change, and for how many."""
    person = signed_in("card")
    found = _desk(person)
    if found.typed is None:
        return _to("")
    tongue = speaks(person)
    reading, differences = designing.pending(context(), person.scope, found, person.language)
    if reading.faults and refused is None:
        return _page(person, found, found.typed, checked=True, status=400)
    drawn = designing.preview(context(), person.scope, found.typed, found.document, tongue, found.programme)
    return console_page(
        "console/card_publish.html",
        person,
        section=SECTION,
        query=_kept(),
        status=409 if refused else 200,
        found=found,
        differences=differences,
        refused=words(refused, "designer") if refused else "",
        told=lambda texts: in_language(texts, tongue) if texts else "",
        unsigned=found.programme in signing.unsigned(context(), person.scope),
        advice=drafted.advised(context(), person.scope, found.programme, reading.programme, tongue),
        cut=list(cut(drawn, tongue)),
        borrowed=[one.code for one in drawn.warnings if one.code.startswith("one_language")],
        **shown_beside(drawn, tongue),
    )


@card.post(f"{PATH}/publish")
def publish() -> Answer:
    """Publish what was shown; a double click publishes once."""
    person = signed_in("card")
    version = _whole("version")
    try:
        designing.publish(context(), person, _whole("revision"), version, _programme())
    except (Conflict, Invalid) as fault:
        return confirm(fault)
    return _to("/published", **({"first": "yes"} if version == 0 else {}))


@card.get(f"{PATH}/published")
def published() -> Answer:
    """It is done, and what comes next."""
    person = signed_in("card")
    found = _desk(person)
    if not found.version:
        return _to("")
    return console_page(
        "console/card_published.html",
        person,
        section=SECTION,
        query=_kept(),
        found=found,
        published_by=_published_by(person, found),
        first=request.args.get("first") == "yes",
        unsigned=found.programme in signing.unsigned(context(), person.scope),
        joining=None if trying.alone() else symbol(found.join_link, press().words[speaks(person)].designer.join_code),
        command="",
        owner=person.role == OWNER,
        poster=POSTER if any(rule.rule == POSTER for rule in current_app.url_map.iter_rules()) else "",
    )
