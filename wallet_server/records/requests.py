"""Owns idempotency: what was asked under which key, and what was answered, in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from wallet_server.records.database import Tx
from wallet_server.records.schema import requests


@dataclass(frozen=True)
class Claim:
    """A name under which a write may happen once: who asks, and the key within that."""

    principal: str
    key: str


@dataclass(frozen=True)
class Answered:
    """What stands under a claim: the hash of what was asked and the answer that was given."""

    route: str
    request_hash: bytes
    status: int
    answer: str
    at: datetime


class AlreadyClaimed(Exception):
    """Another request holds one of the claims: roll back, then look up its answer."""


def _insert(tx: Tx) -> ReturningInsert[tuple[int]]:
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    # The key comes back of what was written; a count of rows does not (the driver's cursor is closed by then, and its
    # -1 once passed for a row: the same sale sent through two tills at once was counted twice).
    return make(requests).on_conflict_do_nothing(index_elements=["principal", "key"]).returning(requests.c.id)


_STATEMENTS: dict[str, ReturningInsert[tuple[int]]] = {}


def claim(
    tx: Tx, claims: Sequence[Claim], route: str, request_hash: bytes, status: int, answer: str, at: datetime
) -> None:
    """Write the answer under every claim, first thing in the transaction or last: both are one commit.

    Raises `AlreadyClaimed` when another request holds one of them. On PostgreSQL a concurrent holder is waited for.
    """
    statement = _STATEMENTS.get(tx.dialect.name)
    if statement is None:
        statement = _STATEMENTS[tx.dialect.name] = _insert(tx)
    for one in sorted(claims, key=lambda c: (c.principal, c.key)):
        row = {
            "principal": one.principal,
            "key": one.key,
            "route": route,
            "request_hash": request_hash,
            "status": status,
            "answer": answer,
            "at": at,
        }
        if tx.execute(statement, row).scalar() is None:
            raise AlreadyClaimed


_ANSWER = sa.update(requests).where(
    requests.c.principal == b("of_principal"), requests.c.key == b("of_key")
).values(status=b("new_status"), answer=b("new_answer"))  # fmt: skip


def answer(tx: Tx, claims: Sequence[Claim], status: int, text: str) -> None:
    """Put the answer in the place that the claims hold."""
    tx.execute(
        _ANSWER,
        [{"of_principal": c.principal, "of_key": c.key, "new_status": status, "new_answer": text} for c in claims],
    )


_HELD = sa.select(requests).where(
    requests.c.principal.in_(b("principals", expanding=True)), requests.c.key.in_(b("keys", expanding=True))
)


def answered(tx: Tx, claims: Sequence[Claim]) -> dict[Claim, Answered]:
    """What stands under each of these claims that is held."""
    if not claims:
        return {}
    asked = set(claims)
    values = {"principals": sorted({c.principal for c in asked}), "keys": sorted({c.key for c in asked})}
    rows = ((Claim(r.principal, r.key), r) for r in tx.execute(_HELD, values))
    return {
        claim: Answered(r.route, bytes(r.request_hash), r.status, r.answer, r.at) for claim, r in rows if claim in asked
    }
