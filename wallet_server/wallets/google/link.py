"""Owns the address that puts cards into Google Wallet: a signed token that names objects which are there already.

A token with whole objects in it does not fit: browsers and messengers are safe up to 1,800 characters. It has no end
(Google's table of claims knows none), so that an address in an e-mail does not go stale.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wallet_server.errors import Invalid, Misconfigured
from wallet_server.wallets.google.options import Vertical

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
    signed = b".".join((_encode(orjson.dumps({"alg": "RS256", "typ": "JWT"})), _encode(orjson.dumps(claims))))
    signature = signing_key(key_pem).sign(signed, padding.PKCS1v15(), hashes.SHA256())
    address = f"{base.rstrip('/')}/{signed.decode()}.{_encode(signature).decode()}"
    if len(address) > MAX_CHARACTERS:
        raise Invalid(
            f"These {len(objects)} cards do not fit into one address ({len(address)} characters, {MAX_CHARACTERS} are "
            "safe); add them one after the other.",
            code="invalid-card",
        )
    return address


@lru_cache(maxsize=64)
def signing_key(key_pem: bytes) -> rsa.RSAPrivateKey:
    """The private key of a service account. Raises `Misconfigured`."""
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise _no_key() from fault
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _no_key()
    return key


def _no_key() -> Misconfigured:
    return Misconfigured(
        "The private key of the Google service account cannot be read. Download its JSON file anew from the Google "
        "Cloud console and give it to `wallet-server setup google`.",
        code="google-credentials",
    )


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
