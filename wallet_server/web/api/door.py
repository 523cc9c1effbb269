"""Owns the door of the JSON interface: which key calls, what it may do, how much is left, and its idempotency key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import orjson
from flask import Response, current_app, g, request
from flask_openapi3 import APIBlueprint, SecurityScheme
from werkzeug.exceptions import BadRequest

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import cashiers
from wallet_server.actions.once import Asked, asked
from wallet_server.errors import Forbidden, Invalid, TooMany
from wallet_server.web.problems import request_id

TILL = "till"
KEY = re.compile(r"[\x21-\x7e]{1,100}")
SECURITY: list[dict[str, list[Any]]] = [{"key": []}]
SCHEMES: dict[str, SecurityScheme | dict[str, Any]] = {
    "key": {"type": "http", "scheme": "bearer", "description": "A till's or a merchant's key, `key_….…`."},
}


CARRIED = "wallet.carried"
"""Where a short way leaves in the request what came of it."""


class Carried(NamedTuple):
    """A request that a short way has let in and counted, and what it was refused with."""

    scope: keys.Scope
    allowance: keys.Allowance
    fault: Exception


def context() -> Context:
    """The context of this installation; of a call in training, one that keeps nothing."""
    ctx: Context = g.get("rehearsal") or current_app.extensions["wallet"]
    return ctx


View = TypeVar("View", bound=Callable[..., Response])


def needs(scope_name: str, *, alone: bool = False, person: bool = False) -> Callable[[View], View]:
    """Of a route: the scope that a key must have for it. The guard asks for it before anything else is looked at. With
    `alone` it is the key's alone: nobody asks who stands at the till, and it is never rehearsed. With `person` it is a
    person's to do (`demand_person`)."""

    def named(view: View) -> View:
        view.__dict__["needs"], view.__dict__["alone"], view.__dict__["person"] = scope_name, alone, person
        return view

    return named


def demand_person(scope: keys.Scope) -> None:
    """What takes from a member or from the shop bears a name, on a device that was paired with a shop whose people have
    PINs: else whoever wants to hide would not sign in. Raises `Forbidden` (`cashier-needed`)."""
    if scope.device and scope.cashier is None and cashiers.anybody(context(), scope):
        raise Forbidden("Say who stands here: choose your name and enter your PIN.", code="cashier-needed")


def guard(blueprint: APIBlueprint) -> None:
    """Let nobody but a key into the routes of this blueprint, and tell each what is left of its limit."""
    blueprint.before_request(_receive)
    blueprint.after_request(stamp)


def _receive() -> None:
    """Before a route of the interface: whose key it is and what it may do, and only then whether the body is JSON.

    A route that names no scope is open to nobody. Raises `Unauthenticated`, `TooMany`, `Forbidden`, or `Invalid`
    (`bad-json`). A till's call may say who stands there, and that it is only practised.
    """
    if request.method != "OPTIONS":
        carried: Carried | None = request.environ.get(CARRIED)
        if carried is not None:
            g.scope, g.allowance = carried.scope, carried.allowance
            raise carried.fault
        told = current_app.view_functions[request.endpoint or ""].__dict__
        g.scope = admit(told["needs"])
        if not told["alone"]:
            g.scope = _standing(g.scope)
            if told["person"]:
                demand_person(g.scope)
            _rehearse(told["needs"])
        _read_json()


def _standing(scope: keys.Scope) -> keys.Scope:
    """The scope with who stands at its till, if the call says so (X-Cashier). Raises `Forbidden` (`shift-over`)."""
    token = request.headers.get("X-Cashier", "").strip()
    if not token:
        return scope
    cashier = cashiers.cashier_of(context(), scope, token)
    if cashier is None:
        raise Forbidden("This shift is over; enter the PIN again.", code="shift-over")
    return replace(scope, cashier=cashier)


def _rehearse(scope_name: str) -> None:
    """From here on nothing of this call is kept, if it says so (X-Training). Raises `Invalid` (`no-training`)."""
    if request.headers.get("X-Training", "0").strip() in ("", "0"):
        return
    if scope_name != TILL:
        raise Invalid("Only what tills do can be practised; send this without X-Training.", code="no-training")
    g.rehearsal = context().rehearsing()


