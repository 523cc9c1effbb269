"""Owns how the sandbox's push service judges provider tokens: ES256 under a registered key, of its team, not too old.

Reasons and limits are Apple's: "Establishing a token-based connection to APNs", "Handling notification responses from
APNs". Which pass types belong to which team is registered with the keys, as Apple's portal knows it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

LONGEST_SECONDS = 3600
SLACK_SECONDS = 60  # a clock may run a little fast
MOST_CHARACTERS = 2048
MOST_KEPT = 1_000
_BEARER = re.compile(r"bearer ([\w-]+)\.([\w-]+)\.([\w-]{86})", re.IGNORECASE)


def now() -> datetime:
    """The clock of the sandbox, UTC."""
    return datetime.now(UTC)


@dataclass
class _Key:
    team: str
    public: ec.EllipticCurvePublicKey


@dataclass
class TokenKeys:
    """The public keys that were registered, by id, and the pass types of each team. `clock` says what time it is at the
    push service (UTC)."""

    clock: Callable[[], datetime] = now
    seen: set[str] = field(default_factory=set)
    _keys: dict[str, _Key] = field(default_factory=dict)
    _topics: dict[str, str] = field(default_factory=dict)
    _proven: dict[str, tuple[str, int]] = field(default_factory=dict)

    def register(self, kid: str, team: str, private_pem: bytes, *topics: str) -> None:
        """As the portal does when a key is made: keep its public half. These pass types are the team's."""
        key = serialization.load_pem_private_key(private_pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("a push key is an elliptic curve key")
        self._keys[kid] = _Key(team, key.public_key())
        self._topics |= dict.fromkeys(topics, team)

    def revoke(self, kid: str) -> None:
        """The key is worth nothing from now on."""
        self._keys.pop(kid, None)
        self._proven.clear()

    def fault(self, authorization: str, topic: str) -> str | None:
        """What is wrong with a request that carries this header, in Apple's word; None when it may pass."""
        if not authorization:
            return "MissingProviderToken"
        proven = self._proven.get(authorization) or self._prove(authorization)
        if proven is None:
            return "InvalidProviderToken"
        team, made_at = proven
        age = self.clock().timestamp() - made_at
        if age > LONGEST_SECONDS:
            return "ExpiredProviderToken"
        if age < -SLACK_SECONDS:
            return "InvalidProviderToken"
        if not topic:
            return "MissingTopic"
        return None if self._topics.get(topic) == team else "TopicDisallowed"

    def _prove(self, authorization: str) -> tuple[str, int] | None:
        found = _BEARER.fullmatch(authorization) if len(authorization) <= MOST_CHARACTERS else None
        if found is None:
            return None
        head, claims, signature = (_decoded(part) for part in found.groups())
        header, said = _object(head), _object(claims)
        key = self._keys.get(str(header.get("kid")))
        made_at = said.get("iat")
        if key is None or header.get("alg") != "ES256" or said.get("iss") != key.team or not isinstance(made_at, int):
            return None
        half = len(signature) // 2
        der = encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        try:
            key.public.verify(der, f"{found[1]}.{found[2]}".encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return None
        if len(self._proven) >= MOST_KEPT:
            self._proven.clear()
        self.seen.add(authorization)
        self._proven[authorization] = key.team, made_at
        return self._proven[authorization]


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
