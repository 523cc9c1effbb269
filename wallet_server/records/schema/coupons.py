"""Owns the tables of coupons: what was promised to whom, the passes that show it, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, identity_column, metadata, public_id, ref, text

coupons = sa.Table(
    "coupons",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("member_id", "members", index=True),
    ref("programme_version_id", "programme_versions"),  # the version that promised it: its words and its value
    text("source", 20),  # why it was given: welcome, conversion, reward, goodwill
    text("money", 3),
    sa.Column("value_minor", sa.BigInteger(), nullable=True),
    text("state", 20),  # as its last event left it: issued, used, expired, void
    at("issued_at"),
    at("valid_to", nullable=True),
    at("used_at", nullable=True),
    at("over_at", nullable=True),  # of a used one: when its phone is told for good, and can no longer get it back
    text("promise", 60, nullable=True),  # which of the version's: conversion:ID, reward:CODE; null: that for joining
    text("entry", 40, nullable=True),  # the entry whose units it was made of; null: of none
    ref("issuer_id", "merchants", nullable=True),  # who owes it, wherever it is used; the audit tells of one without
    sa.Index("ix_coupons_lapsing", "valid_to", "id",
             sqlite_where=sa.text("state = 'issued' AND valid_to IS NOT NULL"),
             postgresql_where=sa.text("state = 'issued' AND valid_to IS NOT NULL")),
)  # fmt: skip

coupon_passes = sa.Table(
    "coupon_passes",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    ref("coupon_id", "coupons", index=True),  # the newest of several is the one that counts
)

coupon_events = sa.Table(
    "coupon_events",
    metadata,
    identity_column(),
    public_id(),
    ref("coupon_id", "coupons"),
    sa.Column("number", sa.Integer(), nullable=False),
    text("kind", 20),  # issued, used, undone, expired, void
    ref("merchant_id", "merchants", nullable=True),  # whose till it was; null: by itself
    ref("store_id", "stores", nullable=True),
    ref("till_id", "tills", nullable=True),
    text("receipt", 80, nullable=True),
    sa.Column("value_minor", sa.BigInteger(), nullable=False),  # what is owed more by it, or less; 0: of no value
    at("at"),
    sa.UniqueConstraint("coupon_id", "number"),
    sa.Index("ix_coupon_events_merchant_id_at", "merchant_id", "at"),
)

COUPON_FACTS = ("coupon_events",)
"""Refuses UPDATE and DELETE by trigger, as the books do."""
