"""Owns the proof that our HTTP/2 frames are sound: against the library h2 as the server, which shares no code with
them, and against servers that send anything at all."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, GoAwayFrame, HeadersFrame
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.wallets.apple import apns_frames, apns_headers
from wallet_server.wallets.apple.apns_frames import Broken, Frames, frame

HEADERS = ["apns-topic: pass.com.example.card", "apns-expiration: 1800000000", "content-type: application/json"]
TOKEN = b"ab" * 32
TEMPLATE = apns_headers.templates("api.push.apple.com", "/3/device/", HEADERS, len(TOKEN))
SETTINGS = frame(apns_frames.SETTINGS, 0, 0, struct.pack(">HI", 3, 100))
OK = b"\x88"


class Server:
    """The library h2, which answers by order."""

    def __init__(self, streams: int = 100, window: int = 65_535) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.h2.update_settings(
            {SettingCodes.MAX_CONCURRENT_STREAMS: streams, SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.requests: dict[int, dict[bytes, bytes]] = {}
        self.bodies: dict[int, bytes] = {}
        self.whole: list[int] = []
        self.reset: list[int] = []

    def hear(self, data: bytes) -> list[Event]:
        events = self.h2.receive_data(data) if data else []
        for event in events:
            if isinstance(event, RequestReceived):
                self.requests[event.stream_id] = {_bytes(name): _bytes(value) for name, value in event.headers}
                self.bodies[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
            elif isinstance(event, StreamEnded):
                self.whole.append(event.stream_id)
            elif isinstance(event, StreamReset):
                self.reset.append(event.stream_id)
        return events

    def answer(self, stream: int, status: int = 200, body: bytes = b"", **headers: str) -> None:
        more = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.h2.send_headers(stream, [(":status", str(status)), ("apns-id", "a-b-c"), *more], end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=True)

    def said(self) -> bytes:
        return self.h2.data_to_send()


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def posted(frames: Frames[int], cargo: Iterable[int]) -> None:
    for one in cargo:
        assert frames.room > 0
        frames.post(one, TEMPLATE, TOKEN)


def greeted(server: Server) -> Frames[int]:
    frames: Frames[int] = Frames()
    server.hear(frames.take())
    frames.feed(server.said())
    server.hear(frames.take())
    return frames


def results(frames: Frames[int]) -> dict[int, tuple[int, bytes, int]]:
    return {cargo: (status, bytes(body), code) for cargo, status, body, _, code in frames.ended}


def test_a_request_is_what_an_independent_server_reads() -> None:
    server = Server()
    frames = greeted(server)
    posted(frames, range(3))
    server.hear(frames.take())
    assert server.whole == [1, 3, 5]
    assert server.bodies == {1: b"{}", 3: b"{}", 5: b"{}"}
    assert server.requests[3] == {
        b":method": b"POST",
        b":scheme": b"https",
        b":authority": b"api.push.apple.com",
        b":path": b"/3/device/" + TOKEN,
        b"apns-topic": b"pass.com.example.card",
        b"apns-expiration": b"1800000000",
        b"content-type": b"application/json",
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9, 10, 13, 1_000])
def test_answers_are_the_same_however_they_are_split(size: int) -> None:
    server = Server()
    frames = greeted(server)
    posted(frames, range(6))
    server.hear(frames.take())
    server.answer(1)
    server.answer(5, 400, b'{"reason":"BadDeviceToken"}')
    server.h2.ping(b"12345678")
    server.answer(3, 429, b'{"reason":"TooManyRequests"}', retry_after="7")
    server.answer(7)
    server.h2.reset_stream(9, 7)
    said = server.said()
    for at in range(0, len(said), size):
        frames.feed(said[at : at + size])
    assert results(frames) == {
        0: (200, b"", 0),
        2: (400, b'{"reason":"BadDeviceToken"}', 0),
        1: (429, b'{"reason":"TooManyRequests"}', 0),
        3: (200, b"", 0),
        4: (0, b"", 7),
    }
    rests = [apns_headers.retry_after(fields, datetime.now(UTC)) for _, status, _, fields, _ in frames.ended if status]
    assert rests == [0, 0, 7, 0]
    assert list(frames.streams.values()) == [5]
    assert any(type(event).__name__ == "PingAckReceived" for event in server.hear(frames.take()))


def test_a_new_connection_takes_one_until_the_settings_have_come_and_follows_them_after() -> None:
    server = Server(streams=3)
    frames: Frames[int] = Frames()
    assert frames.room == 1
    server.hear(frames.take())
    frames.feed(server.said())
    assert frames.room == 3
    posted(frames, range(3))
    assert frames.room == 0
    server.hear(frames.take())
    server.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    server.answer(1)
    frames.feed(server.said())
    assert (frames.room, len(frames.streams)) == (0, 2), "two are under way where one may be: no further one"
    server.answer(3)
    server.answer(5)
    frames.feed(server.said())
    assert frames.room == 1
    server.hear(frames.take())
    server.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
    frames.feed(server.said())
    assert frames.room == 0


@pytest.mark.parametrize("window", [0, 1])
def test_not_a_byte_is_sent_beyond_a_streams_window(window: int) -> None:
    server = Server(window=window)
    frames = greeted(server)
    posted(frames, range(2))
    server.hear(frames.take())
    assert (server.whole, server.bodies) == ([], {1: b"{"[:window], 3: b"{"[:window]})
    for _ in range(2 - window):  # h2 raises when more comes than a window takes
        server.h2.increment_flow_control_window(1, stream_id=3)
        frames.feed(server.said())
        server.hear(frames.take())
    assert server.whole == [3]
    assert server.bodies[3] == b"{}"
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 50})
    frames.feed(server.said())
    server.hear(frames.take())
    assert server.whole == [3, 1]
    posted(frames, [9])
    server.hear(frames.take())
    assert server.whole == [3, 1, 5]


def test_a_refusal_before_the_body_was_asked_for_ends_the_request() -> None:
    server = Server(window=0)
    frames = greeted(server)
    posted(frames, [1])
    server.hear(frames.take())
    server.answer(1, 413, b'{"reason":"PayloadTooLarge"}')
    frames.feed(server.said())
    assert results(frames) == {1: (413, b'{"reason":"PayloadTooLarge"}', 0)}
    server.hear(frames.take())
    assert server.reset == [1]


def test_the_window_of_a_connection_is_kept_and_refilled() -> None:
    frames: Frames[int] = Frames()
    frames.feed(frame(apns_frames.SETTINGS, 0, 0, struct.pack(">HI", 3, 100_000)))
    assert frames.room == 32_767, "two bytes each, of 65,535"
    posted(frames, range(32_767))
    assert frames.room == 0
    assert frames.take().count(b"\x00\x00\x02\x00\x01") == 32_767
    frames.feed(frame(apns_frames.WINDOW, 0, 0, struct.pack(">I", 1)))
    assert frames.room == 1
    frames.feed(frame(apns_frames.HEADERS, 5, 1, OK))
    assert (len(frames.ended), frames.room) == (1, 1)


def test_what_a_server_sends_is_acknowledged_within_its_window() -> None:
    server = Server(streams=1_000)
    frames = greeted(server)
    body = b"x" * 1_000
    for number in range(200):  # three windows full, of a server that raises when it may not send
        posted(frames, [number])
        server.hear(frames.take())
        server.answer(2 * number + 1, 400, body)
        frames.feed(server.said())
    assert [status for _, status, _, _, _ in frames.ended] == [400] * 200


def test_after_a_goodbye_the_streams_above_the_last_come_back_and_the_others_are_answered() -> None:
    server = Server()
    frames = greeted(server)
    posted(frames, range(5))
    server.hear(frames.take())
    goodbye = GoAwayFrame(0, last_stream_id=2**31 - 1).serialize()  # the graceful one that some send first
    frames.feed(goodbye)
    assert (frames.room, frames.ended) == (0, [])
    frames.feed(GoAwayFrame(0, last_stream_id=5, additional_data=b'{"reason":"Shutdown"}').serialize())
    assert [(cargo, code) for cargo, _, _, _, code in frames.ended] == [(3, -1), (4, -1)]
    assert "Shutdown" in frames.farewell
    for stream in (1, 3, 5):
        server.answer(stream)
    frames.feed(server.said())
    assert sorted(cargo for cargo, *_ in frames.ended) == [0, 1, 2, 3, 4]


def test_headers_may_come_in_parts_with_padding_and_weights() -> None:
    frames: Frames[int] = Frames()
    frames.feed(SETTINGS)
    posted(frames, range(2))
    block = Encoder().encode([(":status", "503"), ("retry-after", "3"), ("apns-id", "x" * 40)])
    first = HeadersFrame(3, block[:1], flags=["PADDED", "PRIORITY"], pad_length=7, stream_weight=3)
    parts = [first.serialize()] + [ContinuationFrame(3, block[at : at + 1]).serialize() for at in range(1, 12)]
    last = ContinuationFrame(3, block[12:], flags=["END_HEADERS"]).serialize()
    frames.feed(b"".join(parts) + last + frame(apns_frames.DATA, 0x9, 3, b"\x03{}" + b"\0" * 3))
    ((cargo, status, body, fields, _),) = frames.ended
    assert (cargo, status, body) == (1, 503, b"{}")
    assert apns_headers.retry_after(fields, datetime.now(UTC)) == 3


def test_hints_that_come_before_an_answer_are_none() -> None:
    frames: Frames[int] = Frames()
    frames.feed(SETTINGS)
    posted(frames, [0])
    early, late = (Encoder().encode([(":status", status)]) for status in ("103", "410"))
    frames.feed(frame(apns_frames.HEADERS, 4, 1, early))
    assert frames.ended == []
    frames.feed(frame(apns_frames.HEADERS, 5, 1, late))
    assert results(frames) == {0: (410, b"", 0)}


def test_the_numbers_of_streams_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apns_frames, "LAST_STREAM", 5)
    frames: Frames[int] = Frames()
    frames.feed(SETTINGS)
    assert frames.room == 3
    posted(frames, range(3))
    assert (frames.room, frames.exhausted) == (0, True)


# --- servers that nobody wants -----------------------------------------------------------------------------------

LONG = struct.Struct(">I").pack
HOSTILE = {
    "no settings first": (b"", frame(6, 0, 0, b"12345678"), apns_frames.PROTOCOL),
    "an acknowledgement first": (b"", frame(4, 1, 0), apns_frames.PROTOCOL),
    "HTTP/1.1": (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, apns_frames.SIZE),
    "a frame of 16 MB": (SETTINGS, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", apns_frames.SIZE),
    "settings of five bytes": (SETTINGS, frame(4, 0, 0, b"12345"), apns_frames.SIZE),
    "settings on a stream": (SETTINGS, frame(4, 0, 1), apns_frames.PROTOCOL),
    "a window of 4 GB": (SETTINGS, frame(4, 0, 0, struct.pack(">HI", 4, 2**31)), apns_frames.FLOW),
    "frames of one byte": (SETTINGS, frame(4, 0, 0, struct.pack(">HI", 5, 1)), apns_frames.PROTOCOL),
    "pushes to us": (SETTINGS, frame(4, 0, 0, struct.pack(">HI", 2, 1)), apns_frames.PROTOCOL),
    "a promise": (SETTINGS, frame(5, 4, 1, LONG(2) + OK), apns_frames.PROTOCOL),
    "a ping of seven": (SETTINGS, frame(6, 0, 0, b"1234567"), apns_frames.SIZE),
    "a window widened by nothing": (SETTINGS, frame(8, 0, 0, LONG(0)), apns_frames.PROTOCOL),
    "a window that overflows": (SETTINGS, frame(8, 0, 0, LONG(2**31 - 1)), apns_frames.FLOW),
    "headers of nobody": (SETTINGS, frame(1, 5, 99, OK), apns_frames.PROTOCOL),
    "headers of the server": (SETTINGS, frame(1, 5, 2, OK), apns_frames.PROTOCOL),
    "data of nobody": (SETTINGS, frame(0, 1, 99), apns_frames.PROTOCOL),
    "data before headers": (SETTINGS, frame(0, 1, 1, b"x"), apns_frames.PROTOCOL),
    "a reset of nobody": (SETTINGS, frame(3, 0, 99, LONG(0)), apns_frames.PROTOCOL),
    "a continuation of nothing": (SETTINGS, frame(9, 4, 1, OK), apns_frames.PROTOCOL),
    "a ping amid headers": (SETTINGS + frame(1, 1, 1, OK), frame(6, 0, 0, b"12345678"), apns_frames.PROTOCOL),
    "all padding": (SETTINGS, frame(1, 0xD, 1, b"\x09" + OK), apns_frames.PROTOCOL),
    "no status": (SETTINGS, frame(1, 5, 1, b""), apns_frames.COMPRESSION),
    "an entry that cannot be": (SETTINGS, frame(1, 5, 1, b"\xbe"), apns_frames.COMPRESSION),
    "a table that may not be": (SETTINGS, frame(1, 5, 1, b"\x3f\xe1\x1f\x88"), apns_frames.COMPRESSION),
    "a short goodbye": (SETTINGS, frame(7, 0, 0, b"1234"), apns_frames.SIZE),
    "two beginnings": (SETTINGS + frame(1, 4, 1, OK), frame(1, 4, 1, OK), apns_frames.PROTOCOL),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_may_not_be_sent_ends_the_connection(what: str) -> None:
    before, said, code = HOSTILE[what]
    frames: Frames[int] = Frames()
    posted(frames, [0])
    frames.feed(before)
    with pytest.raises(Broken) as broken:
        frames.feed(said)
    assert broken.value.code == code
    assert len(frames.streams) + len(frames.ended) == 1


def test_an_answer_without_end_is_given_up_and_the_others_go_on() -> None:
    frames: Frames[int] = Frames()
    frames.feed(SETTINGS)
    posted(frames, range(2))
    frames.feed(frame(1, 4, 1, OK))
    for _ in range(5):
        frames.feed(frame(0, 0, 1, b"x" * 1_000))
    frames.feed(frame(1, 5, 3, OK))
    assert results(frames) == {0: (0, b"", apns_frames.CANCEL), 1: (200, b"", 0)}


@pytest.mark.parametrize(
    "endless",
    [
        frame(6, 0, 0, b"12345678"),
        frame(4, 0, 0),
        frame(0, 0, 1),
        frame(1, 4, 1, Encoder().encode([(":status", "100")])),
        frame(0x77, 0, 0, b"of no known kind"),
    ],
)
def test_a_server_that_is_busy_without_answering_is_cut_off(endless: bytes) -> None:
    frames: Frames[int] = Frames()
    frames.feed(SETTINGS)
    posted(frames, [0])
    if endless[3] == 0:
        frames.feed(frame(1, 4, 1, OK))
    with pytest.raises(Broken, match="answers nothing"):
        frames.feed(endless * 20_000)
    assert len(frames.take()) < 400_000


def test_headers_without_end_are_cut_off() -> None:
    for part in (b"", b"\x00" * 16_000):
        frames: Frames[int] = Frames()
        frames.feed(SETTINGS)
        posted(frames, [0])
        with pytest.raises(Broken, match="too long"):
            frames.feed(frame(1, 0, 1, part) + frame(9, 0, 1, part) * 50)


def _conversation() -> bytes:
    """What a well-behaved server says to four requests, with everything that a server may say."""
    server = Server()
    frames = greeted(server)
    posted(frames, range(4))
    server.hear(frames.take())
    server.h2.ping(b"12345678")
    server.answer(1)
    server.answer(3, 410, b'{"reason":"Unregistered","timestamp":1700000000000}', retry_after="9")
    server.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 7})
    server.h2.reset_stream(5, 2)
    return SETTINGS + server.said() + GoAwayFrame(0, last_stream_id=5).serialize()


SPOKEN = _conversation()
CHANGES = st.lists(st.tuples(st.integers(0, len(SPOKEN) - 1), st.sampled_from("xid"), st.integers(0, 255)), max_size=6)


def harm(pieces: Sequence[bytes]) -> list[str]:
    """What goes wrong when these come: each request must end once at most, and nothing may grow. Whatever is raised but
    `Broken` is raised here too."""
    found: list[str] = []
    frames: Frames[int] = Frames()
    sent = 0
    for piece in pieces:
        while frames.room and sent < 4:
            frames.post(sent, TEMPLATE, TOKEN)
            sent += 1
        try:
            frames.feed(piece)
        except Broken:
            break
        finally:
            ended = [cargo for cargo, *_ in frames.ended]
            if sorted([*ended, *frames.streams.values()]) != list(range(sent)):
                found.append(f"{sent} requests were sent, {ended} ended and {frames.streams} wait")
            if len(frames._left) > apns_frames.FRAME_LIMIT + 9 + len(piece):
                found.append(f"{len(frames._left)} bytes are kept")
    if len(frames.take()) > 2_000 + 20 * sum(map(len, pieces)):
        found.append("more is said than the pieces are worth")
    return found


@given(st.lists(st.binary(max_size=200), max_size=6), st.booleans())
def test_random_bytes_do_no_harm(pieces: list[bytes], polite: bool) -> None:
    assert harm([SETTINGS, *pieces] if polite else pieces) == []


@given(CHANGES, st.integers(1, 60))
def test_a_conversation_with_faults_does_no_harm(changes: list[tuple[int, str, int]], size: int) -> None:
    said = bytearray(SPOKEN)
    for at, how, byte in changes:
        if how == "i":
            said.insert(at, byte)
        elif how == "d":
            del said[at : at + 1]
        elif at < len(said):
            said[at] = byte
    assert harm([bytes(said[at : at + size]) for at in range(0, len(said), size)]) == []


FRAMES = st.builds(
    frame, st.integers(0, 10), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5, 7, 9]), st.binary(max_size=40)
)


@given(st.lists(FRAMES, max_size=12))
def test_sound_frames_in_a_senseless_order_do_no_harm(some: list[bytes]) -> None:
    assert harm([SETTINGS, *some]) == []
