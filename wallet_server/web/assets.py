"""Owns the address under which a shop's pictures are served: for ever the same, and only what this product wrote."""

from __future__ import annotations

from flask import Blueprint, Response

from wallet_server.actions.programme import assets as pictures
from wallet_server.web.rendering import context, root

assets = Blueprint("assets", __name__)
FOR_EVER = "public, max-age=31536000, immutable"


@assets.get("/asset/<sha256>.png")
def picture(sha256: str) -> Response:
    """A picture by its SHA-256."""
    return Response(
        pictures.asset(context(), sha256),
        mimetype=pictures.PNG,
        headers={"Cache-Control": FOR_EVER, "ETag": f'"{sha256}"'},
    )


def asset_path(sha256: str) -> str:
    """The path of a picture."""
    return f"{root()}/asset/{sha256}.png"
