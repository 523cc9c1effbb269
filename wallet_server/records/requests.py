"""Owns idempotency: what was asked under which key, and what was answered, in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import ReturningInsert

from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import requests
from wallet_server.records.wire import Refused


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


def _insert(_dialect: str) -> ReturningInsert[tuple[int]]:
    # The key comes back of what was written; a count of rows does not (the driver's cursor is closed by then, and its
    # -1 once passed for a row: the same sale sent through two tills at once was counted twice).
    return sqlite.insert(requests).on_conflict_do_nothing(index_elements=["principal", "key"]).returning(requests.c.id)


_COLUMNS = ["principal", "key", "route", "request_hash", "status", "answer", "at"]
_CLAIM = Prepared(_insert, _COLUMNS)


def claimed_by(constraint: str) -> Refused:
    """What a statement left for the end of a transaction raises: `AlreadyClaimed` where this keeps the row out."""

    def raised(fault: psycopg.Error) -> Exception:
        taken = isinstance(fault, psycopg.errors.UniqueViolation) and fault.diag.constraint_name == constraint
        return AlreadyClaimed() if taken else fault

    return raised


_CLAIM_LAST, _HELD_BY = Prepared(sa.insert(requests), _COLUMNS), claimed_by("uq_requests_principal_key")


def claim(
    tx: Tx, claims: Sequence[Claim], route: str, request_hash: bytes, status: int, answer: str, at: datetime
) -> None:
    """Write the answer under every claim, last thing in the transaction.

    Raises `AlreadyClaimed` when another request holds one of them; on PostgreSQL, where a concurrent holder is waited
    for, the end of the transaction raises it.
    """
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
        if tx.dialect.name != "sqlite":
            _CLAIM_LAST.leave(tx, row, _HELD_BY)
        elif _CLAIM.first(tx, row) is None:
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


def _held(count: int) -> sa.Select[Any]:
    places: list[tuple[Any, Any]] = [(b(f"principal{n}"), b(f"key{n}")) for n in range(count)]
    return sa.select(requests).where(
        sa.or_(*(sa.and_(requests.c.principal == who, requests.c.key == key) for who, key in places))
    )


MOST_CLAIMS = 8
"""Under how many names one write may be claimed."""
_HELD = [Prepared(_held(count)) for count in range(1, MOST_CLAIMS + 1)]


def answered(tx: Tx, claims: Sequence[Claim]) -> dict[Claim, Answered]:
    """What stands under each of these claims that is held."""
    if not claims:
        return {}
    values: dict[str, str] = {}
    for n, claim in enumerate(claims):
        values |= {f"principal{n}": claim.principal, f"key{n}": claim.key}
    rows = _HELD[len(claims) - 1].rows(tx, values)
    return {Claim(r.principal, r.key): Answered(r.route, bytes(r.request_hash), r.status, r.answer, r.at) for r in rows}
