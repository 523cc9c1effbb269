"""Owns the simulated Google on disk: one file, private, replaced in one step."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from wallet_server.sandbox.google.accounts import Issuer, ServiceAccount
from wallet_server.sandbox.google.callbacks import Keys
from wallet_server.sandbox.google.shelf import Stored

if TYPE_CHECKING:
    from wallet_server.sandbox.google.server import GoogleServer

FILE = "google.json"


def save(google: GoogleServer, folder: Path, kept: bytes) -> bytes:
    """Write what the server holds unless that is what was kept last; what is kept now."""
    content = orjson.dumps(_picture(google))
    if content != kept:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f"{FILE}.part"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(folder / FILE)
    return content


def load(google: GoogleServer, folder: Path) -> None:
    """Take up what was kept. A file that cannot be read is left alone, and the server begins empty."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        _take(google, orjson.loads((folder / FILE).read_bytes()))


def _picture(google: GoogleServer) -> dict[str, Any]:
    keys = google.callbacks.keys
    return {
        "keys": [keys.root_pem, keys.intermediate_pem, keys.root_ends.isoformat(), keys.intermediate_ends.isoformat()],
        "services": [[one.email, one.key_id, one.key_pem] for one in google.accounts.services.values()],
        "issuers": [[one.id, one.roles, one.about, one.locations] for one in google.accounts.issuers.values()],
        "resources": [
            [one.kind, one.body, one.version, one.holders, [at.isoformat() for at in one.alerts]]
            for one in google.shelf.everything()
        ],
    }


def _take(google: GoogleServer, picture: dict[str, Any]) -> None:
    root, intermediate, root_ends, ends = picture["keys"]
    keys = Keys(root, intermediate, datetime.fromisoformat(root_ends), datetime.fromisoformat(ends))
    google.callbacks.keys = keys if keys.intermediate_ends > google.clock() else keys.renewed(google.clock())
    for email, key_id, pem in picture["services"]:
        google.accounts.services[email] = ServiceAccount(email, key_id, pem)
    for issuer_id, roles, about, locations in picture["issuers"]:
        google.accounts.issuers[issuer_id] = Issuer(issuer_id, roles, about, locations)
    for kind, body, version, holders, alerts in picture["resources"]:
        rung = deque(datetime.fromisoformat(at) for at in alerts)
        google.shelf.add(Stored(kind, body, version, holders, rung))
