"""Owns the tables of announcements, of the outbox, and of the limits that processes share."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

announcements = sa.Table(
    "announcements",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", index=True),
    ref("merchant_id", "merchants"),
    sa.Column("texts", Json, nullable=False),
    text("audience_tier", 40, nullable=True),
    sa.Column("audience_member_id", Key, nullable=True),  # a word for one member alone
    text("state", 20),
    at("created_at"),
    at("confirmed_at", nullable=True),
    at("recalled_at", nullable=True),
    at("ends_at"),
    sa.Column("walked_to", Key, nullable=False, server_default="0"),
    at("walked_at", nullable=True),
)

announcement_members = sa.Table(
    "announcement_members",
    metadata,
    sa.Column("announcement_id", Key, sa.ForeignKey("announcements.id"), primary_key=True, autoincrement=False),
    sa.Column("member_id", Key, sa.ForeignKey("members.id"), primary_key=True, autoincrement=False),
    text("outcome", 20),  # shown, waiting, skipped, recalled
    text("why", 40, nullable=True),
    at("decided_at"),
    at("fetched_at", nullable=True),  # when a phone first took the card that shows it,
    sa.Column("alerted", sa.Boolean(), nullable=True),  # and whether that version rang with it
    sa.Index("ix_announcement_members_member_id_decided_at", "member_id", "decided_at"),
)


jobs = sa.Table(
    "jobs",
    metadata,
    identity_column(),
    text("kind", 40),
    text("key", 80),
    sa.Column("lane", sa.SmallInteger(), nullable=False),
    count("generation", 1),
    count("attempt"),
    count("failures"),
    sa.Column("run_at", sa.BigInteger(), nullable=False),  # microseconds UTC, as the three below
    count("rest_until"),
    count("leased_until"),
    sa.Column("due_at", sa.BigInteger(), nullable=False),  # the latest of the three above
    sa.Column("dead_at", sa.BigInteger(), nullable=True),
    text("last_error", 500, nullable=True),
    count("runs_out_at", 2**62),  # microseconds UTC: when what the job tells of is over; that of most is never
    sa.UniqueConstraint("kind", "key"),
    sa.Index("ix_jobs_waiting", "lane", "due_at", sqlite_where=sa.text("dead_at IS NULL"),
             postgresql_where=sa.text("dead_at IS NULL")),
    sa.Index("ix_jobs_soonest", "lane", "runs_out_at", "due_at",
             sqlite_where=sa.text("lane = 4 AND dead_at IS NULL"),
             postgresql_where=sa.text("lane = 4 AND dead_at IS NULL")),
    sa.Index("ix_jobs_dead", "dead_at", sqlite_where=sa.text("dead_at IS NOT NULL"),
             postgresql_where=sa.text("dead_at IS NOT NULL")),
    postgresql_with={"fillfactor": 50},  # room on the page, so that a claim changes the row in its place
)  # fmt: skip

circuits = sa.Table(
    "circuits",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    at("open_until"),
    text("why", 500),
    at("opened_at"),
)

rate_windows = sa.Table(
    "rate_windows",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("window", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("taken", sa.BigInteger(), nullable=False),
)

# What all processes have counted together since the installation began; a process adds what it saw every few seconds.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("total", sa.BigInteger(), nullable=False),
)

assets = sa.Table(
    "assets",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    text("media_type", 80),
    sa.Column("body", sa.LargeBinary(), nullable=False),
    at("created_at"),
)
