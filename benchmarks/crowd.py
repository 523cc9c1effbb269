"""Owns crowds: members with a card and a registered phone each, written straight into a database, thousands a second.

One member joins through the product and the others are copies of that one, each with ids, secrets and links of its
own; what is measured afterwards cannot tell them from members who came one by one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.passes import cards, devices
from wallet_server.actions.people import enrol
from wallet_server.records import schema
from wallet_server.records.envelope import digest
from wallet_server.records.jobs import BULK, micros
from wallet_server.records.passes import passes as pass_records
from wallet_server.rules.counter import codes
from wallet_server.rules.passes.card import fingerprint_of
from wallet_server.rules.people import recovering

SLICE = 2_000
LINKS = ("stop", "card", "rate", "recover")


@dataclass(frozen=True)
class Holder:
    """A member's phone as the benchmark plays it: what it says to the server, and what a till scans."""

    pass_id: int
    serial: str
    token: str
    library_id: str
    push_token: str
    code: str


def gather(ctx: Context, facts: dict[str, Any], count: int) -> Iterator[Holder]:
    """Bring so many members with phones into the demonstration's programme; yields them while they are written, so
    that a million take no memory."""
    pattern = _Pattern(ctx, facts)
    for first in range(0, count, SLICE):
        yield from pattern.copy(min(SLICE, count - first))


def multiply(ctx: Context, facts: dict[str, Any], count: int) -> None:
    """So many cards more, each with a registered phone that is to be told (a job of kind `ring` is due for each): one
    member's, and not to be signed. A million are written by the database alone in a minute or two."""
    pattern = _Pattern(ctx, facts)
    with ctx.change() as tx:
        for statement in pattern.multiplied(count, tx.dialect.name):
            tx.exec_driver_sql(statement)
        if tx.dialect.name != "sqlite":
            tx.exec_driver_sql("ANALYZE")


