"""Owns the keys that codes on cards are signed with, one account's each: public halves in the clear, private sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import accounts, code_keys


@dataclass(frozen=True)
class CodeKeyRow:
    """A key; `key_id` is its name in codes, `public` 32 raw bytes of Ed25519; it signs from `signs_from` on, until the
    next one does."""

    public_id: str
    account_id: int
    key_id: str
    public: bytes
    private_cipher: str
    created_at: datetime
    signs_from: datetime


_ALL = sa.select(code_keys).where(code_keys.c.account_id == b("account")).order_by(code_keys.c.id)
_SIGNING = (
    sa.select(code_keys)
    .where(code_keys.c.account_id == b("account"), code_keys.c.signs_from <= b("at"))
    .order_by(code_keys.c.signs_from.desc(), code_keys.c.id.desc())
    .limit(1)
)
_PUBLIC = sa.select(code_keys.c.public).where(
    code_keys.c.account_id == b("account"), code_keys.c.key_id == b("key_name")
)


def all_keys(tx: Tx, account_id: int) -> list[CodeKeyRow]:
    """Every key that the account ever had, the oldest first."""
    return [_row(r) for r in tx.execute(_ALL, {"account": account_id})]


def signing(tx: Tx, account_id: int, at: datetime) -> CodeKeyRow | None:
    """The key that signs the account's codes now; None before the first."""
    r = tx.execute(_SIGNING, {"account": account_id, "at": at}).first()
    return None if r is None else _row(r)


def public(tx: Tx, account_id: int, key_id: str) -> bytes | None:
    """The public half of the key of this name."""
    return tx.execute(_PUBLIC, {"account": account_id, "key_name": key_id}).scalar()


def add(tx: Tx, row: CodeKeyRow) -> bool:
    """A further key; False where there is one of its name already (two made it at once)."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(code_keys)
    done = tx.execute(insert.values(**vars(row)).on_conflict_do_nothing(index_elements=["account_id", "key_id"]))
    return done.rowcount == 1


def hold_account(tx: Tx, account_id: int) -> None:
    """Hold the account's row: keys are made one after the other."""
    tx.execute(sa.select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True))


def _row(r: sa.Row) -> CodeKeyRow:  # type: ignore[type-arg]
    return CodeKeyRow(
        r.public_id, r.account_id, r.key_id, bytes(r.public), r.private_cipher, r.created_at, r.signs_from
    )
