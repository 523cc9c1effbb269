"""Owns what a service account signs: RS256 tokens, and with them the access token of its calls.

RFC 7523, as Google's "Using OAuth 2.0 for Server to Server Applications" has it. Asked for once for all threads: while
one asks the others wait, and a refusal is theirs too.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wallet_server.errors import Misconfigured
from wallet_server.wallets.google.answers import Answer

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Whatever address the token is asked of: Google's own libraries say the same."""
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_SECONDS = 3600
EARLY_SECONDS = 300.0
"""So long before its end a token is renewed."""
ECHO_SECONDS = 1.0
"""Whoever waited while a token was refused is refused with it."""

Post = Callable[[Mapping[str, str]], Answer]
"""Sends a form to the token's address; never raises."""


def signed(claims: Mapping[str, Any], key_pem: bytes) -> str:
    """A JSON Web Token with these claims, byte for byte equal for equal ones. Raises `Misconfigured` for a key that is
    none."""
    head = _encode(orjson.dumps({"alg": "RS256", "typ": "JWT"}))
    body = head + b"." + _encode(orjson.dumps(claims))
    signature = signing_key(key_pem).sign(body, padding.PKCS1v15(), hashes.SHA256())
    return f"{body.decode()}.{_encode(signature).decode()}"


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


class Tokens:
    """The access token of one service account; safe between threads."""

    def __init__(self, email: str, key_pem: bytes, post: Post) -> None:
        """Raises `Misconfigured` for a key that cannot be read."""
        signing_key(key_pem)
        self._email, self._key_pem, self._post = email, key_pem, post
        self._token, self._ends = "", 0.0
        self._refused: tuple[float, Answer] | None = None
        self._lock = threading.Lock()

    def token(self, refused: str | None = None) -> str | Answer:
        """The token, another one than `refused`; or what Google said in its place."""
        with self._lock:
            now = time.monotonic()
            if self._token and self._token != refused and now < self._ends:
                return self._token
            if self._refused is not None and now - self._refused[0] < ECHO_SECONDS:
                return self._refused[1]
            given = self._granted()
            self._refused = None if isinstance(given, str) else (time.monotonic(), given)
            return given

    def _granted(self) -> str | Answer:
        now = int(time.time())
        claims = {
            "iss": self._email,
            "scope": SCOPE,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        given = self._post({"grant_type": GRANT, "assertion": signed(claims, self._key_pem)})
        token, seconds = given.body.get("access_token"), given.body.get("expires_in", LIFETIME_SECONDS)
        if given.status == 200 and isinstance(token, str) and token and isinstance(seconds, int | float):
            self._token, self._ends = token, time.monotonic() + max(float(seconds) - EARLY_SECONDS, 1.0)
            return token
        if given.status in (400, 401):
            # invalid_grant: the account is gone, its key withdrawn, or this clock wrong by minutes.
            said = given.said or str(given.body.get("error_description") or given.body.get("error") or "")
            return Answer(401, said=f"no token: {said}"[:300])
        if given.status == 200:
            return Answer(0, said="no token in the answer")
        return Answer(given.status, said=f"no token: {given.said}", retry_after_seconds=given.retry_after_seconds)
