"""Owns the signing keys of the push service (.p8), sealed, and the token that was signed last with each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import credential_sets, push_keys


@dataclass(frozen=True)
class PushKeyRow:
    """A key of a team, in an envelope; `token_cipher` is what was signed at `token_at` (UTC)."""

    id: int
    public_id: str
    team: str
    kid: str
    key_cipher: str
    token_cipher: str | None
    token_at: datetime | None


def put(tx: Tx, public_id: str, team: str, kid: str, key_cipher: str, at: datetime) -> int:
    """Keep the key of a team, in the place of the one it had; returns its row."""
    table = push_keys
    query = sa.select(table.c.id).where(table.c.team == team)
    there = tx.execute(query if tx.dialect.name == "sqlite" else query.with_for_update()).scalar()
    if there is not None:
        fresh = {"kid": kid, "key_cipher": key_cipher, "token_cipher": None, "token_at": None}
        tx.execute(sa.update(table).where(table.c.id == there).values(**fresh))
        return int(there)
    row = {"public_id": public_id, "team": team, "kid": kid, "key_cipher": key_cipher, "created_at": at}
    return int(tx.execute(sa.insert(table).returning(table.c.id), row).scalar_one())


def remove(tx: Tx, key_id: int) -> None:
    """Forget a key; the sets that used it go back to their certificates."""
    moved = {"push_key_id": None, "version": credential_sets.c.version + 1}
    tx.execute(sa.update(credential_sets).where(credential_sets.c.push_key_id == key_id).values(**moved))
    tx.execute(sa.delete(push_keys).where(push_keys.c.id == key_id))


def all_keys(tx: Tx) -> list[PushKeyRow]:
    """Every key, oldest first; there is one for a team at most."""
    return [_row(r) for r in tx.execute(sa.select(push_keys).order_by(push_keys.c.id))]


def key(tx: Tx, key_id: int, *, lock: bool = False) -> PushKeyRow | None:
    """A key; `lock` keeps others from signing with it until the end of this transaction."""
    query = sa.select(push_keys).where(push_keys.c.id == key_id)
    if lock and tx.dialect.name != "sqlite":
        query = query.with_for_update()
    r = tx.execute(query).first()
    return None if r is None else _row(r)


def keep_token(tx: Tx, key_id: int, kid: str, token_cipher: str, at: datetime) -> None:
    """What was signed now, for every process to send; nothing when that key was removed or replaced meanwhile."""
    of_key = sa.and_(push_keys.c.id == key_id, push_keys.c.kid == kid)
    tx.execute(sa.update(push_keys).where(of_key).values(token_cipher=token_cipher, token_at=at))


def reseal(tx: Tx, row: PushKeyRow, key_cipher: str) -> int:
    """Put a key's envelope under a newer secret key; its token, sealed under the old one, is signed afresh in time."""
    of_key = sa.and_(push_keys.c.id == row.id, push_keys.c.key_cipher == row.key_cipher)
    return tx.execute(sa.update(push_keys).where(of_key).values(key_cipher=key_cipher)).rowcount


def _row(r: sa.Row) -> PushKeyRow:  # type: ignore[type-arg]
    return PushKeyRow(r.id, r.public_id, r.team, r.kid, r.key_cipher, r.token_cipher, r.token_at)
