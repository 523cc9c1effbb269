"""Owns the accounts at Google Wallet: issuers, and the service accounts that speak for them, keys sealed in the vault.

A set is the platform's own or a merchant's, as for Apple; one that cannot be used stops the cards of its issuer alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.vendors.credentials import Claim, Installed
from wallet_server.errors import Conflict, Misconfigured, WalletError
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.operating import operating
from wallet_server.records.vendors import credentials, vendors
from wallet_server.records.vendors.credentials import GOOGLE, CredentialRow, Material

ISSUER = re.compile(r"[0-9]{6,40}")
MOST_BYTES = 64 * 1024
LEAST_BITS = 2048
BEGINNING, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A service account's key has no dates of its own."""
_log = structlog.get_logger("vault")


@dataclass(frozen=True)
class ServiceAccount:
    """An issuer (the number that Google's console shows) and who speaks for it; the key as PEM."""

    issuer: str
    email: str
    key_pem: bytes = field(repr=False)


def read(issuer: str, file: bytes) -> ServiceAccount:
    """A service account out of the JSON file that the Google Cloud console gives. Raises `Misconfigured`, which says
    what is wrong with it."""
    issuer = issuer_of(issuer)
    try:
        said = orjson.loads(file) if len(file) <= MOST_BYTES else None
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict) or said.get("type") != "service_account":
        raise _bad("This is not the JSON file of a service account; the Google Cloud console makes one: Keys, Add key.")
    email, key = said.get("client_email"), said.get("private_key")
    if not isinstance(email, str) or not re.fullmatch(r"[^@\s]{1,100}@[^@\s]{1,150}", email) or len(email) > 64:
        raise _bad("The file names no service account (client_email). Download it anew.")
    if not isinstance(key, str) or not _sound(key.encode()):
        raise _bad(
            "The file holds no usable private key (RSA, 2048 bits or more). Add a new key and download its file."
        )
    return ServiceAccount(issuer, email, key.encode())


def issuer_of(typed: str) -> str:
    """The issuer id as somebody typed it. Raises `Misconfigured`."""
    issuer = re.sub(r"\s", "", typed)
    if not ISSUER.fullmatch(issuer):
        raise _bad("The issuer id is a number of about 19 digits; the Pay & Wallet Console shows it beside your name.")
    return issuer


def _sound(key_pem: bytes) -> bool:
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_BITS


def _bad(sentence: str) -> Misconfigured:
    return Misconfigured(sentence, code="google-credentials")


def claim_of(ctx: Context, programme: str | None) -> Claim:
    """For whom an operator installs: the account of this programme (public id), and without one the platform. Raises
    `NotFound`."""
    if programme is None:
        return Claim()
    with ctx.look() as tx:
        row = operating.programme(tx, programme)
    return Claim(row.account_id, row.id)


def install(ctx: Context, account: ServiceAccount, claim: Claim, *, afresh: bool = True) -> Installed:
    """Put an issuer's account into the vault, in the place of the one that it had. New cards of the claimant's
    programme are of it from now on, and those of every programme that has none. `afresh`: what waits because Google
    refused this issuer is tried at once, also where the account is the same: it may have been given its rights since.

    Raises `Conflict` (`foreign-credentials`) for an issuer that is another's.
    """
    with ctx.change() as tx:
        # One at a time: two processes that start together bring the same account.
        limits.take(tx, "vault", 0, 0)
        there = next((row for row in credentials.all_sets(tx, GOOGLE) if row.pass_type == account.issuer), None)
        if there is None:
            set_id, changed = _add(ctx, tx, account, claim.account_id), True
        else:
            if there.account_id != claim.account_id and not (
                there.account_id is None and (claim.operator or claim.alone)
            ):
                raise Conflict(
                    f"The issuer {account.issuer} is in use here by {credentials.owner(tx, there)}: take your own.",
                    code="foreign-credentials",
                )
            set_id, changed = there.id, _replace(ctx, tx, there, account)
        if afresh or changed:
            limits.close_circuit(tx, f"{GOOGLE}:{set_id}")
            jobs.lift_rests(tx, set_id, ctx.now())
        if claim.programme_id is not None:
            vendors.choose(tx, claim.programme_id, set_id, GOOGLE, ctx.now())
    return Installed(set_id, account.issuer, account.email, there is not None, changed)


def _material(ctx: Context, account: ServiceAccount) -> Material:
    sealed = ctx.keyring.seal(account.key_pem, f"credential-key:{account.issuer}")
    return Material("", "", sealed, BEGINNING, END)


def _add(ctx: Context, tx: Tx, account: ServiceAccount, account_id: int | None) -> int:
    material = _material(ctx, account)
    return credentials.add(tx, new_id("cred"), account_id, GOOGLE, account.issuer, account.email, material, ctx.now())


def _replace(ctx: Context, tx: Tx, row: CredentialRow, account: ServiceAccount) -> bool:
    try:
        same = (row.team, key_of(ctx, row)) == (account.email, account.key_pem)
    except Misconfigured:
        same = False
    if same:
        return False
    credentials.replace(tx, row.id, _material(ctx, account))
    credentials.name_team(tx, row.id, account.email)
    return True


def key_of(ctx: Context, row: CredentialRow) -> bytes:
    """The private key (PEM) of an account in the vault, opened."""
    return ctx.keyring.open(row.key_cipher, f"credential-key:{row.pass_type}")


def all_accounts(ctx: Context) -> list[CredentialRow]:
    """Every account in use, oldest first."""
    with ctx.look() as tx:
        return credentials.all_sets(tx, GOOGLE)


def owner(ctx: Context, row: CredentialRow) -> str:
    """Whose account it is, by name."""
    with ctx.look() as tx:
        return credentials.owner(tx, row)


def given(ctx: Context) -> ServiceAccount | None:
    """What WALLET_GOOGLE_ISSUER and WALLET_GOOGLE_SERVICE_ACCOUNT bring; None when they bring nothing. Raises
    `Misconfigured`."""
    said = ctx.settings
    if said.google_issuer is None or said.google_service_account is None:
        return None
    return read(said.google_issuer, said.google_service_account.encode())


def take_in(ctx: Context) -> bool:
    """Install the account of the settings as the platform's, unless it is there already. Stops no start: what is wrong
    is said in the log. True when the vault changed."""
    try:
        account = given(ctx)
        done = None if account is None else install(ctx, account, Claim(), afresh=False)
    except WalletError as fault:
        _log.error("google account of the settings refused", why=[f"{fault.code}: {fault.sentence}"])
        return False
    if done is None or not done.changed:
        return False
    _log.info("google account of the settings installed", issuer=done.pass_type, renewed=done.renewed)
    return True
