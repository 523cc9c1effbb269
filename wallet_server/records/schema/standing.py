"""Owns the tables of tiers: how each member came to theirs and until when, and every tier that was given."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, identity_column, metadata, public_id, ref, text

# Only of those who have more than what everybody has, or had: of the others the member's tier says it all.
member_standing = sa.Table(
    "member_standing",
    metadata,
    sa.Column("member_id", Key, sa.ForeignKey("members.id"), primary_key=True, autoincrement=False),
    text("level", 40, nullable=True),  # as on the member: the higher of what was earned and what is given
    text("source", 10),  # earned, given, trial
    at("since"),
    text("earned", 40, nullable=True),
    at("earned_since"),
    at("review_at", nullable=True),  # when it is looked at whether it is still deserved
    at("kept_until", nullable=True),  # it was found not to be, and is lost then
    text("falls_to", 40, nullable=True),  # to which tier at least
    text("given", 40, nullable=True),
    text("given_source", 10, nullable=True),  # given, trial
    at("given_until", nullable=True),  # null: for good
    at("due_at", nullable=True),  # the earliest of the three
    sa.Index("ix_member_standing_due", "due_at", "member_id",
             sqlite_where=sa.text("due_at IS NOT NULL"), postgresql_where=sa.text("due_at IS NOT NULL")),
)  # fmt: skip

tier_grants = sa.Table(
    "tier_grants",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members", index=True),
    ref("merchant_id", "merchants"),
    text("level", 40, nullable=True),  # null: what was given before is taken back
    text("source", 10),
    at("starts_at"),
    at("ends_at", nullable=True),
    text("principal", 60),  # whose key it was
    text("reason", 40),  # a word of the merchant's own, never a name: it is not erased
    at("recorded_at"),
)

STANDING_FACTS = ("tier_grants",)
"""Refuses UPDATE and DELETE by trigger, as the books do."""
