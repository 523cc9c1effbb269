"""Owns the short way of phones' two hot questions: what changed, and the pass itself, answered before Flask is asked.

A mass change brings every phone back within seconds, and most of what a request costs there is the framework around
it. Whatever is not plainly one of the two questions, or is refused, goes the ordinary way and is answered there; what
both ways answer is the same (`apple_service` words it for both).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any

from wallet_server.actions.context import Context
from wallet_server.actions.passes import devices
from wallet_server.web import apple_service
from wallet_server.web.metrics import SERVED, UNCHANGED
from wallet_server.web.pages import DATA_POLICY, GUARDS

_PASSES, _DEVICES, _REGISTRATIONS = "/apple/v1/passes/", "/apple/v1/devices/", "registrations"
_GUARDS = [*GUARDS.items(), ("Content-Security-Policy", DATA_POLICY)]
_REASONS = {200: "200 OK", 204: "204 NO CONTENT", 304: "304 NOT MODIFIED"}

Answer = tuple[int, list[tuple[str, str]], bytes]


class Lane:
    """WSGI: answers what it can and leaves the rest to `app`. `context` is asked at each request."""

    def __init__(self, app: Callable[..., Iterable[bytes]], context: Callable[[], Context]) -> None:
        self._app, self._context = app, context

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or "HTTP_X_REQUEST_ID" in environ:
            return self._app(environ, start_response)
        try:
            found = self._answered(environ)
        except Exception:  # noqa: BLE001 - whatever it was, the ordinary way meets it too, words it and writes it down
            found = None
        if found is None:
            return self._app(environ, start_response)
        status, headers, body = found
        start_response(_REASONS[status], [*headers, ("X-Request-Id", f"req_{secrets.token_hex(10)}"), *_GUARDS])
        return (body,)

    def _answered(self, environ: dict[str, Any]) -> Answer | None:
        path: str = environ["PATH_INFO"]
        if path.startswith(_PASSES):
            parts = path[len(_PASSES) :].split("/")
            if len(parts) == 2 and all(parts) and path.isascii():
                return self._pass(environ, *parts)
        elif path.startswith(_DEVICES):
            parts = path[len(_DEVICES) :].split("/")
            if len(parts) == 3 and all(parts) and parts[1] == _REGISTRATIONS and path.isascii():
                return self._changed(environ, parts[0], parts[2])
        return None

    def _pass(self, environ: dict[str, Any], pass_type: str, serial: str) -> Answer:
        token, _ = apple_service.token_of(environ.get("HTTP_AUTHORIZATION", ""))
        known = apple_service.since(environ.get("HTTP_IF_MODIFIED_SINCE"))
        got = devices.fetch(self._context(), pass_type, serial, token, known)
        headers = apple_service.headers_of(got)
        self._context().tally.add(UNCHANGED if got.body is None else SERVED)
        if got.body is None:
            # As the framework has it: what describes a body is not sent without one.
            return 304, [one for one in headers if one[0] != "Last-Modified"], b""
        length = ("Content-Length", str(len(got.body)))
        return 200, [*headers, ("Content-Type", got.media_type), length], got.body

    def _changed(self, environ: dict[str, Any], library_id: str, pass_type: str) -> Answer | None:
        query = environ.get("QUERY_STRING", "")
        name, _, tag = query.partition("=")
        if query and (name != apple_service.SINCE or not tag.isalnum()):
            return None
        found = devices.changed_since(self._context(), library_id, pass_type, tag if query else None)
        if found is None:
            return 204, [("Content-Type", "text/html; charset=utf-8")], b""
        body = apple_service.listing(*found)
        plain = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return 200, [*plain, *apple_service.LISTING_HEADERS], body
