"""Owns the proof that the bell bears any server on the wire: each phone has one outcome, in time, and nothing is left
open; also that it finds its way through a proxy and leaves no key behind."""

from __future__ import annotations

import base64
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.wire.scripted import WHILE_SECONDS, server
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple import apns_frames, apns_road
from wallet_server.wallets.apple.apns_frames import frame
from wallet_server.wallets.apple.push import Bell, BellSettings, Target

NOW = datetime.now(UTC)
PASS_TYPE = "pass.com.example.card"
HURRIED = BellSettings(timeout_seconds=1.5, depth=200)
SETTINGS = frame(apns_frames.SETTINGS, 0, 0, struct.pack(">HI", 3, 100))

OPEN = Path("/proc/self/fd")


def descriptors() -> dict[str, str]:
    """What this process has open."""
    found = {}
    for one in OPEN.iterdir():
        with suppress(OSError):  # the one that this look itself has open
            found[one.name] = str(one.readlink())
    return found


def rung(authority: Authority, address: str, count: int = 30, settings: BellSettings = HURRIED) -> Counter[str]:
    """The fates of so many phones; each has exactly one."""
    before = len(descriptors())
    bell = Bell(settings, address=address, trust_pem=authority.root_pem, sandbox=True)
    pair = authority.pass_certificate(PASS_TYPE, "ABCDE12345")
    begun = time.monotonic()
    outcomes = list(bell.ring(*pair, PASS_TYPE, (Target(f"{n:064x}", NOW, n) for n in range(count)), NOW))
    assert time.monotonic() - begun < WHILE_SECONDS
    bell.close()
    assert sorted(outcome.target.ref for outcome in outcomes) == list(range(count))
    assert len(descriptors()) <= before + 8, "connections of the server's side at most"
    return Counter(outcome.fate.value for outcome in outcomes)


def answered(connection: ssl.SSLSocket, answer: Callable[[int], bytes]) -> None:
    """Read requests and answer each."""
    left = b""
    while data := connection.recv(65_536):
        left += data
        if left.startswith(apns_frames.PREFACE):
            left = left[len(apns_frames.PREFACE) :]
        out = b""
        while len(left) >= 9 and len(left) >= 9 + int.from_bytes(left[:3], "big"):
            length, kind, flags = int.from_bytes(left[:3], "big"), left[3], left[4]
            if kind == apns_frames.DATA and flags & 1:
                out += answer(int.from_bytes(left[5:9], "big"))
            left = left[9 + length :]
        connection.sendall(out)


def taken(stream: int) -> bytes:
    return frame(apns_frames.HEADERS, 5, stream, b"\x88")


