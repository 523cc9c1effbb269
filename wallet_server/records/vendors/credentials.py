"""Owns credential sets: the certificates that sign passes and open the way to the push service, keys sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    accounts,
    card_import_rows,
    card_imports,
    cashier_pins,
    code_keys,
    codes,
    credential_sets,
    letters,
    members,
    merchants,
    offline_events,
    offline_fates,
    one_time_codes,
    passes,
    previous_certificates,
    programmes,
    staff,
    unclaimed_sales,
    webhook_endpoints,
)

APPLE, GOOGLE = "apple", "google"
OLDEST_CARDS = 100


@dataclass(frozen=True)
class Material:
    """A certificate (PEM), its chain (the WWDR intermediate, PEM), its private key in an envelope, and its dates."""

    certificate: str
    chain: str
    key_cipher: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class CredentialRow:
    """A certificate (PEM), its chain (the WWDR intermediate, PEM) and its private key in an envelope. `version` moves
    with everything that is loaded; with a `push_key_id` the push service is opened by that key."""

    id: int
    public_id: str
    account_id: int | None
    wallet: str
    pass_type: str
    team: str
    certificate: str
    chain: str
    key_cipher: str
    not_before: datetime
    not_after: datetime
    version: int
    warned_days: int | None
    push_key_id: int | None
    told_at: datetime | None


def add(
    tx: Tx,
    public_id: str,
    account_id: int | None,
    wallet: str,
    pass_type: str,
    team: str,
    material: Material,
    at: datetime,
) -> int:
    row = {
        "public_id": public_id,
        "account_id": account_id,
        "wallet": wallet,
        "pass_type": pass_type,
        "team": team,
        **vars(material),
        "created_at": at,
    }
    return int(tx.execute(sa.insert(credential_sets).returning(credential_sets.c.id), row).scalar_one())


def replace(tx: Tx, set_id: int, material: Material) -> None:
    """Another certificate for the same pass type: passes keep their set, so installed cards go on updating."""
    of_set = credential_sets.c.id == set_id
    moved = {"version": credential_sets.c.version + 1, "warned_days": None}
    tx.execute(sa.update(credential_sets).where(of_set).values(**vars(material), **moved))


def name_team(tx: Tx, set_id: int, team: str) -> None:
    """Somebody else speaks for the issuer of this set from now on."""
    tx.execute(sa.update(credential_sets).where(credential_sets.c.id == set_id).values(team=team))


def keep_previous(tx: Tx, set_id: int, material: Material | None, at: datetime) -> None:
    """What a set signed with until now; None forgets it."""
    tx.execute(sa.delete(previous_certificates).where(previous_certificates.c.credential_set_id == set_id))
    if material is not None:
        row = {"credential_set_id": set_id, **vars(material), "replaced_at": at}
        tx.execute(sa.insert(previous_certificates), row)


def previous(tx: Tx) -> dict[int, Material]:
    """What each set signed with before, by the key of the set."""
    return {
        r.credential_set_id: Material(r.certificate, r.chain, r.key_cipher, r.not_before, r.not_after)
        for r in tx.execute(sa.select(previous_certificates))
    }


def forget_previous(tx: Tx, now: datetime) -> int:
    """Throw away the keys that have reached their end and that nobody can go back to; returns how many."""
    return tx.execute(sa.delete(previous_certificates).where(previous_certificates.c.not_after <= now)).rowcount


def warn(tx: Tx, set_id: int, version: int, days: int) -> bool:
    """Note that a threshold was reached; True for whoever is first, in this process or another."""
    unwarned = credential_sets.c.warned_days.is_(None) | (credential_sets.c.warned_days > days)
    of_set = sa.and_(credential_sets.c.id == set_id, credential_sets.c.version == version, unwarned)
    return tx.execute(sa.update(credential_sets).where(of_set).values(warned_days=days)).rowcount == 1


def use_push_key(tx: Tx, set_id: int, push_key_id: int | None) -> None:
    """The push service is opened by this key from now on; None: by the set's own certificate."""
    moved = {"version": credential_sets.c.version + 1, "push_key_id": push_key_id}
    tx.execute(sa.update(credential_sets).where(credential_sets.c.id == set_id).values(**moved))


