"""Owns the pages of announcing: writing with a preview, counting before sending, progress, recall, and who took it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.announcing.newsroom import GROUPS, KNOWN, Column, Item
from wallet_server.actions.once import asked
from wallet_server.actions.staff import Person, deeds
from wallet_server.actions.staff.roles import PARTS
from wallet_server.errors import Conflict, Invalid
from wallet_server.rules.announcing.announcing import LOCK_SCREEN
from wallet_server.rules.announcing.personal import personal
from wallet_server.rules.programme.program import Programme
from wallet_server.web.console.campaigns import through, together
from wallet_server.web.console.door import console_page, csrf, csrf_token, signed_in, speaks
from wallet_server.web.console.members import key
from wallet_server.web.console.plot import Share, percent
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, in_language, part, press, root

announce = Blueprint("console-announce", __name__)

SAMPLE_NAME = "Claire"
"""Who reads the preview of a text that says a first name."""

PATH = "/console/announce"
FAULTS = {"texts": "first_language", "tier": "tier", "ends_at": "ends", "ends": "ends"}
FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")
COUNT_AT_ONCE = 5000
"""Up to so many members are counted before the page is answered; more by the page's script, after it."""
STILL_WATCHED = timedelta(minutes=30)
DAYS = 7


# ---------------------------------------------------------------------- writing


@announce.get(PATH)
def page() -> Response:
    """The form, and what was announced before."""
    return _write(signed_in("announce"), [])


@announce.post(PATH)
def draft() -> Answer:
    """Keep a draft, and go to where it is counted and sent. The same form sent twice is one draft."""
    person = signed_in("announce")
    column = _column(person)
    if column is None:
        return _write(person, [])
    texts = _typed(column.programme)
    try:
        ends_at = newsroom.end_of(request.form.get("ends", ""), column.zone)
        wanted = offers.Announcement(
            {tongue: text for tongue, text in texts.items() if text}, request.form.get("tier") or None, ends_at
        )
        body = {"texts": dict(wanted.texts), "tier": wanted.tier, "ends_at": ends_at.isoformat()}
        wish = asked(person.scope, "announce", body, _form_key(body))
        facts, _ = offers.draft(context(), person.scope, column.public_id, wanted, wish)
    except Invalid as fault:
        return _write(person, [one.path for one in fault.faults] or [fault.field or ""])
    return redirect(f"{root()}{PATH}/{facts['announcement']}", 303)


def _form_key(body: Mapping[str, Any]) -> str:
    form = request.form.get("form", "")
    form = form if FORM.fullmatch(form) else secrets.token_urlsafe(18)
    # Going back, changing a word and sending the form again is another draft.
    return f"{form}:{hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()[:20]}"


def _column(person: Person) -> Column | None:
    found = newsroom.columns(context(), person.scope)
    wanted = request.values.get("programme", "")
    return next((one for one in found if one.public_id == wanted), found[0] if found else None)


def _typed(programme: Programme) -> dict[str, str]:
    return {
        tongue: request.form.get(f"text-{tongue}", "").replace("\r\n", "\n").strip()[: 2 * offers.MAX_TEXT]
        for tongue in programme.languages
    }


def _write(person: Person, faults: list[str]) -> Response:
    tongue = speaks(person)
    column = _column(person)
    words = press().words[tongue].announce
    now = context().now()
    say = Wording(tongue, column.zone if column else "UTC")
    named = person.role in PARTS["addressees"].see
    filled = {name: request.form.get(name, "") for name in ("tier", "ends")}
    if not filled["ends"]:
        filled["ends"] = (say.local(now) + timedelta(days=DAYS)).date().isoformat()
    texts = _typed(column.programme) if column else {}
    marked = {path.partition(".")[2] for path in faults if path.startswith("texts.")}
    if "texts" in faults and column:
        marked.add(column.programme.languages[0])
    return console_page(
        "console/announce.html",
        person,
        section="announce",
        status=400 if faults else 200,
        column=column,
        others=[one for one in newsroom.columns(context(), person.scope) if column and one != column],
        texts=texts,
        filled=filled,
        tiers=_tiers(column.programme, tongue) if column else [],
        form=request.form.get("form", "") if faults else secrets.token_urlsafe(18),
        faults=[
            words.faults.of(FAULTS.get(path, "text"), path).format(_first_language(column, words))
            for path in dict.fromkeys(faults)
        ],
        marked=marked,
        most=offers.MAX_TEXT,
        first_day=say.local(now).date().isoformat(),
        last_day=(say.local(now) + timedelta(days=offers.MAX_DAYS - 1)).date().isoformat(),
        previews=_previews(column.programme, texts, person, tongue) if column else [],
        past=[(one, _state(one, tongue)) for one in newsroom.past(context(), person.scope) if not one.alone or named],
        tongues=words.tongues,
        in_language=in_language,
        say=say,
    )


def _first_language(column: Column | None, words: Any) -> str:
    """The language that a text may not leave out, by its name."""
    first = column.programme.languages[0] if column else ""
    return str(words.tongues.of(first, first))


