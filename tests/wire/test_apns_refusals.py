"""A push service that refuses the certificate of a card says so inside TLS, before or after its handshake: the reason
names the certificate. What was refused before any certificate was shown, or without a word, does not blame it."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.wire.scripted import Script, free_port, server, wait_for
from wallet_server.rules.passes.diagnosis import blamed
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple import apns_frames
from wallet_server.wallets.apple.apns_frames import frame
from wallet_server.wallets.apple.push import Bell, BellSettings, Outcome, Target

NOW = datetime.now(UTC)
PASS_TYPE, TEAM = "pass.com.example.card", "ABCDE12345"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SETTINGS = BellSettings(timeout_seconds=3)


def _rung(authority: Authority, address: str, identity: tuple[bytes, bytes]) -> list[Outcome]:
    bell = Bell(SETTINGS, address=address, trust_pem=authority.root_pem, sandbox=True)
    outcomes = list(bell.ring(*identity, PASS_TYPE, (Target(f"{n:064x}", NOW, n) for n in range(20)), NOW))
    bell.close()
    assert len(outcomes) == 20
    return outcomes


def _told(outcomes: list[Outcome]) -> set[tuple[str, str]]:
    return {(one.fate.value, blamed(one.why)) for one in outcomes}


@contextmanager
def _openssl(authority: Authority, folder: Path, *words: str) -> Iterator[str]:
    """OpenSSL's own server, which asks for a certificate; gives its address."""
    certificate, key = authority.server_identity()
    (folder / "server").write_bytes(certificate + key)
    (folder / "root").write_bytes(authority.root_pem + authority.wwdr_pem)
    port = free_port()
    strict = ["-Verify", "5", "-verify_return_error", "-CAfile", "root", "-cert", "server", "-alpn", "h2", "-quiet"]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *strict, *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        wait_for(port)
        yield f"https://127.0.0.1:{port}"
        program.kill()


@pytest.mark.parametrize("version", VERSIONS, ids=lambda one: one.name)
def test_a_certificate_of_nobody_it_knows_is_named(
    apns_authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    stranger = Authority.open(tmp_path, NOW).pass_certificate(PASS_TYPE, TEAM)
    with ApnsServer(apns_authority).in_thread() as apns:
        apns._context.minimum_version = apns._context.maximum_version = version
        outcomes = _rung(apns_authority, apns.address, stranger)
        assert _told(outcomes) == {("refused", "certificate-refused")}, outcomes[0].why
        assert all("unknown ca" in one.why and one.alarm for one in outcomes)
        assert apns.counts.accepted == 0
        known = apns_authority.pass_certificate(PASS_TYPE, TEAM)
        assert {one.fate.value for one in _rung(apns_authority, apns.address, known)} == {"told"}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_certificate_of_a_kind_that_it_does_not_take_is_named(
    apns_authority: Authority, tmp_path: Path, version: str
) -> None:
    """With TLS 1.2 it says no more than that the handshake failed."""
    identity = apns_authority.pass_certificate(PASS_TYPE, TEAM)
    with _openssl(apns_authority, tmp_path, version, "-client_sigalgs", "ed25519") as address:
        outcomes = _rung(apns_authority, address, identity)
    assert _told(outcomes) == {("refused", "certificate-refused")}, outcomes[0].why
    said = "handshake failure" if version == "-tls1_2" else "certificate required"
    assert all(said in one.why for one in outcomes)


def test_a_handshake_that_fails_before_a_certificate_is_shown_does_not_blame_it(
    apns_authority: Authority, tmp_path: Path
) -> None:
    identity = apns_authority.pass_certificate(PASS_TYPE, TEAM)
    with _openssl(apns_authority, tmp_path, "-tls1_2", "-cipher", "ECDHE-PSK-AES128-CBC-SHA256") as address:
        outcomes = _rung(apns_authority, address, identity)
    assert _told(outcomes) == {("later", "vendor-away")}
    assert all("handshake failure" in one.why for one in outcomes)


def _saying(says: bytes) -> Script:
    """Takes every certificate, says this, and hangs up once it was spoken to."""

    def script(connection: ssl.SSLSocket) -> None:
        connection.sendall(says)
        while says and connection.recv(1_000):
            pass
        connection.recv(1_000)

    return script


def test_a_service_that_hangs_up_without_a_word_gives_the_operator_a_hint(apns_authority: Authority) -> None:
    identity = apns_authority.pass_certificate(PASS_TYPE, TEAM)
    with server(apns_authority, _saying(b"")) as address:
        outcomes = _rung(apns_authority, address, identity)
    assert _told(outcomes) == {("later", "vendor-away")}
    assert all("as it would for a certificate it rejects" in one.why for one in outcomes)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("BadCertificate", "certificate-refused"),
        ("BadCertificateEnvironment", "certificate-refused"),
        ("Shutdown", "vendor-away"),
        ("", "vendor-away"),
    ],
)
def test_a_goodbye_that_names_the_certificate_blames_it(apns_authority: Authority, reason: str, code: str) -> None:
    identity = apns_authority.pass_certificate(PASS_TYPE, TEAM)
    why = json.dumps({"reason": reason}).encode() if reason else b""
    greeting = frame(apns_frames.SETTINGS, 0, 0, b"")
    goodbye = frame(apns_frames.GOODBYE, 0, 0, bytes(8) + why)
    with server(apns_authority, _saying(greeting + goodbye)) as address:
        outcomes = _rung(apns_authority, address, identity)
    assert _told(outcomes) == {("later", code)}
    assert all("said goodbye" in one.why for one in outcomes)
