"""Owns the question whether a shop can give out cards at all: by an Apple certificate or by an issuer at Google."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.passes.issuing import issuing_set
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope


def unsigned(ctx: Context, scope: Scope) -> frozenset[str]:
    """The merchant's programmes (public ids) that nobody can join: no certificate is assigned to them, and no issuer of
    another wallet gives out their cards."""
    with ctx.look() as tx:
        rows = programmes.programmes_of(tx, scope)
        return frozenset(row.public_id for row in rows if issuing_set(ctx, tx, row) is None)
