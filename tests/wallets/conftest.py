"""What the tests of wallets share: certificates, the designs of the product, a card and its wallet."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.wallets.samples import NOW, TEMPLATES, Authority, Issuer, pem, sample_card, sample_identity, subject
from wallet_server.rules.passes.card import Card
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import Identity


@pytest.fixture(scope="session")
def authority() -> Authority:
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]
    name = subject("Apple Root CA", "Apple Certification Authority")
    starts, ends = NOW - timedelta(days=5000), NOW + timedelta(days=5000)
    root = Issuer(name, keys[0]).certify(name, keys[0], starts=starts, ends=ends, authority=True)
    return Authority(*keys, root)


@pytest.fixture(scope="session")
def credentials(authority: Authority) -> Credentials:
    return Credentials.load(authority.leaf(), authority.key, authority.wwdr(), NOW)


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
