"""Owns sending one message to an address that a stranger chose: to a public address only, pinned, within a time.

The name is resolved here, and the connection goes to the very address that was judged: asked a second time, a name may
lead elsewhere. No proxy, no redirect, one connection for each message, and no more of the answer than is kept.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from wallet_server.rules.webhooks import may_be_reached

MOST_SECONDS = 10.0
MOST_BYTES = 16 * 1024
KEPT_CHARACTERS = 500
_PIECE = 4096

Resolve = Callable[[str, int], list[str]]
"""The IP addresses of a host, as texts."""


@dataclass(frozen=True)
class Answered:
    """What became of a message: the status and the beginning of the answer, or why there is none (`fault`)."""

    status: int | None
    text: str
    fault: str | None
    milliseconds: int
    retry_after: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the address has it now."""
        return self.status is not None and 200 <= self.status < 300


def addresses_of(host: str, port: int) -> list[str]:
    """Where this name leads just now."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Poster:
    """Sends messages; safe between threads. `trust_pem`: a root to trust beside the system's, for the sandbox."""

    def __init__(self, *, sandbox: bool, trust_pem: str | None = None, resolve: Resolve = addresses_of) -> None:
        self._sandbox, self._trust, self._resolve = sandbox, trust_pem, resolve
        self._tls: ssl.SSLContext | None = None

    def post(self, url: str, text: str, headers: Mapping[str, str], seconds: float = MOST_SECONDS) -> Answered:
        """Send it once; never raises for what the network or the address do."""
        begun = time.monotonic()
        ends = begun + seconds

        def said(status: int | None, kept: str, fault: str | None, asked: str | None = None) -> Answered:
            return Answered(status, kept, fault, int((time.monotonic() - begun) * 1000), asked)

        try:
            with self._connect(url, ends) as wire:
                wire.sendall(_request(url, text.encode(), headers))
                status, kept, asked = _read(wire, ends)
            return said(status, kept, None, asked)
        except _Refused as refused:
            return said(None, "", str(refused))
        except TimeoutError:
            return said(None, "", f"There was no answer within {seconds:.0f} seconds.")
        except ssl.SSLCertVerificationError as fault:
            return said(None, "", f"The certificate is not good: {fault.verify_message}")
        except (OSError, HTTPException, ValueError) as fault:
            return said(None, "", f"{type(fault).__name__}: {fault}"[:200])

    def _connect(self, url: str, ends: float) -> socket.socket:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        if not secure and not self._sandbox:
            raise _Refused("The address does not begin with https://.")
        try:
            found = self._resolve(host, port)
        except OSError as fault:
            raise _Refused("The name of the address leads nowhere.") from fault
        # All of them: a name that leads inside as well as outside is not asked which it means.
        if not found or not all(may_be_reached(one, self._sandbox) for one in found):
            raise _Refused("The name of the address leads into a private network.")
        wire = socket.create_connection((found[0], port), _left(ends))
        if not secure:
            return wire
        try:
            wire.settimeout(_left(ends))
            return self._context().wrap_socket(wire, server_hostname=host)
        except BaseException:
            wire.close()
            raise

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            made = ssl.create_default_context()
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            if self._trust is not None and self._sandbox:
                made.load_verify_locations(cadata=self._trust)
            self._tls = made
        return self._tls


class _Refused(Exception):
    """It was not even tried."""


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _request(url: str, sent: bytes, headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(sent)}",
        "Accept: */*",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + sent


class _Wire(BytesIO):
    """What came, as `http.client` wants to read it."""

    def makefile(self, *_: Any, **__: Any) -> BytesIO:
        return self


def _read(wire: socket.socket, ends: float) -> tuple[int, str, str | None]:
    """Status, beginning of the body, Retry-After."""
    came = b""
    while len(came) < MOST_BYTES and not _whole(came):
        wire.settimeout(_left(ends))
        piece = wire.recv(_PIECE)
        if not piece:
            break
        came += piece
    answer = HTTPResponse(_Wire(came), method="POST")  # type: ignore[arg-type]
    answer.begin()
    try:
        raw = answer.read(4 * KEPT_CHARACTERS)
    except HTTPException as fault:  # it broke off, or there is more than was read
        raw = getattr(fault, "partial", b"")
    text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in raw.decode("utf-8", "replace"))
    return answer.status, text[:KEPT_CHARACTERS], answer.getheader("Retry-After")


def _whole(came: bytes) -> bool:
    """Whether this is an answer to its end, or as much of it as is kept."""
    head, blank, rest = came.partition(b"\r\n\r\n")
    if not blank:
        return False
    if len(rest) >= 4 * KEPT_CHARACTERS or head[9:12] in (b"204", b"304"):
        return True
    fields = head.lower()
    if b"transfer-encoding: chunked" in fields:
        return rest.endswith(b"0\r\n\r\n")
    _, named, length = fields.partition(b"\r\ncontent-length:")
    said = length.split(b"\r\n", 1)[0].strip()
    return bool(named) and said.isdigit() and len(rest) >= int(said)
