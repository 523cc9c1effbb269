"""Owns the frames of one HTTP/2 connection to APNs (RFC 9113), of a client that only pushes; bytes in, bytes out.

It opens no more streams than the server's settings allow, sends no byte beyond its windows, and believes no frame that
may not be: what breaks the protocol raises `Broken` and ends the connection. Memory is bounded whatever comes: one
frame, one header block, a body of 4,096 bytes for each stream in flight; and a server that keeps the client busy
without ever answering is cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Generic, TypeVar

from wallet_server.wallets.apple import apns_headers
from wallet_server.wallets.apple.apns_headers import BadBlock, Template

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOODBYE, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WEIGHED = 0x1, 0x1, 0x4, 0x8, 0x20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL, FLOW, SIZE, CANCEL, COMPRESSION, CALM = 0, 1, 3, 6, 8, 9, 11
REFUSED = 7
UNPROCESSED = -1  # not on the wire: what a goodbye says of the streams above its last one

FRAME_LIMIT = 16_384  # what the protocol lets a peer send that was told nothing else
BLOCK_LIMIT = 32_768
ANSWER_LIMIT = 4_096  # no answer of APNs is that long
PARTS_LIMIT = 16  # frames of one header block
BUSYWORK_LIMIT = 10_000  # frames without an answer among them
OUR_WINDOW = 65_535
LAST_STREAM = 2**31 - 1
MOST = 2**31 - 1

BODY = b"{}"  # Apple: an empty dictionary; everything else in it is ignored
_HEAD = struct.Struct(">IBI").unpack_from
_PAIR = struct.Struct(">HI").iter_unpack
_LONG = struct.Struct(">I")
_TWO_HUNDRED = 0x88  # entry 8 of HPACK's static table
_FINAL = END_STREAM | END_HEADERS
_DATA_HEAD = b"\x00\x00\x02\x00\x01"  # the whole body, and the end of the stream

Cargo = TypeVar("Cargo")
Fields = Sequence[tuple[bytes, bytes]]


class Broken(Exception):
    """The server broke the protocol. `code` is the error code of RFC 9113, section 7."""

    def __init__(self, sentence: str, code: int = PROTOCOL) -> None:
        super().__init__(sentence)
        self.code = code


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(content) << 8 | kind, flags, stream) + content


class _Answer:
    """What has come of one answer so far."""

    __slots__ = ("body", "fields", "status")

    def __init__(self, status: int, fields: Fields) -> None:
        self.status, self.fields, self.body = status, fields, b""


class _Owed:
    """How much of a body the server has not let us send yet, and what its stream's window is."""

    __slots__ = ("at", "window")

    def __init__(self, window: int) -> None:
        self.at, self.window = 0, window


