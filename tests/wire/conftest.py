"""Owns the APNs server that the tests of this folder ring: the sandbox's own, over TLS on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority


@pytest.fixture(scope="session")
def apns_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("apns") / "certificates"
    return Authority.open(folder, datetime.now(UTC))


@pytest.fixture
def apns(apns_authority: Authority) -> Iterator[ApnsServer]:
    """An APNs server in a thread of its own."""
    with ApnsServer(apns_authority).in_thread() as server:
        yield server
