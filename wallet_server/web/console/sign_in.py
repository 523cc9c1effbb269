"""Owns the pages of signing in and out."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.staff import sessions
from wallet_server.actions.staff import sign_in as entering
from wallet_server.actions.staff.sign_in import Entered
from wallet_server.errors import Unauthenticated, WalletError
from wallet_server.web.console.door import door_page, drop_cookie, set_cookie, speaks, visit, within
from wallet_server.web.rendering import context, press, root

sign_in = Blueprint("console-sign-in", __name__)

MOST_TYPED = 400


@sign_in.get("/console/sign-in")
def page() -> Answer:
    """Address and password."""
    found = visit()
    if found is not None and not found.pending:
        return redirect(within(request.args.get("next", "")), 303)
    return _page(None)


def _page(fault: Unauthenticated | None) -> Response:
    return door_page(
        "console/sign_in.html",
        status=400 if fault else 200,
        fault=fault and words(fault),
        back=within(request.values.get("next", "")),
        email=request.form.get("email", "")[:MOST_TYPED],
    )


def words(fault: WalletError) -> str:
    """A refusal in the language of the page."""
    found: str = press().words[speaks()].sign.faults.of(fault.code, fault.sentence)
    return found


@sign_in.post("/console/sign-in")
def enter() -> Answer:
    """Sign in and go where one wanted to go."""
    typed = {name: request.form.get(name, "")[:MOST_TYPED] for name in ("email", "password")}
    try:
        entered = entering.with_password(
            context(),
            typed["email"],
            typed["password"],
            device(),
            remember=request.form.get("remember") == "yes",
        )
    except Unauthenticated as fault:
        return _page(fault)
    return let_in(entered, within(request.form.get("next", "")))


def let_in(entered: Entered, address: str) -> Answer:
    """Give the browser its session; an older one of this browser ends."""
    old = visit()
    if old is not None:
        sessions.end(context(), old.session_id)
    answer = redirect(address, 303)
    age = int(sessions.LONGEST.total_seconds()) if entered.remembered else None
    set_cookie(answer, "session", entered.secret, age)
    return answer


def device() -> str:
    """What the browser says it is."""
    return request.user_agent.string[:200]


@sign_in.post("/console/sign-out")
def leave() -> Answer:
    """End this session."""
    found = visit()
    if found is not None:
        sessions.end(context(), found.session_id)
    answer = redirect(f"{root()}/console/sign-in", 303)
    drop_cookie(answer, "session")
    return answer
