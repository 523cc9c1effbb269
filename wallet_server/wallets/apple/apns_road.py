"""Owns the road to APNs: a name, a TCP connection (through a proxy where the system has one), TLS with a certificate.

Nothing here blocks but the look-up of a name, which has a limit. TLS runs in memory beside the socket, so that one
system call carries as many records as there are. Certificate and key are handed to OpenSSL through sealed memory that
has no name and is gone at once: they never touch a file system.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import os
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

READ_BYTES = 131_072  # at once; what TLS makes of it is no more
RECORD_BYTES = 16_384
UNSENT_LIMIT = 1_048_576  # while more than that waits for the network nothing is read, and so nothing is answered
ADDRESSES_TRIED = 8
ADDRESS_SECONDS = 2.0  # for each address but the last, so that a family of addresses that leads nowhere costs little
PROXY_ANSWER_LIMIT = 8_192

# With TLS 1.3 the server looks at the client's certificate after the handshake: its refusal arrives as a failed read.
_CERTIFICATE_REFUSED = re.compile(
    r"alert (bad certificate|unsupported certificate|no certificate|certificate|unknown ca|access denied)"
)
# No more than that is said of a certificate whose kind is not taken, and of a first word that does not suit either.
_NO_REASON = "alert handshake failure"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Fault(Enum):
    """Why no answer came."""

    LOST = "lost"  # the connection failed or was cut
    UNSENT = "unsent"  # the connection went away before this one was sent
    TIMEOUT = "timeout"
    MISSET = "misset"  # TLS refused a certificate, ours or theirs


@dataclass(frozen=True)
class Dial:
    """Where to connect and as whom; without a certificate the headers say it, by a provider token. `trust` is a root in
    memory, `trust_file` the system's collection on disk."""

    address: str
    certificate_pem: bytes | None = field(repr=False)
    key_pem: bytes | None = field(repr=False)
    trust: bytes | None = field(repr=False)
    trust_file: str | None
    timeout_seconds: float
    depth: int
    direct: bool


class Away(Exception):
    """The road is closed, and why."""

    def __init__(self, text: str, fault: Fault = Fault.LOST) -> None:
        super().__init__(text)
        self.text, self.fault = text, fault


