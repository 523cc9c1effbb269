"""Owns the first page: on a developer's machine the way to everything there is to try, elsewhere a few plain words."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from wallet_server.actions.people import pages
from wallet_server.actions.staff import links
from wallet_server.errors import NotFound
from wallet_server.web import trying
from wallet_server.web.rendering import context, language, press, render, root, symbol

home = Blueprint("home", __name__)

MAX_LISTED = 5
JOIN_CODE = re.compile(r"[0-9a-z]{1,40}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@home.get("/")
def first_page() -> Response:
    """`?join=` (up to five) names programmes to try, `?phones=` the simulated phones; `#key=` stays in the browser."""
    tongue = language()
    if not context().settings.sandbox:
        return render("live.html", tongue)
    words = press().words[tongue].home
    return render(
        "sandbox.html",
        tongue,
        offers=_offers(words.symbol),
        phones=_phones(request.args.get("phones", "")) or trying.phones(),
        alone=trying.alone(),
        command=trying.beyond(),
        console=_console(request.args.get("console", "")),
    )


def _console(secret: str) -> str:
    """The way into the demonstration shop: by the one-time link while it works, else as everybody."""
    try:
        links.look(context(), secret, links.ENTER)
    except NotFound:
        return f"{root()}/console"
    return f"{root()}/enter/{secret}"


def _offers(symbol_name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for code in list(dict.fromkeys(request.args.getlist("join")))[:MAX_LISTED]:
        if not JOIN_CODE.fullmatch(code):
            continue
        try:
            programme = pages.offer(context(), code).programme
        except NotFound:
            continue
        link = f"{context().settings.base_url}/join/{code}"
        drawn = None if trying.alone() else symbol(link, symbol_name.format(programme.organisation))
        found.append({"name": programme.organisation, "path": f"{root()}/join/{code}", "symbol": drawn})
    return found


def _phones(address: str) -> str:
    """The address of the simulated phones, if it is one on this machine; a stranger's address is no link of ours."""
    try:
        parts = urlsplit(address)
        ours = {*LOOPBACK, request.host.rpartition(":")[0] or request.host}
        return address if parts.scheme in ("http", "https") and parts.hostname in ours else ""
    except ValueError:
        return ""
