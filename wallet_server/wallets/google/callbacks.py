"""Owns the reading of Google's callbacks: who saved or removed a card, and that it was Google who said so.

ECv2SigningOnly, as Google's Tink verifies it (PaymentMethodTokenRecipient): a root key signs an intermediate key, that
signs the message. The signed texts are hashed byte for byte as they came: they hold escapes that a second writing would
lose. The issuer is ours to say, never the message's, or a message that Google signed for anybody would do.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from wallet_server.errors import Unauthenticated

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"
MAX_BYTES = 16 * 1024
MAX_SIGNATURES = 8
MAX_ROOTS = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLIS = 253_402_300_799_000


@dataclass(frozen=True)
class Root:
    """One of Google's root keys: P-256, as DER (SubjectPublicKeyInfo), good until `expires_at`, if it says so."""

    der: bytes
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Event:
    """What happened. `nonce` is the message's own: one that was seen already says nothing new."""

    kind: Literal["save", "del"]
    class_id: str
    object_id: str
    nonce: str
    expires_at: datetime


def verify(body: bytes, issuer_id: str, roots: Sequence[Root], now: datetime) -> Event:
    """The event of a callback to the issuer `issuer_id`, at `now` (UTC). Raises `Unauthenticated` for everything that
    Google did not sign for this issuer, or that is no longer good."""
    outer = _object(body if len(body) <= MAX_BYTES else b"", "The callback is no JSON of its form.")
    if outer.get("protocolVersion") != PROTOCOL:
        raise Unauthenticated(f"The callback is not signed as {PROTOCOL}.")
    middle = outer.get("intermediateSigningKey")
    if not isinstance(middle, dict):
        raise Unauthenticated("The callback has no intermediate key.")
    signed_key = _text(middle, "signedKey")
    intermediate = _intermediate(signed_key, middle.get("signatures"), roots, now)
    message = _text(outer, "signedMessage")
    if not _signs(intermediate, _text(outer, "signature"), _framed(SENDER, issuer_id, PROTOCOL, message)):
        raise Unauthenticated("The message was not signed for this issuer.")
    return _event(_object(message.encode("utf-8"), "The message is no JSON."), issuer_id, now)


def _intermediate(signed_key: str, signatures: Any, roots: Sequence[Root], now: datetime) -> ec.EllipticCurvePublicKey:
    """The key that signs messages, once a living root has signed it."""
    framed = _framed(SENDER, PROTOCOL, signed_key)
    offered = [one for one in signatures if isinstance(one, str)] if isinstance(signatures, list) else []
    living = list(_living(roots, now))
    if not any(_signs(key, one, framed) for key in living for one in offered[:MAX_SIGNATURES]):
        raise Unauthenticated("No root key of Google signed the key of this callback.")
    said = _object(signed_key.encode("utf-8"), "The intermediate key is no JSON.")
    if _instant(said.get("keyExpiration")) <= now:
        raise Unauthenticated("The intermediate key of this callback has expired.")
    key = _key(_decoded(_text(said, "keyValue")))
    if key is None:
        raise Unauthenticated("The intermediate key of this callback is no P-256 key.")
    return key


def _living(roots: Sequence[Root], now: datetime) -> Iterator[ec.EllipticCurvePublicKey]:
    for root in roots[:MAX_ROOTS]:
        key = _key(root.der) if root.expires_at is None or root.expires_at > now else None
        if key is not None:
            yield key


def _event(said: Mapping[str, Any], issuer_id: str, now: datetime) -> Event:
    expires_at = _instant(said.get("expTimeMillis"))
    if expires_at <= now:
        raise Unauthenticated("The message has expired.")
    class_id, object_id = _text(said, "classId"), _text(said, "objectId")
    if not class_id.startswith(f"{issuer_id}.") or not object_id.startswith(f"{issuer_id}."):
        raise Unauthenticated("The message is about a card of another issuer.")
    kind = said.get("eventType")
    if kind != "save" and kind != "del":
        raise Unauthenticated("The message says neither save nor del.")
    return Event("save" if kind == "save" else "del", class_id, object_id, _text(said, "nonce"), expires_at)


def _framed(*texts: str) -> bytes:
    """Each text after the number of its bytes, four of them, the least first."""
    raws = [text.encode("utf-8") for text in texts]
    return b"".join(len(raw).to_bytes(4, "little") + raw for raw in raws)


def _signs(key: ec.EllipticCurvePublicKey, signature: str, framed: bytes) -> bool:
    try:
        key.verify(_decoded(signature), framed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _key(der: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def is_p256(der: bytes) -> bool:
    """Whether this is a public key that signatures can be verified with here."""
    return _key(der) is not None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise Unauthenticated("The callback holds something that is no Base64.") from fault


def _object(raw: bytes, sentence: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise Unauthenticated(sentence) from fault
    if not isinstance(found, dict):
        raise Unauthenticated(sentence)
    return found


def _text(found: Mapping[str, Any], name: str) -> str:
    """A text that can be written as UTF-8: half a surrogate pair cannot."""
    value = found.get(name)
    if not isinstance(value, str) or not value or any("\ud800" <= one <= "\udfff" for one in value):
        raise Unauthenticated(f"The callback has no {name}.")
    return value


def _instant(millis: Any) -> datetime:
    """Milliseconds since 1970, as a number or as text."""
    if isinstance(millis, str) and millis.isascii() and millis.isdigit() and len(millis) <= 15:
        millis = int(millis)
    if isinstance(millis, bool) or not isinstance(millis, int) or not 0 <= millis <= _LAST_MILLIS:
        raise Unauthenticated("The callback holds a time that is none.")
    return _EPOCH + timedelta(milliseconds=millis)
