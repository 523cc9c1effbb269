"""Owns the pages of old cards and of members who are one: a file is looked at and taken over, doubts are settled."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.announcing import newsroom
from wallet_server.actions.once import asked
from wallet_server.actions.people import imported, importing, journal, merging
from wallet_server.actions.people.importing import File
from wallet_server.actions.programme import programs
from wallet_server.actions.staff import Person
from wallet_server.errors import Conflict, Invalid, NotFound, WalletError
from wallet_server.rules.people.card_file import FIELDS
from wallet_server.web.console.door import console_page, signed_in, speaks
from wallet_server.web.console.members import FORM, balances
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, press, root

imports = Blueprint("console-imports", __name__)
MOST_SETTLED_AT_ONCE = 50


@imports.get("/console/imports")
def page() -> Response:
    """What was taken over, and a field for a further file."""
    return _page(signed_in("imports"))


@imports.post("/console/imports/look")
def look() -> Response:
    """What would become of the file: its columns, how many lines become what, and those that cannot be read."""
    person = signed_in("imports")
    file, programme = _sent(), request.form.get("programme", "")
    try:
        looked = importing.preview(context(), person.scope, programme, file)
    except (Invalid, NotFound) as fault:
        return _page(person, fault)
    return console_page(
        "console/import_look.html",
        person,
        section="members",
        looked=looked,
        file=file,
        text=file.body.decode("utf-8", "replace"),
        programme=programme,
        fields=FIELDS,
    )


@imports.post("/console/imports")
def take_over() -> Answer:
    """Take it over; the same file again changes nothing."""
    person = signed_in("imports")
    try:
        made = importing.take_over(context(), person.scope, request.form.get("programme", ""), _sent(), person.staff_id)
    except (Invalid, NotFound) as fault:
        return _page(person, fault)
    return redirect(f"{root()}/console/imports/{made.public_id}", 303)


@imports.get("/console/imports/<import_id>")
def one(import_id: str) -> Response:
    """What became of a file, the doubtful lines first."""
    return _one(signed_in("imports"), import_id)


@imports.post("/console/imports/<import_id>/lines/<int:line>")
def settle(import_id: str, line: int) -> Answer:
    """Somebody says whose a doubtful card is."""
    person = signed_in("imports")
    member = request.form.get("member", "") or None
    try:
        imported.settle(context(), person.scope, import_id, line, member, person.staff_id)
    except (Conflict, Invalid) as fault:
        return _one(person, import_id, fault)
    return redirect(f"{root()}/console/imports/{import_id}?done=1", 303)


@imports.get("/console/members/<member>/merge")
def merge_page(member: str) -> Response:
    """Two members side by side, once the other was named."""
    return _merge(signed_in("imports"), member, request.args.get("q", "")[: journal.MOST_QUERY], None)


@imports.post("/console/members/<member>/merge")
def merge(member: str) -> Answer:
    """The two are one from now on."""
    person = signed_in("imports")
    other, reason = request.form.get("merged", "")[:60], request.form.get("reason", "")
    form = request.form.get("form", "")
    key = form if FORM.fullmatch(form) else secrets.token_urlsafe(18)
    try:
        wish = asked(person.scope, "merge", {"member": member, "merged": other, "reason": reason}, key)
        facts, _ = merging.by_staff(context(), person.scope, member, other, reason, person.staff_id, wish)
    except (Conflict, Invalid, NotFound) as fault:
        return _merge(person, member, other, fault)
    return redirect(f"{root()}/console/members/{facts['member']}?done=merged", 303)


def _sent() -> File:
    """The file, or its text from the page where it was looked at; columns by their names, where they were chosen."""
    given = request.files.get("file")
    body = given.read() if given is not None and given.filename else request.form.get("text", "").encode()
    name = (given.filename if given is not None else None) or request.form.get("name", "cards.csv")
    chosen = {field: request.form[f"column-{field}"] for field in FIELDS if f"column-{field}" in request.form}
    return File(str(name)[:200], body, chosen)


def _page(person: Person, fault: WalletError | None = None) -> Response:
    tongue = speaks(person)
    words = press().words[tongue].imports
    return console_page(
        "console/imports.html",
        person,
        section="members",
        made=imported.imports(context(), person.scope),
        programmes=programs.list_programmes(context(), person.scope),
        say=Wording(tongue, newsroom.zone_of(context(), person.scope)),
        fault="" if fault is None else words.of(f"faults.{fault.code}", fault.sentence),
        status=200 if fault is None else 422,
    )


def _one(person: Person, import_id: str, fault: WalletError | None = None) -> Response:
    tongue = speaks(person)
    words = press().words[tongue].imports
    made, counts = imported.report(context(), person.scope, import_id)
    doubtful = imported.lines(context(), person.scope, import_id, ("doubtful",), most=MOST_SETTLED_AT_ONCE)
    return console_page(
        "console/import.html",
        person,
        section="members",
        made=made,
        counts=counts,
        doubtful=doubtful,
        dirty=imported.lines(context(), person.scope, import_id, ("dirty",), most=200),
        done=request.args.get("done") == "1",
        fault="" if fault is None else words.of(f"faults.{fault.code}", fault.sentence),
        status=200 if fault is None else 409,
        address=f"{root()}/console/imports/{made.public_id}",
    )


def _merge(person: Person, member: str, query: str, fault: WalletError | None) -> Response:
    tongue = speaks(person)
    words = press().words[tongue].imports
    mine = journal.portrait(context(), person.scope, member, None)
    found = journal.search(context(), person.scope, query).entries if query.strip() else ()
    others = [
        (one.member.public_id, one.email, balances(one.programme, one.balances, tongue), one.member.joined_at)
        for one in found
        if one.member.public_id != mine.member.public_id and one.member.left_at is None
    ]
    return console_page(
        "console/merge.html",
        person,
        section="members",
        mine=mine,
        holds=balances(mine.programme, mine.balances, tongue),
        others=others[:10],
        asked=query,
        reasons=merging.REASONS,
        say=Wording(tongue, newsroom.zone_of(context(), person.scope)),
        form=secrets.token_urlsafe(18),
        fault="" if fault is None else words.of(f"faults.{fault.code}", fault.sentence),
        status=200 if fault is None else 409,
    )
