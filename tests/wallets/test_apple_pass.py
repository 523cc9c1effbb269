"""A signed pass, opened and verified with openssl: its hashes, its document, its languages, its one alert."""

from __future__ import annotations

from pathlib import Path

from tests.wallets.opened import open_pass, verify
from tests.wallets.samples import NOW
from wallet_server.rules.card import Card
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.port import Identity


def test_openssl_accepts_the_signature_up_to_the_root(
    wallet: AppleWallet, card: Card, identity: Identity, chain_file: Path, tmp_path: Path
) -> None:
    issued = wallet.issue(card, None, identity, NOW)
    assert issued.media_type == "application/vnd.apple.pkpass"
    verify(open_pass(issued.body), chain_file, tmp_path, int(NOW.timestamp()))
