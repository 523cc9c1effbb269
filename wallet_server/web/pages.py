"""Owns how the pages join the application: their routes, the headers that guard them, and errors told as pages."""

from __future__ import annotations

import structlog
from flask import Blueprint, Flask, Response, request, send_from_directory
from werkzeug.exceptions import HTTPException, NotFound

from wallet_server.errors import WalletError
from wallet_server.web import problems
from wallet_server.web.assets import assets
from wallet_server.web.buttons import buttons
from wallet_server.web.console import CONSOLE
from wallet_server.web.console.door import guard, remember_visitor
from wallet_server.web.customer import CUSTOMER, card_state
from wallet_server.web.home import home
from wallet_server.web.look import look
from wallet_server.web.pair import pair_facts, pair_page
from wallet_server.web.programme_schema import programme_schema
from wallet_server.web.rendering import FOLDER, Press, language, palette_sheet, press, render
from wallet_server.web.till_page import till_facts, till_page
from wallet_server.web.trust import trust

PAGES = (home, *CUSTOMER, till_page, pair_page, trust, look)
DATA = (card_state, till_facts, assets, pair_facts, buttons, programme_schema)
API_PATHS = ("/v1/", "/apple/", "/openapi", "/health", "/static/", "/palette/", "/asset/", "/button/")
CONSOLE_PATH = "/console"
BY_CODE = {"link-expired": "expired", "link-over": "over", "not-your-role": "role", "forged": "stale"}
KINDS = {404: "missing", 429: "later", 503: "later"}
FOR_EVER = "public, max-age=31536000, immutable"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# The page to try the API is Swagger UI as its makers ship it: it has a script and styles in the page, and images
# written into its style sheet. It shows no member's data and holds no cookie.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
GUARDS = {
    "Referrer-Policy": "no-referrer",  # the address of a card is the key to it
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}

files = Blueprint("files", __name__)
_log = structlog.get_logger("pages")


@files.get("/static/<name>")
def static_file(name: str) -> Response:
    """A script, style sheet or icon; kept for ever when it was asked for by its fingerprint."""
    response = send_from_directory(FOLDER / "static", name)
    if request.args.get("v") == press().versions.get(name):
        response.headers["Cache-Control"] = FOR_EVER
    return response


@files.get("/palette/<spec>.css")
def palette(spec: str) -> Response:
    """The colours of a card, given in the address itself."""
    sheet = palette_sheet(spec)
    if sheet is None:
        raise NotFound
    return Response(sheet, mimetype="text/css", headers={"Cache-Control": FOR_EVER})


def install(app: Flask) -> None:
    """Put the pages, their files and their guards into the application. Comes after `problems.install`."""
    app.extensions["wallet-pages"] = Press()
    for blueprint in (*PAGES, *CONSOLE):
        # Into this application's table: a blueprint itself takes no handler once another application has it.
        handlers = app.error_handler_spec[blueprint.name][None]
        handlers.update({WalletError: _refused, HTTPException: _http, Exception: _unforeseen})
    for blueprint in (*PAGES, *CONSOLE, *DATA, files):
        app.register_blueprint(blueprint)
    for blueprint in CONSOLE:
        app.before_request_funcs.setdefault(blueprint.name, []).append(guard)
        app.after_request_funcs.setdefault(blueprint.name, []).append(remember_visitor)
    app.register_error_handler(404, _nowhere)
    # No picture is asked of the makers of Swagger UI to say that the document is valid.
    app.config.setdefault("SWAGGER_CONFIG", {"validatorUrl": None})
    app.after_request(_guard)


def _guard(response: Response) -> Response:
    docs = request.path.startswith("/openapi")
    page = response.mimetype == "text/html"
    policy = DOCS_POLICY if docs and page else PAGE_POLICY if page else DATA_POLICY
    policy = response.headers.setdefault("Content-Security-Policy", policy)
    for name, value in GUARDS.items():
        # The older of two headers for the same: it names no sites, so a page that some may frame goes without it.
        if name != "X-Frame-Options" or "frame-ancestors 'none'" in policy:
            response.headers.setdefault(name, value)
    return response


def _refused(fault: WalletError) -> Response:
    problem = problems.refused(fault)
    return _told(problem.status_code, fault.code, problem.headers.get("Retry-After"))


def _http(fault: HTTPException) -> Response:
    return _told(fault.code or 500, "")


def _unforeseen(fault: Exception) -> Response:
    _log.exception("unforeseen", request_id=problems.request_id(), fault=type(fault).__name__)
    return _told(500, "")


def _nowhere(fault: HTTPException) -> Response:
    """A path that nothing answers to: a person sees a page, a program a problem document."""
    if request.path.startswith(API_PATHS) or "text/html" not in request.accept_mimetypes.values():
        return problems.refused_by_server(fault)
    return _told(404, "")


def _told(status: int, code: str, retry_after: str | None = None) -> Response:
    """A refusal as a page: in words for a person, who needs no code."""
    tongue = language()
    kind = BY_CODE.get(code) or KINDS.get(status, "broken" if status >= 500 else "refused")
    words = getattr(press().words[tongue].errors, kind)
    out = "" if status not in (403, 404) else CONSOLE_PATH if request.path.startswith(CONSOLE_PATH) else "/"
    page = render("error.html", tongue, status=status, words=words, out=out, request_id=problems.request_id())
    if retry_after:
        page.headers["Retry-After"] = retry_after
    return page