def test_answers_that_drip_in_are_answers(apns_authority: Authority) -> None:
    def drip(connection: ssl.SSLSocket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in SETTINGS:
            connection.sendall(bytes((byte,)))

        def answer(stream: int) -> bytes:
            for byte in taken(stream):
                connection.sendall(bytes((byte,)))
            return b""

        answered(connection, answer)

    with server(apns_authority, drip) as address:
        assert rung(apns_authority, address) == {"told": 30}


def test_a_limit_of_none_is_waited_for_and_given_up(apns_authority: Authority) -> None:
    def closed(connection: ssl.SSLSocket) -> None:
        connection.sendall(frame(apns_frames.SETTINGS, 0, 0, struct.pack(">HI", 3, 0)))
        answered(connection, taken)

    def opened(connection: ssl.SSLSocket) -> None:
        connection.sendall(frame(apns_frames.SETTINGS, 0, 0, struct.pack(">HI", 3, 0)))
        time.sleep(0.3)
        connection.sendall(SETTINGS)
        answered(connection, taken)

    with server(apns_authority, closed) as address:
        assert rung(apns_authority, address) == {"told": 3, "later": 27}, "one before each connection's settings come"
    with server(apns_authority, opened) as address:
        assert rung(apns_authority, address) == {"told": 30}


def test_refused_streams_go_again_and_those_that_are_always_refused_come_later(apns_authority: Authority) -> None:
    refuse = frozenset(range(9, 200, 8))

    def choosy(connection: ssl.SSLSocket) -> None:
        connection.sendall(SETTINGS)
        no = struct.pack(">I", apns_frames.REFUSED)
        answered(connection, lambda s: frame(apns_frames.RESET, 0, s, no) if s in refuse else taken(s))

    def never(connection: ssl.SSLSocket) -> None:
        connection.sendall(SETTINGS)
        no = struct.pack(">I", apns_frames.REFUSED)
        answered(connection, lambda s: taken(s) if s == 1 else frame(apns_frames.RESET, 0, s, no))

    with server(apns_authority, choosy) as address:
        assert rung(apns_authority, address, 100)["told"] >= 98
    with server(apns_authority, never) as address:
        assert rung(apns_authority, address, 3_000)["later"] > 2_990


def test_a_server_that_says_goodbye_each_time_is_left_alone_after_some_tries(apns_authority: Authority) -> None:
    connections: list[int] = []

    def bye(connection: ssl.SSLSocket) -> None:
        connections.append(1)
        connection.sendall(SETTINGS)

        def answer(stream: int) -> bytes:
            return taken(1) if stream == 1 else frame(apns_frames.GOODBYE, 0, 0, struct.pack(">II", 1, 0))

        answered(connection, answer)

    with server(apns_authority, bye) as address:
        fates = rung(apns_authority, address, 500)
    assert fates["told"] == len(connections) <= 4
    assert fates["later"] == 500 - len(connections)


def test_a_new_connection_carries_on_where_the_numbers_end(
    apns_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apns_frames, "LAST_STREAM", 41)
    with ApnsServer(apns_authority).in_thread() as apns:
        assert rung(apns_authority, apns.address, 100) == {"told": 100}
        assert (apns.counts.accepted, apns.counts.connections, apns.counts.overruns) == (100, 5, 0)


@pytest.mark.parametrize(
    "flood",
    [
        frame(apns_frames.PING, 0, 0, b"12345678"),
        SETTINGS,
        frame(apns_frames.WINDOW, 0, 0, b"\0\0\0\1"),
        b"HTTP/1.1 200 OK\r\n\r\n",
        frame(apns_frames.CONTINUATION, 0, 1, b"x" * 100),
    ],
    ids=["pings", "settings", "windows", "HTTP/1.1", "continuations"],
)
def test_a_flood_is_cut_off(apns_authority: Authority, flood: bytes) -> None:
    def pour(connection: ssl.SSLSocket) -> None:
        connection.sendall(SETTINGS)
        while True:
            connection.sendall(flood * 500)

    with server(apns_authority, pour) as address:
        assert rung(apns_authority, address) == {"later": 30}


@pytest.mark.parametrize("seed", range(6))
def test_noise_gives_each_phone_one_outcome(apns_authority: Authority, seed: int) -> None:
    chance = random.Random(seed)

    def anything() -> bytes:
        kind, flags, stream = chance.randrange(10), chance.choice((0, 1, 4, 5, 8)), chance.choice((0, 1, 3, 5))
        return chance.choice((chance.randbytes(100), SETTINGS, frame(kind, flags, stream, chance.randbytes(8))))

    def noise(connection: ssl.SSLSocket) -> None:
        connection.sendall(SETTINGS)
        answered(connection, lambda stream: taken(stream) if stream < 20 else anything())

    with server(apns_authority, noise) as address:
        fates = rung(apns_authority, address, 200)
    assert fates["told"] >= 10
    assert set(fates) <= {"told", "later", "refused", "suspect", "accused", "dead"}


def test_a_server_that_never_greets_or_never_shakes_hands_is_given_up(apns_authority: Authority) -> None:
    with server(apns_authority, lambda _: time.sleep(5)) as address:
        assert rung(apns_authority, address) == {"later": 30}
    deaf = socket.create_server(("127.0.0.1", 0))
    assert rung(apns_authority, f"https://127.0.0.1:{deaf.getsockname()[1]}") == {"later": 30}
    deaf.close()


def test_a_name_that_leads_nowhere_is_told(apns_authority: Authority) -> None:
    assert rung(apns_authority, "https://nowhere.invalid:1") == {"later": 30}


def test_the_first_address_that_answers_is_taken(apns_authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apns_road, "ADDRESS_SECONDS", 0.2)
    with ApnsServer(apns_authority).in_thread() as apns:
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        found, refusing, silent = (
            socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
            for port in (apns.port, 1, full.getsockname()[1])
        )
        monkeypatch.setattr(apns_road, "_addresses", lambda *_: [*refusing, *silent, *found])
        assert rung(apns_authority, apns.address) == {"told": 30}
        for one in (*waiting, full):
            one.close()


class Proxy:
    """An http proxy that knows CONNECT; what it was asked is in `heard`."""

    def __init__(self, to: int, says: bytes) -> None:
        self.heard: list[bytes] = []
        self._to, self._says = to, says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                heard = b""
                while b"\r\n\r\n" not in heard:
                    heard += ours.recv(4_096)
                self.heard.append(heard)
                ours.sendall(self._says)
                theirs = socket.create_connection(("127.0.0.1", self._to))
                for one, other in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def _dialled(authority: Authority, port: int) -> tuple[apns_road.Dial, ssl.SSLContext]:
    pair = authority.pass_certificate(PASS_TYPE, "ABCDE12345")
    dial = apns_road.Dial(f"https://127.0.0.1:{port}", *pair, authority.root_pem, None, 5.0, 10, direct=False)
    return dial, apns_road.context(dial)


@pytest.mark.parametrize(
    ("says", "why"), [(b"HTTP/1.1 200 Connection established\r\n\r\n", ""), (b"HTTP/1.1 407 Who\r\n\r\n", "407")]
)
def test_the_systems_proxy_is_used(
    apns: ApnsServer, apns_authority: Authority, monkeypatch: pytest.MonkeyPatch, says: bytes, why: str
) -> None:
    proxy = Proxy(apns.port, says)
    monkeypatch.setenv("https_proxy", f"http://me:s%20cret@127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "")
    road = apns_road.Road(*_dialled(apns_authority, apns.port), lambda *_: None)
    patience = time.monotonic() + 10
    while not road.ready and road.fault is None and time.monotonic() < patience:
        road.act()
        time.sleep(0.01)
    assert road.ready is not bool(why)
    assert why in (road.fault.text if road.fault else "")
    road.close()
    ((asked),) = proxy.heard
    assert asked.startswith(f"CONNECT 127.0.0.1:{apns.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:s cret") in asked


def test_a_key_leaves_nothing_open_behind(apns_authority: Authority) -> None:
    before = descriptors()
    _dialled(apns_authority, 1)
    assert not [one for one in descriptors().items() - before.items() if "memfd" in one[1]]
