"""Owns one HTTP/2 connection of the sandbox's APNs server: its streams, its limit of streams, its goodbyes.

The library h2 keeps the state of the protocol; this file decides what APNs does with it: the limit that starts at one,
the drop of whoever overruns it, answers that come late, never, or after a GOAWAY.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError, TooManyStreamsError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

FIRST_LIMIT = 1
KEPT_BODY = 4096 + 1  # one byte more than APNs takes is enough to know that it is too much
BODY_LIMIT = 256 * 1024
LINGER_SECONDS = 0.2
NO_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Answer:
    """What APNs says to one notification. `timestamp` (UTC) goes with 410; `silent` never answers at all."""

    status: int = 200
    reason: str = ""
    timestamp: datetime | None = None
    retry_after_seconds: int | None = None
    delay_seconds: float = 0.0
    silent: bool = False

    def body(self) -> bytes:
        if self.status == 200:
            return b""
        content: dict[str, str | int] = {"reason": self.reason}
        if self.timestamp is not None:
            content["timestamp"] = int(self.timestamp.timestamp() * 1000)
        return json.dumps(content).encode()


@dataclass
class Request:
    """One notification while it arrives. Of a body that is too large only the beginning is kept."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    arrived_bytes: int = 0


@dataclass
class Counts:
    """What has happened since the start; `by_token` were opened by a provider token and not by a certificate.
    `most_in_flight` is the highest number of streams open on one connection."""

    accepted: int = 0
    by_token: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    overruns: int = 0
    resets: int = 0
    most_in_flight: int = 0


class Server(Protocol):
    """What a connection needs of the server that it belongs to."""

    streams: int

    @property
    def counts(self) -> Counts: ...
    def joined(self, connection: Connection) -> bool: ...
    def left(self, connection: Connection) -> None: ...
    def is_last(self) -> bool: ...
    def judge(self, request: Request, topic: str) -> Answer: ...


class Connection(asyncio.Protocol):
    """One client's connection, inside TLS. Its topic is the UID of the client certificate."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        # Given as initial values, the limit holds from the first byte on, not only from the client's acknowledgement.
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: FIRST_LIMIT,
                SettingCodes.MAX_HEADER_LIST_SIZE: 16_384,
            },
        )
        self._limit = FIRST_LIMIT
        self._open: dict[int, Request] = {}
        self._goodbye: int | None = None
        self._flushing = False
        self._topic = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio hands a TLS server nothing else
        self._transport = transport
        tls = transport.get_extra_info("ssl_object")
        self._topic = _user_id(tls.getpeercert())
        if not self._server.joined(self) or tls.selected_alpn_protocol() != "h2":
            transport.abort()
            return
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._server.left(self)
        self._open.clear()
        self._transport = None

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except TooManyStreamsError:
            self._server.counts.overruns += 1
            self._drop()
            return
        except (ProtocolError, UnicodeDecodeError):
            self._drop()
            return
        arrived = sum(isinstance(event, RequestReceived) for event in events)
        counts = self._server.counts
        counts.most_in_flight = max(counts.most_in_flight, len(self._open) + arrived)
        self._follow(events)
        self._flush()

    def _follow(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, RequestReceived):
                self._began(event)
            elif isinstance(event, DataReceived):
                self._continued(event)
            elif isinstance(event, StreamEnded):
                self._ended(event.stream_id)
            elif isinstance(event, StreamReset):
                self._server.counts.resets += 1
                self._forget(event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self._open.clear()
                self._close()

    def _began(self, event: RequestReceived) -> None:
        stream = event.stream_id
        if self._goodbye is not None and stream > self._goodbye:
            return
        headers = {str(name): str(value) for name, value in event.headers}
        self._open[stream] = Request(headers.get(":method", ""), headers.get(":path", ""), headers)
        if self._goodbye is None and self._server.is_last():
            # Written past h2, which ends a connection at its own GOAWAY: here the earlier streams are still answered.
            self._goodbye = stream
            frame = GoAwayFrame(0, last_stream_id=stream, additional_data=b'{"reason":"Shutdown"}')
            self._write(self._h2.data_to_send() + frame.serialize())

    def _continued(self, event: DataReceived) -> None:
        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        request = self._open.get(event.stream_id)
        if request is None:
            return
        request.arrived_bytes += len(event.data)
        request.body += event.data[: max(0, KEPT_BODY - len(request.body))]
        if request.arrived_bytes > BODY_LIMIT:
            self._h2.reset_stream(event.stream_id, ErrorCodes.CANCEL)
            self._forget(event.stream_id)

    def _ended(self, stream: int) -> None:
        request = self._open.get(stream)
        if request is None:
            return
        answer = self._server.judge(request, self._topic)
        if answer.silent:
            return
        if answer.delay_seconds > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(answer.delay_seconds, self._answer_late, stream, answer)
        else:
            self._answer(stream, answer)

    def _answer_late(self, stream: int, answer: Answer) -> None:
        if stream in self._open:
            self._answer(stream, answer)
            if not self._flushing:  # many answers fall due in one turn of the loop: one write for all of them
                self._flushing = True
                asyncio.get_running_loop().call_soon(self._flush)

    def _answer(self, stream: int, answer: Answer) -> None:
        request = self._open[stream]
        self._move_limit(self._server.streams if answer.status == 200 else FIRST_LIMIT)
        body = answer.body()
        given = request.headers.get("apns-id", "")
        number = given if is_uuid(given) else str(uuid.uuid4()).upper()
        headers = [(":status", str(answer.status)), ("apns-id", number)]
        if body:
            headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
        if answer.retry_after_seconds is not None:
            headers.append(("retry-after", str(answer.retry_after_seconds)))
        self._h2.send_headers(stream, headers, end_stream=not body)
        if body:
            self._h2.send_data(stream, body, end_stream=True)
        self._forget(stream)

    def _move_limit(self, limit: int) -> None:
        """Announced before the answer that causes it, so that a client which has its answer knows the limit too."""
        if limit != self._limit:
            self._limit = limit
            self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: limit})

    def _forget(self, stream: int) -> None:
        self._open.pop(stream, None)
        if self._goodbye is not None and not self._open:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close)

    def _flush(self) -> None:
        self._flushing = False
        self._write(self._h2.data_to_send())

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _drop(self) -> None:
        """h2 has already put its GOAWAY into the buffer: say it, and hang up."""
        self._flush()
        self._open.clear()
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _user_id(certificate: dict[str, Any] | None) -> str:
    """The UID of the subject (Apple puts the pass type there), or nothing."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "userId":
                return str(value)
    return ""


def is_uuid(text: str) -> bool:
    """Whether this can be the id of a notification: Apple's canonical form, of either case."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
