"""Owns the page with the posters: one for each store and programme, on A4 and A6, ready to print."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from wallet_server.actions.programme import poster as posting
from wallet_server.actions.vendors import signing
from wallet_server.web.console.door import console_page, signed_in
from wallet_server.web.poster import SIZES, drawn, unprintable
from wallet_server.web.rendering import context, press

posters = Blueprint("console-posters", __name__)


@posters.get("/console/poster")
def page() -> Response:
    """Every poster of the shop, and what a printer would not show of its names. A poster that would lead customers to a
    card which nobody can have yet waits."""
    person = signed_in("poster")
    ctx = context()
    waiting = signing.unsigned(ctx, person.scope)
    found = [one for one in posting.posters(ctx, person.scope) if one.programme not in waiting]
    stores = [
        (one, store, name, unprintable(posting.poster(ctx, person.scope, store, one.programme)))
        for one in found
        for store, name in one.stores
    ]
    return console_page(
        "console/poster.html",
        person,
        section="poster",
        stores=stores,
        several=len(found) > 1,
        unsigned=bool(waiting),
    )


@posters.get("/console/poster/<store>/<size>.pdf")
def sheet(store: str, size: str) -> Response:
    """The poster of a store, `a4` or `a6`; `?programme=` where there are several."""
    person = signed_in("poster")
    if size not in SIZES:
        raise NotFound
    ctx = context()
    found = posting.poster(ctx, person.scope, store, request.args.get("programme"))
    headers = {"Content-Disposition": f'attachment; filename="poster-{size}.pdf"', "Cache-Control": "private, no-store"}
    return Response(drawn(found, size, press().words, ctx.now()), mimetype="application/pdf", headers=headers)
