"""Owns the vault: certificates that sign passes, the platform's own or a merchant's, their keys sealed at rest."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.records import credentials, programmes
from wallet_server.records.credentials import CredentialRow
from wallet_server.records.database import Tx
from wallet_server.wallets.apple.credentials import Credentials

SLICE = 500
MOST_NAMED = 100
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


def newest_of_platform(ctx: Context) -> int | None:
    """The set that signs the cards of merchants who bring none of their own."""
    with ctx.look() as tx:
        return credentials.newest_of_platform(tx)


def name_of(ctx: Context, row: CredentialRow) -> str:
    """A set as its operator knows it: by pass type and owner."""
    with ctx.look() as tx:
        return f"the certificate for {row.pass_type} of {credentials.owner(tx, row)}"


def private_key(ctx: Context, row: CredentialRow) -> bytes:
    """The private key (PEM) of a set, opened."""
    return ctx.keyring.open(row.key_cipher, f"credential-key:{row.pass_type}")


def assign(ctx: Context, programme_id: int, set_id: int) -> None:
    """New cards of this programme are signed by this set, the platform's or its own account's. Raises `Conflict`
    (`foreign-credentials`)."""
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


@dataclass(frozen=True)
class Rotation:
    """How many envelopes were sealed anew, how many could not be opened, and a sentence for each of the first of
    those."""

    renewed: int
    damaged: int
    named: tuple[str, ...]


class _Tally:
    def __init__(self) -> None:
        self.renewed = self.damaged = 0
        self.named: list[str] = []

    def damage(self, what: str, fault: Misconfigured) -> None:
        self.damaged += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(f"{what}: {fault.sentence}")


def rotate_secrets(ctx: Context) -> Rotation:
    """Seal everything under the current secret key, in slices; what cannot be opened is left as it is, and named.

    Both keys must be in the ring until this has run; then the old one may go, if nothing needs it any more.
    """
    tally = _Tally()
    for row in all_sets(ctx):
        if ctx.keyring.is_current(row.key_cipher):
            continue
        try:
            opened = private_key(ctx, row)
        except Misconfigured as fault:
            tally.damage(f"The key of {name_of(ctx, row)}", fault)
            continue
        sealed = ctx.keyring.seal(opened, f"credential-key:{row.pass_type}")
        with ctx.change() as tx:
            # A renewal meanwhile has put another key there, sealed under the current secret key.
            tally.renewed += credentials.reseal_key(tx, row.id, row.key_cipher, sealed)
    for kind in (credentials.PASS_TOKENS, credentials.CODES, credentials.RECOVERY, credentials.TOTP):
        after: int | None = 0
        while after is not None:
            with ctx.change() as tx:
                after = _rotate_slice(ctx, tx, kind, after, tally)
    return Rotation(tally.renewed, tally.damaged, tuple(tally.named))


def _rotate_slice(ctx: Context, tx: Tx, kind: credentials.Kind, after: int, tally: _Tally) -> int | None:
    rows = credentials.sealed(tx, kind, after, SLICE)
    for secret in rows:
        if ctx.keyring.is_current(secret.cipher):
            continue
        context = f"{kind.context}:{secret.name}"
        try:
            opened = ctx.keyring.open(secret.cipher, context)
        except Misconfigured as fault:
            where = f"{kind.table.name}.{kind.column.name}, row {secret.id} ({secret.name})"
            tally.damage(f"{where}, of {credentials.shop(tx, kind, secret.id)}", fault)
            continue
        credentials.reseal(tx, kind, secret.id, ctx.keyring.seal(opened, context))
        tally.renewed += 1
    return rows[-1].id if rows else None
