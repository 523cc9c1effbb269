"""Owns the pages that give a lost or deleted card back: by the link on its back, by the code written there, by a link
that the shop made, or by a code that is sent to an address of its member."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.once import Facts
from wallet_server.actions.people import enrol, recovery, recovery_letters
from wallet_server.errors import Invalid, NotFound, TooMany
from wallet_server.web.face import face
from wallet_server.web.join import form_name, form_sent, remember
from wallet_server.web.rendering import (
    LANGUAGES,
    chosen_language,
    context,
    here,
    language,
    press,
    public_path,
    render,
    root,
)
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
    return _fields(language(), status, fault, typed, here())


def _fields(tongue: str, status: int, fault: str, typed: str, action: str) -> Response:
    ways = recovery_letters.ways(context())
    return render(
        "recover.html",
        tongue,
        status=status,
        lost=None,
        fault=fault,
        typed=typed,
        action=action,
        form=form_name(),
        ways=ways,
        letters=f"{root()}/recover/letter",
        letter_fault="",
    )


@recovering.post("/recover/letter")
def ask_for_letter() -> Response:
    """Have a code sent: the page that asks for it is the same whoever's address it is."""
    tongue = language()
    words = press().words[tongue].recover
    typed = request.form.get("address", "")[:320]
    try:
        shown = recovery_letters.ask(context(), typed, tongue, address())
    except Invalid as fault:
        return _letter_page(422, typed, words.of(f"faults.{fault.code}", fault.sentence))
    except TooMany as fault:
        return _crowded(_letter_page(429, typed, words.count("crowded", -(-fault.retry_after_seconds // 60))), fault)
    return _code_asked(200, typed, words.sent.format(shown), "")


@recovering.post("/recover/letter/code")
def by_letter() -> Answer:
    """The card behind the address, by the code that was sent there; one of several is chosen first."""
    words = press().words[language()].recover
    typed = request.form.get("address", "")[:320]
    try:
        proved = recovery_letters.prove(
            context(), typed, request.form.get("code", ""), form_sent() or form_name(), address()
        )
    except TooMany as fault:
        page = _code_asked(429, typed, "", words.count("crowded", -(-fault.retry_after_seconds // 60)))
        return _crowded(page, fault)
    except (NotFound, Invalid):
        return _code_asked(404, typed, "", words.wrong_sent)
    if proved.back is not None:
        return _found(proved.back)
    return render(
        "recover_choice.html",
        language(),
        alternates=_alternates(),
        cards=proved.cards,
        token=proved.token,
        action=f"{root()}/recover/letter/card",
        form=form_name(),
    )


@recovering.post("/recover/letter/card")
def choose_card() -> Answer:
    """One of several cards of the same address."""
    form = request.form
    try:
        made = recovery_letters.choose(
            context(), form.get("token", ""), form.get("member", ""), form_sent() or form_name()
        )
        return _found(made)
    except NotFound:
        return _letter_page(404, "", press().words[language()].recover.wrong_sent)


def _letter_page(status: int, typed: str, fault: str) -> Response:
    return render(
        "recover.html",
        language(),
        status=status,
        alternates=_alternates(),
        lost=None,
        fault="",
        typed="",
        action=f"{root()}/recover",
        form=form_name(),
        ways=recovery_letters.ways(context()),
        letters=f"{root()}/recover/letter",
        letter_fault=fault,
        address=typed,
    )


def _code_asked(status: int, typed: str, said: str, fault: str) -> Response:
    return render(
        "recover_code.html",
        language(),
        status=status,
        alternates=_alternates(),
        said=said,
        fault=fault,
        address=typed,
        action=f"{root()}/recover/letter/code",
        again=f"{root()}/recover/letter",
        form=form_name(),
    )


def _alternates() -> dict[str, str]:
    """What a form led to is not an address: in the other language one begins anew."""
    return {name: f"{root()}/recover?lang={name}" for name in LANGUAGES}


def _crowded(page: Response, fault: TooMany) -> Response:
    page.headers["Retry-After"] = str(fault.retry_after_seconds)
    return page


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
    return _fields(tongue, 404, fault_text, "", action)


def _found(made: Facts) -> Answer:
    tongue = chosen_language()
    path = public_path(enrol.card_link(context(), made["pass"]))
    answer = redirect(f"{path}?new=back" + (f"&lang={tongue}" if tongue else ""), 303)
    remember(answer, made["join_code"], made["pass"])
    return answer
