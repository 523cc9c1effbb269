"""Owns what a phone does with a .pkpass before it trusts it: reading, verifying, putting it into words."""

from wallet_server.sandbox.passes.archive import Pass, PassRefused, open_bundle, open_pass
from wallet_server.sandbox.passes.signature import Signer, Trust

__all__ = ["Pass", "PassRefused", "Signer", "Trust", "open_bundle", "open_pass"]