def _row(r: sa.Row) -> CredentialRow:  # type: ignore[type-arg]
    return CredentialRow(
        r.id,
        r.public_id,
        r.account_id,
        r.wallet,
        r.pass_type,
        r.team,
        r.certificate,
        r.chain,
        r.key_cipher,
        r.not_before,
        r.not_after,
        r.version,
        r.warned_days,
        r.push_key_id,
        r.told_at,
    )


def credential_set(tx: Tx, set_id: int) -> CredentialRow:
    """Raises `NotFound`."""
    r = tx.execute(sa.select(credential_sets).where(credential_sets.c.id == set_id)).first()
    if r is None:
        raise NotFound("There is no such credential set.")
    return _row(r)


def version(tx: Tx, set_id: int) -> int:
    """Which version of a set signs just now."""
    query = sa.select(credential_sets.c.version).where(credential_sets.c.id == set_id)
    return int(tx.execute(query).scalar_one())


def all_sets(tx: Tx, *wallets: str) -> list[CredentialRow]:
    """Every set in use of these wallets, oldest first: the certificates, where none is named."""
    used = credential_sets.c.retired_at.is_(None) & credential_sets.c.wallet.in_(wallets or (APPLE,))
    return [_row(r) for r in tx.execute(sa.select(credential_sets).where(used).order_by(credential_sets.c.id))]


def newest_of_platform(tx: Tx) -> int | None:
    """The set that signs the cards of merchants who bring none of their own."""
    return next((row.id for row in reversed(all_sets(tx)) if row.account_id is None), None)


def sets_of(tx: Tx, account_id: int) -> list[CredentialRow]:
    """The certificates that sign cards of an account: its own, and the platform's that its programmes use for new
    cards, or used for the oldest (a look at all of a million cards would take seconds)."""
    used = sa.select(programmes.c.credential_set_id).where(programmes.c.account_id == account_id)
    of_account = members.join(programmes, programmes.c.id == members.c.programme_id)
    oldest = (
        sa.select(passes.c.credential_set_id)
        .select_from(of_account.join(passes, passes.c.member_id == members.c.id))
        .where(programmes.c.account_id == account_id)
        .order_by(members.c.id)
        .limit(OLDEST_CARDS)
        .subquery()
    )
    own = credential_sets.c.account_id == account_id
    in_use = credential_sets.c.id.in_(used) | credential_sets.c.id.in_(sa.select(oldest.c.credential_set_id))
    platform = credential_sets.c.account_id.is_(None) & in_use
    certificates = credential_sets.c.retired_at.is_(None) & (credential_sets.c.wallet == APPLE)
    query = sa.select(credential_sets).where(certificates, own | platform)
    return [_row(r) for r in tx.execute(query.order_by(credential_sets.c.id))]


def alone(tx: Tx) -> bool:
    """Whether one account is all there is here."""
    return len(tx.execute(sa.select(accounts.c.id).limit(2)).all()) == 1


def owner(tx: Tx, row: CredentialRow) -> str:
    """Whose set it is, by name."""
    if row.account_id is None:
        return "the platform"
    return str(tx.execute(sa.select(accounts.c.name).where(accounts.c.id == row.account_id)).scalar_one())


def reseal_key(tx: Tx, set_id: int, old: str, new: str) -> int:
    """Put a private key's envelope under a newer secret key in place of the old one; 0 when that is gone."""
    of_set = sa.and_(credential_sets.c.id == set_id, credential_sets.c.key_cipher == old)
    return tx.execute(sa.update(credential_sets).where(of_set).values(key_cipher=new)).rowcount


def reseal_previous(tx: Tx, set_id: int, old: str, new: str) -> int:
    """The same for the key that the set signed with before."""
    table = previous_certificates
    of_set = sa.and_(table.c.credential_set_id == set_id, table.c.key_cipher == old)
    return tx.execute(sa.update(table).where(of_set).values(key_cipher=new)).rowcount


@dataclass(frozen=True)
class Kind:
    """A column of envelopes; `context` and the name of what each belongs to are what its encryption authenticates."""

    context: str
    table: sa.Table
    column: sa.Column[str]
    name: sa.Column[str]
    join: sa.FromClause


@dataclass(frozen=True)
class SealedRow:
    """One envelope and the name of what it belongs to: the serial number of a pass, the public id of a member."""

    id: int
    name: str
    cipher: str


