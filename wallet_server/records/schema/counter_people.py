"""Owns the tables of who stands at a till: PINs, shifts, what each did there, what each may give, and what looks odd.

What was done and given is a book: those tables refuse UPDATE and DELETE by trigger. A gesture that was taken back has a
line that says so.
"""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

cashier_pins = sa.Table(
    "cashier_pins",
    metadata,
    identity_column(),
    ref("staff_id", "staff", unique=True),
    sa.Column("pin_cipher", sa.Text(), nullable=False),  # an argon2id hash, sealed: so few digits are soon all tried
    sa.Column("first", sa.Boolean(), nullable=False),  # somebody else chose it: it is changed at its first use
    at("changed_at"),
)

shifts = sa.Table(
    "shifts",
    metadata,
    identity_column(),
    public_id(),
    ref("staff_id", "staff", index=True),
    ref("api_key_id", "api_keys", index=True),  # the token is good with this key alone
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
    at("began_at"),
    at("expires_at"),
    at("ended_at", nullable=True),
)

counter_deeds = sa.Table(
    "counter_deeds",
    metadata,
    identity_column(),
    ref("merchant_id", "merchants"),
    ref("till_id", "tills", nullable=True),
    ref("staff_id", "staff"),
    ref("member_id", "members", nullable=True),
    text("what", 40),  # the route, as in requests
    text("about", 40, nullable=True),  # the public id of the sale, the entry, the voucher
    at("at"),
    sa.Index("ix_counter_deeds_merchant_id_at", "merchant_id", "at"),
    sa.Index("ix_counter_deeds_about", "about"),
)

given_gestures = sa.Table(
    "given_gestures",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes"),
    ref("merchant_id", "merchants"),
    ref("till_id", "tills", nullable=True),
    ref("staff_id", "staff"),
    ref("member_id", "members"),
    ref("programme_version_id", "programme_versions"),
    text("gesture", 40),
    text("kind", 12),  # points, gift, upgrade, extra, service
    text("reason", 40),  # of those that the document names
    count("units"),
    count("cost_minor"),
    text("about", 40, nullable=True),  # the public id of the entry or the voucher
    at("at"),
    sa.Index("ix_given_gestures_staff_id_at", "staff_id", "at"),
    sa.Index("ix_given_gestures_member_id_at", "member_id", "at"),
    sa.Index("ix_given_gestures_programme_id_at", "programme_id", "at"),
    sa.Index("ix_given_gestures_merchant_id_at", "merchant_id", "at"),
)

undone_gestures = sa.Table(
    "undone_gestures",
    metadata,
    sa.Column("gesture_id", Key, sa.ForeignKey("given_gestures.id"), primary_key=True, autoincrement=False),
    ref("staff_id", "staff", nullable=True),
    at("at"),
)

refused_gestures = sa.Table(
    "refused_gestures",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    ref("merchant_id", "merchants"),
    ref("till_id", "tills", nullable=True),
    ref("staff_id", "staff"),
    ref("member_id", "members"),
    text("gesture", 40),
    text("budget", 60),  # whose, and over which span: cashier:week
    at("at"),
    sa.Index("ix_refused_gestures_merchant_id_at", "merchant_id", "at"),
)

# The merchant's own reference; erased with its member.
gesture_complaints = sa.Table(
    "gesture_complaints",
    metadata,
    sa.Column("gesture_id", Key, sa.ForeignKey("given_gestures.id"), primary_key=True, autoincrement=False),
    ref("member_id", "members", index=True),
    text("complaint", 80),
)

# Held by whoever counts what is left of a budget, so that two tills do not both find the last of it.
gesture_turns = sa.Table(
    "gesture_turns",
    metadata,
    sa.Column("kind", sa.String(12), primary_key=True),  # cashier, programme
    sa.Column("owner", Key, primary_key=True, autoincrement=False),
    count("taken"),
)

watch_limits = sa.Table(
    "watch_limits",
    metadata,
    sa.Column("merchant_id", Key, sa.ForeignKey("merchants.id"), primary_key=True, autoincrement=False),
    sa.Column("limits", Json, nullable=False),  # pattern to number; what is missing is as the product has it
    at("changed_at"),
)

# What looked odd on a day, noted once, with the day's time at which it was first seen.
anomalies = sa.Table(
    "anomalies",
    metadata,
    identity_column(),
    ref("merchant_id", "merchants"),
    text("pattern", 40),
    text("subject", 90),  # the public ids that it is about
    sa.Column("day", sa.Date(), nullable=False),  # of the shop
    ref("staff_id", "staff", nullable=True),
    ref("member_id", "members", nullable=True),
    count("found"),
    count("allowed"),
    at("at"),
    sa.UniqueConstraint("merchant_id", "day", "pattern", "subject"),
)

COUNTER_FACTS = ("counter_deeds", "given_gestures", "undone_gestures", "refused_gestures", "anomalies")
"""Refuse UPDATE and DELETE by trigger, as the books do."""