class _Pattern:
    """The rows of one member who joined through the product."""

    def __init__(self, ctx: Context, facts: dict[str, Any]) -> None:
        self._ctx = ctx
        scope = authenticate(ctx, facts["merchant_key"])
        wish = asked(scope, "enrol", {}, secrets.token_hex(8))
        joined, _ = enrol.enrol(ctx, scope, facts["programme"], enrol.Joining(promotions=True), wish)
        with ctx.look() as tx:
            row = pass_records.pass_by_public(tx, joined["pass"])
            assert row is not None
            self._pass = row
            token = ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode()
        devices.register(ctx, "pattern", row.pass_type, row.serial, token, "apns", "ab" * 32)
        with ctx.look() as tx:
            member = {"id": row.member_id}
            self._member = self._only(tx, schema.members, member)
            self._consent = self._only(tx, schema.consents, {"member_id": row.member_id})
            self._copy = self._only(tx, schema.passes, {"id": row.id})
            self._publication = self._only(tx, schema.publications, {"pass_id": row.id})
            self._codes = self._all(tx, schema.codes, {"member_id": row.member_id})
            self._accounts = self._all(tx, schema.ledger_accounts, {"owner_id": row.member_id, "owner_kind": "member"})
            self._balances = {b["account_id"]: b for b in self._all(tx, schema.balances, {"member_id": row.member_id})}
            self._device = self._only(tx, schema.devices, {"library_id": "pattern"})
            self._mark = codes.read(self._opened(self._code("pass"), f"code:{row.serial}").partition("\n")[0]).issuer
            tables = ("members", "passes", "devices", "ledger_accounts")
            self._next = {name: self._after(tx, getattr(schema, name)) for name in tables}

    @staticmethod
    def _all(tx: Any, table: sa.Table, where: dict[str, Any]) -> list[dict[str, Any]]:
        query = sa.select(table).where(*(table.c[name] == value for name, value in where.items()))
        return [dict(r._mapping) for r in tx.execute(query)]

    def _only(self, tx: Any, table: sa.Table, where: dict[str, Any]) -> dict[str, Any]:
        (row,) = self._all(tx, table, where)
        return row

    @staticmethod
    def _after(tx: Any, table: sa.Table) -> int:
        return int(tx.execute(sa.select(sa.func.max(table.c.id))).scalar_one()) + 1

    def _code(self, kind: str) -> dict[str, Any]:
        return next(code for code in self._codes if code["kind"] == kind)

    def _opened(self, row: dict[str, Any], context: str) -> str:
        return self._ctx.keyring.open(row["cipher"], context).decode()

    def copy(self, count: int) -> list[Holder]:
        """So many members more, in one transaction."""
        rows: dict[str, list[dict[str, Any]]] = {}
        holders = [self._one(rows) for _ in range(count)]
        with self._ctx.change() as tx:
            for name in ROWS:
                if rows.get(name):
                    tx.execute(sa.insert(getattr(schema, name)), rows[name])
            if tx.dialect.name != "sqlite":
                for name, after in self._next.items():
                    tx.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {after})")
        return holders

    def multiplied(self, count: int, dialect: str) -> list[str]:
        """The statements of `multiply`."""
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        text = "printf('%032x', i)" if dialect == "sqlite" else "lpad(to_hex(i), 32, '0')"
        first, device, due = self._next["passes"], self._next["devices"], micros(self._ctx.now())
        own = {
            "passes": {"id": f"{first} + i", "public_id": f"'p' || {text}", "serial": text, "version": "2"},
            "publications": {
                "pass_id": f"{first} + i",
                "number": "2",
                "of_version": "2",
                "tagged": "2",
                "card": "'{}'",
            },
            "devices": {"id": f"{device} + i", "library_id": text, "push_token": f"{text} || {text}"},
            "registrations": {"device_id": f"{device} + i", "pass_id": f"{first} + i"},
        }
        patterns = {"passes": ("id", self._pass.id), "publications": ("pass_id", self._pass.id)}
        patterns |= {"devices": ("id", self._device["id"]), "registrations": ("device_id", self._device["id"])}
        made = []
        for name, values in own.items():
            names = [column.name for column in getattr(schema, name).columns]
            picked = ", ".join(values.get(one, f"{name}.{one}") for one in names)
            where = "{} = {}".format(*patterns[name])
            insert = f"INSERT INTO {name} ({', '.join(names)})"
            made.append(
                f"{numbers} {insert} SELECT {picked} FROM n, {name} WHERE {name}.{where}"
                if dialect != "sqlite"
                else f"{insert} {numbers} SELECT {picked} FROM n, {name} WHERE {name}.{where}"
            )
        job = f"SELECT 'ring', CAST({first} + i AS TEXT), {BULK}, {due}, {due} FROM n"
        insert = "INSERT INTO jobs (kind, key, lane, run_at, due_at)"
        made.append(f"{insert} {numbers} {job}" if dialect == "sqlite" else f"{numbers} {insert} {job}")
        return made

    def _take(self, table: str) -> int:
        self._next[table] += 1
        return self._next[table] - 1

    def _one(self, rows: dict[str, list[dict[str, Any]]]) -> Holder:
        now: datetime = self._ctx.now()
        member, member_public = self._take("members"), new_id("mem")
        self._add(rows, "members", self._member, id=member, public_id=member_public)
        self._add(rows, "consents", self._consent, member_id=member)
        for account in self._accounts:
            key = self._take("ledger_accounts")
            self._add(rows, "ledger_accounts", account, id=key, owner_id=member)
            self._add(rows, "balances", self._balances[account["id"]], account_id=key, member_id=member)
        pass_id, pass_public = self._take("passes"), new_id("pass")
        serial, token, library = secrets.token_hex(16), secrets.token_urlsafe(32), secrets.token_hex(16)
        sealed = self._ctx.keyring.seal(token.encode(), f"pass-token:{serial}")
        own = {"id": pass_id, "public_id": pass_public, "member_id": member, "serial": serial}
        self._add(rows, "passes", self._copy, **own, token_cipher=sealed, token_sha256=digest(token))
        card = self._relinked(self._publication["card"], pass_public)
        rows_of = {"pass_id": pass_id, "card": card, "fingerprint": fingerprint_of(card), "seen": 1}
        self._add(rows, "publications", self._publication, **rows_of)
        code = codes.first(self._mark, codes.reference_from_random(secrets.token_bytes(10)))
        text, lookup = codes.write(code), cards.code_hash(code)
        sealed = self._ctx.keyring.seal(text.encode(), f"code:{serial}")
        own = {"pass_id": pass_id, "member_id": member, "lookup": lookup, "cipher": sealed, "short": None}
        self._add(rows, "codes", self._code("pass"), **own)
        recovery = recovering.from_random(secrets.token_bytes(16))
        sealed = self._ctx.keyring.seal(recovery.encode(), f"recovery:{member_public}")
        lookup = pass_records.lookup_hash(recovering.lookup_key(recovery))
        self._add(rows, "codes", self._code("recovery"), member_id=member, lookup=lookup, cipher=sealed)
        device, push_token = self._take("devices"), secrets.token_hex(32)
        self._add(rows, "devices", self._device, id=device, library_id=library, push_token=push_token)
        rows.setdefault("registrations", []).append({"device_id": device, "pass_id": pass_id, "registered_at": now})
        return Holder(pass_id, serial, token, library, push_token, text)

    @staticmethod
    def _add(rows: dict[str, list[dict[str, Any]]], table: str, pattern: dict[str, Any], **own: Any) -> None:
        row = {**pattern, **own}
        if "id" in row and "id" not in own:
            del row["id"]
        rows.setdefault(table, []).append(row)

    def _relinked(self, card: str, public_id: str) -> str:
        for purpose in LINKS:
            card = card.replace(self._ctx.link(purpose, self._pass.public_id), self._ctx.link(purpose, public_id))
        return card


ROWS = (
    "members",
    "consents",
    "ledger_accounts",
    "balances",
    "passes",
    "publications",
    "codes",
    "devices",
    "registrations",
)
"""In the order in which they name each other."""
