"""What the tests of wallets share: certificates, the designs of the product, a card and its wallet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallets.samples import NOW, TAKEN, TEMPLATES, Authority, like_apple, pem, sample_card, sample_identity
from wallet_server.rules.passes.card import Card
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import Identity


@pytest.fixture(scope="session")
def authority() -> Authority:
    return like_apple()


@pytest.fixture(scope="session")
def credentials(authority: Authority) -> Credentials:
    return Credentials.load(authority.leaf(), authority.key, authority.wwdr(), NOW, intermediates=TAKEN)


@pytest.fixture(scope="session")
def designs() -> Designs:
    return load_designs(TEMPLATES)


@pytest.fixture(scope="session")
def drawings() -> Drawings:
    return Drawings()


@pytest.fixture(scope="session")
def chain_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root alone: the intermediate must come out of the signature."""
    path = tmp_path_factory.mktemp("chain") / "root.pem"
    path.write_bytes(pem(authority.root))
    return path


@pytest.fixture
def card() -> Card:
    return sample_card()


@pytest.fixture
def identity() -> Identity:
    return sample_identity()


@pytest.fixture(scope="session")
def wallet(designs: Designs, drawings: Drawings, credentials: Credentials) -> AppleWallet:
    return AppleWallet(designs, drawings, lambda _: credentials, Bell())