PASS_TOKENS = Kind("pass-token", passes, passes.c.token_cipher, passes.c.serial, passes)
CODES = Kind("code", codes, codes.c.cipher, passes.c.serial, codes.join(passes, passes.c.id == codes.c.pass_id))
RECOVERY = Kind(
    "recovery",
    codes,
    codes.c.cipher,
    members.c.public_id,
    codes.join(members, sa.and_(members.c.id == codes.c.member_id, codes.c.kind == "recovery")),
)
TOTP = Kind("totp", staff, staff.c.totp_cipher, staff.c.public_id, staff)
_PIN_OF = cashier_pins.join(staff, staff.c.id == cashier_pins.c.staff_id)
PINS = Kind("pin", cashier_pins, cashier_pins.c.pin_cipher, staff.c.public_id, _PIN_OF)
_HOOKS = webhook_endpoints
WEBHOOKS = Kind("webhook", _HOOKS, _HOOKS.c.secret_cipher, _HOOKS.c.public_id, _HOOKS)
WEBHOOKS_BEFORE = Kind("webhook", _HOOKS, _HOOKS.c.previous_cipher, _HOOKS.c.public_id, _HOOKS)
CODE_KEYS = Kind("code-key", code_keys, code_keys.c.private_cipher, code_keys.c.public_id, code_keys)
_EVENTS = offline_fates.join(offline_events, offline_events.c.id == offline_fates.c.event_id)
_UNCLAIMED = unclaimed_sales
CLAIMS = Kind("claim", _UNCLAIMED, _UNCLAIMED.c.code_cipher, _UNCLAIMED.c.public_id, _UNCLAIMED)
OFFLINE = Kind("offline", offline_fates, offline_fates.c.text_cipher, offline_events.c.public_id, _EVENTS)
LETTERS = Kind("letter", letters, letters.c.words, letters.c.public_id, letters)
ONE_TIME = Kind("one-time", one_time_codes, one_time_codes.c.address, one_time_codes.c.public_id, one_time_codes)
_LINES = card_import_rows.join(card_imports, card_imports.c.id == card_import_rows.c.import_id)
IMPORTS = Kind("import", card_import_rows, card_import_rows.c.person, card_imports.c.public_id, _LINES)
SEALED = (
    *(PASS_TOKENS, CODES, RECOVERY, TOTP, PINS, WEBHOOKS, WEBHOOKS_BEFORE, CODE_KEYS, OFFLINE, CLAIMS),
    *(LETTERS, ONE_TIME, IMPORTS),
)
"""Every kind of envelope but those of certificates and push keys."""


def sealed(tx: Tx, kind: Kind, after: int, most: int) -> list[SealedRow]:
    """Envelopes by key, for a rotation of the secret keys."""
    key = kind.table.c.id
    rows = tx.execute(
        sa.select(key, kind.name.label("name"), kind.column.label("cipher"))
        .select_from(kind.join)
        .where(key > after, kind.column.is_not(None))
        .order_by(key)
        .limit(most)
    )
    return [SealedRow(r.id, r.name, r.cipher) for r in rows]


def shop(tx: Tx, kind: Kind, row_id: int) -> str:
    """The name of the account that an envelope belongs to."""
    if kind in (TOTP, PINS):
        source = kind.join.join(accounts, accounts.c.id == staff.c.account_id)
    elif kind is CODE_KEYS:
        source = kind.join.join(accounts, accounts.c.id == code_keys.c.account_id)
    elif kind is OFFLINE:
        source = kind.join.join(accounts, accounts.c.id == offline_fates.c.account_id)
    elif kind is CLAIMS:
        source = kind.join.join(programmes, programmes.c.id == _UNCLAIMED.c.programme_id).join(
            accounts, accounts.c.id == programmes.c.account_id
        )
    elif kind.table is _HOOKS:
        source = kind.join.join(merchants, merchants.c.id == _HOOKS.c.merchant_id).join(
            accounts, accounts.c.id == merchants.c.account_id
        )
    else:
        held = kind.join if kind is RECOVERY else kind.join.join(members, members.c.id == passes.c.member_id)
        source = held.join(programmes, programmes.c.id == members.c.programme_id).join(
            accounts, accounts.c.id == programmes.c.account_id
        )
    return str(tx.execute(sa.select(accounts.c.name).select_from(source).where(kind.table.c.id == row_id)).scalar_one())


def reseal(tx: Tx, kind: Kind, row_id: int, cipher: str) -> None:
    """Store an envelope under a newer secret key."""
    tx.execute(sa.update(kind.table).where(kind.table.c.id == row_id).values({kind.column.name: cipher}))
