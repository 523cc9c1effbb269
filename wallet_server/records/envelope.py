"""Owns encryption at rest: AES-256-GCM in an envelope that names its key, so that keys rotate with an overlap.

Form: `v1.<key id>.<base64url(nonce + ciphertext)>`. The context (what the secret is and whose) is authenticated, so
that a ciphertext copied into another row does not open. The keys live outside the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet_server.errors import Misconfigured

_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[a-z0-9]{1,12}")


class Keyring:
    """The keys that encrypt secrets and authenticate links; the first one is current, the others still open."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Raises `Misconfigured` when there is none, or one is not 32 bytes."""
        if not keys:
            raise Misconfigured("There is no secret key; set WALLET_SECRET_KEYS or WALLET_SECRET_KEYS_FILE.")
        if any(len(key) != 32 or not _KEY_ID.fullmatch(name) for name, key in keys.items()):
            raise Misconfigured(
                "Each secret key is `id:base64 of 32 bytes`, the id of up to 12 small letters or digits."
            )
        self.current = next(iter(keys))
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._mac_keys = {name: hmac.digest(key, b"wallet links", "sha256") for name, key in keys.items()}

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read lines of `id:base64`; raises `Misconfigured`."""
        keys: dict[str, bytes] = {}
        for line in filter(None, (part.strip() for part in text.splitlines())):
            name, _, encoded = line.partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except ValueError as fault:
                raise Misconfigured("A secret key is not base64; make one with `wallet-server secrets new`.") from fault
        return cls(keys)

    @property
    def ids(self) -> frozenset[str]:
        """What the keys are called."""
        return frozenset(self._ciphers)

    def seal(self, secret: bytes, context: str) -> str:
        """Encrypt under the current key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self.current].encrypt(nonce, secret, context.encode())
        return f"v1.{self.current}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, envelope: str, context: str) -> bytes:
        """Decrypt; raises `Misconfigured` when its key is not in the ring or the envelope was tampered with."""
        form, _, rest = envelope.partition(".")
        name, _, body = rest.partition(".")
        if form != "v1" or not _KEY_ID.fullmatch(name):
            raise Misconfigured(f"A stored secret ({context.split(':')[0]}) is damaged: it is no envelope.")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise Misconfigured(f"A stored secret needs the key {name!r}, which is not among WALLET_SECRET_KEYS.")
        try:
            sealed = base64.urlsafe_b64decode(body)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as fault:
            raise Misconfigured(f"A stored secret ({context.split(':')[0]}) does not open with its key.") from fault

    def is_current(self, envelope: str) -> bool:
        """Whether this envelope was sealed under the current key (else a rotation still has to reach it)."""
        return envelope.startswith(f"v1.{self.current}.")

    def sign(self, purpose: str, text: str) -> str:
        """A 128-bit authenticator `<key id>.<hex>` for links; purposes do not cross."""
        return f"{self.current}.{self._mac(self.current, purpose, text)}"

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """Constant-time check against the key that the signature names."""
        name, _, mac = signature.partition(".")
        if name not in self._mac_keys:
            return False
        # As bytes: of texts, only ASCII can be compared, and anybody may write anything into a link.
        return hmac.compare_digest(self._mac(name, purpose, text).encode(), mac.encode("utf-8", "replace"))

    def _mac(self, name: str, purpose: str, text: str) -> str:
        return hmac.digest(self._mac_keys[name], f"{purpose}\0{text}".encode(), "sha256")[:16].hex()


def new_key_line(name: str) -> str:
    """A fresh key in the form that `Keyring.parse` reads."""
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def keyring_file(path: Path) -> str:
    """The content of a key file, made with a fresh key (mode 0600) when it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(new_key_line("k1") + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8")


def digest(secret: str) -> bytes:
    """SHA-256 of a high-entropy secret, for comparison at rest."""
    return hashlib.sha256(secret.encode()).digest()
