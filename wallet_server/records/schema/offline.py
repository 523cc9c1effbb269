"""Owns the tables of tills without a network: their devices, what these signed, what became of it, what may be burned,
and sales that nobody has claimed yet."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

offline_devices = sa.Table(
    "offline_devices",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", index=True),
    ref("merchant_id", "merchants"),
    ref("till_id", "tills"),
    text("api_key", 40),  # the public id of the key under which it calls
    sa.Column("public_key", sa.LargeBinary(65), nullable=False),  # P-256, an uncompressed point
    at("registered_at"),
    at("replaced_at", nullable=True),  # since when this key of the caller's has a newer one
    count("next_sequence", 1),  # the first number that is missing
    at("horizon_at"),  # nothing that it still brings was before
    at("heard_at"),
    at("floor_at", nullable=True),  # place in time of the last of it that was applied
    count("skew_ms"),  # of its clock, when it was last heard; above zero where it is ahead
    sa.UniqueConstraint("api_key", "public_key"),
)

offline_events = sa.Table(
    "offline_events",
    metadata,
    identity_column(),
    public_id(),
    ref("device_id", "offline_devices"),
    sa.Column("sequence", sa.BigInteger(), nullable=False),
    text("kind", 12),  # sale, redemption; unreadable
    sa.Column("text_sha256", sa.LargeBinary(32), nullable=False),  # of what was signed, byte for byte
    sa.Column("signature", sa.LargeBinary(64), nullable=False),
    at("at"),  # when it happened, by the server's clock
    sa.Column("skew_ms", sa.BigInteger(), nullable=False),  # by which the device's time was corrected
    at("received_at"),
    sa.UniqueConstraint("device_id", "text_sha256"),
    sa.Index("ix_offline_events_device_id_sequence", "device_id", "sequence"),
)

offline_fates = sa.Table(
    "offline_fates",
    metadata,
    identity_column(),
    ref("event_id", "offline_events", unique=True),
    ref("account_id", "accounts"),
    ref("merchant_id", "merchants"),
    sa.Column("text_cipher", sa.Text(), nullable=True),  # what was signed and what was read of it, while it is needed
    text("state", 12),  # waiting, applied, conflict, refused
    text("why", 40, nullable=True),  # the code of the refusal
    sa.Column("params", Json, nullable=False),
    text("booked", 40, nullable=True),  # public id of the sale or the entry
    sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.false()),  # after something that was later
    at("settled_at", nullable=True),
    text("decision", 12, nullable=True),  # of a person: accepted, refused
    text("note", 500, nullable=True),
    text("decided_by", 100, nullable=True),
    at("decided_at", nullable=True),
    sa.Index("ix_offline_fates_waiting", "account_id", "event_id",
             sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'")),
    sa.Index("ix_offline_fates_conflicts", "merchant_id", "event_id",
             sqlite_where=sa.text("state = 'conflict'"), postgresql_where=sa.text("state = 'conflict'")),
    sa.Index("ix_offline_fates_texts", "settled_at",
             sqlite_where=sa.text("text_cipher IS NOT NULL"), postgresql_where=sa.text("text_cipher IS NOT NULL")),
)  # fmt: skip

offline_queues = sa.Table(
    "offline_queues",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    # The last that was applied, in the order of all.
    at("frontier_at", nullable=True),
    text("frontier_till", 40, nullable=True),
    text("frontier_device", 40, nullable=True),
    sa.Column("frontier_sequence", sa.BigInteger(), nullable=True),
    at("leased_until", nullable=True),  # by whoever is applying
    count("lease"),
)

offline_allowances = sa.Table(
    "offline_allowances",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("device_id", "offline_devices", index=True),
    ref("currency_id", "currencies"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    at("opened_at"),
    at("ends_at"),
    at("closed_at", nullable=True),
    sa.Index("ix_offline_allowances_open", "programme_id", "id",
             sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL")),
)  # fmt: skip

offline_burns = sa.Table(
    "offline_burns",
    metadata,
    sa.Column("event_id", Key, sa.ForeignKey("offline_events.id"), primary_key=True, autoincrement=False),
    ref("allowance_id", "offline_allowances", index=True),
    ref("member_id", "members"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
)

unclaimed_sales = sa.Table(
    "unclaimed_sales",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants"),
    ref("store_id", "stores"),
    ref("till_id", "tills"),
    ref("programme_id", "programmes"),
    ref("programme_version_id", "programme_versions"),
    sa.Column("code_sha256", sa.LargeBinary(32), nullable=False),  # of the code on the receipt
    sa.Column("code_cipher", sa.Text(), nullable=True),  # the code, for a till that asks again; until it is claimed
    text("receipt", 80),
    sa.Column("business_day", sa.Date(), nullable=False),
    at("occurred_at"),
    at("recorded_at"),
    sa.Column("said", Json, nullable=False),  # the sale as the till sent it
    at("expires_at"),
    at("claimed_at", nullable=True),
    ref("member_id", "members", nullable=True),
    text("booked", 40, nullable=True),  # public id of the sale that it became
    sa.UniqueConstraint("programme_id", "code_sha256"),
    sa.UniqueConstraint("till_id", "business_day", "receipt"),
)

OFFLINE_FACTS = ("offline_events", "offline_burns")
"""Refuse UPDATE and DELETE by trigger, as the books do."""
