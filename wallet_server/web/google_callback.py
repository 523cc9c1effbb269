"""Owns the address at which Google tells of cards saved and removed, and the file that lets its robot come there."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import google_events

google = Blueprint("google", __name__)
PATH = "/google/callbacks/"
ROBOTS = f"User-agent: Googlebot\nAllow: {PATH}\n\nUser-agent: *\nAllow: /\n"
"""Google calls no address that robots.txt keeps from Googlebot. The pages keep themselves out of search engines: each
says so itself, and one that might not be fetched could not."""


@google.post(f"{PATH}<credential_set>")
def saved_or_removed(credential_set: str) -> Response:
    """200 for what Google said, also when it was said before; 401 for what it did not sign."""
    ctx: Context = current_app.extensions["wallet"]
    request.max_content_length = google_events.MAX_BYTES
    google_events.hear(ctx, credential_set, request.get_data(cache=False))
    return Response(status=200)


@google.get("/robots.txt")
def robots() -> Response:
    """Who may fetch what."""
    return Response(ROBOTS, mimetype="text/plain", headers={"Cache-Control": "public, max-age=3600"})
