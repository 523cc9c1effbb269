"""Owns what Google tells of cards saved and removed: believed when Google signed it for the issuer that we know.

Best effort on Google's side: told twice, late, out of order or never. A message counts once, and not after a later one
of the same card; the nightly look at the list of holders puts right what was not told (`actions.vendors.holders`).
"""

from __future__ import annotations

from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import pushed
from wallet_server.errors import NotFound, Unauthenticated, Unavailable
from wallet_server.records.envelope import digest
from wallet_server.records.passes import passes
from wallet_server.records.vendors import credentials, issuers, vendors
from wallet_server.records.vendors.credentials import GOOGLE, CredentialRow
from wallet_server.wallets.google import callbacks
from wallet_server.wallets.google.callbacks import Event

MAX_BYTES = callbacks.MAX_BYTES


def hear(ctx: Context, credential_set: str, body: bytes) -> bool:
    """Take a callback that came to the address of this credential set (its public id), byte for byte as it came. True
    when it said something new of a card of ours.

    Raises `NotFound` for an address that no class was ever given, `Unauthenticated` for what Google did not sign for
    this issuer or what is no longer good, `Unavailable` while Google's keys cannot be had.
    """
    issuer = _issuer(ctx, credential_set)
    now = ctx.now()
    event = _event(ctx, issuer.pass_type, body, now)
    serial = event.object_id.removeprefix(f"{issuer.pass_type}.")
    with ctx.change() as tx:
        nonce = digest(f"{issuer.pass_type}:{event.nonce}").hex()
        if not issuers.hear(tx, nonce, event.expires_at):
            return False
        row = passes.pass_by_serial(tx, issuer.pass_type, serial) if serial.isprintable() else None
        if row is None:
            return False
        if not vendors.newest(tx, digest(f"newest:{issuer.pass_type}:{serial}").hex(), event.expires_at):
            return False
        pushed.hear(ctx, tx, row, event.kind == "save", now)
    ctx.ring()
    return True


def _issuer(ctx: Context, credential_set: str) -> CredentialRow:
    with ctx.look() as tx:
        for row in credentials.all_sets(tx, GOOGLE):
            if row.public_id == credential_set:
                return row
    raise NotFound("No issuer of this installation is called back here.")


def _event(ctx: Context, issuer: str, body: bytes, now: datetime) -> Event:
    """What the message says. An unknown key may be new: Google is asked again, though not for every forgery."""
    roots = ctx.google_roots
    if roots is None:
        raise Unavailable("Google's keys for callbacks cannot be fetched here.")
    known = roots.at(now)
    try:
        return callbacks.verify(body, issuer, known, now)
    except Unauthenticated:
        fresh = roots.at(now, unknown=True)
        if fresh == known:
            raise
        return callbacks.verify(body, issuer, fresh, now)
