"""Owns multitudes: up to a million members with cards, phones, sales and consistent books, copied inside a database.

One member joins and buys through the product; all rows that this wrote are the pattern. The others are copies with keys
of their own, made by one INSERT ... SELECT for each row of the pattern, so that a hundred thousand take seconds. Their
purchases lie on the days of the two years before. Secrets are the pattern's: whatever opens one (a card that is signed)
is measured on members that `crowd` adds beside them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.counter.till import SaleLine, Sold
from wallet_server.actions.once import asked
from wallet_server.actions.passes import devices, reissuing
from wallet_server.actions.people import enrol
from wallet_server.records import schema
from wallet_server.records.envelope import digest
from wallet_server.records.jobs import BULK, micros
from wallet_server.records.passes import passes as pass_records

DAYS = 730
PURCHASES = 2
SLICE = 100_000
"""Members in one transaction."""
# In the order in which they name each other, with what names the pattern's rows of each.
_TABLES: tuple[tuple[str, str], ...] = (
    ("members", "id = :member"),
    ("consents", "member_id = :member"),
    ("ledger_accounts", "owner_kind = 'member' AND owner_id = :member"),
    ("balances", "member_id = :member"),
    ("passes", "member_id = :member"),
    ("publications", "pass_id IN (SELECT id FROM passes WHERE member_id = :member)"),
    ("codes", "member_id = :member"),
    ("devices", "library_id = :library"),
    ("registrations", "device_id IN (SELECT id FROM devices WHERE library_id = :library)"),
    ("sales", "member_id = :member"),
    ("sale_lines", "sale_id IN (SELECT id FROM sales WHERE member_id = :member)"),
    ("ledger_entries", "member_id = :member"),
    ("ledger_postings", "entry_id IN (SELECT id FROM ledger_entries WHERE member_id = :member)"),
    ("lots", "entry_id IN (SELECT id FROM ledger_entries WHERE member_id = :member)"),
)
_NAMES = {
    "member_id": "members",
    "owner_id": "members",
    "account_id": "ledger_accounts",
    "pass_id": "passes",
    "device_id": "devices",
    "sale_id": "sales",
    "entry_id": "ledger_entries",
}
"""Columns that name a row, and of which table."""
_TEXTS = {"public_id", "serial", "library_id", "push_token", "receipt"}
_MOMENTS = {"occurred_at", "recorded_at", "effective_at", "earned_at", "joined_at"}


@dataclass(frozen=True)
class _Row:
    table: sa.Table
    values: Mapping[str, Any]
    place: int


class Multitude:
    """Grows one database; keep it, it knows how many there are."""

    def __init__(self, ctx: Context, facts: Mapping[str, Any]) -> None:
        self._ctx = ctx
        self.members = 0
        member = _pattern(ctx, facts)
        with ctx.look() as tx:
            self._rows = list(_rows(tx, member))
            self._sqlite = tx.dialect.name == "sqlite"
        self._of: dict[str, list[int]] = {}
        for row in self._rows:
            if "id" in row.values:
                self._of.setdefault(row.table.name, []).append(row.values["id"])
        with ctx.change() as tx:
            days = sa.Table("growth_days", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True),
                            sa.Column("at", schema.members.c.joined_at.type), sa.Column("day", sa.Date))  # fmt: skip
            days.create(tx)
            now = ctx.now()
            moments = [(n, now - timedelta(days=n + 1)) for n in range(DAYS)]
            tx.execute(sa.insert(days), [{"n": n, "at": at, "day": at.date()} for n, at in moments])

    def grow(self, to: int) -> None:
        """Until there are so many copies; each with a ring job that is due in an hour, as after a mass change."""
        while self.members < to:
            count = min(SLICE, to - self.members)
            with self._ctx.change() as tx:
                bases = {name: self._base(tx, name) for name in self._of}
                for row in self._rows:
                    tx.exec_driver_sql(self._copy(row, count, bases))
                self._jobs(tx, count, bases["passes"])
                if not self._sqlite:
                    for name, ids in self._of.items():
                        after = bases[name] + count * len(ids)
                        tx.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {after})")
            self.members += count
        with self._ctx.change() as tx:
            tx.exec_driver_sql("ANALYZE")

    @staticmethod
    def _base(tx: Any, name: str) -> int:
        return int(tx.exec_driver_sql(f"SELECT COALESCE(MAX(id), 0) FROM {name}").scalar_one()) + 1

    def _copy(self, row: _Row, count: int, bases: Mapping[str, int]) -> str:
        names = [column.name for column in row.table.columns]
        picked = ", ".join(self._value(row, name, bases) for name in names)
        key = " AND ".join(f"p.{column.name} = {row.values[column.name]}" for column in row.table.primary_key)
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
        into = f"INSERT INTO {row.table.name} ({', '.join(names)})"
        which = f"{key} AND d.n = n.i - n.i / {DAYS} * {DAYS}"
        source = f"SELECT {picked} FROM n, growth_days d, {row.table.name} p WHERE {which}"
        return f"{into} {numbers} {source}" if self._sqlite else f"{numbers} {into} {source}"

    def _value(self, row: _Row, name: str, bases: Mapping[str, int]) -> str:
        value = row.values[name]
        if name == "id":
            return self._key(row.table.name, value, bases)
        if name in _NAMES and value in self._of.get(_NAMES[name], ()):
            return self._key(_NAMES[name], value, bases)
        if name in _TEXTS and value is not None:
            return f"'{secrets.token_hex(4)}' || {self._hex('n.i')}"
        if name in ("lookup", "short") and value is not None:
            text = f"'{secrets.token_hex(4)}' || {self._hex('n.i', 24)}"
            return f"CAST({text} AS BLOB)" if self._sqlite else f"convert_to({text}, 'UTF8')"
        if row.table.name in ("members", "sales", "ledger_entries", "lots") and name in _MOMENTS:
            return "d.at"
        return "d.day" if name == "business_day" else f"p.{name}"

    def _key(self, table: str, value: int, bases: Mapping[str, int]) -> str:
        ids = self._of[table]
        return f"{bases[table] + ids.index(value)} + n.i * {len(ids)}"

    def _hex(self, number: str, width: int = 24) -> str:
        number = f"({number} + {self.members})"
        return f"printf('%0{width}x', {number})" if self._sqlite else f"lpad(to_hex({number}), {width}, '0')"

    def _jobs(self, tx: Any, count: int, first: int) -> None:
        due = micros(self._ctx.now() + timedelta(hours=1))
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
        into = "INSERT INTO jobs (kind, key, lane, run_at, due_at)"
        source = f"SELECT 'ring', CAST({first} + i AS TEXT), {BULK}, {due}, {due} FROM n"
        tx.exec_driver_sql(f"{into} {numbers} {source}" if self._sqlite else f"{numbers} {into} {source}")


def _pattern(ctx: Context, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A member who joined, whose phone holds the card, and who bought twice."""
    scope = keys.authenticate(ctx, facts["merchant_key"])
    wish = asked(scope, "enrol", {}, secrets.token_hex(8))
    joined, _ = enrol.enrol(ctx, scope, facts["programme"], enrol.Joining(promotions=True), wish)
    with ctx.look() as tx:
        row = pass_records.pass_by_public(tx, joined["pass"])
        assert row is not None
        cipher = tx.execute(sa.select(schema.codes.c.cipher).where(schema.codes.c.pass_id == row.id)).scalar_one()
    token = ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode()
    assert digest(token) == row.token_sha256
    devices.register(ctx, "multitude", row.pass_type, row.serial, token, "apns", "cd" * 32)
    code = reissuing.opened(ctx, cipher, row.serial)[0]
    counter = keys.authenticate(ctx, facts["till_key"])
    for number in range(PURCHASES):
        lines = tuple(SaleLine(str(n), "BREAD", 1000, None, 300, 0, False) for n in range(2))
        till.sell(ctx, counter, Sold(code, f"pattern-{number}", 600, lines, "EUR"), None)
    return {"member": row.member_id, "library": "multitude"}


def _rows(tx: Any, member: Mapping[str, Any]) -> Iterator[_Row]:
    for name, where in _TABLES:
        table = getattr(schema, name)
        found = tx.execute(sa.select(table).where(sa.text(where)), member).all()
        assert found, f"the pattern has nothing in {name}"
        yield from (_Row(table, dict(r._mapping), place) for place, r in enumerate(found))
