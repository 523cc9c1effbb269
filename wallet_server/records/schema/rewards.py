"""Owns the tables of rewards: how often each was given, hints that one more piece is free, words about goodwill."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, count, identity_column, metadata, ref, text

# Of rewards that have a stock alone: every redemption of one waits for its row.
reward_stock = sa.Table(
    "reward_stock",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True, autoincrement=False),
    sa.Column("reward", sa.String(40), primary_key=True),
    count("given"),
)

deal_hints = sa.Table(
    "deal_hints",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True, autoincrement=False),
    sa.Column("deal", sa.String(40), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),  # of the store, on which it was offered
    count("offered"),
    count("taken"),
)

# The last hint of each deal at each till: a till has one customer at once.
till_hints = sa.Table(
    "till_hints",
    metadata,
    sa.Column("till_id", Key, sa.ForeignKey("tills.id"), primary_key=True, autoincrement=False),
    sa.Column("deal", sa.String(40), primary_key=True),
    ref("member_id", "members"),
    sa.Column("given", sa.BigInteger(), nullable=False),  # pieces that were off already
    sa.Column("day", sa.Date(), nullable=False),
    at("at"),
)

# What staff wrote about a gesture; erased with its member.
goodwill_notes = sa.Table(
    "goodwill_notes",
    metadata,
    identity_column(),
    ref("member_id", "members"),
    text("about", 40, unique=True),  # the public id of the entry or the coupon
    text("text", 200),
    text("complaint", 80, nullable=True),
    text("principal", 60),
    at("at"),
    sa.Index("ix_goodwill_notes_member_id_at", "member_id", "at"),
)
