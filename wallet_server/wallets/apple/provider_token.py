"""Owns token authentication at the push service: the signing key (.p8) and the provider tokens that it signs.

A key opens the pass types of its own team alone. Sources: Apple, "Establishing a token-based connection to APNs"
(ES256, kid, iss, iat; a token is refused after an hour and must not be renewed more often than every 20 minutes);
RFC 7515, RFC 7518 3.4.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wallet_server.errors import Fault, Misconfigured

RENEWED_AFTER = timedelta(minutes=40)
LEAST_AGE = timedelta(minutes=20)
KEY_ID = re.compile(r"[A-Z0-9]{10}")
TEAM = re.compile(r"[A-Z0-9]{10}")
MOST_BYTES = 16 * 1024
_HALF = 32  # bytes of each of the two numbers of a P-256 signature


class Provider(Protocol):
    """What says, to the push service, on whose behalf it is asked. `name` is no secret."""

    @property
    def name(self) -> str: ...

    def bearer(self, at: datetime) -> str:
        """The token to send at this time (UTC)."""
        ...

    def renewed(self, at: datetime, refused: str) -> str | None:
        """Another token, after this one was called expired; None when that came too soon to be true."""
        ...


@dataclass(frozen=True)
class PushKey:
    """A signing key as Apple's portal hands it out (.p8), once. Holds the private key: never logged."""

    kid: str
    team: str
    key_pem: bytes = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def load(cls, raw: bytes, kid: str, team: str) -> PushKey:
        """Raises `Misconfigured` with everything that is wrong."""
        faults = []
        if not KEY_ID.fullmatch(kid):
            sentence = "The key id has ten capital letters and digits; it stands in the file's name, AuthKey_<id>.p8."
            faults.append(Fault("kid", sentence))
        if not TEAM.fullmatch(team):
            faults.append(Fault("team", "The team id has ten capital letters and digits, as in the certificate."))
        key = _read(raw)
        if key is None:
            sentence = (
                "This is no key for the push service: give the .p8 file (an elliptic curve key, P-256) that Apple's "
                "portal handed out under Keys, made for Apple Push Notifications service."
            )
            faults.append(Fault("key", sentence))
        if faults or key is None:
            raise Misconfigured(faults[0].sentence, code="apple-credentials", faults=faults)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(kid, team, pem, key)

    def sign(self, at: datetime) -> str:
        """A provider token, made now (UTC)."""
        head = _encode(json.dumps({"alg": "ES256", "kid": self.kid}).encode())
        claims = _encode(json.dumps({"iss": self.team, "iat": int(at.timestamp())}).encode())
        signed = f"{head}.{claims}".encode()
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return f"{head}.{claims}.{_encode(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"


def _read(raw: bytes) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(raw[:MOST_BYTES], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
