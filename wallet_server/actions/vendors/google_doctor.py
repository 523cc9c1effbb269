"""Owns the doctor's look at Google Wallet: every issuer in the vault, over the network, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from wallet_server.actions.context import Context
from wallet_server.actions.passes import pushed
from wallet_server.actions.vendors import google_accounts
from wallet_server.errors import WalletError
from wallet_server.records.vendors import health
from wallet_server.records.vendors.credentials import CredentialRow
from wallet_server.wallets.google import health as google
from wallet_server.wallets.google.api import Account, Where
from wallet_server.wallets.google.health import Given, Seen

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
"""Nobody waits for the doctor longer than for Google."""
MOST_OBJECTS = 3


def examine(ctx: Context) -> Iterator[tuple[CredentialRow, Seen]]:
    """Each issuer with what was seen of it; nothing where there is none."""
    said = ctx.settings
    trust = said.google_ca.encode() if said.google_ca else None
    where = Where(said.google_api_url, said.google_token_url, trust, CONNECT_SECONDS, READ_SECONDS)
    for row in google_accounts.all_accounts(ctx):
        try:
            account = Account(row.pass_type, row.team, google_accounts.key_of(ctx, row), row.version)
        except WalletError as fault:
            mend = "Put back its secret key, or give its file to `wallet-server setup google` again."
            yield row, Seen("error", f"The key of {row.team} cannot be opened: {fault.sentence} {mend}")
            continue
        for one in google.look(account, where, said.google_save_url, _given(ctx, row), ctx.now()):
            yield row, one
        yield from ((row, one) for one in _notes(ctx, row))


def _given(ctx: Context, row: CredentialRow) -> Given:
    with ctx.look() as tx:
        classes = [one.remote_state for one in health.classes_of(tx, row.id) if one.remote_state is not None]
        states = health.newest_given(tx, row.id, MOST_OBJECTS)
    return Given(classes, pushed.callback_url(ctx, row.public_id), states)


def _notes(ctx: Context, row: CredentialRow) -> Iterator[Seen]:
    """What was learned while cards went out."""
    with ctx.look() as tx:
        notes = {one.note for one in health.classes_of(tx, row.id) if one.note}
        notes |= set(health.notes_of(tx, row.id))
    for note in sorted(notes):
        yield Seen("warning", note)
