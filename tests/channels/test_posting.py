"""Messages go to public addresses only, to the one that was judged, and wait for nobody longer than is said."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.receiver import Answer, receiving
from wallet_server.channels.posting import KEPT_CHARACTERS, Poster
from wallet_server.errors import Invalid
from wallet_server.rules import webhooks as rules

HEADERS = rules.headers("evt_1", dt.datetime(2026, 11, 22, tzinfo=dt.UTC), "{}", [b"k" * 32])
INSIDE = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - only looked at
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::1",
    "2001:0:0a00:0001::1",
    "192.0.0.1",
    "198.18.0.1",
    "192.0.0.192",
    "192.88.99.1",
    "3fff::1",
    "64:ff9b::192.0.0.192",
    "203.0.113.7",
]
HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_no_message_goes_into_a_private_network(address: str) -> None:
    assert not rules.may_be_reached(address, sandbox=False)
    assert not rules.may_be_reached(address, sandbox=True)


@pytest.mark.parametrize("address", HERE)
def test_this_machine_is_reached_in_the_sandbox_alone(address: str) -> None:
    assert not rules.may_be_reached(address, sandbox=False)
    assert rules.may_be_reached(address, sandbox=True)


def test_the_public_internet_is_reached() -> None:
    for address in ("93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::8.8.8.8"):
        assert rules.may_be_reached(address, sandbox=False)


@given(st.ip_addresses())
def test_what_is_reached_is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if rules.may_be_reached(str(address), sandbox=False):
        assert address.is_global
        assert not address.is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#top",
        "https://localhost/",
        "https://printer.local/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://127.1/",
        "https://example.com:0/",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: inside",
        "https://bücher.example/",
        "https://example.com:99999/",
        "https://example.com/" + "a" * 1000,
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.demand_address(url, sandbox=False)
    assert (refused.value.code, refused.value.field) == ("webhook-address", "url")


def test_a_sound_address_is_kept() -> None:
    for url in ("https://example.com", "https://example.com:8443/hooks?shop=1", "https://8.8.8.8/"):
        assert rules.demand_address(url, sandbox=False) == url
    assert rules.demand_address("http://localhost:8000/", sandbox=True)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], []])
def test_a_name_that_leads_inside_is_not_connected_to(found: list[str]) -> None:
    with receiving() as shop:
        poster = Poster(sandbox=False, resolve=lambda _host, _port: found)
        answered = poster.post(shop.url.replace("http:", "https:"), "{}", HEADERS)
        assert (answered.taken, answered.status) == (False, None)
        assert "private network" in (answered.fault or "")
        assert shop.messages == []


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with receiving() as shop:
        url = shop.url.replace("localhost", "hooks.example.com")
        assert Poster(sandbox=True, resolve=resolve).post(url, '{"a":1}', HEADERS).taken
        assert asked == ["hooks.example.com"], "a name is asked once"
        (message,) = shop.messages
        assert message.headers["host"].startswith("hooks.example.com:")
        assert (message.raw, message.headers["content-type"]) == (b'{"a":1}', "application/json")


def test_a_redirect_is_an_answer_and_not_a_way() -> None:
    with receiving() as shop, receiving() as elsewhere:
        shop.answer = lambda _m: Answer(307, headers={"Location": elsewhere.url})
        answered = Poster(sandbox=True).post(shop.url, "{}", HEADERS)
        assert (answered.status, answered.taken) == (307, False)
        assert elsewhere.messages == []


def test_the_beginning_of_the_answer_is_kept() -> None:
    with receiving() as shop:
        shop.answer = lambda _m: Answer(400, "é\x00" + "x" * 5000, {"Retry-After": "7"})
        answered = Poster(sandbox=True).post(shop.url, "{}", HEADERS)
        assert (answered.status, answered.retry_after, len(answered.text)) == (400, "7", KEPT_CHARACTERS)
        assert answered.text.startswith("é\ufffdx")


@contextmanager
def speaking(pieces: list[bytes], pause_seconds: float) -> Iterator[str]:
    """A server that says these pieces one after the other, and keeps the line open."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            line, _ = server.accept()
            with line:
                line.recv(4096)
                try:
                    for piece in pieces:
                        line.sendall(piece)
                        time.sleep(pause_seconds)
                    line.recv(1)
                except OSError:
                    return

        threading.Thread(target=speak, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 40],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b"x"] * 40],
        [],
    ],
)
@pytest.mark.slow
def test_an_answer_in_drops_is_waited_for_no_longer_than_is_said(pieces: list[bytes]) -> None:
    with speaking(pieces, 0.1) as url:
        begun = time.monotonic()
        answered = Poster(sandbox=True).post(url, "{}", HEADERS, seconds=0.5)
        assert time.monotonic() - begun < 1.0
        assert (answered.taken, answered.status) == (False, None)
        assert "0 seconds" in (answered.fault or "")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"y" * 4000, "y" * KEPT_CHARACTERS),
    ],
)
def test_an_answer_is_over_when_it_says_so(said: bytes, text: str) -> None:
    with speaking([said], 0) as url:
        answered = Poster(sandbox=True).post(url, "{}", HEADERS, seconds=2)
        assert (answered.taken, answered.text) == (True, text), "though the line stays open"


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 abc\r\n\r\n", b"\xff" * 20_000])
def test_nonsense_is_no_answer(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            line, _ = server.accept()
            with line:
                line.recv(4096)
                line.sendall(said)

        threading.Thread(target=speak, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answered = Poster(sandbox=True).post(url, "{}", HEADERS, seconds=2)
    assert (answered.taken, answered.status) == (False, None)
    assert answered.fault


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's certificate that signs itself, and the same to trust (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, pem.decode()


def test_https_is_spoken_with_whom_the_name_says(tmp_path: Path) -> None:
    context, root = certificate(tmp_path, "localhost")
    with receiving(context) as shop:
        assert Poster(sandbox=True, trust_pem=root).post(shop.url, "{}", HEADERS).taken
        unknown = Poster(sandbox=True).post(shop.url, "{}", HEADERS)
        assert "certificate is not good" in (unknown.fault or "")
        other = Poster(sandbox=True, trust_pem=root, resolve=lambda _h, _p: ["127.0.0.1"])
        wrong = other.post(shop.url.replace("localhost", "example.com"), "{}", HEADERS)
        assert "certificate is not good" in (wrong.fault or "")
        assert len(shop.messages) == 1