def _tiers(programme: Programme, tongue: str) -> list[tuple[str, str]]:
    return (
        [(level.code, in_language(level.names, tongue)) for level in programme.ladder.levels]
        if programme.ladder
        else []
    )


def _state(one: Item, tongue: str) -> tuple[str, str]:
    """(the badge's kind, its word)."""
    words = press().words[tongue].announce.states
    if one.state == "recalled":
        return "off", words.recalled
    if one.state == "draft":
        return "held", words.draft
    if one.over:
        return "", words.over
    return ("held", words.sending) if one.state == "confirmed" else ("on", words.sent)


@announce.post(f"{PATH}/preview")
def preview() -> Response:
    """How the text that is being written looks; for the page's script."""
    person = signed_in("announce")
    column = _column(person)
    tongue = speaks(person)
    previews = _previews(column.programme, _typed(column.programme), person, tongue) if column else []
    return _part("console/_preview.html", tongue, previews=previews)


def _part(template: str, tongue: str, **values: Any) -> Response:
    body = part(template, tongue, csrf=csrf, csrf_token=csrf_token(), **values)
    return Response(body, mimetype="text/html", headers={"Cache-Control": "no-store"})


def _previews(
    programme: Programme,
    texts: Mapping[str, str],
    person: Person,
    tongue: str,
    before: Mapping[str, str] | None = None,
    called: str | None = SAMPLE_NAME,
) -> list[dict[str, Any]]:
    """For each language: what a lock screen shows, where it is cut, and where a phone would show nothing."""
    words = press().words[tongue].announce
    last = newsroom.last_texts(context(), person.scope) if before is None else before
    first = programme.languages[0]
    shown = []
    for one in programme.languages:
        own = texts.get(one, "")
        text = personal(own or texts.get(first, ""), called)
        warnings = []
        if len(text) > LOCK_SCREEN:
            warnings.append(words.warn.cut.format(LOCK_SCREEN, len(text)))
        if not own and text:
            warnings.append(words.warn.borrowed.format(words.tongues.of(first, first)))
        if text and text == last.get(one, last.get(first)):
            warnings.append(words.warn.same)
        shown.append(
            {
                "tongue": one,
                "name": words.tongues.of(one, one),
                "organisation": programme.organisation,
                "text": text,
                "seen": text if len(text) <= LOCK_SCREEN else text[: LOCK_SCREEN - 1].rstrip() + "…",
                "cut": len(text) > LOCK_SCREEN,
                "warnings": warnings,
            }
        )
    return shown


# ---------------------------------------------------------------------- one announcement


@announce.get(f"{PATH}/<announcement>")
def one(announcement: str) -> Response:
    """A draft with its count, or what became of it."""
    person = signed_in("announce")
    found = newsroom.item(context(), person.scope, announcement)
    if found.alone:
        signed_in("addressees")  # it speaks to one person by name
    shown = _shown(found, speaks(person))
    if found.state == "draft" and (found.to_ask <= COUNT_AT_ONCE or request.args.get("count") == "1"):
        shown |= _count(person, found)
    return console_page(
        "console/announcement.html",
        person,
        section="announce",
        previews=_previews(
            found.programme,
            found.texts,
            person,
            speaks(person),
            {} if found.state != "draft" else None,
            found.called if found.alone else SAMPLE_NAME,
        ),
        notice=request.args.get("done", ""),
        in_language=in_language,
        by=_by(person, found),
        **shown,
    )


def _by(person: Person, found: Item) -> dict[str, str]:
    """Who sent it and who recalled it, each with when, where that was noted."""
    words, say = press().words[speaks(person)].team, Wording(speaks(person), found.zone)
    known = deeds.announced(context(), person.scope, found.public_id)
    return {what: f"{one.who or words.by.of(one.by, one.by)}, {say.moment(one.at)}" for what, one in known.items()}


def _shown(found: Item, tongue: str) -> dict[str, Any]:
    words = press().words[tongue].announce
    say = Wording(tongue, found.zone)
    whole = sum(found.standings.values())
    groups = []
    for name, codes in GROUPS:
        shares = [_share(found, code, whole, words, say) for code in codes if found.standings.get(code)]
        if shares:
            groups.append((words.groups.of(name, name), sum(found.standings.get(code, 0) for code in codes), shares))
    fetched = found.standings.get("rang", 0) + found.standings.get("silent", 0)
    told = fetched + found.standings.get("unanswered", 0)
    tier = next((name for code, name in _tiers(found.programme, tongue) if code == found.tier), found.tier)
    moving = found.state == "confirmed" or bool(found.standings.get("sending") or found.standings.get("unanswered"))
    fresh = found.confirmed_at is not None and context().now() - found.confirmed_at < STILL_WATCHED
    return {
        "found": found,
        "tier": tier,
        "last_day": say.on(found.ends_at - timedelta(seconds=1)),
        "state": _state(found, tongue),
        "groups": groups,
        "told": told,
        "fetched": fetched,
        "share": percent(fetched, found.shown),
        "gone": found.state == "recalled" or found.over,
        "pace": _pace(found) if moving and fresh and found.state != "recalled" else 0,
        "quiet": found.programme.announce.quiet,
        "limits": found.programme.announce.limits,
        "say": say,
        "counted": None,
        "together": together(found, words, say),
    }


