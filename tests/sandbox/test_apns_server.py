"""Owns the proof that the sandbox's APNs server is as strict as Apple's, driven by clients that are not the product's:
curl, httpx and a bare HTTP/2 connection."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged, ResponseReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame

from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority

PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"
TOKEN = "ab" * 32
PATH = f"/3/device/{TOKEN}"

Heard = list[tuple[str, str, dict[str, str], bytes]]


class Client:
    """The files and the TLS context of a client with a pass certificate."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        certificate, key = authority.pass_certificate(PASS_TYPE, TEAM)
        for name, content in (("client.pem", certificate + key), ("root.pem", authority.root_pem)):
            (folder / name).write_bytes(content)
        self.context = ssl.create_default_context(cafile=str(folder / "root.pem"))
        self.context.load_cert_chain(folder / "client.pem")
        self.context.set_alpn_protocols(["h2"])

    def curl(self, url: str, *extra: str, identified: bool = True) -> subprocess.CompletedProcess[str]:
        identity = ["--cert", "client.pem"] if identified else []
        command = ["curl", "-sS", "--http2", "-m", "10", "--cacert", "root.pem", *identity, *extra, url]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=20)

    def http(self, server: ApnsServer) -> httpx.Client:
        return httpx.Client(http2=True, http1=False, verify=self.context, base_url=server.address, trust_env=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Client:
    return Client(tmp_path_factory.mktemp("client"), authority)


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def server(authority: Authority, heard: Heard) -> Iterator[ApnsServer]:
    async def hear(token: str, topic: str, headers: Mapping[str, str], payload: bytes) -> None:
        heard.append((token, topic, dict(headers), payload))

    with ApnsServer(authority, on_push=hear, streams=10).in_thread() as running:
        yield running


def test_curl_rings_a_device_and_the_hook_hears_of_it(server: ApnsServer, client: Client, heard: Heard) -> None:
    number = str(uuid.uuid4())
    said = client.curl(
        server.address + PATH, "-i", "-d", "{}", "-H", f"apns-topic: {PASS_TYPE}", "-H", f"apns-id: {number}"
    )
    assert said.stdout.startswith("HTTP/2 200"), said
    assert f"apns-id: {number}" in said.stdout
    patience = time.monotonic() + 5
    while not heard and time.monotonic() < patience:  # the hook runs beside the answer
        time.sleep(0.01)
    assert heard == [(TOKEN, PASS_TYPE, {"apns-topic": PASS_TYPE, "apns-id": number}, b"{}")]
    assert (server.counts.accepted, server.counts.connections) == (1, 1)


def test_a_client_without_a_certificate_is_turned_away(server: ApnsServer, client: Client, heard: Heard) -> None:
    said = client.curl(server.address + PATH, "-d", "{}", identified=False)
    assert said.returncode != 0
    assert said.stdout == ""
    assert heard == []


def test_a_certificate_of_another_authority_is_turned_away(
    server: ApnsServer, client: Client, tmp_path: Path, heard: Heard
) -> None:
    stranger = Client(tmp_path, Authority.open(tmp_path / "other", datetime.now(UTC)))
    (tmp_path / "root.pem").write_bytes((client.folder / "root.pem").read_bytes())
    said = stranger.curl(server.address + PATH, "-d", "{}")
    assert said.returncode != 0
    assert heard == []


FAULTS = [
    ("POST", PATH, {"apns-topic": "pass.com.example.other"}, b"{}", 400, "TopicDisallowed"),
    ("POST", "/3/devices/aabb", {}, b"{}", 404, "BadPath"),
    ("GET", PATH, {}, b"", 405, "MethodNotAllowed"),
    ("POST", "/3/device/", {}, b"{}", 400, "MissingDeviceToken"),
    ("POST", "/3/device/nothex", {}, b"{}", 400, "BadDeviceToken"),
    ("POST", PATH, {}, b"x" * 4097, 413, "PayloadTooLarge"),
    ("POST", PATH, {}, b"x" * 100_000, 413, "PayloadTooLarge"),
    ("POST", PATH, {}, b"", 400, "PayloadEmpty"),
    ("POST", PATH, {"apns-id": "seven"}, b"{}", 400, "BadMessageId"),
    ("POST", PATH, {"apns-expiration": "soon"}, b"{}", 400, "BadExpirationDate"),
    ("POST", PATH, {"apns-priority": "7"}, b"{}", 400, "BadPriority"),
    ("POST", PATH, {"apns-push-type": "shout"}, b"{}", 400, "InvalidPushType"),
    ("POST", PATH, {"apns-collapse-id": "c" * 65}, b"{}", 400, "BadCollapseId"),
]


def test_every_fault_of_a_request_has_apples_status_and_reason(
    server: ApnsServer, client: Client, heard: Heard
) -> None:
    with client.http(server) as http:
        for method, path, headers, body, status, reason in FAULTS:
            answer = http.request(method, path, headers=headers, content=body)
            assert (answer.status_code, answer.json()) == (status, {"reason": reason}), (method, path)
            assert uuid.UUID(answer.headers["apns-id"])
        assert heard == []
        assert http.post(PATH, content=b"x" * 4096).status_code == 200
    assert server.counts.refused.total() == len(FAULTS)
    assert server.counts.accepted == 1


def test_it_answers_as_told_for_one_token_for_all_and_no_more(server: ApnsServer, client: Client) -> None:
    since = datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
    with client.http(server) as http:
        server.tell(Answer(410, "Unregistered", timestamp=since), TOKEN)
        gone = http.post(PATH, content=b"{}")
        assert (gone.status_code, gone.json()["timestamp"]) == (410, int(since.timestamp() * 1000))
        assert http.post("/3/device/aabb", content=b"{}").status_code == 200
        server.tell(Answer(503, "Shutdown", retry_after_seconds=7))
        away = http.post("/3/device/aabb", content=b"{}")
        assert (away.status_code, away.headers["retry-after"], away.json()["reason"]) == (503, "7", "Shutdown")
        server.tell(None)
        server.tell(None, TOKEN)
        assert http.post(PATH, content=b"{}").status_code == 200


@pytest.mark.slow
def test_it_is_slow_or_silent_as_told(server: ApnsServer, client: Client) -> None:
    with client.http(server) as http:
        server.tell(Answer(delay_seconds=0.2))
        before = time.monotonic()
        assert http.post(PATH, content=b"{}").status_code == 200
        assert time.monotonic() - before >= 0.2
        server.tell(Answer(silent=True))
        with pytest.raises(httpx.ReadTimeout):
            http.post(PATH, content=b"{}", timeout=0.3)
    assert server.counts.accepted == 1


def test_unknown_tokens_are_bad_and_retired_ones_are_gone(authority: Authority, client: Client) -> None:
    since = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    known = {TOKEN: True, "aabb": since}
    server = ApnsServer(authority, known_tokens=lambda token: known.get(token, False))
    with server.in_thread(), client.http(server) as http:
        said = [http.post(f"/3/device/{token}", content=b"{}") for token in (TOKEN.upper(), "aabb", "ccdd")]
    assert [answer.status_code for answer in said] == [200, 410, 400]
    assert said[1].json() == {"reason": "Unregistered", "timestamp": int(since.timestamp() * 1000)}
    assert json.loads(said[2].text) == {"reason": "BadDeviceToken"}


class Bare:
    """One HTTP/2 connection with nothing that would smooth over what the server says."""

    def __init__(self, server: ApnsServer, client: Client) -> None:
        raw = socket.create_connection((server.host, server.port), timeout=5)
        self.socket = client.context.wrap_socket(raw, server_hostname="localhost")
        self.h2 = H2Connection()
        self.h2.initiate_connection()
        self.limits: list[int] = []
        self.statuses: dict[int, str] = {}
        self.ended: list[int] = []
        self.raw = b""
        self.closed = False

    def post(self, count: int = 1) -> None:
        for _ in range(count):
            # Past the state of h2, which would itself keep to the limit: a rude client is what this is about.
            self.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 1_000
            self.h2.remote_settings.acknowledge()
            stream = self.h2.get_next_available_stream_id()
            headers = [(":method", "POST"), (":path", PATH), (":scheme", "https"), (":authority", "localhost")]
            self.h2.send_headers(stream, headers)
            self.h2.send_data(stream, b"{}", end_stream=True)
        self.socket.sendall(self.h2.data_to_send())

    def listen(self, answers: int) -> None:
        """Until so many streams have ended, or the server has."""
        while len(self.ended) < answers and not self.closed:
            try:
                data = self.socket.recv(65_536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            self.closed = not data
            self.raw += data
            try:
                events = self.h2.receive_data(data)
            except ProtocolError:  # h2 takes nothing more after a GOAWAY; the bytes are kept
                continue
            for event in events:
                if isinstance(event, RemoteSettingsChanged):
                    change = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                    self.limits += [change.new_value] if change else []
                elif isinstance(event, ResponseReceived):
                    self.statuses[event.stream_id] = dict(event.headers)[b":status"].decode()
                elif isinstance(event, StreamEnded):
                    self.ended.append(event.stream_id)
            if not self.closed:
                self.socket.sendall(self.h2.data_to_send())

    def frames(self) -> Iterator[Frame]:
        rest = self.raw
        while len(rest) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(rest[:9]))
            frame.parse_body(memoryview(rest[9 : 9 + length]))
            rest = rest[9 + length :]
            yield frame


def test_the_limit_of_streams_starts_at_one_rises_and_falls(server: ApnsServer, client: Client) -> None:
    bare = Bare(server, client)
    bare.post()
    bare.listen(1)
    assert bare.limits == [1, 10]
    bare.post(10)
    bare.listen(11)
    assert set(bare.statuses.values()) == {"200"}
    server.tell(Answer(400, "BadDeviceToken"))
    bare.post()
    bare.listen(12)
    assert bare.limits == [1, 10, 1]
    server.tell(None)
    bare.post()
    bare.listen(13)
    assert bare.limits == [1, 10, 1, 10]
    assert server.counts.overruns == 0
    assert server.counts.most_in_flight == 10


def test_whoever_overruns_the_limit_is_dropped(server: ApnsServer, client: Client, heard: Heard) -> None:
    hasty = Bare(server, client)
    hasty.post(2)
    hasty.listen(2)
    assert hasty.closed
    assert server.counts.overruns == 1
    patient = Bare(server, client)
    patient.post()
    patient.listen(1)
    patient.post(11)
    patient.listen(12)
    assert patient.closed
    assert server.counts.overruns == 2
    assert len(heard) == 1


def test_a_goodbye_names_the_last_stream_and_answers_it(server: ApnsServer, client: Client) -> None:
    bare = Bare(server, client)
    bare.post()
    bare.listen(1)
    server.tell(Answer(delay_seconds=0.1))
    server.say_goodbye(after=1)
    bare.post(5)
    bare.listen(99)
    assert bare.closed
    frames = list(bare.frames())
    assert [frame.last_stream_id for frame in frames if isinstance(frame, GoAwayFrame)] == [5]
    assert [frame.stream_id for frame in frames if isinstance(frame, HeadersFrame)] == [1, 3, 5]
    assert server.counts.accepted == 3


def test_it_refuses_connections_while_it_is_down_and_comes_back_on_its_port(server: ApnsServer, client: Client) -> None:
    standing = Bare(server, client)
    server.run(server.stop())
    standing.listen(1)
    assert standing.closed
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=5)
    server.run(server.start())
    assert client.curl(server.address + PATH, "-d", "{}").returncode == 0
    assert server.counts.accepted == 1


def test_it_does_not_listen_beyond_loopback_unasked(authority: Authority) -> None:
    with pytest.raises(ValueError, match="loopback"):
        ApnsServer(authority, host="0.0.0.0")  # noqa: S104 - that it is refused is the point
    assert ApnsServer(authority, host="0.0.0.0", beyond_loopback=True).port == 0  # noqa: S104
