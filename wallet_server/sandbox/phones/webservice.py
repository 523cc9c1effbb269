"""Owns the phone's side of Apple's PassKit web service on the wire: five requests, bounded answers, no judgement."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

MAX_ANSWER_BYTES = 10 * 1024 * 1024
MAX_REDIRECTS = 5
CHUNK = 64 * 1024
UNREACHABLE = 0


@dataclass(frozen=True)
class Answer:
    """What came back, and from where after redirects. Status 0: no answer came, and `reason` says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = ""
    url: str = ""

    @property
    def worth_retrying(self) -> bool:
        return self.status == UNREACHABLE or self.status == 429 or self.status >= 500


@dataclass(frozen=True)
class Line:
    """How a fleet reaches servers: connections and requests in flight at most, seconds for one request, what it trusts
    over TLS, and the names that this network alone knows (name to address)."""

    concurrency: int = 64
    request_seconds: float = 30.0
    tls: ssl.SSLContext | None = None
    names: Mapping[str, str] = field(default_factory=dict)


class Names(ThreadedResolver):
    """The system's names, and those of a network of one's own."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await super().resolve(self._names.get(host, host), port, family)


class WebClient:
    """One connection pool shared by all phones of a process. Use as `async with`. `scheme` is the word before a pass's
    token, `agent` what the phones call themselves."""

    def __init__(self, line: Line, scheme: str = "ApplePass", agent: str = "SandboxPhone/1.0") -> None:
        self._line, self._scheme, self._agent = line, scheme, agent
        self._gate = asyncio.Semaphore(line.concurrency)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=self._line.concurrency, ssl=self._line.tls or True, resolver=Names(self._line.names)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._line.request_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent},
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self, base: str, device: str, card: tuple[str, str], token: str, push_token: str) -> Answer:
        path = f"devices/{_q(device)}/registrations/{_q(card[0])}/{_q(card[1])}"
        body = json.dumps({"pushToken": push_token}).encode()
        return await self._send("POST", _at(base, path), self._with(token) | _JSON, body)

    async def unregister(self, base: str, device: str, card: tuple[str, str], token: str) -> Answer:
        path = f"devices/{_q(device)}/registrations/{_q(card[0])}/{_q(card[1])}"
        return await self._send("DELETE", _at(base, path), self._with(token))

    async def serials(self, base: str, device: str, pass_type: str, tag: str | None) -> Answer:
        path = f"devices/{_q(device)}/registrations/{_q(pass_type)}"
        query = f"?passesUpdatedSince={_q(tag)}" if tag is not None else ""
        return await self._send("GET", _at(base, path + query), {})

    async def fetch(
        self, base: str, card: tuple[str, str], token: str, modified_since: str | None, method: str = "GET"
    ) -> Answer:
        headers = self._with(token)
        if modified_since is not None:
            headers["If-Modified-Since"] = modified_since
        return await self._send(method, _at(base, f"passes/{_q(card[0])}/{_q(card[1])}"), headers)

    async def log(self, base: str, lines: Sequence[str]) -> Answer:
        return await self._send("POST", _at(base, "log"), _JSON, json.dumps({"logs": list(lines)}).encode())

    async def open(self, url: str, language: str) -> Answer:
        """A link tapped in the browser: redirects are followed."""
        browser = {"User-Agent": SAFARI} if self._scheme == "ApplePass" else {}
        return await self._send("GET", URL(url), {"Accept-Language": language, **browser}, follow=True)

    def _with(self, token: str) -> dict[str, str]:
        return {"Authorization": f"{self._scheme} {token}"}

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None = None, follow: bool = False
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is used as `async with WebClient(...)`")
        async with self._gate:
            try:
                async with self._session.request(
                    method, url, headers=headers, data=body, allow_redirects=follow, max_redirects=MAX_REDIRECTS
                ) as response:
                    return await _read(response)
            except TimeoutError:
                return Answer(UNREACHABLE, reason="the request timed out")
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return Answer(UNREACHABLE, reason=str(error) or type(error).__name__)


SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E148 Safari/604.1"
)
"""What the browser of an iPhone says of itself."""
_JSON = {"Content-Type": "application/json"}


def _q(part: str) -> str:
    return quote(part, safe="")


def _at(base: str, path: str) -> URL:
    return URL(f"{base}/v1/{path}", encoded=True)


async def _read(response: aiohttp.ClientResponse) -> Answer:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return Answer(UNREACHABLE, reason="the answer is larger than 10 MB")
        parts.append(chunk)
    return Answer(response.status, dict(response.headers), b"".join(parts), response.reason or "", str(response.url))
