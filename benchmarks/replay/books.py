"""Owns the look into the books from outside: plain SQL through the plain drivers, nothing of the product between."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

_MEMBERS = """
SELECT m.public_id, c.code, b.amount, COALESCE(p.amount, 0), COALESCE(l.remaining, 0)
FROM ledger_accounts a JOIN currencies c ON c.id = a.currency_id JOIN members m ON m.id = a.owner_id
LEFT JOIN balances b ON b.account_id = a.id
LEFT JOIN (SELECT account_id, SUM(amount) AS amount FROM ledger_postings GROUP BY account_id) p ON p.account_id = a.id
LEFT JOIN (SELECT account_id, SUM(remaining) AS remaining FROM lots GROUP BY account_id) l ON l.account_id = a.id
WHERE a.owner_kind = 'member'
"""
_TRIAL = "SELECT c.code, SUM(p.amount) FROM ledger_postings p JOIN currencies c ON c.id = p.currency_id GROUP BY c.code"
_SALES = "SELECT COUNT(*), COUNT(DISTINCT receipt) FROM sales"
_LINES = "SELECT COUNT(*) FROM sale_lines"
_VERSIONS = "SELECT COALESCE(SUM(number - 1), 0) FROM publications"
_JOBS = "SELECT COUNT(*) FROM jobs WHERE kind = 'refresh' AND dead_at IS NOT NULL"


@dataclass(frozen=True)
class Purse:
    """One member's account of one currency: the cached balance, the sum of its postings, the sum of its lots."""

    member: str
    currency: str
    balance: int | None
    postings: int
    lots: int


@dataclass(frozen=True)
class Books:
    """What stands in the database. `versions` counts cards published after each card's first."""

    purses: Sequence[Purse]
    trial: dict[str, int]
    sales: int
    receipts: int
    lines: int
    versions: int
    dead_jobs: int


def read(address: str) -> Books:
    """Read the books of a database that is at rest; `address` is an SQLAlchemy address."""
    connection = _connected(address)
    try:
        sales, receipts = connection.execute(_SALES).fetchone()
        return Books(
            purses=[Purse(m, c, b, int(p), int(r)) for m, c, b, p, r in connection.execute(_MEMBERS).fetchall()],
            trial={code: int(amount) for code, amount in connection.execute(_TRIAL).fetchall()},
            sales=sales,
            receipts=receipts,
            lines=connection.execute(_LINES).fetchone()[0],
            versions=int(connection.execute(_VERSIONS).fetchone()[0]),
            dead_jobs=connection.execute(_JOBS).fetchone()[0],
        )
    finally:
        connection.close()


def rows(address: str, query: str) -> list[tuple[Any, ...]]:
    """What a further question answers."""
    connection = _connected(address)
    try:
        return [tuple(row) for row in connection.execute(query).fetchall()]
    finally:
        connection.close()


def _connected(address: str) -> Any:
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        return sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
