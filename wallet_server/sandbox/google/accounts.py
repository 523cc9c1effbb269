"""Owns who may do what with the simulated Google: issuers, service accounts with their keys, permissions, tokens.

Sources: RFC 7523 (assertions), Google's "Using OAuth 2.0 for Server to Server Applications".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3600
SLACK_SECONDS = 300
MOST_TOKENS = 1_000
MOST_JWT_CHARACTERS = 200_000
FIRST_ISSUER = 3388000000000000000
WRITERS = frozenset(("OWNER", "WRITER"))


class BadJwt(Exception):
    """A signed text that is not taken; the text says why."""


@dataclass(frozen=True)
class ServiceAccount:
    """One service account: its name, and the private key that Google hands out once."""

    email: str
    key_id: str
    key_pem: str

    @property
    def public(self) -> rsa.RSAPublicKey:
        key = serialization.load_pem_private_key(self.key_pem.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("a service account's key is an RSA key")
        return key.public_key()


@dataclass
class Issuer:
    """An issuer: the roles of people and service accounts by e-mail, and what it told about itself. `locations`:
    whether it is allowlisted for merchant locations."""

    id: str
    roles: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    locations: bool = True


class Accounts:
    """Issuers and service accounts. `clock` gives the time in UTC by which assertions and tokens are judged: the real
    one, because clients take that one too, whatever day it is for the passes."""

    def __init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.issuers: dict[str, Issuer] = {}
        self.services: dict[str, ServiceAccount] = {}
        self.token_url = AUDIENCE
        self._publics: dict[str, tuple[str, rsa.RSAPublicKey]] = {}
        self._tokens: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    def issuer(self, issuer_id: str) -> Issuer:
        """The issuer of this number, made where it is new."""
        return self.issuers.setdefault(issuer_id, Issuer(issuer_id, about={"issuerId": issuer_id}))

    def service(self, email: str) -> ServiceAccount:
        """The service account of this name, with a fresh 2048-bit key where it is new."""
        known = self.services.get(email)
        if known is not None:
            return known
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        made = ServiceAccount(email, hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest(), pem)
        self.services[email] = made
        return made

    def new_issuer_id(self) -> str:
        return str(FIRST_ISSUER + 22_000_000 + len(self.issuers) + 1)

    def grant(self, form: dict[str, str]) -> dict[str, Any]:
        """The token endpoint's answer to a form. Raises BadJwt (invalid_grant)."""
        if form.get("grant_type") != GRANT:
            raise BadJwt("Only the grant type jwt-bearer is served.")
        email, claims = self.verified(form.get("assertion", ""))
        now = self.clock().timestamp()
        if claims.get("aud") not in (AUDIENCE, self.token_url):
            raise BadJwt("Invalid JWT: Failed audience check.")
        issued, ends = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(ends, int | float):
            raise BadJwt("Invalid JWT: iat and exp are required.")
        if not (issued - SLACK_SECONDS <= now < ends and ends - issued <= TOKEN_SECONDS):
            raise BadJwt("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise BadJwt("Empty or missing scope not allowed.")
        return {"access_token": self._new_token(email), "expires_in": TOKEN_SECONDS - 1, "token_type": "Bearer"}

    def who(self, authorization: str) -> str | None:
        """The service account behind a bearer token; None when it is none of ours or too old."""
        word, _, token = authorization.partition(" ")
        email, ends = self._tokens.get(token, ("", None))
        return email if word.lower() == "bearer" and ends is not None and self.clock() < ends else None

    def forget_tokens(self) -> None:
        """Every token that was handed out is worth nothing from now on."""
        self._tokens.clear()

    def may(self, email: str, issuer_id: str, *, write: bool) -> bool:
        """Whether the service account was added to this issuer's users, with enough of a role."""
        issuer = self.issuers.get(issuer_id)
        role = issuer.roles.get(email) if issuer else None
        return role in WRITERS or (role is not None and not write)

    def verified(self, jwt: str) -> tuple[str, dict[str, Any]]:
        """The service account that signed a JWT with RS256, and its claims. Raises BadJwt."""
        parts = jwt.split(".")
        if len(jwt) > MOST_JWT_CHARACTERS or len(parts) != 3:
            raise BadJwt("Invalid JWT: it has three parts.")
        header, claims = _object(parts[0]), _object(parts[1])
        email = str(claims.get("iss"))
        if header.get("alg") != "RS256":
            raise BadJwt("Invalid JWT: the algorithm is RS256.")
        service = self.services.get(email)
        if service is None:
            raise BadJwt("Invalid grant: account not found")
        if header.get("kid", service.key_id) != service.key_id:
            raise BadJwt("Invalid JWT Signature.")
        signed = f"{parts[0]}.{parts[1]}".encode()
        try:
            self._public(service).verify(_decoded(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise BadJwt("Invalid JWT Signature.") from None
        return email, claims

    def _public(self, service: ServiceAccount) -> rsa.RSAPublicKey:
        kept = self._publics.get(service.email)
        if kept is None or kept[0] != service.key_id:
            kept = self._publics[service.email] = service.key_id, service.public
        return kept[1]

    def _new_token(self, email: str) -> str:
        token = f"ya29.sandbox.{secrets.token_urlsafe(32)}"
        while len(self._tokens) >= MOST_TOKENS:
            self._tokens.popitem(last=False)
        self._tokens[token] = email, self.clock() + timedelta(seconds=TOKEN_SECONDS)
        return token


def _decoded(part: str) -> bytes:
    if not re.fullmatch(r"[\w-]*", part, re.ASCII):
        raise BadJwt("Invalid JWT: its parts are base64url.")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as fault:
        raise BadJwt("Invalid JWT: its parts are base64url.") from fault


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(part))
    except ValueError as fault:
        raise BadJwt("Invalid JWT: header and claims are JSON.") from fault
    if not isinstance(found, dict):
        raise BadJwt("Invalid JWT: header and claims are JSON objects.")
    return found
