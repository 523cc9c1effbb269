"""Owns Apple's web service for passes on the wire: liberal in what it reads, exact in what it answers.

Source: Apple, "Adding a Web Service to Update Passes"; the 304 and HEAD behaviour is what phones in the field use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from wallet_server.actions.context import Context
from wallet_server.actions.passes import devices
from wallet_server.actions.passes.devices import Fetched

apple = Blueprint("apple", __name__, url_prefix="/apple/v1")
PUSH_KINDS = {"applepass": "apns", "androidpass": "androidpass", "attidopass": "androidpass"}
"""Scheme to kind of push. WalletPasses says AndroidPass and PassWallet AttidoPass, so that nobody takes their push
tokens, which look alike, for Apple's."""
NOT_APPLES = "X-Pass-Client"
"""The header by which Pass2U and Passworks say the same under Apple's own scheme."""
MAX_LOG_BYTES = 64 * 1024
SINCE = "passesUpdatedSince"
LISTING_HEADERS = [("Cache-Control", "no-store")]


@apple.after_request
def _challenge(response: Response) -> Response:
    """By which scheme a 401 can be answered (RFC 9110, 11.6.1)."""
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "ApplePass"
    return response


def _context() -> Context:
    ctx: Context = current_app.extensions["wallet"]
    return ctx


def _token() -> tuple[str | None, str]:
    """The pass's token and the kind of push that its scheme stands for."""
    token, kind = token_of(request.headers.get("Authorization", ""))
    return token, "androidpass" if token and NOT_APPLES in request.headers else kind


def token_of(authorization: str) -> tuple[str | None, str]:
    """The token that a header holds, and the kind of push that its scheme stands for."""
    scheme, _, token = authorization.partition(" ")
    kind = PUSH_KINDS.get(scheme.lower())
    return (token.strip() or None, kind) if kind else (None, "apns")


def _json(most_bytes: int) -> Any:
    """The body whatever its Content-Type says; None when it is not JSON."""
    body = request.get_data(cache=False)
    if len(body) > most_bytes:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


_REGISTRATION = "/devices/<library_id>/registrations/<pass_type>/<serial>"


@apple.post(_REGISTRATION)
def register(library_id: str, pass_type: str, serial: str) -> Response:
    """201 for a new registration, 200 for one that stood."""
    token, kind = _token()
    body = _json(4096)
    push_token = body.get("pushToken") if isinstance(body, dict) else None
    told = push_token if isinstance(push_token, str) else None
    fresh = devices.register(_context(), library_id, pass_type, serial, token, kind, told)
    return Response(status=201 if fresh else 200)


@apple.post("/devices/<library_id>/registrations_attido/<pass_type>/<serial>")
def register_passwallet(library_id: str, pass_type: str, serial: str) -> Response:
    """The same at the address that PassWallet for Android has of its own."""
    return register(library_id, pass_type, serial)


@apple.delete(_REGISTRATION)
def unregister(library_id: str, pass_type: str, serial: str) -> Response:
    """200, also when it was not registered."""
    token, _ = _token()
    devices.unregister(_context(), library_id, pass_type, serial, token)
    return Response(status=200)


@apple.get("/devices/<library_id>/registrations/<pass_type>")
def list_changed(library_id: str, pass_type: str) -> Response:
    """200 with the serial numbers and the tag to ask by next time, or 204."""
    found = devices.changed_since(_context(), library_id, pass_type, request.args.get(SINCE))
    if found is None:
        return Response(status=204)
    return Response(listing(*found), mimetype="application/json", headers=LISTING_HEADERS)


def listing(serials: Sequence[str], tag: str) -> bytes:
    """The body of a list of what changed."""
    return orjson.dumps({"serialNumbers": serials, "lastUpdated": tag})


@apple.get("/passes/<pass_type>/<serial>")
def fetch(pass_type: str, serial: str) -> Response:
    """The current version, or 304 when the phone holds it."""
    token, _ = _token()
    known = since(request.headers.get("If-Modified-Since"))
    got = devices.fetch(_context(), pass_type, serial, token, known, taken=request.method == "GET")
    if got.body is None:
        return Response(status=304, headers=headers_of(got))
    return Response(got.body, content_type=got.media_type, headers=headers_of(got))


def headers_of(got: Fetched) -> list[tuple[str, str]]:
    """What is said beside a pass, or beside the answer that the phone holds it."""
    headers = [("Last-Modified", _date(got.last_modified)), ("Cache-Control", "no-cache")]
    if got.body is not None:
        headers.append(("Content-Disposition", "attachment; filename=card.pkpass"))
    return headers


@functools.lru_cache(maxsize=4096)
def _date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@functools.lru_cache(maxsize=4096)
def since(value: str | None) -> datetime | None:
    """If-Modified-Since as a time (UTC); None where there is none that can be read."""
    if not value:
        return None
    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@apple.post("/log")
def log() -> Response:
    """Keep what the phone reports; junk is dropped without a word, as the phone expects a 200."""
    body = _json(MAX_LOG_BYTES)
    lines = body.get("logs") if isinstance(body, dict) else body
    if isinstance(lines, list):
        devices.log(_context(), [line for line in lines if isinstance(line, str)])
    return Response(status=200)


class OneSlash:
    """WSGI: some clients ask for `//v1/…` when an address ends in a slash; they mean `/v1/…`."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/apple/") and "//" in path:
            while "//" in path:
                path = path.replace("//", "/")
            environ["PATH_INFO"] = path
        return self._app(environ, start_response)
