"""Owns the pages of signing in and out: password, second factor, passkey, and a password that was forgotten."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.staff import passkeys, sessions
from wallet_server.actions.staff import sign_in as entering
from wallet_server.actions.staff.passkeys import Party
from wallet_server.actions.staff.sessions import Entered, Visit
from wallet_server.errors import Invalid, NotFound, TooMany, Unauthenticated, WalletError
from wallet_server.web.console.door import (
    address,
    device,
    door_page,
    drop_cookie,
    know,
    known,
    party,
    reachable,
    set_cookie,
    visit,
    within,
    words,
)
from wallet_server.web.rendering import context, root

sign_in = Blueprint("console-sign-in", __name__)

MOST_TYPED = 400
REFUSALS = (Unauthenticated, TooMany, Invalid)


def typed(name: str) -> str:
    """A field of the form; what is longer than any of ours is cut."""
    return request.form.get(name, "")[:MOST_TYPED]


def status_of(fault: WalletError | None) -> int:
    """Of a page that shows this refusal."""
    return 200 if fault is None else 429 if isinstance(fault, TooMany) else 400


# ---------------------------------------------------------------------- address and password


@sign_in.get("/console/sign-in")
def page() -> Answer:
    """Address and password, or a passkey."""
    found = visit()
    if found is not None and not found.pending:
        return redirect(within(request.args.get("next", "")), 303)
    return _page(None)


def _page(fault: WalletError | None) -> Response:
    return door_page(
        "console/sign_in.html",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        back=within(request.values.get("next", "")),
        email=typed("email"),
        remember=typed("remember") == "yes",
        passkeys=party() is not None,
        reachable=reachable(),
        done=request.args.get("done", ""),
    )


@sign_in.post("/console/sign-in")
def enter() -> Answer:
    """Sign in and go where one wanted to go, by way of the second factor if there is one."""
    remember = typed("remember") == "yes"
    try:
        entered = entering.with_password(
            context(), typed("email"), typed("password"), device(), address(), remember=remember, known=known()
        )
    except REFUSALS as fault:
        return _page(fault)
    return let_in(entered, typed("next"))


def let_in(entered: Entered, wanted: str) -> Answer:
    """Give the browser its session; an older one of this browser ends."""
    back = within(wanted)
    answer = redirect(_second(back) if entered.pending else back, 303)
    return hand_over(answer, entered)


def hand_over(answer: Answer, entered: Entered) -> Answer:
    """Put the new session into an answer, in the place of the browser's old one."""
    old = visit()
    if old is not None:
        sessions.end(context(), old.session_id)
    age = int(sessions.LONGEST.total_seconds()) if entered.remembered and not entered.pending else None
    set_cookie(answer, "session", entered.secret, age)
    if not entered.pending:
        know(answer, entered.secret)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@sign_in.post("/console/sign-out")
def leave() -> Answer:
    """End this session."""
    found = visit()
    if found is not None:
        sessions.end(context(), found.session_id)
    answer = redirect(f"{root()}/console/sign-in", 303)
    drop_cookie(answer, "session")
    return answer


# ---------------------------------------------------------------------- the second factor


def _second(back: str) -> str:
    return f"{root()}/console/second" + (f"?next={quote(back)}" if back != f"{root()}/console" else "")


@sign_in.get("/console/second")
def second_page() -> Answer:
    """A code of the authenticator app, a backup code, or a passkey."""
    found = visit()
    if found is None or not found.pending:
        return redirect(f"{root()}/console", 303)
    return _second_page(None)


def _second_page(fault: WalletError | None) -> Response:
    return door_page(
        "console/sign_in_second.html",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        back=within(request.values.get("next", "")),
        passkeys=party() is not None,
    )


@sign_in.post("/console/second")
def second() -> Answer:
    """Finish signing in."""
    found: Visit | None = visit()
    if found is None or not found.pending:
        return redirect(f"{root()}/console/sign-in", 303)
    try:
        entered = entering.with_code(context(), found, typed("code"), device(), address(), known())
    except REFUSALS as fault:
        return _second_page(fault)
    return let_in(entered, typed("next"))


# ---------------------------------------------------------------------- passkeys


@sign_in.post("/console/passkey/question")
def passkey_question() -> Response:
    """What the browser asks its passkeys, for the page's script."""
    return Response(passkeys.question(context(), a_party(), address()), mimetype="application/json")


@sign_in.post("/console/passkey")
def passkey() -> Answer:
    """Sign in with a passkey; answers where to go."""
    found = visit()
    remember = request.headers.get("X-Remember") == "yes" or bool(found and found.remembered)
    try:
        answer = request.get_data(as_text=True)
        entered = passkeys.sign_in(context(), a_party(), answer, device(), address(), remember=remember, known=known())
    except REFUSALS as fault:
        return told(fault, "sign")
    return hand_over(jsonify({"next": within(request.args.get("next", ""))}), entered)


def a_party() -> Party:
    """For whom passkeys are made here. Raises `NotFound` where there can be none."""
    found = party()
    if found is None:
        raise NotFound("Passkeys need this service's own name and https.")
    return found


def told(fault: WalletError, area: str) -> Response:
    """A refusal for the page's script, in words for the person."""
    response = jsonify({"fault": words(fault, area)})
    response.status_code = status_of(fault)
    return response


# ---------------------------------------------------------------------- forgotten


@sign_in.get("/console/forgotten")
def forgotten_page() -> Response:
    """A new password by a backup code, and whom to ask without one."""
    return _forgotten_page(None)


def _forgotten_page(fault: WalletError | None) -> Response:
    return door_page(
        "console/sign_in_forgotten.html",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        email=typed("email"),
    )


@sign_in.post("/console/forgotten")
def forgotten() -> Answer:
    """Choose a new password."""
    try:
        entering.reset_by_backup_code(context(), typed("email"), typed("code"), typed("password"), address(), known())
    except REFUSALS as fault:
        return _forgotten_page(fault)
    return redirect(f"{root()}/console/sign-in?done=password", 303)
