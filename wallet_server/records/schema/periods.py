"""Owns the tables of accounting: what each day came to, closed periods, and the estimates that closes were made with.

Each refuses UPDATE and DELETE by trigger, but for the mark of how far the days are summed.
"""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, identity_column, metadata, public_id, ref, text

book_days = sa.Table(
    "book_days",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    sa.Column("day", sa.Date(), nullable=False),  # UTC, by recorded_at
    text("book", 10),  # postings, lots, sales, coupons: see records/books/book_days.py
    ref("currency_id", "currencies", nullable=True),
    ref("merchant_id", "merchants", nullable=True),
    ref("issuer_id", "merchants", nullable=True),  # of coupons: who owes them
    text("side", 60),
    text("reason", 40),
    text("cohort", 7, nullable=True),  # the month of what was given: 2026-11
    sa.Column("amount", sa.BigInteger(), nullable=False),
    sa.Column("times", sa.BigInteger(), nullable=False),
    sa.Index("ix_book_days_programme_id_day", "programme_id", "day"),
)

book_marks = sa.Table(
    "book_marks",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True, autoincrement=False),
    sa.Column("through", sa.Date(), nullable=False),  # the last day that is summed
)

closed_periods = sa.Table(
    "closed_periods",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts"),
    sa.Column("number", sa.Integer(), nullable=False),
    at("starts_at", nullable=True),  # null: from the beginning
    at("ends_at"),  # not itself in it
    sa.Column("figures", sa.Text(), nullable=False),  # canonical JSON
    sa.Column("previous_sha256", sa.LargeBinary(32), nullable=True),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),
    at("closed_at"),
    text("principal", 60),
    sa.UniqueConstraint("account_id", "number"),
)

redemption_estimates = sa.Table(
    "redemption_estimates",
    metadata,
    identity_column(),
    ref("period_id", "closed_periods"),
    ref("programme_id", "programmes"),
    ref("currency_id", "currencies"),
    text("month", 7),  # what was known at its end
    sa.Column("share_billionths", sa.BigInteger(), nullable=False),
    sa.Column("low_billionths", sa.BigInteger(), nullable=False),
    sa.Column("high_billionths", sa.BigInteger(), nullable=False),
    sa.Column("months", sa.Integer(), nullable=False),
    sa.Column("redemptions", sa.BigInteger(), nullable=False),
    text("why", 40, nullable=True),  # why the data did not carry it
    sa.UniqueConstraint("programme_id", "currency_id", "month"),
)

PERIOD_FACTS = ("book_days", "closed_periods", "redemption_estimates")
"""Refuse UPDATE and DELETE by trigger, as the books do."""
