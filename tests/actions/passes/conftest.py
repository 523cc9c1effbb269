"""Owns the ward of the pass doctor as its tests have it: one world and one push service for all of a module."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.actions.ailments import put_right
from tests.actions.ward import Ward
from tests.conftest import databases
from tests.world import NOON, PASS_TYPE, TEAM, World, founded
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Bell


class Pair:
    """A certificate of the sandbox's own that opens its push service."""

    def __init__(self, authority: Authority) -> None:
        self.certificate_pem, self.key_pem = authority.pass_certificate(PASS_TYPE, TEAM)
        self.pass_type = PASS_TYPE
        self.provider = None


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, ApnsServer, Authority]]:
    """One world and one push service for all ailments, which have members of their own."""
    folder = tmp_path_factory.mktemp("ward")
    authority = Authority.open(folder / "authority", datetime.now(UTC))
    with (
        databases(request.config, folder) as new,
        founded(new("sqlite"), folder) as world,
        ApnsServer(authority).in_thread() as apns,
    ):
        yield world, apns, authority


@pytest.fixture
def ward(opened: tuple[World, ApnsServer, Authority]) -> Iterator[Ward]:
    world, apns, authority = opened
    put_right(world, NOON)
    apns.tell(None)
    bell = Bell(address=apns.address, trust_pem=authority.root_pem, sandbox=True)
    yield Ward(world, apns, bell, Pair(authority))
    bell.close()
