"""Owns the vault: certificates that sign passes, the platform's own or a merchant's, their keys sealed at rest."""

from __future__ import annotations

import threading

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.records import credentials, programmes
from wallet_server.records.credentials import CredentialRow
from wallet_server.wallets.apple.credentials import Credentials

SLICE = 500
KEPT_SECONDS = 60


def add(ctx: Context, account_id: int | None, certificate_pem: bytes, key_pem: bytes, wwdr_pem: bytes) -> int:
    """Check and store a set. Raises `Misconfigured` with what is wrong and what to do."""
    loaded = Credentials.load(certificate_pem, key_pem, wwdr_pem, ctx.now(), sandbox=ctx.settings.sandbox)
    public_id = new_id("cred")
    with ctx.change() as tx:
        return credentials.add(
            tx,
            public_id,
            account_id,
            "apple",
            loaded.pass_type,
            loaded.team,
            loaded.certificate_pem.decode(),
            wwdr_pem.decode(),
            ctx.keyring.seal(loaded.key_pem, f"credential-key:{loaded.pass_type}"),
            loaded.not_before,
            loaded.not_after,
            ctx.now(),
        )


def renew(ctx: Context, set_id: int, certificate_pem: bytes, key_pem: bytes, wwdr_pem: bytes) -> None:
    """A renewed certificate of the same pass type takes the place of the old one; installed cards go on updating."""
    loaded = Credentials.load(certificate_pem, key_pem, wwdr_pem, ctx.now(), sandbox=ctx.settings.sandbox)
    with ctx.change() as tx:
        row = credentials.credential_set(tx, set_id)
        if (row.pass_type, row.team) != (loaded.pass_type, loaded.team):
            raise Misconfigured(
                f"This certificate is for {loaded.pass_type} of team {loaded.team}; a renewal must be for "
                f"{row.pass_type} of team {row.team}."
            )
        credentials.replace(
            tx,
            set_id,
            loaded.certificate_pem.decode(),
            wwdr_pem.decode(),
            ctx.keyring.seal(loaded.key_pem, f"credential-key:{loaded.pass_type}"),
            loaded.not_before,
            loaded.not_after,
        )


def all_sets(ctx: Context) -> list[CredentialRow]:
    """Every set in use."""
    with ctx.look() as tx:
        return credentials.all_sets(tx)


def private_key(ctx: Context, row: CredentialRow) -> bytes:
    """The private key (PEM) of a set, opened."""
    return ctx.keyring.open(row.key_cipher, f"credential-key:{row.pass_type}")


def assign(ctx: Context, programme_id: int, set_id: int) -> None:
    """New cards of this programme are signed by this set."""
    with ctx.change() as tx:
        credentials.credential_set(tx, set_id)
        programmes.use_credentials(tx, programme_id, set_id)


class Vault:
    """Loaded sets by key. A set is loaded once; a renewal is noticed by its dates, at most a minute later."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._loaded: dict[int, tuple[float, str, Credentials]] = {}
        self._lock = threading.Lock()

    def __call__(self, set_id: int) -> Credentials:
        """Raises `Misconfigured` when the set cannot be used: only the passes of this set suffer."""
        now = self._ctx.now()
        moment = now.timestamp()
        held = self._loaded.get(set_id)
        if held is not None and moment - held[0] < KEPT_SECONDS and held[2].not_after > now:
            return held[2]
        try:
            with self._ctx.look() as tx:
                row = credentials.credential_set(tx, set_id)
        except NotFound as fault:
            raise Misconfigured("The certificate of this card is gone from the vault.") from fault
        with self._lock:
            held = self._loaded.get(set_id)
            if held is None or held[1] != row.certificate or held[2].not_after <= now:
                key = private_key(self._ctx, row)
                loaded = Credentials.load(
                    row.certificate.encode(),
                    key,
                    row.chain.encode(),
                    self._ctx.now(),
                    sandbox=self._ctx.settings.sandbox,
                )
            else:
                loaded = held[2]
            self._loaded[set_id] = (moment, row.certificate, loaded)
            return loaded


def rotate_secrets(ctx: Context) -> int:
    """Seal everything under the current secret key, in slices; returns how many envelopes were renewed.

    Both keys must be in the ring until this has run; then the old one may go.
    """
    renewed = 0
    for row in all_sets(ctx):
        if not ctx.keyring.is_current(row.key_cipher):
            sealed = ctx.keyring.seal(private_key(ctx, row), f"credential-key:{row.pass_type}")
            with ctx.change() as tx:
                # A renewal meanwhile has put another key there, sealed under the current secret key.
                renewed += credentials.reseal_key(tx, row.id, row.key_cipher, sealed)
    for kind in (credentials.PASS_TOKENS, credentials.CODES, credentials.RECOVERY, credentials.TOTP):
        after = 0
        while True:
            with ctx.change() as tx:
                rows = credentials.sealed(tx, kind, after, SLICE)
                old = [secret for secret in rows if not ctx.keyring.is_current(secret.cipher)]
                for secret in old:
                    context = f"{kind.context}:{secret.name}"
                    opened = ctx.keyring.open(secret.cipher, context)
                    credentials.reseal(tx, kind, secret.id, ctx.keyring.seal(opened, context))
            renewed += len(old)
            if not rows:
                break
            after = rows[-1].id
    return renewed
