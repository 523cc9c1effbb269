"""Owns the page "what would it have cost me?": a till's file, an offer, what it would have given away, and to whom."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import date
from fractions import Fraction
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answered

from wallet_server.actions.announcing import newsroom
from wallet_server.actions.programme import designing, drafted
from wallet_server.actions.programme import whatif as replaying
from wallet_server.actions.programme.whatif import Answer
from wallet_server.actions.staff import Person
from wallet_server.errors import Invalid, NotFound
from wallet_server.rules.sentences import counted, noun_of
from wallet_server.rules.simulation.till_export import DELIMITERS, MAX_COLUMNS, Layout, minor_of
from wallet_server.rules.simulation.whatif import Band, Offer, Outcome, StampCard
from wallet_server.web.console.door import console_page, signed_in, speaks, visit
from wallet_server.web.console.plot import columns, percent
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import context, in_language, part, press, root

whatif = Blueprint("console-whatif", __name__)

PATH = "/console/what-if"
ROOM = 3 * replaying.MAX_BYTES
"""So much is taken in before it is refused without a word of its own."""
ORDERS = ("dmy", "mdy", "ymd")
DECIMALS = (",", ".")
DEFAULTS = {"kind": "stamps", "paid": "10", "gift": "3.00", "minimum": "", "points": "1", "worth": "0.05"}
FRACTION = re.compile(r"(\d{1,6})(?:[.,](\d{1,4}))?")
MOST_TYPED = 20
UNREAD = {"date": "no_date", "amount": "no_amount", "short": "too_few", "long": "too_many", "quote": "open_quote"}


@whatif.before_request
def roomy() -> None:
    """A signed-in person may send a file; before the guard reads the form."""
    if request.path == PATH and request.method == "POST" and visit() is not None:
        request.max_content_length = ROOM


@whatif.get(PATH)
def page() -> Response:
    """The form."""
    return _page(signed_in("what_if"), None, None)


@whatif.get(f"{PATH}/draft")
def draft() -> Answered:
    """What publishing the card that is drafted would change for all members, and what speaks against it."""
    person = signed_in("what_if")
    found = designing.desk(context(), person)
    tongue = speaks(person)
    told = drafted.report(context(), person.scope, found, tongue)
    if told is None:
        return redirect(f"{root()}{PATH}", 303)
    programme = told.reading.programme
    say = Wording(tongue, person.scope.zone)
    nouns = {one.code: noun_of(programme, one.code, tongue) for one in programme.currencies}
    levels = {} if programme.ladder is None else {one.code: one.names for one in programme.ladder.levels}
    return console_page(
        "console/whatif_draft.html",
        person,
        section="what_if",
        told=told,
        changes=told.changes,
        say=say,
        iso=programme.money.iso,
        units=lambda code, count: (
            counted(count, nouns[code], tongue) if code in nouns else f"{say.number(count)} {code}"
        ),
        level=lambda code: in_language(levels[code], tongue) if code in levels else code,
    )


@whatif.post(PATH)
def ask() -> Response:
    """Read the file once, count, and forget it."""
    person = signed_in("what_if")
    try:
        offer = _offer()
        given = request.files.get("file")
        body = given.read(replaying.MAX_BYTES + 1) if given else b""
        if not body:
            raise Invalid("Choose the file that your till exported.", code="no-file", field="file")
        answer = replaying.ask(context(), person.scope, body, _layout(_mark(body)), offer)
    except Invalid as fault:
        return _page(person, None, fault)
    return _page(person, (answer, offer, _mark(body)), None)


def _mark(body: bytes) -> str:
    """By which corrections are known to belong to this file and not to the one before."""
    return hashlib.sha256(body).hexdigest()[:16]


def _page(person: Person, answered: tuple[Answer, Offer, str] | None, fault: Invalid | None) -> Response:
    tongue = speaks(person)
    words = press().words[tongue].whatif
    found = newsroom.columns(context(), person.scope)
    say = Wording(tongue, found[0].zone if found else "UTC")
    iso = found[0].programme.money.iso if found else "EUR"
    shown: dict[str, Any] = {
        "fault": fault and words.faults.of(fault.code, fault.sentence),
        "fault_field": fault.field if fault else None,
        "outcome": None,
        "answered": False,
        "drafted": _is_drafted(person),
        "say": say,
        "iso": iso,
    }
    if answered is not None:
        shown |= _shown(*answered, say, iso)
    filled = {name: text.replace(".", "," if tongue == "fr" else ".") for name, text in DEFAULTS.items()} | {
        name: request.form[name][:MOST_TYPED] for name in DEFAULTS if name in request.form
    }
    status = 400 if fault else 200
    if request.headers.get("HX-Request"):
        body = part("console/_outcome.html", tongue, **shown)
        return Response(body, status, mimetype="text/html", headers={"Cache-Control": "no-store"})
    return console_page("console/whatif.html", person, section="what_if", status=status, filled=filled, **shown)


def _is_drafted(person: Person) -> bool:
    try:
        found = designing.desk(context(), person)
    except NotFound:  # the shop takes part in no programme
        return False
    return found.version > 0 and found.drafted


# ---------------------------------------------------------------------- what was typed


def _offer() -> Offer:
    form = request.form
    if form.get("kind") == "points":
        return replaying.points_card(_fraction(form.get("points", "")), _fraction(form.get("worth", "")))
    paid = form.get("paid", "").strip()
    number = int(paid) if paid.isascii() and paid.isdigit() and len(paid) <= 4 else None
    return replaying.stamp_card(number, _minor(form.get("gift", "")), _minor(form.get("minimum", "").strip() or "0"))


def _minor(text: str) -> int | None:
    typed = text[:MOST_TYPED]
    comma = minor_of(typed, ",")
    return comma if comma is not None else minor_of(typed, ".")


def _fraction(text: str) -> Fraction | None:
    found = FRACTION.fullmatch(text.strip()[:MOST_TYPED])
    if found is None or not found.group(0).isascii():
        return None
    rest = found.group(2) or ""
    return Fraction(int(found.group(1) + rest), 10 ** len(rest))


def _layout(mark: str) -> Layout | None:
    """The columns as a person corrected them; None for a file that was not guessed at yet."""
    form = request.form
    delimiter = {str(place): one for place, one in enumerate(DELIMITERS)}.get(form.get("delimiter", ""))
    day, amount = _column("date"), _column("amount")
    if form.get("of") != mark or delimiter is None or day is None or amount is None:
        return None
    order, decimal = form.get("order"), form.get("decimal")
    return Layout(
        delimiter,
        form.get("header") == "yes",
        day,
        amount,
        _column("customer"),
        _column("receipt"),
        "mdy" if order == "mdy" else "ymd" if order == "ymd" else "dmy",
        "." if decimal == "." else ",",
    )


def _column(name: str) -> int | None:
    text = request.form.get(f"column-{name}", "")
    sound = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_COLUMNS))
    return int(text) if sound and int(text) < MAX_COLUMNS else None


# ---------------------------------------------------------------------- what came out


def _shown(answer: Answer, offer: Offer, mark: str, say: Wording, iso: str) -> dict[str, Any]:
    layout, export, outcome = answer.layout, answer.export, answer.outcome
    words = press().words[say.tongue].whatif
    unread = [(one.line, words.unread_why.of(UNREAD[one.why], one.why), one.text) for one in export.unread]
    shown = {
        "answered": True,
        "outcome": outcome,
        "offer_is_stamps": isinstance(offer, StampCard),
        "layout": layout,
        "mark": mark,
        "delimiters": list(enumerate(DELIMITERS)),
        "orders": ORDERS,
        "decimals": DECIMALS,
        "columns": [(n, name or words.column.format(n + 1)) for n, name in enumerate(export.columns)],
        "unread": unread,
        "unread_count": export.unread_count,
        "rows": len(export.rows),
    }
    return shown if outcome is None else shown | _told(outcome, offer, say, iso, words)


def _told(outcome: Outcome, offer: Offer, say: Wording, iso: str, words: Any) -> dict[str, Any]:
    stamps = isinstance(offer, StampCard)
    rate = outcome.rate
    bands = [(_band(one, stamps), one) for one in outcome.bands]
    if outcome.known:
        plot = columns([(name, one.customers, say.number(one.customers)) for name, one in bands])
        plot_title = words.plot.stamps if stamps else words.plot.points.format(iso)
    else:
        last = outcome.months[-12:]
        months = [(f"{one.month:02d}", max(0, one.given_minor)) for one in last]
        plot = columns([(name, given, say.number(round(given / 100))) for name, given in months], 420)
        plot_title = words.plot.months.format(iso)
    return {
        "plot": plot,
        "plot_title": plot_title,
        "bands": bands,
        "least": say.money(outcome.least_minor, iso),
        "most": say.money(outcome.most_minor, iso),
        "rate": rate and (say.percent(rate[0], 2), say.percent(rate[1], 2)),
        "turnover": say.money(outcome.turnover_minor, iso),
        "first_day": say.day(date.fromordinal(outcome.first_day), "d MMMM y"),
        "last_day": say.day(date.fromordinal(outcome.last_day), "d MMMM y"),
        "median": _median(outcome, stamps, say, iso, words),
        "top": percent(outcome.top_given_minor, outcome.most_minor),
        "unknown": percent(outcome.turnover_minor - outcome.known_turnover_minor, outcome.turnover_minor),
        "months": [
            (say.day(date(one.year, one.month, 1), "MMMM y"), say.money(one.turnover_minor, iso),
             say.money(one.given_minor, iso), say.money(one.so_far_minor, iso))
            for one in reversed(outcome.months)
        ],
    }  # fmt: skip


def _median(outcome: Outcome, stamps: bool, say: Wording, iso: str, words: Any) -> str | None:
    """What half of the customers would have had in a year at most: rounded up, so that it is true as it is said."""
    units, given = outcome.median_units_year, outcome.median_given_year_minor
    if units is None or given is None:
        return None
    if not units:
        return str(words.median_none)
    places = 1 if stamps else 0
    most = say.decimal(Fraction(math.ceil(units * 10**places), 10**places), places)
    told: str = (words.median_gifts if stamps else words.median_points).format(most, say.money(math.ceil(given), iso))
    return told


def _band(band: Band, stamps: bool) -> str:
    """The shortest name of a band: gifts, or the worth of points in whole units of money."""
    if stamps:
        one = band.high is not None and band.high == band.low + 1
        return str(band.low) if one else f"{band.low}+" if band.high is None else f"{band.low}–{band.high - 1}"
    if band.high is None:
        return f"{band.low // 100}+"
    return "0" if band.low == 0 else f"{band.low // 100}–{band.high // 100}"
