"""Owns the calls that the simulated Google makes when somebody saves or removes a pass: signed as ECv2SigningOnly.

A root key signs an intermediate key, that one signs the message; the root's public half is served. Bodies have the
shape of three recorded ones, down to the escaped equals sign in `signedKey`. Delivery is best effort: tried again a
few times with growing pauses, sent more than once where a switch says so, and not at all where robots.txt forbids it
to Googlebot. Sources: Tink, PaymentMethodTokenSender; Google, "Use callbacks for saves and deletions".
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import ssl
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wallet_server.sandbox.phones.webservice import Names

SENDER = "GooglePayPasses"
PROTOCOL = "ECv2SigningOnly"
AGENT = "Mozilla/5.0 (compatible; Googlebot/2.1; sandbox)"
ROOT_DAYS = 365
INTERMEDIATE_DAYS = 7
MESSAGE_MINUTES = 60
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2
CALL_SECONDS = 10.0
MOST_WAITING = 5_000
MOST_ROBOTS_BYTES = 100_000


@dataclass(frozen=True)
class Keys:
    """The two key pairs, as PEM, and when they end."""

    root_pem: str
    intermediate_pem: str
    root_ends: datetime
    intermediate_ends: datetime

    @classmethod
    def fresh(cls, now: datetime) -> Keys:
        root, intermediate = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        return cls(
            _pem(root), _pem(intermediate), now + timedelta(days=ROOT_DAYS), now + timedelta(days=INTERMEDIATE_DAYS)
        )

    def renewed(self, now: datetime) -> Keys:
        """The same root with another intermediate key."""
        return replace(Keys.fresh(now), root_pem=self.root_pem, root_ends=self.root_ends)

    def served(self) -> dict[str, Any]:
        """What `/gp/m/issuer/keys` answers: the root among keys of other protocols, as the real page has them."""
        other = ec.generate_private_key(ec.SECP256R1())
        ends = _millis(self.root_ends)
        return {
            "keys": [
                {"keyValue": _spki(other), "protocolVersion": "ECv1"},
                {"keyValue": _spki(_key(self.root_pem)), "keyExpiration": ends, "protocolVersion": PROTOCOL},
                {"keyValue": _spki(other), "keyExpiration": ends, "protocolVersion": "ECv2"},
            ]
        }

    def signed(self, issuer: str, message: dict[str, Any]) -> bytes:
        """The body of a callback to this issuer."""
        inside = {"keyValue": _spki(_key(self.intermediate_pem)), "keyExpiration": _millis(self.intermediate_ends)}
        # Google escapes what HTML might trip over, inside the text that is signed.
        signed_key = json.dumps(inside, separators=(",", ":")).replace("=", "\\u003d")
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        body = {
            "signature": _signature(_key(self.intermediate_pem), SENDER, issuer, PROTOCOL, text),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [_signature(_key(self.root_pem), SENDER, PROTOCOL, signed_key)],
            },
            "protocolVersion": PROTOCOL,
            "signedMessage": text,
        }
        return json.dumps(body, ensure_ascii=False).encode()


class Callbacks:
    """Sends callbacks in the background. `counts` has sent, failed, refused (an address that Google would not call) and
    forbidden (by robots.txt). `tls` is what is trusted besides the system's roots, `names` the names (to addresses)
    that are known besides the system's."""

    def __init__(
        self,
        keys: Keys,
        clock: Callable[[], datetime],
        tls: ssl.SSLContext | None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.keys = keys
        self._names = dict(names or {})
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
            connector=aiohttp.TCPConnector(ssl=self._tls or True, resolver=Names(self._names)),
            headers={"User-Agent": AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def settle(self, seconds: float = 20.0) -> None:
        """Wait until everything is delivered or given up. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self._waiting:
                await asyncio.wait(set(self._waiting))

    def send(self, url: str, issuer: str, class_id: str, object_id: str, what: str, copies: int = 1) -> None:
        """Say that an object was saved ("save") or removed ("del"), `copies` times in the very same words."""
        if not url:
            return
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_near(parts.hostname or "")):
            self.counts["refused"] += 1
            return
        message = {
            "classId": class_id,
            "objectId": object_id,
            "eventType": what,
            "expTimeMillis": int((self._clock() + timedelta(minutes=MESSAGE_MINUTES)).timestamp() * 1000),
            "count": 1,
            "nonce": str(uuid.uuid4()),
        }
        body = self.keys.signed(issuer, message)
        for _ in range(copies):
            if len(self._waiting) < MOST_WAITING:
                task = asyncio.get_running_loop().create_task(self._deliver(url, body))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    async def _deliver(self, url: str, body: bytes) -> None:
        if not await self._welcome(url):
            self.counts["forbidden"] += 1
            return
        for attempt in range(ATTEMPTS):
            if await self._post(url, body):
                self.counts["sent"] += 1
                return
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        self.counts["failed"] += 1

    async def _post(self, url: str, body: bytes) -> bool:
        if self._session is None:
            return False
        try:
            async with self._session.post(
                url, data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
            ) as answer:
                self.counts[f"answer {answer.status}"] += 1
                return answer.status < 300
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False

    async def _welcome(self, url: str) -> bool:
        """Whether robots.txt lets Googlebot there; a host without one does."""
        if self._session is None:
            return False
        try:
            async with self._session.get(urljoin(url, "/robots.txt")) as answer:
                text = (await answer.content.read(MOST_ROBOTS_BYTES)).decode("utf-8", "replace")
                if answer.status != 200:
                    return True
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return True
        rules = RobotFileParser()
        rules.parse(text.splitlines())
        return rules.can_fetch("Googlebot", url)


def _is_near(host: str) -> bool:
    """This machine or its own network, where a product under test speaks plain http. Google would not."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a callback key is an elliptic curve key")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _spki(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _signature(key: ec.EllipticCurvePrivateKey, *parts: str) -> str:
    """ECDSA P-256 with SHA-256 over each part behind its length in bytes, four of them, the lowest first."""
    signed = b"".join(len(raw).to_bytes(4, "little") + raw for raw in (part.encode() for part in parts))
    return base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode()


def _millis(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
