"""Owns the question whether a shop can give out cards at all: a programme needs an Apple certificate to sign them."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.records import programmes
from wallet_server.records.scope import Scope


def unsigned(ctx: Context, scope: Scope) -> frozenset[str]:
    """The merchant's programmes (public ids) that nobody can join, because no certificate is assigned to them."""
    with ctx.look() as tx:
        rows = programmes.programmes_of(tx, scope)
    return frozenset(row.public_id for row in rows if row.credential_set_id is None)
