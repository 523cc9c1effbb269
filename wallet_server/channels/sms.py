"""Owns short messages: one letter to an HTTPS gateway, with a bearer key.

`POST <address>/messages` with {"to", "from", "text", "coding", "parts", "reference"} answers 2xx with {"id"}. The
reference is the same at each try and is sent as `Idempotency-Key` too: a gateway that keeps it sends once.
"""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
import urllib3

from wallet_server.channels.port import Later, Letter, Refused, Taken, Verdict
from wallet_server.rules.announcing.short_messages import parts

CONNECT_SECONDS, MOST_SECONDS = 5.0, 15.0
AWAY_SECONDS, BUSY_SECONDS, MISSET_SECONDS, MOST_REST = 30.0, 60.0, 600.0, 3600.0
MOST_BYTES = 16 * 1024
ABOUT_THE_LETTER = (400, 404, 413, 422, 451)
IN_A_MOMENT = (408, 409, 425)


@dataclass(frozen=True)
class Gateway:
    """The gateway's address, our key there, and the name or number that the message comes from."""

    url: str
    key: str = field(repr=False)
    sender: str | None = None
    trust_pem: str | None = None


class Sms:
    """The channel of short messages."""

    name, kind = "sms", "phone"

    def __init__(self, gateway: Gateway, seconds: float = MOST_SECONDS) -> None:
        self._gateway, self._seconds = gateway, seconds
        self._pool: urllib3.PoolManager | None = None

    def send(self, letter: Letter) -> Verdict:
        """See `port.Channel.send`. 400, 404, 413, 422 and 451 are about this letter; 401 and 403 about us; 429 and
        5xx are later, by `Retry-After` where it is given."""
        counted = parts(letter.short)
        said = {"to": letter.to, "from": self._gateway.sender, "text": letter.short, "reference": letter.id}
        body = orjson.dumps({**said, "coding": counted.coding, "parts": counted.parts})
        headers = {
            "authorization": f"Bearer {self._gateway.key}",
            "content-type": "application/json",
            "accept": "application/json",
            "idempotency-key": letter.id,
            "user-agent": "wallet-server",
        }
        try:
            status, answer, asked = self._exchange(body, headers)
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            return Later(AWAY_SECONDS, f"The gateway is away: {type(fault).__name__}: {fault}"[:200], all_wait=True)
        if 200 <= status < 300:
            return Taken(_id(answer))
        why = f"{status} {_text(answer)}".strip()[:200]
        if status in ABOUT_THE_LETTER:
            return Refused(why)
        if status in IN_A_MOMENT:
            return Later(BUSY_SECONDS, why)
        if status in (429, 503):
            return Later(_rest(asked, BUSY_SECONDS), why, all_wait=True)
        return Later(AWAY_SECONDS if status >= 500 else MISSET_SECONDS, why, all_wait=True)

    def knock(self) -> str | None:
        """See `port.Channel.knock`: the gateway answers, whatever it says, with a certificate that is good."""
        try:
            timeout = urllib3.Timeout(connect=CONNECT_SECONDS, total=self._seconds)
            self._connections().request("HEAD", self._gateway.url, timeout=timeout, retries=False, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            return f"The gateway is away: {type(fault).__name__}: {fault}"[:200]
        return None

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, str | None]:
        ends = time.monotonic() + self._seconds
        answer = self._connections().request(
            "POST",
            f"{self._gateway.url}/messages",
            body=body,
            headers=dict(headers),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, total=self._seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            kept = b""
            for piece in answer.stream(4096):
                kept += piece
                if len(kept) >= MOST_BYTES or time.monotonic() > ends:
                    break
            return answer.status, kept, answer.headers.get("retry-after")
        finally:
            answer.close()

    def _connections(self) -> urllib3.PoolManager:
        if self._pool is None:
            tls = ssl.create_default_context()
            tls.minimum_version = ssl.TLSVersion.TLSv1_2
            if self._gateway.trust_pem is not None:
                tls.load_verify_locations(cadata=self._gateway.trust_pem)
            self._pool = urllib3.PoolManager(num_pools=1, maxsize=2, ssl_context=tls)
        return self._pool


def _id(answer: bytes) -> str:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return ""
    return str(found.get("id", ""))[:200] if isinstance(found, dict) else ""


def _text(answer: bytes) -> str:
    text = answer[:300].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)


def _rest(asked: str | None, otherwise: float) -> float:
    """Retry-After (RFC 9110, 10.2.3): seconds, or an instant."""
    if asked is None:
        return otherwise
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:8]), MOST_REST)
    try:
        until = email.utils.parsedate_to_datetime(asked)
    except ValueError:
        return otherwise
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 1.0), MOST_REST)
