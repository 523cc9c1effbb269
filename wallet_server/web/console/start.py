"""Owns the pages behind one-time links: founding a shop, joining a team, choosing a new password, the sandbox's door.

Looking at such a page changes nothing: programs that read mail open links in advance.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.programme import presets
from wallet_server.actions.staff import founding, links
from wallet_server.actions.staff.founding import Founding
from wallet_server.actions.staff.links import Newcomer
from wallet_server.errors import Conflict, Invalid, TooMany, WalletError
from wallet_server.web.console.door import address, device, door_page, reachable, words
from wallet_server.web.console.sign_in import let_in, status_of, typed
from wallet_server.web.rendering import context, language, root

start = Blueprint("console-start", __name__)

REFUSALS = (Invalid, Conflict, TooMany)


# ---------------------------------------------------------------------- founding


@start.get("/start")
@start.get("/start/<secret>")
def found_page(secret: str | None = None) -> Response:
    """Shop, address, name, password."""
    founding.may_found(context(), secret)
    return _found_page(None)


def _found_page(fault: WalletError | None) -> Response:
    fields = ("shop", "store", "zone", "name", "email", "preset")
    return door_page(
        "console/start.html",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        wrong=fault.field if fault else None,
        filled={name: typed(name) for name in fields} | {"zone": typed("zone") or founding.ZONE},
        reachable=reachable(),
        presets=[name.replace("-", "_") for name in presets.presets()],
    )


@start.post("/start")
@start.post("/start/<secret>")
def found(secret: str | None = None) -> Answer:
    """Found the shop; its owner is signed in."""
    wanted = Founding(typed("shop"), typed("store"), typed("zone"), _newcomer(), typed("preset").replace("_", "-"))
    try:
        entered = founding.found(context(), secret, wanted, device(), address())
    except REFUSALS as fault:
        return _found_page(fault)
    return let_in(entered, "")


def _newcomer() -> Newcomer:
    return Newcomer(typed("name"), typed("email"), typed("password"), language())


# ---------------------------------------------------------------------- joining a team


@start.get("/invite/<secret>")
def join_page(secret: str) -> Response:
    """Who invites, as what; name, address and password to choose."""
    return _join_page(secret, None)


def _join_page(secret: str, fault: WalletError | None) -> Response:
    link = links.look(context(), secret, links.JOIN)
    return door_page(
        "console/invited.html",
        status=status_of(fault),
        fault=fault and words(fault, "sign"),
        wrong=fault.field if fault else None,
        link=link,
        filled={"name": typed("name"), "email": typed("email") or link.email or ""},
        reachable=reachable(),
    )


@start.post("/invite/<secret>")
def join(secret: str) -> Answer:
    """Join the team, signed in."""
    try:
        entered = links.join(context(), secret, _newcomer(), device(), address())
    except REFUSALS as fault:
        return _join_page(secret, fault)
    return let_in(entered, "")


# ---------------------------------------------------------------------- a new password


@start.get("/reset/<secret>")
def reset_page(secret: str) -> Response:
    """A new password to choose."""
    return _reset_page(secret, None)


def _reset_page(secret: str, fault: WalletError | None) -> Response:
    link = links.look(context(), secret, links.RESET, links.RECOVER)
    return door_page("console/reset.html", status=status_of(fault), fault=fault and words(fault, "sign"), link=link)


@start.post("/reset/<secret>")
def reset(secret: str) -> Answer:
    """Choose it; then sign in with it."""
    try:
        links.choose_password(context(), secret, typed("password"))
    except REFUSALS as fault:
        return _reset_page(secret, fault)
    return redirect(f"{root()}/console/sign-in?done=password", 303)


# ---------------------------------------------------------------------- the sandbox


@start.get("/enter/<secret>")
def enter_page(secret: str) -> Response:
    """One button."""
    return door_page("console/enter.html", link=links.look(context(), secret, links.ENTER))


@start.post("/enter/<secret>")
def enter(secret: str) -> Answer:
    """Enter the demonstration shop as its owner."""
    return let_in(links.enter(context(), secret, device(), language()), "")