def _pace(found: Item) -> int:
    """Seconds between two looks: more members take longer to sum, and the tills work beside it."""
    return min(60, (2 if found.state == "confirmed" else 10) + found.asked // 2000)


def _told(found: Item, code: str, words: Any) -> tuple[str, str]:
    """What a standing is called, and why it stands so; a word for one customer waits for words, not announcements."""
    name = code.replace(":", ".")
    called, why = words.standing.of(name, code), words.why.of(name, "")
    if found.alone:
        called, why = words.standing.of(f"alone.{name}", called), words.why.of(f"alone.{name}", why)
    return called, why


def _share(found: Item, code: str, whole: int, words: Any, say: Wording) -> Share:
    many = found.standings[code]
    called, why = _told(found, code, words)
    gone = code == "no-phone" and (found.state == "recalled" or found.over)
    return Share(
        called,
        say.number(many),
        percent(many, whole),
        words.no_phone_gone if gone else why,
        f"{root()}{PATH}/{found.public_id}/members/{code}",
        code,
    )


def _count(person: Person, found: Item) -> dict[str, Any]:
    """The dry run as bars: how many now, who waits and who is left out, each with its reason."""
    foretold = newsroom.counted(context(), person.scope, found.public_id)
    tally, tongue = Counter(foretold.tally), speaks(person)
    words = press().words[tongue].announce
    say = Wording(tongue, found.zone)
    whole = sum(tally.values())
    order = ["shown", *(code for _, codes in GROUPS for code in codes)]
    shares = []
    for code in order:
        if tally.get(code) or (code == "shown" and whole):
            called, why = _told(found, code, words)
            shares.append(Share(called, say.number(tally[code]), percent(tally[code], whole), why))
    later = sum(many for code, many in tally.items() if code.startswith("waiting"))
    now, bare = tally["shown"], tally.get("no-phone", 0)
    reach = words.reach.format(say.number(now), say.number(bare)) if bare else ""
    unheard = bare + tally.get("unringable", 0)
    shown = {"counted": shares, "now": now, "later": later, "unheard": unheard, "reach": reach, "whole": whole}
    return shown | {"through": through(foretold.through, words, say)}


@announce.get(f"{PATH}/<announcement>/count")
def count(announcement: str) -> Response:
    """The count alone, when it takes a while; for the page's script."""
    person = signed_in("announce")
    found = newsroom.item(context(), person.scope, announcement)
    tongue = speaks(person)
    shown = _shown(found, tongue) | _count(person, found)
    return _part("console/_count.html", tongue, may_change=person.role in PARTS["announce"].change, **shown)


@announce.get(f"{PATH}/<announcement>/progress")
def progress(announcement: str) -> Response:
    """How far it has come; for the page's script."""
    person = signed_in("announce")
    tongue = speaks(person)
    return _part(
        "console/_progress.html", tongue, **_shown(newsroom.item(context(), person.scope, announcement), tongue)
    )


@announce.post(f"{PATH}/<announcement>/send")
def send(announcement: str) -> Answer:
    """Confirmed: it goes out."""
    person = signed_in("announce")
    wish = asked(person.scope, "confirm", {"announcement": announcement}, None, f"confirm:{announcement}")
    try:
        offers.confirm(context(), person.scope, announcement, wish)
    except Conflict as fault:
        return redirect(f"{root()}{PATH}/{announcement}?done={fault.code}", 303)
    return redirect(f"{root()}{PATH}/{announcement}?done=sent", 303)


@announce.post(f"{PATH}/<announcement>/recall")
def recall(announcement: str) -> Answer:
    """Taken back, or a draft thrown away."""
    person = signed_in("announce")
    wish = asked(person.scope, "recall", {"announcement": announcement}, None, f"recall:{announcement}")
    offers.recall(context(), person.scope, announcement, wish)
    return redirect(f"{root()}{PATH}/{announcement}?done=recalled", 303)


@announce.get(f"{PATH}/<announcement>/members/<standing>")
def people(announcement: str, standing: str) -> Response:
    """The members behind one line of the result."""
    person = signed_in("addressees")
    tongue = speaks(person)
    found = newsroom.item(context(), person.scope, announcement)
    code = standing if standing in KNOWN else ""
    listed, more = newsroom.addressees(context(), person.scope, announcement, code, key("after") or 0)
    heading, why = _told(found, code, press().words[tongue].announce)
    return console_page(
        "console/addressees.html",
        person,
        section="announce",
        found=found,
        heading=heading or standing,
        why=why,
        many=found.standings.get(code, 0),
        people=listed,
        more=f"{root()}{PATH}/{announcement}/members/{code}?after={more}" if more else "",
        say=Wording(tongue, found.zone),
    )
