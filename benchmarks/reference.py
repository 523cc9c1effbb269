"""Owns the fixed transaction that sales are compared with; no code of ours defines it, and none is imported here."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

SCHEMA = """
CREATE SCHEMA reference;
SET search_path TO reference;
CREATE TABLE members (id bigint PRIMARY KEY, tier text, left_at timestamptz);
CREATE TABLE codes (lookup bytea PRIMARY KEY, member_id bigint NOT NULL REFERENCES members);
CREATE TABLE entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, receipt text NOT NULL UNIQUE,
  member_id bigint NOT NULL REFERENCES members, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE postings (entry_id bigint REFERENCES entries, account_id bigint, amount bigint NOT NULL,
  PRIMARY KEY (entry_id, account_id));
CREATE TABLE balances (member_id bigint PRIMARY KEY REFERENCES members, amount bigint NOT NULL);
CREATE TABLE passes (id bigint PRIMARY KEY, member_id bigint NOT NULL UNIQUE REFERENCES members,
  version bigint NOT NULL);
CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, key text NOT NULL,
  generation bigint NOT NULL, run_at timestamptz NOT NULL, UNIQUE (kind, key));
"""
FILL = (
    "INSERT INTO reference.members (id) VALUES (%(id)s)",
    "INSERT INTO reference.codes VALUES (%(lookup)s, %(id)s)",
    "INSERT INTO reference.balances VALUES (%(id)s, 0)",
    "INSERT INTO reference.passes VALUES (%(id)s, %(id)s, 1)",
)


def reference_sale(connection: psycopg.Connection, code: str, receipt: str) -> None:
    """Count one sale: (a card by its key, its row locked, entry, two postings, balance, pass, job)."""
    lookup = hashlib.sha256(code.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT member_id FROM reference.codes WHERE lookup = %s", (lookup,))
        (member,) = _one(cursor)
        cursor.execute("SELECT tier FROM reference.members WHERE id = %s FOR NO KEY UPDATE", (member,))
        _one(cursor)
        cursor.execute(
            "INSERT INTO reference.entries (receipt, member_id) VALUES (%s, %s) RETURNING id", (receipt, member)
        )
        (entry,) = _one(cursor)
        cursor.execute(
            "INSERT INTO reference.postings VALUES (%s, %s, %s), (%s, %s, %s)", (entry, member, 25, entry, -1, -25)
        )
        cursor.execute("UPDATE reference.balances SET amount = amount + 25 WHERE member_id = %s", (member,))
        cursor.execute("UPDATE reference.passes SET version = version + 1 WHERE member_id = %s RETURNING id", (member,))
        (pass_id,) = _one(cursor)
        cursor.execute(
            "INSERT INTO reference.jobs (kind, key, generation, run_at) VALUES ('refresh', %s, 1, now()) "
            "ON CONFLICT (kind, key) DO UPDATE SET generation = reference.jobs.generation + 1",
            (str(pass_id),),
        )
    connection.commit()


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return tuple(row)
