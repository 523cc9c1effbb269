"""Owns what people prove themselves with besides a password: passkeys, backup codes, and challenges under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import backup_codes, challenges, passkeys


@dataclass(frozen=True)
class PasskeyRow:
    """A passkey: the credential's own id, its public key (COSE), and its counter, which must not go back."""

    id: int
    public_id: str
    staff_id: int
    credential: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: datetime
    used_at: datetime | None


def add_passkey(tx: Tx, values: Mapping[str, object]) -> None:
    """A new passkey."""
    tx.execute(sa.insert(passkeys).values(**values))


def passkeys_of(tx: Tx, staff_id: int) -> list[PasskeyRow]:
    """A person's passkeys, oldest first."""
    rows = tx.execute(sa.select(passkeys).where(passkeys.c.staff_id == staff_id).order_by(passkeys.c.id).limit(100))
    return [_passkey(r) for r in rows]


def passkey(tx: Tx, credential: bytes) -> PasskeyRow | None:
    """The passkey with this credential id, whoever it belongs to."""
    found = tx.execute(sa.select(passkeys).where(passkeys.c.credential == credential).with_for_update()).first()
    return None if found is None else _passkey(found)


def _passkey(r: sa.Row) -> PasskeyRow:  # type: ignore[type-arg]
    return PasskeyRow(
        r.id,
        r.public_id,
        r.staff_id,
        bytes(r.credential),
        bytes(r.public_key),
        r.sign_count,
        r.name,
        r.created_at,
        r.used_at,
    )


def use_passkey(tx: Tx, passkey_id: int, sign_count: int, at: datetime) -> None:
    """Note where its counter stands now."""
    tx.execute(sa.update(passkeys).where(passkeys.c.id == passkey_id).values(sign_count=sign_count, used_at=at))


def drop_passkey(tx: Tx, staff_id: int, public_id: str) -> int:
    """Forget one of a person's passkeys; returns how many went."""
    found = sa.delete(passkeys).where(passkeys.c.staff_id == staff_id, passkeys.c.public_id == public_id)
    return tx.execute(found).rowcount


def drop_passkeys(tx: Tx, staff_id: int) -> None:
    """Forget all of them."""
    tx.execute(sa.delete(passkeys).where(passkeys.c.staff_id == staff_id))


def replace_codes(tx: Tx, staff_id: int, hashes: Sequence[bytes], at: datetime) -> None:
    """These backup codes, and no older ones."""
    tx.execute(sa.delete(backup_codes).where(backup_codes.c.staff_id == staff_id))
    if hashes:
        rows = [{"staff_id": staff_id, "secret_sha256": one, "created_at": at} for one in hashes]
        tx.execute(sa.insert(backup_codes), rows)


def use_code(tx: Tx, staff_id: int, secret_sha256: bytes, at: datetime) -> bool:
    """Use up a backup code; False when it is none of theirs or was used before."""
    found = sa.update(backup_codes).where(
        backup_codes.c.staff_id == staff_id,
        backup_codes.c.secret_sha256 == secret_sha256,
        backup_codes.c.used_at.is_(None),
    )
    return tx.execute(found.values(used_at=at)).rowcount == 1


def codes_left(tx: Tx, staff_id: int) -> int:
    """How many backup codes were not used."""
    query = sa.select(sa.func.count()).select_from(backup_codes)
    return int(
        tx.execute(query.where(backup_codes.c.staff_id == staff_id, backup_codes.c.used_at.is_(None))).scalar_one()
    )


def add_challenge(tx: Tx, staff_id: int | None, purpose: str, challenge: bytes, expires_at: datetime) -> None:
    """A challenge that waits for its answer."""
    row = {"staff_id": staff_id, "purpose": purpose, "challenge": challenge, "expires_at": expires_at}
    tx.execute(sa.insert(challenges), row)


def take_challenge(tx: Tx, staff_id: int | None, purpose: str, challenge: bytes, now: datetime) -> bool:
    """Use up a challenge; False when it is none of ours, was answered, or is over. Clears away those that are over."""
    mine = challenges.c.staff_id.is_(None) if staff_id is None else challenges.c.staff_id == staff_id
    found = sa.delete(challenges).where(
        mine, challenges.c.purpose == purpose, challenges.c.challenge == challenge, challenges.c.expires_at > now
    )
    taken = tx.execute(found).rowcount == 1
    tx.execute(sa.delete(challenges).where(challenges.c.expires_at <= now))
    return taken
