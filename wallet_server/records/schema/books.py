"""Owns the tables of requests, sales and the books. Ledger tables refuse UPDATE and DELETE by trigger."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, identity_column, metadata, only_on, public_id, ref, text

requests = sa.Table(
    "requests",
    metadata,
    identity_column(),
    text("principal", 60),
    text("key", 160),
    text("route", 80),
    sa.Column("request_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("status", sa.Integer(), nullable=False),
    sa.Column("answer", sa.Text(), nullable=False),
    at("at"),
    sa.UniqueConstraint("principal", "key"),
)

sales = sa.Table(
    "sales",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members"),
    ref("merchant_id", "merchants"),
    ref("store_id", "stores"),
    ref("till_id", "tills"),
    text("receipt", 80),
    sa.Column("business_day", sa.Date(), nullable=False),
    at("occurred_at"),
    at("recorded_at"),
    text("money", 3),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    ref("programme_version_id", "programme_versions"),
    sa.Column("state", Json, nullable=False),
    sa.UniqueConstraint("till_id", "business_day", "receipt"),
    sa.Index("ix_sales_member_id_id", "member_id", "id"),
)

sale_reversals = sa.Table(
    "sale_reversals",
    metadata,
    sa.Column("sale_id", Key, sa.ForeignKey("sales.id"), primary_key=True, autoincrement=False),
    ref("till_id", "tills", nullable=True),
    at("recorded_at"),
)

sale_lines = sa.Table(
    "sale_lines",
    metadata,
    sa.Column("sale_id", Key, sa.ForeignKey("sales.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    text("sku", 80, nullable=True),
    text("category", 80, nullable=True),
    sa.Column("quantity_milli", sa.BigInteger(), nullable=False),
    sa.Column("unit_amount_minor", sa.BigInteger(), nullable=True),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("tax_minor", sa.BigInteger(), nullable=False),
    sa.Column("excluded", sa.Boolean(), nullable=False),
)

ledger_accounts = sa.Table(
    "ledger_accounts",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    ref("currency_id", "currencies"),
    text("owner_kind", 20),
    sa.Column("owner_id", Key, nullable=False),
    text("purpose", 20),
    sa.UniqueConstraint("currency_id", "owner_kind", "owner_id", "purpose"),
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members"),
    ref("merchant_id", "merchants"),
    ref("store_id", "stores", nullable=True),
    ref("till_id", "tills", nullable=True),
    text("receipt", 80, nullable=True),
    text("kind", 20),
    ref("sale_id", "sales", nullable=True, index=True),
    ref("reverses_id", "ledger_entries", nullable=True),
    ref("programme_version_id", "programme_versions"),
    text("rule_id", 80),
    text("reason", 40),
    sa.Column("params", Json, nullable=False),
    sa.Column("state", Json, nullable=False),
    at("effective_at"),
    at("recorded_at"),
    sa.UniqueConstraint("reverses_id"),
    sa.Index("ix_ledger_entries_member_id_id", "member_id", "id"),
    sa.Index("ix_ledger_entries_member_id_rule_id_effective_at", "member_id", "rule_id", "effective_at"),
    sa.Index("ix_ledger_entries_merchant_id_recorded_at", "merchant_id", "recorded_at"),
)

ledger_postings = sa.Table(
    "ledger_postings",
    metadata,
    sa.Column("entry_id", Key, sa.ForeignKey("ledger_entries.id"), primary_key=True, autoincrement=False),
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    ref("currency_id", "currencies"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
    sa.Index("ix_ledger_postings_account_id_entry_id", "account_id", "entry_id"),
)

balances = sa.Table(
    "balances",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    ref("member_id", "members", index=True),
    ref("currency_id", "currencies"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
)

lots = sa.Table(
    "lots",
    metadata,
    identity_column(),
    ref("account_id", "ledger_accounts"),
    ref("entry_id", "ledger_entries", index=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),  # negative: a debt left by a reversal
    sa.Column("remaining", sa.BigInteger(), nullable=False),
    at("earned_at"),
    at("expires_at", nullable=True),
    sa.Index("ix_lots_open", "account_id", "id", sqlite_where=sa.text("remaining <> 0"),
             postgresql_where=sa.text("remaining <> 0")),
    sa.Index("ix_lots_debts", "account_id", sqlite_where=sa.text("remaining < 0"),
             postgresql_where=sa.text("remaining < 0")),
    sa.Index("ix_lots_lapsing", "expires_at", "id",
             sqlite_where=sa.text("remaining > 0 AND expires_at IS NOT NULL"),
             postgresql_where=sa.text("remaining > 0 AND expires_at IS NOT NULL")),
)  # fmt: skip

lot_allocations = sa.Table(
    "lot_allocations",
    metadata,
    sa.Column("lot_id", Key, sa.ForeignKey("lots.id"), primary_key=True, autoincrement=False),
    sa.Column("entry_id", Key, sa.ForeignKey("ledger_entries.id"), primary_key=True, autoincrement=False, index=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),  # what the entry took from the lot; negative: gave back
)

LEDGER_TABLES = (
    "ledger_entries",
    "ledger_postings",
    "lot_allocations",
    "sales",
    "sale_lines",
    "sale_reversals",
)
"""Tables that refuse UPDATE and DELETE by trigger, on both databases."""

_CHECKED_ROW_BY_ROW = {("ledger_entries", "reverses_id")}
for _table in (sales, sale_lines, ledger_entries, ledger_postings, lots):
    for _foreign in _table.foreign_key_constraints:
        if (_table.name, *_foreign.column_keys) not in _CHECKED_ROW_BY_ROW:
            # On PostgreSQL each costs a sale as much as the row itself; see the migration that dropped them.
            # `records.books.audit` looks at all of them, and what they name refuses to be deleted.
            only_on("sqlite", _foreign)
