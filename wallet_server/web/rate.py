"""Owns the page on which a member rates the last visit: five marks, a few words if wanted, once."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from babel.dates import format_date
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.counter import rating
from wallet_server.errors import Invalid, NotFound, TooMany, WalletError
from wallet_server.web.rendering import context, day_style, here, language, press, render

rating_pages = Blueprint("rate", __name__)

MARKS = {5: "great", 4: "good", 3: "fair", 2: "poor", 1: "bad"}


@rating_pages.get("/rate/<token>")
def rate_page(token: str) -> Response:
    """The question, or what was answered. Looking changes nothing."""
    return _page(token, None)


@rating_pages.post("/rate/<token>")
def rate(token: str) -> Answer:
    """What the member says; a second answer about the same visit is thanked for and changes nothing."""
    given = request.form.get("mark", "")
    mark = int(given) if given in {str(mark) for mark in MARKS} else 0
    try:
        taken = rating.rate(context(), token, mark, request.form.get("text", ""), request.form.get("sale") or None)
    except (Invalid, TooMany) as fault:
        return _page(token, fault)
    except NotFound as fault:
        if fault.code not in ("no-visit", "card-replaced"):
            raise
        return redirect(here(done=None), 303)
    said = "low" if mark <= rating.LOW else "yes"
    return redirect(here(done=said if taken else None), 303)


def _page(token: str, fault: WalletError | None) -> Response:
    asked = rating.question(context(), token)
    tongue = language(asked.language)
    words = press().words[tongue].rate
    at = asked.at and asked.at.astimezone(ZoneInfo(asked.zone))
    day = at and format_date(at, day_style("d MMMM", at, tongue), locale=tongue)
    done = request.args.get("done", "")
    return render(
        "rate.html",
        tongue,
        status=200 if fault is None else 429 if isinstance(fault, TooMany) else 400,
        organisation=asked.card.organisation,
        asked=asked,
        visit=words.visit.format(day, asked.store) if asked.at else "",
        marks=[(mark, "★" * mark + "☆" * (5 - mark), words.of(f"marks.{name}", "")) for mark, name in MARKS.items()],
        done=done if done in ("yes", "low") else "",
        fault=fault and words.faults.of(fault.code, fault.sentence),
        filled={"mark": request.form.get("mark", ""), "text": request.form.get("text", "")[: rating.MOST_TEXT]},
        most=rating.MOST_TEXT,
        action=here(done=None),
    )
