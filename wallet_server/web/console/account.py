"""Owns the page of one's own account: password, second factor, passkeys, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.counter import cashiers
from wallet_server.actions.staff import Person, passkeys, second_factor, sessions
from wallet_server.actions.staff import account as own
from wallet_server.actions.staff import sign_in as entering
from wallet_server.actions.staff.roles import AT_TILL
from wallet_server.errors import Conflict, Invalid, TooMany, WalletError
from wallet_server.web.console.door import (
    address,
    console_page,
    drop_cookie,
    entered,
    know,
    party,
    session_secret,
    signed_in,
    words,
)
from wallet_server.web.console.sign_in import a_party, status_of, told, typed
from wallet_server.web.rendering import context, press, root, symbol

account = Blueprint("console-account", __name__)

REFUSALS = (Invalid, Conflict, TooMany)


@account.get("/console/account")
def page() -> Response:
    """Everything about oneself."""
    return _page(signed_in("account", overdue=True), None)


def _page(person: Person, fault: WalletError | None, where: str = "") -> Response:
    here = entered("account", overdue=True)
    return console_page(
        "console/account.html",
        person,
        section="account",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        where=where,
        standing=second_factor.standing(context(), person),
        passkeys=passkeys.of(context(), person),
        passkeys_possible=party() is not None,
        devices=sessions.devices(context(), person),
        here=here.session,
        at_till=person.role in AT_TILL,
        done=request.args.get("done", ""),
    )


def _back(done: str, place: str = "") -> Answer:
    return redirect(f"{root()}/console/account?done={done}{place}", 303)


@account.post("/console/account/name")
def name() -> Answer:
    """Change one's name."""
    person = signed_in("account", overdue=True)
    try:
        own.rename(context(), person, typed("name"))
    except REFUSALS as fault:
        return _page(person, fault, "name")
    return _back("name")


@account.post("/console/account/pin")
def pin() -> Answer:
    """Choose one's own PIN for the tills."""
    person = signed_in("pin", overdue=True)
    try:
        cashiers.choose_own(context(), person, typed("pin"))
    except REFUSALS as fault:
        return _page(person, fault, "pin")
    return _back("pin")


@account.post("/console/account/password")
def password() -> Answer:
    """Change the password; the other sessions end."""
    here = entered("account", overdue=True)
    try:
        entering.change_password(context(), here, typed("old"), typed("password"), address())
    except REFUSALS as fault:
        return _page(here.person, fault, "password")
    answer = _back("password", "#password")
    know(answer, session_secret())
    return answer


# ---------------------------------------------------------------------- the authenticator app


@account.post("/console/account/app/start")
def start_app() -> Answer:
    """Make a secret for an authenticator app."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
        second_factor.start(context(), here.person)
    except REFUSALS as fault:
        return _page(here.person, fault, "second")
    return redirect(f"{root()}/console/account/app", 303)


@account.get("/console/account/app")
def app_page() -> Answer:
    """Its symbol and secret, and the field for the first code."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
    except REFUSALS as fault:
        return _page(here.person, fault, "second")
    return _app_page(here.person, None)


def _app_page(person: Person, fault: WalletError | None) -> Answer:
    setup = second_factor.setup(context(), person)
    if setup is None:
        return redirect(f"{root()}/console/account#second", 303)
    drawn = symbol(setup.address, press().words[person.language].sign.app.symbol)
    spaced = " ".join(setup.secret[place : place + 4] for place in range(0, len(setup.secret), 4))
    return console_page(
        "console/account_app.html",
        person,
        section="account",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        drawn=drawn,
        secret=spaced,
    )


@account.post("/console/account/app")
def confirm_app() -> Answer:
    """The first code; shows the backup codes this once."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
    except REFUSALS as fault:
        return _page(here.person, fault, "second")
    try:
        codes = second_factor.confirm(context(), here.person, typed("code"))
    except REFUSALS as fault:
        return _app_page(here.person, fault)
    sessions.end_weaker(context(), here)
    return _codes_page(here.person, codes)


def _codes_page(person: Person, codes: tuple[str, ...]) -> Response:
    return console_page("console/account_codes.html", person, section="account", codes=codes)


@account.post("/console/account/app/remove")
def remove_app() -> Answer:
    """Forget the app, after the password was given once more."""
    person = signed_in("account", overdue=True)
    try:
        own.confirm(context(), person, typed("old"), address())
    except REFUSALS as fault:
        return _page(person, fault, "second")
    second_factor.remove(context(), person)
    return _back("removed", "#second")


@account.post("/console/account/codes")
def renew_codes() -> Answer:
    """Fresh backup codes, after the password was given once more."""
    person = signed_in("account", overdue=True)
    try:
        own.confirm(context(), person, typed("old"), address())
    except REFUSALS as fault:
        return _page(person, fault, "second")
    return _codes_page(person, second_factor.renew_codes(context(), person))


# ---------------------------------------------------------------------- passkeys


@account.post("/console/account/passkeys/question")
def passkey_question() -> Response:
    """What the browser needs to make a passkey, for the page's script."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
        return Response(passkeys.registration(context(), here.person, a_party()), mimetype="application/json")
    except REFUSALS as fault:
        return told(fault, "sign")


@account.post("/console/account/passkeys")
def keep_passkey() -> Response:
    """Keep the passkey that was made; answers where to go."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
        name = request.args.get("name", "")[:100]
        passkeys.register(context(), here.person, a_party(), request.get_data(as_text=True), name)
    except REFUSALS as fault:
        return told(fault, "sign")
    sessions.end_weaker(context(), here)
    return jsonify({"next": f"{root()}/console/account?done=passkey#passkeys"})


@account.post("/console/account/passkeys/<passkey>/remove")
def remove_passkey(passkey: str) -> Answer:
    """Forget a passkey."""
    here = entered("account", overdue=True)
    try:
        sessions.require_recent(context(), here)
        passkeys.remove(context(), here.person, passkey)
    except REFUSALS as fault:
        return _page(here.person, fault, "passkeys")
    return _back("removed", "#passkeys")


# ---------------------------------------------------------------------- sessions


@account.post("/console/account/sessions/<session>/end")
def end_session(session: str) -> Answer:
    """Sign another browser out."""
    sessions.end_one(context(), signed_in("account", overdue=True), session)
    return _back("ended", "#sessions")


@account.post("/console/account/sessions/end")
def end_sessions() -> Answer:
    """Sign out everywhere, here too."""
    sessions.end_everywhere(context(), signed_in("account", overdue=True))
    answer = redirect(f"{root()}/console/sign-in?done=everywhere", 303)
    drop_cookie(answer, "session")
    return answer
