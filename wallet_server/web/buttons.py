"""Owns the wallets' own buttons, which an operator has from the vendors: served as they are, never drawn here."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from wallet_server.web.rendering import context, root

buttons = Blueprint("buttons", __name__)
NAME = re.compile(r"[a-z]{2,20}-[a-z]{2}")
MOST_BYTES = 256 * 1024


@buttons.get("/button/<name>.svg")
def button(name: str) -> Response:
    """A wallet's button in a language, such as `google-en`."""
    file = _file(name)
    if file is None:
        raise NotFound
    with file.open("rb") as handle:
        body = handle.read(MOST_BYTES)
    return Response(body, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=3600"})


def button_path(wallet: str, tongue: str) -> str:
    """The path of a wallet's button in this language, else of the English one: its owners want no words but their own
    on it; "" where the operator has put neither there."""
    named = (f"{wallet}-{language}" for language in (tongue, "en"))
    return next((f"{root()}/button/{name}.svg" for name in named if _file(name) is not None), "")


def _file(name: str) -> Path | None:
    folder = context().settings.buttons_dir
    if folder is None or not NAME.fullmatch(name):
        return None
    file = folder / f"{name}.svg"
    return file if file.is_file() else None
