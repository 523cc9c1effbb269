"""Owns the APNs server that the tests of this folder ring: the sandbox's own, over TLS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.wire.ringing import HURRIED, NOW, PASS_TYPE, TEAM, Ring, targets
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Bell, Outcome, Target


@pytest.fixture(scope="session")
def apns_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("apns") / "certificates"
    return Authority.open(folder, datetime.now(UTC))


@pytest.fixture
def apns(apns_authority: Authority) -> Iterator[ApnsServer]:
    """An APNs server in a thread of its own."""
    with ApnsServer(apns_authority).in_thread() as server:
        yield server


@pytest.fixture
def identity(apns_authority: Authority) -> tuple[bytes, bytes]:
    return apns_authority.pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture
def bell(apns: ApnsServer, apns_authority: Authority) -> Iterator[Bell]:
    made = Bell(address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield made
    made.close()


@pytest.fixture
def hurried(apns: ApnsServer, apns_authority: Authority) -> Iterator[Bell]:
    """A bell that waits for an answer no longer than two seconds."""
    made = Bell(HURRIED, address=apns.address, trust_pem=apns_authority.root_pem, sandbox=True)
    yield made
    made.close()


@pytest.fixture
def ring(bell: Bell, identity: tuple[bytes, bytes]) -> Ring:
    def call(to: Iterator[Target] | list[Target] | int, by: Bell | None = None) -> list[Outcome]:
        some = targets(to) if isinstance(to, int) else to
        return list((by or bell).ring(*identity, PASS_TYPE, some, NOW))

    return call
