"""Owns the tables of what merchants' addresses are told, and of the clocks of accounts that only try things out."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

webhook_endpoints = sa.Table(
    "webhook_endpoints",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants", index=True),
    text("url", 1000),
    sa.Column("kinds", Json, nullable=False),  # what it wants to be told
    sa.Column("secret_cipher", sa.Text(), nullable=False),
    sa.Column("previous_cipher", sa.Text(), nullable=True),  # signs as well until `previous_until`
    at("previous_until", nullable=True),
    sa.Column("enabled", sa.Boolean(), nullable=False),
    text("disabled_why", 20, nullable=True),  # merchant, failing, gone
    at("disabled_at", nullable=True),
    count("failures"),  # in a row, since it took something
    at("failing_since", nullable=True),
    at("rest_until", nullable=True),
    sa.Column("slow", sa.Boolean(), nullable=False, server_default=sa.false()),  # its last answer took its time
    at("created_at"),
    at("deleted_at", nullable=True),
)

webhook_events = sa.Table(
    "webhook_events",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", nullable=True),
    ref("merchant_id", "merchants", nullable=True),  # whose till or system did it; null: it concerns all of them
    text("kind", 40),
    sa.Column("body", sa.Text(), nullable=False),  # byte for byte what is signed and sent
    at("at"),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    identity_column(),
    public_id(),
    ref("event_id", "webhook_events"),
    ref("endpoint_id", "webhook_endpoints"),
    text("state", 12),  # waiting, delivered, dead
    count("round", 1),  # moves with every replay
    count("tries"),  # of this round
    count("attempts"),  # of all rounds
    at("created_at"),
    at("next_at", nullable=True),
    at("settled_at", nullable=True),
    sa.UniqueConstraint("event_id", "endpoint_id"),
    sa.Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
)

webhook_attempts = sa.Table(
    "webhook_attempts",
    metadata,
    sa.Column("delivery_id", Key, sa.ForeignKey("webhook_deliveries.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    at("at"),
    sa.Column("status", sa.Integer(), nullable=True),
    sa.Column("milliseconds", sa.BigInteger(), nullable=False),
    text("answer", 500, nullable=True),
    text("fault", 200, nullable=True),
)

account_clocks = sa.Table(
    "account_clocks",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    sa.Column("offset_seconds", sa.BigInteger(), nullable=False),  # ahead of everybody's time
    at("moved_at"),  # by everybody's time
)

WEBHOOK_FACTS = ("webhook_events",)
"""Refuses UPDATE by trigger: what was told is what is told again. It goes with the last of its deliveries."""