def context(dial: Dial) -> ssl.SSLContext:
    """What TLS needs to know. Raises `Away` for a certificate, key or root that does not serve."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["h2"])
    try:
        if dial.trust is not None:
            made.load_verify_locations(cadata=dial.trust.decode("ascii"))
        else:
            made.load_verify_locations(cafile=dial.trust_file)
        if dial.certificate_pem is not None:
            with _in_memory(dial.certificate_pem) as certificate, _in_memory(dial.key_pem or b"") as key:
                # Without a password of our own OpenSSL would ask whoever sits at the terminal.
                made.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as fault:  # an SSLError is an OSError
        raise Away(f"its certificate, key or trusted roots cannot be used: {fault}", Fault.MISSET) from fault
    return made


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path for what has no file."""
    descriptor = os.memfd_create("wallet", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _Stage(Enum):
    CONNECTING = 1
    TUNNEL = 2
    HANDSHAKE = 3
    OPEN = 4


class Road:
    """One connection. `watch(descriptor, mask)` is told what to wait for, with a mask of 0 when there is nothing left.
    After each call `fault` says whether it has ended; what was read before that is given out first."""

    def __init__(self, dial: Dial, tls: ssl.SSLContext, watch: Callable[[int, int], None]) -> None:
        """Begins to connect. Raises `Away` when there is nowhere to connect to."""
        parts = urlsplit(dial.address)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._shown = dial.certificate_pem is not None
        self._watch = watch
        self._proxy = None if dial.direct else _proxy(self._host)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname=self._host)
        self._stage = _Stage.CONNECTING
        self._unsent = b""
        self._heard = b""
        self._socket: socket.socket | None = None
        self.fault: Away | None = None
        self.deadline: float | None = None
        place = (self._proxy.hostname or "", self._proxy.port or 80) if self._proxy else (self._host, self._port)
        self._addresses = _addresses(*place, dial.timeout_seconds)
        self._connect("")

    @property
    def ready(self) -> bool:
        return self._stage is _Stage.OPEN

    @property
    def clogged(self) -> bool:
        """Whether so much waits for the network that nothing should be added."""
        return len(self._unsent) > UNSENT_LIMIT

    def act(self) -> bytes:
        """Do what the network allows now; what was heard inside TLS."""
        try:
            if self._stage is _Stage.CONNECTING:
                self._connected()
            if self._stage is _Stage.TUNNEL:
                self._dig()
            if self._stage is _Stage.HANDSHAKE:
                self._shake_hands()
            if self._stage is _Stage.OPEN:
                return self._read()
        except Away as away:
            self.fault = away
        except ssl.SSLError as fault:
            self.fault = self._refused(fault)
        except OSError as fault:
            self.fault = Away(_said(fault))
        return b""

    def expire(self, now: float) -> None:
        """Try the next address when this one takes too long."""
        if self.deadline is not None and now >= self.deadline:
            try:
                self._connect("it does not answer")
            except Away as away:
                self.fault = away

    def write(self, data: bytes) -> None:
        """Send this, or keep it until the network takes it. The caller keeps within bounds what waits."""
        if self.fault is not None:
            return
        try:
            view = memoryview(data)
            while view:
                view = view[self._tls.write(view) :]
            self._send()
        except ssl.SSLError as fault:
            self.fault = self._refused(fault)
        except OSError as fault:
            # What the server said before it hung up may still be there to read; only if it is not, this is the fault.
            self._unsent = b""
            if fault.errno not in (errno.EPIPE, errno.ECONNRESET):
                self.fault = Away(_said(fault))

    def close(self) -> None:
        """Hang up, politely where that costs no waiting."""
        if self.ready and self.fault is None:
            with contextlib.suppress(OSError):  # to be told that the other side has not said goodbye yet, above all
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._send()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._watch(self._socket.fileno(), 0)
            self._socket.close()
            self._socket = None

    def _connect(self, before: str) -> None:
        """Begin with the next address."""
        self._hang_up()
        while self._addresses:
            family, kind, protocol, _, address = self._addresses.pop(0)
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            failed = made.connect_ex(address)
            if failed in (0, errno.EINPROGRESS):
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket = made
                self._watch(made.fileno(), select.EPOLLOUT)
                self.deadline = time.monotonic() + ADDRESS_SECONDS if self._addresses else None
                return
            made.close()
            before = os.strerror(failed)
        raise Away(f"no connection to {self._host}: {before or 'it has no address'}")

    def _connected(self) -> None:
        failed = self._open_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._connect(os.strerror(failed))
            return
        try:
            self._open_socket.getpeername()
        except OSError:
            return  # not yet
        self.deadline = None
        if self._proxy is None:
            self._stage = _Stage.HANDSHAKE
            return
        self._stage = _Stage.TUNNEL
        place = f"{self._host}:{self._port}"
        order = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
        if self._proxy.username:
            who = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            order += f"Proxy-Authorization: Basic {base64.b64encode(who.encode()).decode()}\r\n"
        self._unsent = f"{order}\r\n".encode()
        self._send()

    def _dig(self) -> None:
        """Wait for the proxy's word. What comes behind it is not expected: TLS has the client speak first."""
        if self._unsent:
            self._send()
        with contextlib.suppress(BlockingIOError):
            said = self._open_socket.recv(PROXY_ANSWER_LIMIT)
            self._heard += said
            if not said or len(self._heard) > PROXY_ANSWER_LIMIT:
                raise Away("the proxy broke off")
        if b"\r\n\r\n" in self._heard:
            first = self._heard.split(b"\r\n", 1)[0]
            if not re.fullmatch(rb"HTTP/1\.[01] 2\d\d.*", first):
                raise Away(f"the proxy says {first[:80].decode('latin-1')}")
            self._heard, self._stage = b"", _Stage.HANDSHAKE

    def _shake_hands(self) -> None:
        gone = not self._receive()
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            if gone:
                raise Away("it hung up during the TLS handshake") from None
        else:
            if self._tls.selected_alpn_protocol() != "h2":
                raise Away("it does not speak HTTP/2")
            self._stage = _Stage.OPEN
        finally:
            with contextlib.suppress(OSError):  # an alert of ours at best: what ended the handshake is told already
                self._send()

    def _read(self) -> bytes:
        if self._unsent:
            self._send_on()
            if self.clogged:
                return b""
        gone = not self._receive()
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
            gone = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as fault:
            self.fault = self._refused(fault)
        if gone and self.fault is None:
            self.fault = Away("it hung up")
        if self._outgoing.pending:
            self._send_on()
        return b"".join(pieces)

    def _send_on(self) -> None:
        """Send what waits. A socket that takes nothing any more may still have something to read, which says why."""
        try:
            self._send()
        except OSError:
            self._unsent = b""

    def _receive(self) -> bool:
        """Move what has come to TLS; False when the other side has hung up."""
        try:
            raw = self._open_socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        self._incoming.write(raw)
        return bool(raw)

    def _send(self) -> None:
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        waited = bool(self._unsent)
        if waited:
            try:
                sent = self._open_socket.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                sent = 0
            self._unsent = self._unsent[sent:]
        hear, say = 0 if self.clogged else select.EPOLLIN, select.EPOLLOUT if self._unsent else 0
        self._watch(self._open_socket.fileno(), hear | say)

    def _refused(self, fault: ssl.SSLError) -> Away:
        text = _said(fault)
        refused = isinstance(fault, ssl.SSLCertVerificationError) or bool(_CERTIFICATE_REFUSED.search(text))
        if _NO_REASON in text:
            # Once a cipher is agreed on, only who we are was left to be looked at.
            refused = self._shown and self._tls.cipher() is not None
        return Away(text, Fault.MISSET if refused else Fault.LOST)

    @property
    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise Away("it was hung up")
        return self._socket


def _addresses(host: str, port: int, seconds: float) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    """Where a name leads. The system's look-up cannot be broken off, so it runs beside, and is left alone when late."""
    with contextlib.suppress(socket.gaierror):
        return list(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)
        )
    found: list[tuple[int, int, int, str, tuple[object, ...]]] = []
    why = [f"the look-up of {host} takes too long"]

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:ADDRESSES_TRIED])
        except (OSError, UnicodeError) as fault:
            why[0] = f"{host} is not found: {fault}"

    thread = threading.Thread(target=look_up, name="apns-name", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise Away(why[0])
    return found


def _proxy(host: str) -> SplitResult | None:
    """The proxy that this system is set to use for https (`https_proxy`, `no_proxy`); None for none."""
    said = getproxies()
    place = said.get("https") or said.get("all")
    if not place or proxy_bypass(host):
        return None
    parts = urlsplit(place if "//" in place else f"http://{place}")
    if parts.scheme != "http" or not parts.hostname:
        raise Away(f"only proxies of http are used for the push service, not one of {parts.scheme}", Fault.MISSET)
    return parts


def _said(fault: OSError) -> str:
    return str(fault.strerror or fault)[:300]
