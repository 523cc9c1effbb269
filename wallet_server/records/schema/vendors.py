"""Owns the tables of vendors to whom cards are pushed: what they were given, what they said, what may still be sent."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, count, identity_column, metadata, ref, text

# A programme's classes at a vendor, for each set of credentials that ever issued its cards: that of its card, and those
# of the coupons that its versions promise.
programme_wallets = sa.Table(
    "programme_wallets",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True, autoincrement=False),
    sa.Column("credential_set_id", Key, sa.ForeignKey("credential_sets.id"), primary_key=True, autoincrement=False),
    sa.Column("subject", sa.String(40), primary_key=True),  # card, or coupon and the key of the version
    text("wallet", 20),
    ref("programme_version_id", "programme_versions", nullable=True),  # the version that the vendor has taken
    text("remote_state", 4000, nullable=True),
    text("note", 500, nullable=True),
    at("chosen_at", nullable=True),  # when somebody said that new cards are of this set; null: it came by itself
    at("published_at", nullable=True),
)

# What a vendor said of a pass: nobody registers a device there.
pass_holdings = sa.Table(
    "pass_holdings",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    at("saved_at", nullable=True),
    at("removed_at", nullable=True),
    sa.Column("has_users", sa.Boolean(), nullable=True),  # null: the vendor did not say
    at("said_at", nullable=True),
    text("note", 500, nullable=True),  # what had to be left out of it, for the merchant
)

pass_alerts = sa.Table(
    "pass_alerts",
    metadata,
    identity_column(),
    ref("pass_id", "passes"),
    at("at"),
    text("what", 40),  # the facet, or the public id of a message
    sa.Index("ix_pass_alerts_pass_id_at", "pass_id", "at"),
    sa.Index("ix_pass_alerts_at", "at"),
)

# Alerts that went to everybody who holds a card of a programme: each counts for every one of its passes.
class_alerts = sa.Table(
    "class_alerts",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    ref("credential_set_id", "credential_sets"),
    at("at"),
    text("what", 40),
    sa.Index("ix_class_alerts_programme_id_at", "programme_id", "at"),
)

callback_nonces = sa.Table(
    "callback_nonces",
    metadata,
    sa.Column("nonce_sha256", sa.String(64), primary_key=True),
    at("expires_at"),
    sa.Index("ix_callback_nonces_expires_at", "expires_at"),
)

issuer_facts = sa.Table(
    "issuer_facts",
    metadata,
    sa.Column("issuer", sa.String(255), primary_key=True),
    sa.Column("locations", sa.Boolean(), nullable=True),  # whether places are allowed on its cards; null: not known
    at("learned_at", nullable=True),
)

# A bucket of requests that all processes draw from, a handful at once.
issuer_rates = sa.Table(
    "issuer_rates",
    metadata,
    sa.Column("issuer", sa.String(255), primary_key=True),
    sa.Column("requests_milli", sa.BigInteger(), nullable=False),  # thousandths of a request that may be made,
    sa.Column("filled_at", sa.BigInteger(), nullable=False),  # as of this time, in microseconds UTC
)

# The last code of a rotating barcode that was taken, so that no other till takes it again.
rotating_numbers = sa.Table(
    "rotating_numbers",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    sa.Column("counter", sa.BigInteger(), primary_key=True, autoincrement=False),
    ref("till_id", "tills", nullable=True),
    at("taken_at"),  # at the till: of a sale that was sent later, when it was made
    sa.Index("ix_rotating_numbers_taken_at", "taken_at"),
)

# An announcement that goes, or may go, to everybody who holds a card of one set, as one message.
class_messages = sa.Table(
    "class_messages",
    metadata,
    sa.Column("announcement_id", Key, sa.ForeignKey("announcements.id"), primary_key=True, autoincrement=False),
    sa.Column("credential_set_id", Key, sa.ForeignKey("credential_sets.id"), primary_key=True, autoincrement=False),
    text("state", 20),  # asking, going, told, cards, recalled
    at("at"),  # when it came into this state
    sa.Column("alerted", sa.Boolean(), nullable=True),
    text("why", 500, nullable=True),
)

# How far the look at a vendor's list of holders has come.
holder_walks = sa.Table(
    "holder_walks",
    metadata,
    sa.Column("credential_set_id", Key, sa.ForeignKey("credential_sets.id"), primary_key=True, autoincrement=False),
    sa.Column("place", sa.Text(), nullable=True),  # where it goes on; null: it is through
    at("at"),
    count("looked_at"),  # of this walk: objects, and those that were noted otherwise
    count("mended"),
)