class Frames(Generic[Cargo]):
    """The state of one connection. `streams` are the requests in flight, in the order in which they were sent; whatever
    ends one puts it into `ended` as (cargo, status, body, headers, code): the status is 0 when there is no answer, and
    then the code says why. `goodbye` is the last stream that the server will answer, once it has said so."""

    def __init__(self) -> None:
        self.streams: dict[int, Cargo] = {}
        self.ended: list[tuple[Cargo, int, bytes, Fields, int]] = []
        self.goodbye: int | None = None
        self.farewell = ""
        self._next = 1
        self._limit, self._window, self._first_window = 1, 65_535, 65_535
        self._greeted = False
        self._left = b""
        self._answers: dict[int, _Answer] = {}
        self._owed: dict[int, _Owed] = {}
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags, what there is of an open header block
        self._block_parts = 0
        self._received = 0
        self._busywork = 0
        # No table for headers, no promises. What else is said is the default, and said for whoever reads a trace.
        settings = struct.pack(">HIHIHIHI", 1, 0, 2, 0, 4, OUR_WINDOW, 6, BLOCK_LIMIT)
        self._out: list[bytes] = [PREFACE, frame(SETTINGS, 0, 0, settings)]

    @property
    def exhausted(self) -> bool:
        """Whether the numbers of streams are used up, which needs a new connection."""
        return self._next > LAST_STREAM

    @property
    def _plain(self) -> bool:
        """Whether a common answer may be taken the short way: no header block is open, and no body waits."""
        return self._greeted and self._block is None and not self._owed

    @property
    def room(self) -> int:
        """How many requests the server takes at this moment; one until its settings have come."""
        if self.goodbye is not None:
            return 0
        ids = (LAST_STREAM - self._next) // 2 + 1
        return max(0, min(self._limit - len(self.streams), self._window // len(BODY), ids))

    def post(self, cargo: Cargo, template: Template, token: bytes) -> None:
        """Send one request. Never call it without `room`."""
        number = self._next
        self._next = number + 2
        self.streams[number] = cargo
        stream = number.to_bytes(4, "big")
        head = (template.size << 16 | HEADERS << 8 | END_HEADERS).to_bytes(5, "big")
        if self._first_window >= len(BODY):
            self._window -= len(BODY)
            self._out += (head, stream, template.before, token, template.behind, _DATA_HEAD, stream, BODY)
        else:
            self._out += (head, stream, template.before, token, template.behind)
            self._owed[number] = _Owed(self._first_window)
            self._pay()

    def cancel(self, stream: int) -> Cargo:
        """Give up waiting for this one."""
        self._out.append(frame(RESET, 0, stream, _LONG.pack(CANCEL)))
        return self._drop(stream)

    def close(self, code: int = NO_ERROR) -> None:
        """Say goodbye; nothing is read afterwards."""
        self._out.append(frame(GOODBYE, 0, 0, struct.pack(">II", 0, code)))

    def take(self) -> bytes:
        """What is to be sent now."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def feed(self, data: bytes) -> None:
        """Read what has come. Raises `Broken`; what ended before that is in `ended` all the same."""
        data = self._left + data if self._left else data
        at, end = 0, len(data)
        streams, ended, answers = self.streams, self.ended, self._answers
        plain = self._plain
        try:
            while end - at >= 9:
                head, flags, stream = _HEAD(data, at)
                length, kind = head >> 8, head & 0xFF
                if length > FRAME_LIMIT:
                    raise Broken("a frame is too long", SIZE)
                stop = at + 9 + length
                if stop > end:
                    break
                start, at = at + 9, stop
                # The common answers: 200 in one frame, or in one and an empty one. No table depends on the rest of the
                # headers, and nobody asks for it.
                if not plain or stream not in streams:
                    self._read(kind, flags, stream & MOST, data[start:stop])
                    plain = self._plain
                elif stream in answers:
                    if kind == DATA and flags == END_STREAM and not length:
                        answer = answers.pop(stream)
                        ended.append((streams.pop(stream), answer.status, answer.body, answer.fields, 0))
                        self._busywork = 0
                    else:
                        self._read(kind, flags, stream, data[start:stop])
                        plain = self._plain
                elif kind == HEADERS and length and data[start] == _TWO_HUNDRED and flags == _FINAL:
                    ended.append((streams.pop(stream), 200, b"", (), 0))
                    self._busywork = 0
                elif kind == HEADERS and length and data[start] == _TWO_HUNDRED and flags == END_HEADERS:
                    answers[stream] = _Answer(200, ())
                else:
                    self._read(kind, flags, stream, data[start:stop])
                    plain = self._plain
        finally:
            self._left = data[at:]

    def _read(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if not self._greeted and (kind != SETTINGS or flags & ACK):
            raise Broken("the server does not begin with its settings")
        if self._block is not None and (kind != CONTINUATION or stream != self._block[0]):
            raise Broken("a header block is interrupted")
        self._busywork += 1
        if self._busywork > BUSYWORK_LIMIT:
            raise Broken("the server sends much and answers nothing", CALM)
        if kind in (DATA, HEADERS, RESET, CONTINUATION):
            self._about_stream(kind, flags, stream, content)
        elif kind == SETTINGS:
            self._settle(flags, stream, content)
        elif kind == PING:
            _expect(len(content) == 8, stream == 0)
            if not flags & ACK:
                self._out.append(frame(PING, ACK, 0, content))
        elif kind == WINDOW:
            self._widen(stream, content)
        elif kind == GOODBYE:
            self._bid_goodbye(stream, content)
        elif kind == PROMISE:
            raise Broken("the server promises what it was told not to")
        elif kind == PRIORITY:
            _expect(len(content) == 5, stream != 0)
        # What is of no known kind is passed over (RFC 9113, 4.1).

    # --- what belongs to one request ---------------------------------------------------------------------------

    def _about_stream(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if stream == 0 or not stream & 1 or stream >= self._next:
            raise Broken("a frame belongs to no request")
        if kind == DATA:
            self._hear_body(flags, stream, content)
        elif kind == RESET:
            _expect(len(content) == 4, True)
            if stream in self.streams:
                self.ended.append((self._drop(stream), 0, b"", (), _LONG.unpack(content)[0]))
        elif kind == HEADERS:
            content = _unpadded(content, flags)
            if flags & WEIGHED:
                if len(content) < 5:
                    raise Broken("a frame is too short", SIZE)
                content = content[5:]
            self._gather(stream, flags, content)
        elif self._block is None:
            raise Broken("the continuation of nothing")
        else:
            self._gather(stream, flags, content)

    def _gather(self, stream: int, flags: int, part: bytes) -> None:
        """A header block, in as many frames as the server likes, within a limit."""
        if self._block is None:
            self._block, self._block_parts = (stream, flags, bytearray()), 0
        _, began, block = self._block
        block += part
        self._block_parts += 1
        if len(block) > BLOCK_LIMIT or self._block_parts > PARTS_LIMIT:
            raise Broken("the headers of an answer are too long", CALM)
        if flags & END_HEADERS:
            self._block = None
            self._hear_headers(stream, bytes(block), bool(began & END_STREAM))

    def _hear_headers(self, stream: int, block: bytes, last: bool) -> None:
        if stream not in self.streams:
            return  # given up or ended before; without a table there is nothing to keep in step
        answer = self._answers.get(stream)
        if answer is None:
            if block[:1] == b"\x88":
                status, fields = 200, []
            else:
                try:
                    fields = apns_headers.read(block)
                    status = apns_headers.status_of(fields)
                except BadBlock as fault:
                    raise Broken(str(fault), COMPRESSION) from fault
            if status < 200:
                if last or status == 101:
                    raise Broken("an answer ends before it begins")
                return
            answer = self._answers[stream] = _Answer(status, fields)
        elif not last:
            raise Broken("an answer has two beginnings")
        if last:
            self._finish(stream, answer)

    def _hear_body(self, flags: int, stream: int, content: bytes) -> None:
        self._received += len(content)
        if self._received > OUR_WINDOW:
            raise Broken("more was sent than the window allows", FLOW)
        if self._received > OUR_WINDOW // 2:
            self._out.append(frame(WINDOW, 0, 0, _LONG.pack(self._received)))
            self._received = 0
        content = _unpadded(content, flags)
        if stream not in self.streams:
            return
        answer = self._answers.get(stream)
        if answer is None:
            raise Broken("an answer begins with its body")
        if len(answer.body) + len(content) > ANSWER_LIMIT:
            self.ended.append((self.cancel(stream), 0, b"", (), CANCEL))
            return
        answer.body += content
        if flags & END_STREAM:
            self._finish(stream, answer)

    def _finish(self, stream: int, answer: _Answer) -> None:
        if stream in self._owed:  # answered before it was asked to the end: then nobody wants the rest
            self._out.append(frame(RESET, 0, stream, _LONG.pack(CANCEL)))
        self.ended.append((self._drop(stream), answer.status, answer.body, answer.fields, 0))
        self._busywork = 0

    def _drop(self, stream: int) -> Cargo:
        self._answers.pop(stream, None)
        self._owed.pop(stream, None)
        return self.streams.pop(stream)

    # --- what belongs to the connection ------------------------------------------------------------------------

    def _settle(self, flags: int, stream: int, content: bytes) -> None:
        _expect(len(content) % 6 == 0, stream == 0)
        if flags & ACK:
            _expect(not content, True)
            return
        if not self._greeted:
            self._greeted, self._limit = True, MOST
        for name, value in _PAIR(content):
            if name == 2 and value != 0:
                raise Broken("the server would be pushed to")
            if name == 3:
                self._limit = value
            elif name == 4:
                if value > MOST:
                    raise Broken("a window is too wide", FLOW)
                for owed in self._owed.values():
                    owed.window += value - self._first_window
                    if owed.window > MOST:
                        raise Broken("a window is too wide", FLOW)
                self._first_window = value
            elif name == 5 and not FRAME_LIMIT <= value < 2**24:
                raise Broken("the server's limit of frames is none")
        self._out.append(frame(SETTINGS, ACK, 0))
        self._pay()

    def _widen(self, stream: int, content: bytes) -> None:
        _expect(len(content) == 4, True)
        more = _LONG.unpack(content)[0] & MOST
        if more == 0:
            raise Broken("a window is widened by nothing")
        if stream == 0:
            self._window += more
        elif not stream & 1 or stream >= self._next:
            raise Broken("a frame belongs to no request")
        elif stream in self._owed:
            self._owed[stream].window += more
        if self._window > MOST or (stream in self._owed and self._owed[stream].window > MOST):
            raise Broken("a window is too wide", FLOW)
        self._pay()

    def _pay(self) -> None:
        """Send what the windows allow of the bodies that wait."""
        for stream, owed in list(self._owed.items()):
            part = BODY[owed.at : owed.at + max(0, min(owed.window, self._window))]
            if not part:
                continue
            owed.at += len(part)
            owed.window -= len(part)
            self._window -= len(part)
            whole = owed.at == len(BODY)
            self._out.append(frame(DATA, END_STREAM if whole else 0, stream, part))
            if whole:
                del self._owed[stream]

    def _bid_goodbye(self, stream: int, content: bytes) -> None:
        if len(content) < 8:
            raise Broken("a frame is too short", SIZE)
        _expect(True, stream == 0)
        last = _LONG.unpack_from(content)[0] & MOST
        self.goodbye = last if self.goodbye is None else min(last, self.goodbye)
        self.farewell = content[8:208].decode("utf-8", "replace")
        for number in [one for one in self.streams if one > self.goodbye]:
            self.ended.append((self._drop(number), 0, b"", (), UNPROCESSED))


def _expect(fits: bool, belongs: bool) -> None:
    if not fits:
        raise Broken("a frame has the wrong length", SIZE)
    if not belongs:
        raise Broken("a frame stands on the wrong stream")


def _unpadded(content: bytes, flags: int) -> bytes:
    if not flags & PADDED:
        return content
    if not content or content[0] >= len(content):
        raise Broken("a frame is all padding")
    return content[1 : len(content) - content[0]]
