"""Owns the page on which a member says how to be reached, proves it, asks for letters, and brings an old card along."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.people import plastic, reaching
from wallet_server.actions.people.standing_words import STOP
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany, WalletError
from wallet_server.web.rendering import LANGUAGES, chosen_language, context, here, language, press, render, root
from wallet_server.web.visitor import address

reach_pages = Blueprint("reach", __name__)


@dataclass(frozen=True)
class _Told:
    """What the page says after something was sent, and beside which field what was wrong with it."""

    said: str = ""
    fault: str = ""
    at: str = ""
    offer: str = ""
    number: str = ""
    status: int = 200


@reach_pages.get("/card/<token>/reach")
def page(token: str) -> Response:
    """The addresses that are known, masked; two fields."""
    return _page(token, _Told())


@reach_pages.post("/card/<token>/reach")
def ask(token: str) -> Response:
    """Send a code to the address that was typed."""
    words = press().words[language()].reach
    try:
        sent = reaching.ask(context(), token, request.form.get("address", ""))
    except (Invalid, Conflict, TooMany) as fault:
        return _page(token, _refused(fault, "address"))
    return _page(token, _Told(words.sent.format(sent.masked)))


@reach_pages.post("/card/<token>/reach/code")
def confirm(token: str) -> Response:
    """The code proves the address; where it is another card's, the two may be joined."""
    words = press().words[language()].reach
    try:
        done = reaching.confirm(context(), token, request.form.get("code", ""))
    except NotFound as fault:
        if fault.code != "wrong-sent-code":
            raise
        return _page(token, _refused(fault, "code"))
    if done.offer is not None:
        return _page(token, _Told(words.taken.format(done.masked), offer=done.offer))
    return _page(token, _Told(words.proved.format(done.masked)))


@reach_pages.post("/card/<token>/reach/join")
def join(token: str) -> Response:
    """Both cards become one."""
    words = press().words[language()].reach
    try:
        reaching.merge(context(), token, request.form.get("offer", ""))
    except NotFound as fault:
        if fault.code != "offer-over":
            raise
        return _page(token, _refused(fault, "address"))
    return _page(token, _Told(words.joined))


@reach_pages.post("/card/<token>/reach/remove")
def remove(token: str) -> Answer:
    """Not in this way any more."""
    reaching.remove(context(), token, request.form.get("kind", ""))
    tongue = chosen_language()
    return redirect(f"{root()}/card/{token}/reach" + (f"?lang={tongue}" if tongue else ""), 303)


@reach_pages.post("/card/<token>/reach/letters")
def choose_letters(token: str) -> Response:
    """The member asks for letters that say where they stand, or for none."""
    words = press().words[language()].reach
    granted = request.form.get("letters") == "yes"
    try:
        reaching.choose_letters(context(), token, granted)
    except (Conflict, TooMany) as fault:
        return _page(token, _refused(fault, "letters"))
    return _page(token, _Told(words.letters.first if granted else words.letters.ended))


@reach_pages.get("/letters/<token>")
def letters_page(token: str) -> Response:
    """One button. Looking at this page changes nothing: programs that read mail open links in advance."""
    found = reaching.letters_of(context(), token, STOP)
    return render("letters.html", language(found.language), found=found, action=here())


@reach_pages.post("/letters/<token>")
def stop_letters(token: str) -> Response:
    """No more of them. A mail program may ask this by itself, and follows no redirect (RFC 8058, 3.1)."""
    reaching.stop_letters(context(), token)
    return letters_page(token)


@reach_pages.post("/card/<token>/reach/plastic")
def claim(token: str) -> Response:
    """An old card: a code goes to the address that came with it, or it is to be shown in the shop."""
    words = press().words[language()].reach
    number = request.form.get("number", "")[:80]
    try:
        done = plastic.claim(context(), token, number, address())
    except (Invalid, TooMany) as fault:
        return _page(token, _refused(fault, "number"))
    if done.state == "sent":
        return _page(token, _Told(words.plastic_sent.format(done.masked), number=number))
    return _page(token, _Told(words.plastic_linked if done.state == "linked" else words.plastic_shop))


@reach_pages.post("/card/<token>/reach/plastic/code")
def confirm_plastic(token: str) -> Response:
    """The code that went to the old card's address."""
    words = press().words[language()].reach
    number = request.form.get("number", "")[:80]
    try:
        plastic.confirm(context(), token, number, request.form.get("code", ""))
    except (NotFound, Invalid) as fault:
        if fault.code not in ("wrong-sent-code", "bad-number"):
            raise
        told = _refused(fault, "plastic-code")
        return _page(token, _Told("", told.fault, told.at, number=number, status=told.status))
    return _page(token, _Told(words.plastic_linked))


def _refused(fault: WalletError, at: str) -> _Told:
    words = press().words[language()].reach
    if isinstance(fault, TooMany):
        return _Told("", words.count("crowded", -(-fault.retry_after_seconds // 60)), at, status=429)
    status = 404 if isinstance(fault, NotFound) else 409 if isinstance(fault, Conflict) else 422
    return _Told("", words.of(f"faults.{fault.code}", fault.sentence), at, status=status)


def _page(token: str, told: _Told) -> Response:
    known, waiting, ways = reaching.of_card(context(), token)
    letters = reaching.letters_of(context(), token)
    tongue = chosen_language()
    return render(
        "reach.html",
        language(),
        status=told.status,
        alternates={name: f"{root()}/card/{token}/reach?lang={name}" for name in LANGUAGES},
        base=f"{root()}/card/{token}",
        query=f"?lang={tongue}" if tongue else "",
        known=known,
        waiting=waiting,
        ways=ways,
        letters=letters,
        told=told,
        typed=request.form.get("address", "")[:320] if told.fault else "",
    )
