"""Owns idempotency: what was asked under which key, and what was answered, in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
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


def _insert(dialect: str) -> ReturningInsert[tuple[int]]:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    # The key comes back of what was written; a count of rows does not (the driver's cursor is closed by then, and its
    # -1 once passed for a row: the same sale sent through two tills at once was counted twice).
    return make(requests).on_conflict_do_nothing(index_elements=["principal", "key"]).returning(requests.c.id)


_CLAIM = Prepared(_insert, ["principal", "key", "route", "request_hash", "status", "answer", "at"])


def claim(
    tx: Tx, claims: Sequence[Claim], route: str, request_hash: bytes, status: int, answer: str, at: datetime
) -> None:
    """Write the answer under every claim, first thing in the transaction or last: both are one commit.

    Raises `AlreadyClaimed` when another request holds one of them. On PostgreSQL a concurrent holder is waited for.
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
        if _CLAIM.first(tx, row) is None:
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