def caller() -> keys.Scope:
    """The scope of the key that this request came with."""
    scope: keys.Scope = g.scope
    return scope


def _read_json() -> None:
    sent = request.get_data()
    if not sent:
        return
    if not request.is_json:
        raise Invalid("Send JSON, and say so: Content-Type: application/json.", code="bad-json")
    try:
        body = request.get_json()  # kept, so that it is read once
    except BadRequest as fault:
        raise Invalid(f"This is not JSON: {_where_it_breaks(sent)}.", code="bad-json") from fault
    if not isinstance(body, dict):
        raise Invalid("Send a JSON object: {…}.", code="bad-json")


def _where_it_breaks(sent: bytes) -> str:
    try:
        json.loads(sent)
    except json.JSONDecodeError as fault:
        if not fault.doc[fault.pos :].strip():
            return "it breaks off before its end"
        return f"look at line {fault.lineno}, column {fault.colno}"
    except UnicodeDecodeError:
        return "it is not written in UTF-8"
    except ValueError:
        return "a number in it is far too long"
    return "it cannot be read"


def presented(header: str) -> str | None:
    """The key in an Authorization header."""
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def admit(scope_name: str) -> keys.Scope:
    """The caller's scope, if its key covers this. Counts the request against the key's limit. What follows is done in
    the time of the caller's account."""
    scope = keys.authenticate(context(), presented(request.headers.get("Authorization", "")))
    meter: keys.Meter = current_app.extensions["wallet-meter"]
    g.allowance = meter.count(context(), scope)
    if g.allowance.spent:
        raise TooMany(
            f"This key may make {g.allowance.limit} requests a minute; wait {g.allowance.reset_seconds} seconds.",
            retry_after_seconds=g.allowance.reset_seconds,
        )
    keys.require(scope, scope_name)
    context().times.enter(scope)
    return scope


def idempotency_key(*, required: bool = False) -> str | None:
    """The Idempotency-Key header. Raises `Invalid` (`bad-idempotency-key`, `idempotency-key-required`)."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise Invalid(
                "Send an Idempotency-Key header (a UUID, say): the same key never does this twice.",
                code="idempotency-key-required",
                field="Idempotency-Key",
            )
        return None
    if not KEY.fullmatch(key):
        raise Invalid(
            "An Idempotency-Key has from 1 to 100 visible ASCII characters.",
            code="bad-idempotency-key",
            field="Idempotency-Key",
        )
    return key


def wish(scope: keys.Scope, route: str, body: dict[str, Any]) -> Asked:
    """Name a write that has nothing but its Idempotency-Key to be known by."""
    return asked(scope, route, body, idempotency_key(required=True))


def answer(body: object, *, replayed: bool = False, status: int = 200) -> Response:
    """A JSON answer with the limits of the key; one in training says so."""
    if "rehearsal" in g and isinstance(body, dict):
        body = {**body, "training": True}
    response = Response(orjson.dumps(body), status, mimetype="application/json")
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def limits_of(allowance: keys.Allowance) -> list[tuple[str, str]]:
    """The headers that say what is left of a key's limit."""
    return [
        ("RateLimit-Limit", str(allowance.limit)),
        ("RateLimit-Remaining", str(allowance.remaining)),
        ("RateLimit-Reset", str(allowance.reset_seconds)),
    ]


def stamp(response: Response) -> Response:
    """What is left of the key's limit, on every answer."""
    allowance = g.get("allowance")
    if allowance is not None:
        response.headers.update(limits_of(allowance))
    response.headers["X-Request-Id"] = request_id()
    response.headers["Cache-Control"] = "no-store"
    return response


def instant(value: datetime | None) -> datetime | None:
    """A time from outside, in UTC; pydantic has seen to it that it carries a zone. Raises `Invalid`."""
    try:
        return None if value is None else value.astimezone(UTC)
    except OverflowError as fault:
        raise Invalid("This time is before the year 1 or after the year 9999.", code="implausible-time") from fault
