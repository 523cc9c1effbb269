"""Owns the vault: certificates that sign passes, the platform's own or a merchant's, their keys sealed at rest."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.vendors import push_keys
from wallet_server.errors import Conflict, Misconfigured, NotFound
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.records.vendors import credentials
from wallet_server.records.vendors import push_keys as keys_of_push
from wallet_server.records.vendors.credentials import CredentialRow, Material
from wallet_server.wallets.apple.credentials import Credentials

SLICE = 500
MOST_NAMED = 100
KEPT_SECONDS = 10
_log = structlog.get_logger("vault")


@dataclass(frozen=True)
class Claim:
    """For whom a set is put into the vault: an account (None: the platform), and a programme whose new cards it signs
    from now on. The `operator` of the installation may renew everybody's sets; an account its own, and the platform's
    where `alone` says that nobody else is here."""

    account_id: int | None = None
    programme_id: int | None = None
    operator: bool = True
    alone: bool = False


@dataclass(frozen=True)
class Installed:
    """A set that is in the vault now. `renewed` when its pass type was there before, `changed` unless it was there to
    the letter."""

    set_id: int
    pass_type: str
    team: str
    renewed: bool
    changed: bool = True


def install(ctx: Context, loaded: Credentials, claim: Claim, by: Scope | None = None) -> Installed:
    """Put a set into the vault, in the place of the one of its pass type if there is one. Programmes that have none so
    far take it: the claimant's, and where it is the platform's everybody's. Where it was somebody of a shop (`by`),
    that is noted.

    Raises `Conflict` (`foreign-credentials`) when the pass type is not the claimant's, `Misconfigured` for another team
    or for a certificate that ends before the one that is there.
    """
    with ctx.change() as tx:
        # One at a time: two processes that start together bring the same set.
        limits.take(tx, "vault", 0, 0)
        there = next((row for row in credentials.all_sets(tx) if row.pass_type == loaded.pass_type), None)
        if there is None:
            set_id, changed = _add(ctx, tx, loaded, claim.account_id), True
        else:
            _admit(tx, there, loaded, claim)
            set_id, changed = there.id, _replace(ctx, tx, there, loaded)
        if claim.programme_id is not None:
            programmes.use_credentials(tx, claim.programme_id, set_id)
        programmes.adopt(tx, set_id, claim.account_id if there is None else there.account_id)
        if by is not None and changed:
            what = deeds.CERTIFIED if there is None else deeds.RENEWED
            deeds.add(tx, by, what, ctx.now(), detail=loaded.pass_type)
    return Installed(set_id, loaded.pass_type, loaded.team, there is not None, changed)


def _admit(tx: Tx, there: CredentialRow, loaded: Credentials, claim: Claim) -> None:
    own = there.account_id == claim.account_id or (there.account_id is None and (claim.operator or claim.alone))
    if not own and claim.programme_id is not None and claim.operator:
        name = f"the certificate for {there.pass_type} of {credentials.owner(tx, there)}"
        sentence = f"This is {name}: that programme needs one of its own, of another pass type."
        raise Conflict(sentence, code="foreign-credentials")
    if not own and not claim.operator:
        sentence = (
            f"The pass type {there.pass_type} is in use here and not yours: the operator of this installation renews "
            "its certificate, or you take one of another pass type."
        )
        raise Conflict(sentence, code="foreign-credentials")
    if there.not_after > loaded.not_after:
        raise Misconfigured(
            f"A certificate for {loaded.pass_type} is installed that is valid longer, until "
            f"{there.not_after:%d %B %Y}: this one is older, and was left alone."
        )


def _material(ctx: Context, loaded: Credentials) -> Material:
    return Material(
        loaded.certificate_pem.decode(),
        loaded.wwdr_pem.decode(),
        ctx.keyring.seal(loaded.key_pem, f"credential-key:{loaded.pass_type}"),
        loaded.not_before,
        loaded.not_after,
    )


def _of(row: CredentialRow) -> Material:
    return Material(row.certificate, row.chain, row.key_cipher, row.not_before, row.not_after)


def _add(ctx: Context, tx: Tx, loaded: Credentials, account_id: int | None) -> int:
    material, now = _material(ctx, loaded), ctx.now()
    # A push key of the team rings its later pass types too, but for one account alone: a stranger may claim any team.
    beside = [row for row in credentials.all_sets(tx) if (row.team, row.account_id) == (loaded.team, account_id)]
    key = next((row.push_key_id for row in beside if row.push_key_id is not None), None)
    set_id = credentials.add(tx, new_id("cred"), account_id, "apple", loaded.pass_type, loaded.team, material, now)
    if key is not None:
        credentials.use_push_key(tx, set_id, key)
    return set_id


def _replace(ctx: Context, tx: Tx, row: CredentialRow, loaded: Credentials) -> bool:
    """The overlap: whoever loaded the old one goes on with it (Apple takes both until their ends), new work takes the
    new one, and the old one is kept to go back to. False when it is the same to the letter."""
    if (row.pass_type, row.team) != (loaded.pass_type, loaded.team):
        raise Misconfigured(
            f"This certificate is for {loaded.pass_type} of team {loaded.team}; a renewal must be for "
            f"{row.pass_type} of team {row.team}."
        )
    if same(ctx, row, loaded):
        return False
    now = ctx.now()
    if row.certificate != loaded.certificate_pem.decode() and row.not_after > now:
        credentials.keep_previous(tx, row.id, _of(row), now)
    _take(tx, row.id, _material(ctx, loaded))
    return True


def _take(tx: Tx, set_id: int, material: Material) -> None:
    credentials.replace(tx, set_id, material)
    limits.close_circuit(tx, f"apple:{set_id}")  # what the old one was refused for is no reason to wait with the new


def same(ctx: Context, row: CredentialRow, loaded: Credentials) -> bool:
    """Whether this very certificate is installed, and its key can be opened."""
    if (row.certificate, row.chain) != (loaded.certificate_pem.decode(), loaded.wwdr_pem.decode()):
        return False
    try:
        return private_key(ctx, row) == loaded.key_pem
    except Misconfigured:
        return False


def _checked(ctx: Context, certificate_pem: bytes, key_pem: bytes, wwdr_pem: bytes) -> Credentials:
    """What is new here, as what signs. Raises `Misconfigured`."""
    known = ctx.settings.apple_intermediates
    sandbox = ctx.settings.sandbox
    return Credentials.load(certificate_pem, key_pem, wwdr_pem, ctx.now(), sandbox=sandbox, intermediates=known)


def _kept(ctx: Context, certificate_pem: bytes, key_pem: bytes, chain_pem: bytes, now: datetime) -> Credentials:
    """What was in the vault before, as what signs. Raises `Misconfigured`."""
    return Credentials.load(
        certificate_pem,
        key_pem,
        chain_pem,
        now,
        sandbox=ctx.settings.sandbox,
        intermediates=ctx.settings.apple_intermediates,
        # What was sealed was checked before, and checking a great key holds up every thread for seconds.
        key_checked=True,
        # Nor does it stop signing for an intermediate that is not on our list: the doctor and the console say so.
        stored=True,
    )


def add(ctx: Context, account_id: int | None, certificate_pem: bytes, key_pem: bytes, wwdr_pem: bytes) -> int:
    """Check and store a set. Raises `Misconfigured` with what is wrong and what to do."""
    loaded = _checked(ctx, certificate_pem, key_pem, wwdr_pem)
    with ctx.change() as tx:
        return _add(ctx, tx, loaded, account_id)


def renew(ctx: Context, set_id: int, certificate_pem: bytes, key_pem: bytes, wwdr_pem: bytes) -> bool:
    """A renewed certificate of the same pass type takes the place of the old one, which is kept to go back to;
    installed cards go on updating. False when it is the same to the letter."""
    loaded = _checked(ctx, certificate_pem, key_pem, wwdr_pem)
    with ctx.change() as tx:
        return _replace(ctx, tx, credentials.credential_set(tx, set_id), loaded)


def swap_back(ctx: Context, pass_type: str, by: Scope | None = None) -> datetime:
    """Sign and ring with the certificate before, and keep the present one in its place: run again it undoes itself.
    `by` as in `install`. Returns when the one that is used now ends (UTC). Raises `NotFound`, `Misconfigured` for one
    that cannot be used."""
    with ctx.change() as tx:
        limits.take(tx, "vault", 0, 0)
        row = next((one for one in credentials.all_sets(tx) if one.pass_type == pass_type), None)
        before = credentials.previous(tx).get(row.id) if row is not None else None
        if row is None or before is None:
            raise NotFound(f"There is no certificate before the present one for {pass_type}; nothing was changed.")
        key = ctx.keyring.open(before.key_cipher, f"credential-key:{row.pass_type}")
        # It may have ended since, or its key may be lost: going back must not be a step into the dark.
        parts = before.certificate.encode(), key, before.chain.encode()
        _kept(ctx, *parts, ctx.now())
        credentials.keep_previous(tx, row.id, _of(row), ctx.now())
        _take(tx, row.id, before)
        if by is not None:
            deeds.add(tx, by, deeds.GONE_BACK, ctx.now(), detail=pass_type)
        return before.not_after


def previous(ctx: Context) -> dict[int, Material]:
    """What each set can go back to, by the key of the set."""
    with ctx.look() as tx:
        now = ctx.now()
        return {key: one for key, one in credentials.previous(tx).items() if one.not_after > now}


def all_sets(ctx: Context, *wallets: str) -> list[CredentialRow]:
    """Every set in use of these wallets: the certificates, where none is named."""
    with ctx.look() as tx:
        return credentials.all_sets(tx, *wallets)


def newest_of_platform(ctx: Context) -> int | None:
    """The set that signs the cards of merchants who bring none of their own."""
    with ctx.look() as tx:
        return credentials.newest_of_platform(tx)


def name_of(ctx: Context, row: CredentialRow) -> str:
    """A set as its operator knows it: by pass type and owner."""
    with ctx.look() as tx:
        what = "certificate for" if row.wallet == credentials.APPLE else "service account of the issuer"
        return f"the {what} {row.pass_type} of {credentials.owner(tx, row)}"


def private_key(ctx: Context, row: CredentialRow) -> bytes:
    """The private key (PEM) of a set, opened."""
    return ctx.keyring.open(row.key_cipher, f"credential-key:{row.pass_type}")


def assign(ctx: Context, programme_id: int, set_id: int) -> None:
    """New cards of this programme are signed by this set, the platform's or its own account's. Raises `Conflict`
    (`foreign-credentials`)."""
    with ctx.change() as tx:
        credentials.credential_set(tx, set_id)
        programmes.use_credentials(tx, programme_id, set_id)


@dataclass(frozen=True)
class _Held:
    looked_at: float
    mark: tuple[int, str]
    loaded: Credentials


class Vault:
    """Loaded sets by key. A set is loaded once; a change is noticed by its version, at most `KEPT_SECONDS` later.
    Whoever works with the old one meanwhile does nothing wrong: Apple takes both."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._loaded: dict[int, _Held] = {}
        self._lock = threading.Lock()

    def __call__(self, set_id: int) -> Credentials:
        """Raises `Misconfigured` when the set cannot be used: only the passes of this set suffer."""
        now = self._ctx.now()
        moment = now.timestamp()
        held = self._loaded.get(set_id)
        if held is not None and 0 <= moment - held.looked_at < KEPT_SECONDS and held.loaded.not_after > now:
            return held.loaded
        try:
            with self._ctx.look() as tx:
                row = credentials.credential_set(tx, set_id)
        except NotFound as fault:
            raise Misconfigured("The certificate of this card is gone from the vault.") from fault
        with self._lock:
            held = self._loaded.get(set_id)
            mark = row.version, row.certificate
            if held is None or held.mark != mark or held.loaded.not_after <= now:
                loaded = self._load(row, now)
            else:
                loaded = held.loaded
            self._loaded[set_id] = _Held(moment, mark, loaded)
            return loaded

    def _load(self, row: CredentialRow, now: datetime) -> Credentials:
        key = private_key(self._ctx, row)
        parts = row.certificate.encode(), key, row.chain.encode()
        loaded = replace(_kept(self._ctx, *parts, now), version=row.version)
        if row.push_key_id is None:
            return loaded
        try:
            return replace(loaded, provider=push_keys.provider(self._ctx, row.push_key_id, row.team))
        except Misconfigured as fault:
            # Cards are signed without it, and the certificate rings: a key that is lost keeps no customer waiting.
            _log.error("push key not usable, the certificate rings", pass_type=row.pass_type, why=fault.sentence)
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
    for row in all_sets(ctx, credentials.APPLE, credentials.GOOGLE):
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
    _rotate_beside(ctx, tally)
    for kind in credentials.SEALED:
        after: int | None = 0
        while after is not None:
            with ctx.change() as tx:
                after = _rotate_slice(ctx, tx, kind, after, tally)
    return Rotation(tally.renewed, tally.damaged, tuple(tally.named))


def _rotate_beside(ctx: Context, tally: _Tally) -> None:
    """The keys of certificates before the present ones, and those of the push service."""
    with ctx.change() as tx:
        rows = {row.id: row for row in credentials.all_sets(tx)}
        for set_id, before in credentials.previous(tx).items():
            name = rows[set_id].pass_type if set_id in rows else str(set_id)
            sealed = _resealed(ctx, before.key_cipher, f"credential-key:{name}", f"The key before, of {name}", tally)
            if sealed is not None:
                tally.renewed += credentials.reseal_previous(tx, set_id, before.key_cipher, sealed)
        for row in keys_of_push.all_keys(tx):
            sealed = _resealed(ctx, row.key_cipher, f"push-key:{row.team}", f"The push key of team {row.team}", tally)
            if sealed is not None:
                tally.renewed += keys_of_push.reseal(tx, row, sealed)


def _resealed(ctx: Context, cipher: str, context: str, what: str, tally: _Tally) -> str | None:
    if ctx.keyring.is_current(cipher):
        return None
    try:
        return ctx.keyring.seal(ctx.keyring.open(cipher, context), context)
    except Misconfigured as fault:
        tally.damage(what, fault)
        return None


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
