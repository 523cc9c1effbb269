"""Owns the tables of units that cannot be spent: awards that wait, units put aside, and who was warned of an end."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, count, identity_column, metadata, public_id, ref, text

pending_awards = sa.Table(
    "pending_awards",
    metadata,
    # What is left of it is what is left of this lot, which stands on the member's account of what is on its way.
    sa.Column("lot_id", Key, sa.ForeignKey("lots.id"), primary_key=True, autoincrement=False),
    ref("entry_id", "ledger_entries", unique=True),
    ref("account_id", "ledger_accounts", index=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    at("matures_at"),
    at("expires_at", nullable=True),  # of the units once they can be spent, dated from when they were earned
    text("state", 12),  # waiting, confirmed, taken (nothing was left to confirm)
    ref("confirmed_id", "ledger_entries", nullable=True, unique=True),
    sa.Index("ix_pending_awards_maturing", "matures_at", "lot_id",
             sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'")),
)  # fmt: skip

holds = sa.Table(
    "holds",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members", index=True),
    ref("merchant_id", "merchants"),
    ref("store_id", "stores", nullable=True),
    ref("till_id", "tills", nullable=True),
    ref("currency_id", "currencies"),
    ref("account_id", "ledger_accounts"),  # the member's account of what is put aside
    ref("entry_id", "ledger_entries", unique=True),  # by which it was put aside; its allocations name the lots
    text("reference", 80),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    count("captured"),
    text("state", 12),  # open, captured, released, expired
    at("opened_at"),
    at("expires_at"),
    at("closed_at", nullable=True),
    sa.Index("ix_holds_lapsing", "expires_at", "id",
             sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")),
)  # fmt: skip

expiry_warnings = sa.Table(
    "expiry_warnings",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date(), primary_key=True),  # on which the units run out, UTC
    sa.Column("days_before", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    at("warned_at"),
)
