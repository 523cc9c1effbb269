"""Owns the pages that give a lost or deleted card back: by the link on its back, by the code written there, or by a
link that the shop made."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions import enrol, recovery
from wallet_server.actions.once import Facts
from wallet_server.errors import NotFound, TooMany
from wallet_server.web.face import face
from wallet_server.web.join import form_name, form_sent, remember
from wallet_server.web.rendering import chosen_language, context, here, language, press, public_path, render
from wallet_server.web.visitor import address

recovering = Blueprint("recover", __name__)


@recovering.get("/recover")
def code_page() -> Response:
    """One field for the code."""
    return _code_page(200, "")


@recovering.post("/recover")
def by_code() -> Answer:
    """The card behind the code; whatever is wrong with a code is told in the same words."""
    words = press().words[language()].recover
    try:
        made = recovery.by_code(context(), request.form.get("code", ""), form_sent() or form_name(), address())
    except TooMany as fault:
        page = _code_page(429, words.count("crowded", -(-fault.retry_after_seconds // 60)))
        page.headers["Retry-After"] = str(fault.retry_after_seconds)
        return page
    except NotFound:
        return _code_page(404, words.wrong)
    return _found(made)


def _code_page(status: int, fault: str) -> Response:
    typed = request.form.get("code", "")[:60]
    return render(
        "recover.html", language(), status=status, lost=None, fault=fault, typed=typed, action=here(), form=form_name()
    )


@recovering.get("/recover/<token>")
def link_page(token: str) -> Response:
    """The card as it stands, and one button. Looking changes nothing."""
    try:
        lost = recovery.lost(context(), token)
    except NotFound as fault:
        return _spent(fault)
    tongue = language(lost.language)
    return render(
        "recover.html",
        tongue,
        palettes=[lost.card.palette],
        lost=lost,
        face=face(lost.card, "", tongue, ""),
        action=here(),
        form=form_name(),
    )


@recovering.post("/recover/<token>")
def by_link(token: str) -> Answer:
    """A new card for the holder of the link; the same form sent twice gives the same card."""
    try:
        return _found(recovery.by_link(context(), token, form_sent() or form_name()))
    except NotFound as fault:
        return _spent(fault)


def _spent(fault: NotFound) -> Response:
    """A link that was used leads to the code of the card that took its place; any other is not found."""
    if fault.code not in ("already-recovered", "return-over"):
        raise fault
    tongue = language()
    action = here().partition("?")[0].rpartition("/")[0]
    words = press().words[tongue].recover
    fault_text = words.used if fault.code == "already-recovered" else words.return_over
    return render(
        "recover.html", tongue, status=404, lost=None, fault=fault_text, typed="", action=action, form=form_name()
    )


def _found(made: Facts) -> Answer:
    tongue = chosen_language()
    path = public_path(enrol.card_link(context(), made["pass"]))
    answer = redirect(f"{path}?new=back" + (f"&lang={tongue}" if tongue else ""), 303)
    remember(answer, made["join_code"], made["pass"])
    return answer
