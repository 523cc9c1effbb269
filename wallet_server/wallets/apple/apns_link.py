"""Owns the connections to APNs: HTTP/2 through libcurl, driven by epoll, many streams on one connection.

A new connection may have one stream until APNs announces more, and libcurl would overrun that (it assumes 100 until
the first SETTINGS frame has come). So each connection has a multi handle of its own, its first send goes alone, and
libcurl may open a socket for nothing but that first send: what it would silently retry on a fresh connection after a
GOAWAY or a cut comes back as a fault instead, to be sent again in good order. Certificate, key and trust root stay in
memory.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import pycurl

from wallet_server.wallets.apple.apns_answers import Target

SHALLOW = 100  # streams in flight that keep a connection busy when answers take no time
STREAMS_PER_SECOND = 20_000  # what one connection is worth: the depth that reaches it grows with the latency
ANSWER_LIMIT = 4096
IDLE_SECONDS = 60.0  # a connection that was silent for longer may be gone: its next send goes alone again
ANSWERS_AT_ONCE = 256

_SETTINGS_AT_FAULT = frozenset(
    (
        pycurl.E_URL_MALFORMAT,
        pycurl.E_BAD_FUNCTION_ARGUMENT,  # a key that is not the certificate's
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
    )
)
# With TLS 1.3 the server looks at the client's certificate after the handshake: its refusal arrives as a failed read.
_CERTIFICATE_REFUSED = re.compile(
    r"alert (bad certificate|unsupported certificate|certificate|unknown ca|access denied)"
)


class Fault(Enum):
    """Why no answer came."""

    LOST = "lost"  # the connection failed or was cut
    UNSENT = "unsent"  # the connection went away before this one was sent
    TIMEOUT = "timeout"
    MISSET = "misset"  # TLS refused a certificate, ours or theirs


class Phase(Enum):
    COLD = "cold"  # no connection
    PROVING = "proving"  # one send at a time, until APNs has taken one
    OPEN = "open"
    DRAINING = "draining"  # nothing new; once the rest is answered or lost, COLD


@dataclass(frozen=True)
class Dial:
    """Where to connect and as whom; without a certificate the headers say it, by a provider token. `trust` is a root in
    memory, `trust_file` the system's collection on disk (a file, because each of a thousand handles would keep its own
    copy of what is in memory)."""

    address: str
    certificate_pem: bytes | None = field(repr=False)
    key_pem: bytes | None = field(repr=False)
    trust: bytes | None = field(repr=False)
    trust_file: str | None
    timeout_seconds: float
    depth: int
    direct: bool


class Shot:
    """One target on its way, how often it has been tried, and the headers that it went with last."""

    __slots__ = ("headers", "target", "tries")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tries = 0
        self.headers: list[str] | None = None


class Reply(NamedTuple):
    """What came of a shot: a status, or 0 and the fault. `broke` says that this one ended its connection. A tuple,
    because one is made for every push, in a quarter of a dataclass's time."""

    shot: Shot
    status: int
    body: bytes = b""
    retry_after: int = 0
    fault: Fault | None = None
    text: str = ""
    proving: bool = False
    broke: bool = False


class _Stream:
    """One reusable easy handle and what it is carrying."""

    __slots__ = ("body", "curl", "headers", "shot")

    def __init__(self, dial: Dial, shot: Shot, opener: Callable[[int, Any], Any]) -> None:
        self.body = b""
        self.headers: list[str] = []
        self.shot = shot
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT_MS, int(dial.timeout_seconds * 1000))
        curl.setopt(pycurl.MAXAGE_CONN, 3600)
        if dial.certificate_pem is not None:
            curl.setopt(pycurl.SSLCERTTYPE, "PEM")
            curl.setopt(pycurl.SSLKEYTYPE, "PEM")
            curl.setopt(pycurl.SSLCERT_BLOB, dial.certificate_pem)
            curl.setopt(pycurl.SSLKEY_BLOB, dial.key_pem)
        if dial.trust is not None:
            curl.setopt(pycurl.CAINFO_BLOB, dial.trust)
        elif dial.trust_file is not None:
            curl.setopt(pycurl.CAINFO, dial.trust_file)
        if dial.direct:
            curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.OPENSOCKETFUNCTION, opener)
        curl.setopt(pycurl.WRITEFUNCTION, self._keep)
        curl.setopt(pycurl.POSTFIELDS, "{}")  # Apple: an empty dictionary; everything else in it is ignored

    def _keep(self, data: bytes) -> int | None:
        if len(self.body) + len(data) > ANSWER_LIMIT:
            return 0  # no answer of APNs is that long
        self.body += data
        return None


