"""Owns the address that puts cards into Google Wallet: a signed token that names objects which are there already.

A token with whole objects in it does not fit: browsers and messengers are safe up to 1,800 characters. It has no end
(Google's table of claims knows none), so that an address in an e-mail does not go stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.errors import Invalid
from wallet_server.wallets.google.options import Vertical
from wallet_server.wallets.google.tokens import signed

MAX_CHARACTERS = 1_800
SAVE = "https://pay.google.com/gp/v/save"


def save_link(
    email: str, key_pem: bytes, objects: Sequence[tuple[Vertical, str]], at: datetime, base: str = SAVE
) -> str:
    """The address that adds these objects (their kind and id). Raises `Invalid` for one above `MAX_CHARACTERS`, and
    `Misconfigured` for a key that is none."""
    payload: dict[str, list[dict[str, str]]] = {}
    for vertical, identifier in objects:
        payload.setdefault(f"{vertical}Objects", []).append({"id": identifier})
    claims = {
        "iss": email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(at.timestamp()),
        "origins": [],
        "payload": payload,
    }
    address = f"{base.rstrip('/')}/{signed(claims, key_pem)}"
    if len(address) > MAX_CHARACTERS:
        raise Invalid(
            f"These {len(objects)} cards do not fit into one address ({len(address)} characters, {MAX_CHARACTERS} are "
            "safe); add them one after the other.",
            code="invalid-card",
        )
    return address
