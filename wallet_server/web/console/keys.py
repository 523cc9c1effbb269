"""Owns the console's page of keys: which there are and when each was last used, a further one, a successor, an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions import keys as key_ring
from wallet_server.actions.keys import Made
from wallet_server.actions.staff import Person
from wallet_server.errors import Conflict, Invalid, WalletError
from wallet_server.web.console.door import console_page, signed_in, speaks, words
from wallet_server.web.console.sign_in import status_of, typed
from wallet_server.web.rendering import context, press, root

keys = Blueprint("console-keys", __name__)

PATH = "/console/keys"
OVERLAPS = (0, 24, 7 * 24, 30 * 24)
"""Hours for which the old key works beside its successor."""


@keys.get(PATH)
def page() -> Response:
    """Every key that works."""
    return _page(signed_in("keys"), None)


def _page(person: Person, fault: WalletError | None, made: Made | None = None) -> Response:
    return console_page(
        "console/keys.html",
        person,
        section="keys",
        status=status_of(fault),
        fault=fault and words(fault, "keys"),
        keys=key_ring.listed(context(), person.scope),
        scopes=sorted(key_ring.MERCHANT),
        overlaps=OVERLAPS,
        made=made,
        named=_naming(speaks(person)),
        done=request.args.get("done", ""),
    )


def _naming(tongue: str) -> Callable[[str | None], Any]:
    """The name of a till; the first one of a shop has but a number."""
    return lambda name: press().words[tongue].tills.numbered.format(name) if name and name.isdigit() else name


@keys.post(PATH)
def make() -> Response:
    """A further key; it is in this answer and nowhere else."""
    person = signed_in("keys")
    try:
        made = key_ring.make(context(), person.scope, typed("label"), request.form.getlist("scopes"))
    except Invalid as fault:
        return _page(person, fault)
    return _page(person, None, made)


@keys.post(f"{PATH}/<key>/rotation")
def rotate(key: str) -> Response:
    """A successor; it is in this answer and nowhere else."""
    person = signed_in("keys")
    hours = typed("hours")
    overlap = int(hours) if hours in map(str, OVERLAPS) else OVERLAPS[1]
    try:
        made = key_ring.rotate(context(), person.scope, key, context().clock() + timedelta(hours=overlap))
    except (Invalid, Conflict) as fault:
        return _page(person, fault)
    return _page(person, None, made)


@keys.post(f"{PATH}/<key>/end")
def end(key: str) -> Answer:
    """It works no more."""
    key_ring.revoke(context(), signed_in("keys").scope, key)
    return redirect(f"{root()}{PATH}?done=ended", 303)
