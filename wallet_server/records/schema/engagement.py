"""Owns the table of what members did that is no sale: events that are reported over the API.

It refuses UPDATE and DELETE by trigger, as the books do.
"""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, at, identity_column, metadata, public_id, ref, text

member_events = sa.Table(
    "member_events",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members"),
    ref("merchant_id", "merchants"),  # who reported it
    ref("programme_version_id", "programme_versions"),  # whose rules gave for it
    text("name", 80),
    at("occurred_at"),
    at("recorded_at"),
    text("proof", 200, nullable=True),  # the caller's reference of it
    sa.Column("fields", Json, nullable=False),  # values of the event's own, nothing personal
    sa.Column("state", Json, nullable=False),  # what the decision used, as of a sale
    sa.Index("ix_member_events_member_id_name_occurred_at", "member_id", "name", "occurred_at"),
)

ENGAGEMENT_FACTS = ("member_events",)
"""Refuses UPDATE and DELETE by trigger, as the books do."""
