"""Owns what a merchant is told of cards that went to a vendor without a part, or of a class that it did not take."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import health
from wallet_server.wallets.google.sentences import noted


def told(ctx: Context, scope: Scope, language: str) -> list[str]:
    """The sentences that stand for the classes and the newest cards of the merchant's programmes."""
    with ctx.look() as tx:
        return [noted(one, language) for one in health.notes_to(tx, scope)]
