"""Owns the scan page: a shell whose script calls the till's routes, and what it asks to know where it stands."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import orjson
from flask import Blueprint, Response

from wallet_server.actions.people import pages
from wallet_server.web.api.door import admit, answer, context, stamp
from wallet_server.web.rendering import FOLDER, LANGUAGES, language, press, render, root, static_file

till_page = Blueprint("till-page", __name__)
till_facts = Blueprint("till-facts", __name__)
till_facts.after_request(stamp)

# The one page that may use the camera and, where a browser cannot read codes by itself, run our reader: WebAssembly
# from this service alone, and still no eval of JavaScript.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The worker itself fetches the files that it keeps, and nothing from elsewhere.
WORKER_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
NAMED = ("wallet.css", "till.css", "till.js", "till-192.png", "icon.svg", "zxing.js", "zxing.wasm")
"""The files that the page names by their fingerprint; its modules name each other plainly."""
PERMISSIONS = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"


@till_page.get("/till")
def page() -> Response:
    """The page; it holds no key and no card until a person gives them to it."""
    response = _page(language())
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Permissions-Policy"] = PERMISSIONS
    return response


def _page(tongue: str) -> Response:
    return render("till.html", tongue, spoken=press().words[tongue].till.script.json())


@till_page.get("/till/worker.js")
def worker() -> Response:
    """The service worker that keeps the page and its files at hand without a network. It is another one whenever one of
    these changed, so that browsers fetch all of them anew; its scope is the till alone."""
    modules = sorted(name for name in press().versions if name.startswith("till-") and name.endswith(".js"))
    names = [*NAMED, *(name for name in modules if name != "till-worker.js")]
    files = {f"{root()}/static/{name}": _address(name) for name in names}
    script = (FOLDER / "static" / "till-worker.js").read_bytes()
    seen = [*(f"{name}:{press().versions[name]}".encode() for name in names), script]
    seen += [_page(tongue).get_data() for tongue in LANGUAGES]
    version = hashlib.sha256(b"\0".join(seen)).hexdigest()[:16]
    shell = {"version": version, "page": f"{root()}/till", "files": files}
    response = Response(b"const SHELL = " + orjson.dumps(shell) + b";\n" + script, mimetype="text/javascript")
    response.headers["Content-Security-Policy"] = WORKER_POLICY
    response.headers["Service-Worker-Allowed"] = f"{root()}/till"
    response.headers["Cache-Control"] = "no-cache"
    return response


def _address(name: str) -> str:
    return static_file(name) if name in NAMED else f"{root()}/static/{name}"


@till_page.get("/till/app.webmanifest")
def manifest() -> Response:
    """What a device needs to put the scan page on its home screen (W3C Web Application Manifest)."""
    tongue = language()
    words = press().words[tongue].till
    body = {
        "name": words.title,
        "short_name": words.title,
        "lang": tongue,
        "id": f"{root()}/till",
        "start_url": f"{root()}/till?lang={tongue}",
        "scope": f"{root()}/",
        "display": "standalone",
        "background_color": "#f5f1e9",
        "theme_color": "#12503c",
        "icons": [
            {"src": static_file("till-192.png"), "sizes": "192x192", "type": "image/png", "purpose": "any"},
            {"src": static_file("till-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
            {"src": static_file("icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        ],
    }
    return Response(orjson.dumps(body), mimetype="application/manifest+json")


@till_facts.get("/till/counter")
def counter() -> Response:
    """The store of the till whose key calls, and how its programmes are served."""
    found = pages.counter(context(), admit("till"))
    return answer(asdict(found))