class Link:
    """One connection to APNs."""

    def __init__(self, dial: Dial, epoll: select.epoll, owners: dict[int, Link]) -> None:
        self._dial = dial
        self._epoll = epoll
        self._owners = owners
        self._prefix = f"{dial.address}/3/device/".encode()
        self._free: list[_Stream] = []
        self._busy: dict[Any, _Stream] = {}
        self._latency = 0.0
        self._probe: Shot | None = None
        self._heard_at = 0.0
        self.phase = Phase.COLD
        self.headers: list[str] = []
        self.deadline: float | None = None
        self.rest_until = 0.0
        self._multi = self._open_multi()

    @property
    def in_flight(self) -> int:
        return len(self._busy)

    @property
    def latency(self) -> float:
        """Seconds an answer takes when nothing is queued before it: measured on sends that found the connection empty,
        above all on the one that goes alone. Under load the wait in the queue would ask for a deeper queue, without
        end; so from then on it falls at once and rises slowly."""
        return self._latency

    def room(self, now: float) -> int:
        """How many more may be sent at this moment."""
        if self.phase is Phase.OPEN:
            if not self._busy and now - self._heard_at > IDLE_SECONDS:
                self.phase = Phase.PROVING
                return 1
            wanted = max(SHALLOW, int(self._latency * STREAMS_PER_SECOND))
            return min(wanted, self._dial.depth) - len(self._busy)
        if self.phase is Phase.DRAINING or self._busy or now < self.rest_until:
            return 0
        return 1

    def send(self, shot: Shot) -> None:
        if self.phase is Phase.COLD:
            self.phase = Phase.PROVING
        stream = self._free.pop() if self._free else _Stream(self._dial, shot, self._open_socket)
        stream.shot, stream.body = shot, b""
        if stream.headers is not self.headers:
            stream.headers = self.headers
            stream.curl.setopt(pycurl.HTTPHEADER, self.headers)
        stream.curl.setopt(pycurl.URL, self._prefix + shot.target.token.lower().encode())
        shot.tries += 1
        shot.headers = self.headers
        if not self._busy:
            self._probe = shot
        self._busy[stream.curl] = stream
        self._multi.add_handle(stream.curl)

    def act(self, descriptor: int, bits: int) -> None:
        self._multi.socket_action(descriptor, bits)

    def replies(self) -> Iterator[Reply]:
        """What has come in since the last time."""
        waiting = 1
        while waiting:
            waiting, answered, failed = self._multi.info_read(ANSWERS_AT_ONCE)
            for curl in answered:
                yield self._answered(curl)
            for curl, code, text in failed:
                yield self._failed(curl, code, text)
        if self.phase is Phase.DRAINING and not self._busy:
            self._go_cold()

    def retire(self) -> None:
        """Use this connection for nothing new, and connect afresh once the rest is answered."""
        self.phase = Phase.DRAINING
        if not self._busy:
            self._go_cold()

    def close(self) -> None:
        for curl in list(self._busy):
            self._release(curl)
        self._close_multi()
        for stream in self._free:
            stream.curl.close()
        self._free.clear()

    def _answered(self, curl: Any) -> Reply:
        proving = self.phase is Phase.PROVING
        status: int = curl.getinfo(pycurl.RESPONSE_CODE)
        self._heard_at = time.monotonic()
        if self._busy[curl].shot is self._probe:
            took = curl.getinfo(pycurl.TOTAL_TIME) - curl.getinfo(pycurl.PRETRANSFER_TIME)
            self._latency = took if proving else min(took, self._latency * 1.25 + 0.001)
        if status == 200:
            if proving:
                self.phase = Phase.OPEN
            return Reply(self._release(curl).shot, 200)
        retry_after = int(curl.getinfo(pycurl.RETRY_AFTER))
        stream = self._release(curl)
        return Reply(stream.shot, status, stream.body, retry_after, proving=proving)

    def _failed(self, curl: Any, code: int, text: str) -> Reply:
        proving, before = self.phase is Phase.PROVING, self.phase
        secured = curl.getinfo(pycurl.APPCONNECT_TIME) > 0
        shot = self._release(curl).shot
        if code in _SETTINGS_AT_FAULT or _CERTIFICATE_REFUSED.search(text):
            fault = Fault.MISSET
        elif code == pycurl.E_OPERATION_TIMEDOUT:
            fault = Fault.TIMEOUT
        elif code == pycurl.E_COULDNT_CONNECT and not proving:
            fault = Fault.UNSENT
            shot.tries -= 1
        else:
            fault = Fault.LOST
            if proving and secured:
                text = f"it closes connections without an answer, as it would for a certificate it rejects: {text}"
        self.retire()
        return Reply(shot, 0, fault=fault, text=text, proving=proving, broke=before is not Phase.DRAINING)

    def _release(self, curl: Any) -> _Stream:
        stream = self._busy.pop(curl)
        self._multi.remove_handle(curl)
        self._free.append(stream)
        return stream

    def _go_cold(self) -> None:
        """A new multi handle, so that nothing of the old connection (a socket that went silent, a limit) lives on."""
        self._close_multi()
        self._multi = self._open_multi()
        self.phase = Phase.COLD
        self._latency, self._probe = 0.0, None

    def _open_multi(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, self._dial.depth)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        return multi

    def _close_multi(self) -> None:
        self._multi.close()
        self.deadline = None
        for descriptor in [one for one, link in self._owners.items() if link is self]:
            self._unwatch(descriptor)

    def _open_socket(self, purpose: int, address: Any) -> Any:
        if self.phase is not Phase.PROVING:
            return pycurl.SOCKET_BAD
        return socket.socket(address[0], address[1], address[2])

    def _watch(self, event: int, descriptor: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            self._unwatch(descriptor)
            return
        wanted = (select.EPOLLIN if event & pycurl.POLL_IN else 0) | (select.EPOLLOUT if event & pycurl.POLL_OUT else 0)
        if descriptor in self._owners:
            self._epoll.modify(descriptor, wanted)
        else:
            self._owners[descriptor] = self
            self._epoll.register(descriptor, wanted)

    def _unwatch(self, descriptor: int) -> None:
        if self._owners.pop(descriptor, None) is not None:
            try:
                self._epoll.unregister(descriptor)
            except OSError:
                return  # libcurl has closed it already, and with that it left the epoll

    def _set_timer(self, milliseconds: int) -> None:
        self.deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


class Exchange:
    """One to four connections with the same credential, for one caller at a time."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._epoll = select.epoll()
        self._owners: dict[int, Link] = {}
        self.links = [Link(dial, self._epoll, self._owners)]

    @property
    def in_flight(self) -> int:
        return sum(link.in_flight for link in self.links)

    def grow(self) -> None:
        """One connection more."""
        link = Link(self._dial, self._epoll, self._owners)
        link.headers = self.links[0].headers
        self.links.append(link)

    def prepare(self, headers: list[str]) -> None:
        """The request headers of everything that is sent from now on."""
        for link in self.links:
            link.headers = headers

    def turn(self, longest: float) -> None:
        """Let libcurl work: waits for the network up to `longest` seconds, less when one of its timers is due."""
        now = time.monotonic()
        due = [link.deadline for link in self.links if link.deadline is not None]
        wait = max(0.0, min([longest, *(deadline - now for deadline in due)]))
        for descriptor, mask in self._epoll.poll(wait, ANSWERS_AT_ONCE):
            link = self._owners.get(descriptor)
            if link is not None:
                link.act(descriptor, _curl_bits(mask))
        now = time.monotonic()
        for link in self.links:
            if link.deadline is not None and link.deadline <= now:
                link.deadline = None
                link.act(pycurl.SOCKET_TIMEOUT, 0)

    def close(self) -> None:
        for link in self.links:
            link.close()
        self._epoll.close()


def _curl_bits(mask: int) -> int:
    bits = 0
    if mask & (select.EPOLLIN | select.EPOLLHUP):
        bits |= pycurl.CSELECT_IN
    if mask & select.EPOLLOUT:
        bits |= pycurl.CSELECT_OUT
    if mask & select.EPOLLERR:
        bits |= pycurl.CSELECT_ERR
    return bits
