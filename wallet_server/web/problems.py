"""Owns the map from error codes to HTTP: RFC 9457 problem details with a stable code, a sentence and a request id."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from wallet_server.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
    WalletError,
)
from wallet_server.rules.counter import refusals

STATUS: tuple[tuple[type[WalletError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooMany, 429),
    (Invalid, 400),
    (Unavailable, 503),
    (Misconfigured, 503),
)
BY_CODE = {"key-reused": 422}
OWN_WORDS = {
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "missing": "This is required.",
    "extra_forbidden": "There is no such field.",
}
"""What a form's fault is called where its reader's own words would not help; by the kind of the fault."""
OF_THE_SERVER = {
    400: "This request cannot be read.",
    404: "There is nothing at this address.",
    413: "This request is larger than this server takes (WALLET_MAX_BODY_BYTES).",
    414: "This address is too long.",
    415: "Send JSON, and say so: Content-Type: application/json.",
    431: "The headers of this request are too large.",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("web")


def request_id() -> str:
    """This request's id: the caller's own, if it sent a plain one, else a random one."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(10)}"
    return str(g.request_id)


def problem(
    status: int, code: str, title: str, /, *, field: str | None = None, faults: Sequence[Fault] = (), **more: Any
) -> Response:
    """One problem document."""
    body: dict[str, Any] = {
        "type": f"https://wallet-server.invalid/problems/{code}",
        "title": title,
        "status": status,
        "code": code,
        "request_id": request_id(),
        **more,
    }
    if field:
        body["field"] = field
    if faults:
        body["faults"] = [{"path": f.path, "sentence": f.sentence} for f in faults]
    return Response(orjson.dumps(body), status, mimetype="application/problem+json")


def refused(fault: WalletError) -> Response:
    """A refusal of the product, told to the caller."""
    status = BY_CODE.get(fault.code) or next((s for kind, s in STATUS if isinstance(fault, kind)), 400)
    said = refusals.said(fault.code, _language(fault), fault.facts)
    more = fault.facts if said is None else {**fault.facts, "sentence": said}
    response = problem(status, fault.code, fault.sentence, field=fault.field, faults=fault.faults, **more)
    if isinstance(fault, TooMany | Unavailable):
        response.headers["Retry-After"] = str(fault.retry_after_seconds)
    elif status == 503:
        response.headers["Retry-After"] = "60"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status >= 500:
        _log.warning("unavailable", code=fault.code, why=fault.sentence, request_id=request_id())
    return response


def _language(fault: WalletError) -> str:
    """In which language the caller's cashier reads, as a till's call says; else the member's, where a rule refused."""
    sent = request.get_json(silent=True) if request.is_json else None
    language = sent.get("language") if isinstance(sent, dict) else None
    return language if isinstance(language, str) else str(fault.facts.get("language", "en"))


def invalid(fault: ValidationError) -> Response:
    """A body or parameter that does not have the documented form: all faults at once."""
    faults = [
        Fault(".".join(str(part) for part in error["loc"]) or "body", OWN_WORDS.get(error["type"], str(error["msg"])))
        for error in fault.errors(include_url=False, include_context=False, include_input=False)
    ]
    return problem(
        422, "invalid", "The request does not have the documented form.", field=faults[0].path, faults=faults[:50]
    )


def refused_by_server(fault: HTTPException) -> Response:
    """A refusal of the web server itself: its code is the name of its status, its sentence ours."""
    status = fault.code or 500
    code = (fault.name or "error").lower().replace(" ", "-")
    sentence = OF_THE_SERVER.get(status, "This request cannot be answered as it was sent.")
    if isinstance(fault, MethodNotAllowed):
        takes = ", ".join(sorted(set(fault.valid_methods or ()) - {"HEAD", "OPTIONS"}))
        sentence = f"This address does not take {request.method}; it takes {takes or 'nothing'}."
    response = problem(status, code, sentence)
    for name, value in fault.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def install(app: Flask) -> None:
    """Answer every error of every route as a problem document."""

    @app.errorhandler(WalletError)
    def _refused(fault: WalletError) -> Response:
        return refused(fault)

    @app.errorhandler(HTTPException)
    def _http(fault: HTTPException) -> Response:
        return refused_by_server(fault)

    @app.errorhandler(RecursionError)
    def _too_deep(_fault: RecursionError) -> Response:
        return problem(400, "bad-request", "This JSON is nested too deeply.")

    @app.errorhandler(Exception)
    def _unforeseen(fault: Exception) -> Response:
        _log.exception("unforeseen", request_id=request_id(), fault=type(fault).__name__)
        return problem(500, "unforeseen", "Something went wrong on our side; the request id finds it in our log.")

    @app.after_request
    def _stamp(response: Response) -> Response:
        response.headers["X-Request-Id"] = request_id()
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response
