"""Owns the tables that watch over people: who waits after failing to sign in, and who did what.

What people did is a book: it refuses UPDATE and DELETE by trigger.
"""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, identity_column, metadata, ref, text

sign_in_waits = sa.Table(
    "sign_in_waits",
    metadata,
    sa.Column("staff_id", Key, sa.ForeignKey("staff.id"), primary_key=True, autoincrement=False),
    sa.Column("place", sa.String(80), primary_key=True),  # a network, a browser that they know, everywhere together
    sa.Column("failures", sa.Integer(), nullable=False),
    at("failed_at"),
    at("locked_until", nullable=True),
)

staff_events = sa.Table(
    "staff_events",
    metadata,
    identity_column(),
    ref("merchant_id", "merchants"),
    at("at"),
    text("what", 40),
    ref("staff_id", "staff", nullable=True),  # null: a key of the shop's software, or the operator
    text("principal", 60),  # the principal, as in requests; or operator
    ref("whom_id", "staff", nullable=True),
    text("about", 60, nullable=True),  # the public id of the announcement, programme, invitation or device
    text("detail", 200, nullable=True),  # a role, a version, a device's name
    sa.Index("ix_staff_events_merchant_id_id", "merchant_id", "id"),
    sa.Index("ix_staff_events_about", "about"),
)

APPEND_ONLY = ("staff_events",)
"""Refuses UPDATE and DELETE by trigger, as the books do."""
