"""Owns the tables of goods taken back: each refund, its lines, and how much of which entry was corrected by which."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, identity_column, metadata, public_id, ref, text

refunds = sa.Table(
    "refunds",
    metadata,
    identity_column(),
    public_id(),
    ref("sale_id", "sales"),
    sa.Column("number", sa.Integer(), nullable=False),  # within the sale, from 1
    ref("programme_id", "programmes"),
    ref("member_id", "members"),
    ref("merchant_id", "merchants"),
    ref("store_id", "stores", nullable=True),
    ref("till_id", "tills", nullable=True),
    text("reference", 80),
    at("occurred_at"),
    at("recorded_at"),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),  # what the member got back
    text("money", 3),
    sa.UniqueConstraint("sale_id", "number"),
    sa.Index("ix_refunds_member_id_id", "member_id", "id"),
    sa.Index("ix_refunds_merchant_id_recorded_at", "merchant_id", "recorded_at"),
)

refund_lines = sa.Table(
    "refund_lines",
    metadata,
    sa.Column("refund_id", Key, sa.ForeignKey("refunds.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),  # of the line of the sale
    sa.Column("quantity_milli", sa.BigInteger(), nullable=False),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),  # of pieces: at the prices of the sale
    sa.Column("tax_minor", sa.BigInteger(), nullable=False),
)

corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("entry_id", Key, sa.ForeignKey("ledger_entries.id"), primary_key=True, autoincrement=False),
    ref("corrects_id", "ledger_entries", index=True),  # the award or the expiry of which it takes something back
    ref("refund_id", "refunds", nullable=True, index=True),  # null: reversed before there were refunds by line
    sa.Column("amount", sa.BigInteger(), nullable=False),  # how much of it, above zero
)

REFUND_FACTS = ("refunds", "refund_lines", "corrections")
"""Refuse UPDATE and DELETE by trigger, as the books do."""
