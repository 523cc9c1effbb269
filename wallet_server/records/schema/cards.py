"""Owns the tables of members, their passes and codes, what was published of them, and the devices that hold them."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Key, at, count, identity_column, metadata, public_id, ref, text

members = sa.Table(
    "members",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", index=True),
    ref("home_store_id", "stores", nullable=True),
    text("language", 12),
    text("tier", 40, nullable=True),
    at("joined_at"),
    at("left_at", nullable=True),
    text("birthday", 5, nullable=True),  # month and day alone: 12-24
    at("customer_since", nullable=True),  # where that is before joining
)

identities = sa.Table(
    "identities",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    ref("member_id", "members", index=True),
    text("kind", 20),
    text("value", 320),
    at("verified_at", nullable=True),
    # Typed by the member on the join page: what staff, a system or a file said of them is not.
    sa.Column("own", sa.Boolean(), nullable=False, server_default=sa.false()),
    # What nobody has verified is a contact and no identity: it may stand at several members.
    sa.Index("ux_identities_verified", "programme_id", "kind", "value", unique=True,
             sqlite_where=sa.text("verified_at IS NOT NULL"), postgresql_where=sa.text("verified_at IS NOT NULL")),
    sa.Index("ix_identities_kind_value", "kind", "value"),
)  # fmt: skip

consents = sa.Table(
    "consents",
    metadata,
    identity_column(),
    ref("member_id", "members"),
    text("purpose", 40),
    sa.Column("granted", sa.Boolean(), nullable=False),
    text("source", 80),
    at("at"),
    sa.Index("ix_consents_member_id_purpose_id", "member_id", "purpose", "id"),
)

passes = sa.Table(
    "passes",
    metadata,
    identity_column(),
    public_id(),
    ref("member_id", "members", index=True),
    text("wallet", 20),
    text("kind", 20),
    ref("credential_set_id", "credential_sets"),
    text("pass_type", 255),
    text("serial", 64),
    sa.Column("token_cipher", sa.Text(), nullable=False),
    sa.Column("token_sha256", sa.LargeBinary(32), nullable=False),
    text("state", 20),
    count("version", 1),
    sa.Column("loud", sa.Integer(), nullable=False, server_default="0"),
    at("quiet_until", nullable=True),
    at("created_at"),
    sa.UniqueConstraint("pass_type", "serial"),
)

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    count("number", 1),  # versions served so far; the first is 1
    count("of_version", 1),  # passes.version that this publication has taken in
    sa.Column("card", sa.Text(), nullable=False),
    text("fingerprint", 64),
    ref("programme_version_id", "programme_versions"),
    text("alert", 20, nullable=True),
    sa.Column("points", sa.BigInteger(), nullable=False),
    text("tier", 40, nullable=True),
    text("news", 40, nullable=True),
    count("seen"),  # highest number that a registered phone holds, and its three facets
    sa.Column("seen_points", sa.BigInteger(), nullable=False),
    text("seen_tier", 40, nullable=True),
    text("seen_news", 40, nullable=True),
    at("seen_at", nullable=True),  # when a phone first had it
    at("unseen_since"),  # when the phones first fell behind what is served
    at("last_modified"),
    at("published_at"),
    sa.Column("tag", sa.BigInteger(), nullable=True, index=True),
    count("tagged"),  # number that the tag stands for
    count("rung"),  # number that phones were last told of
    at("pushed_at", nullable=True),  # when a push service last took a push for it,
    at("pushes_since", nullable=True),  # and since when so many of them: the hour begins anew with its first
    count("pushes"),
    text("remote_state", 4000, nullable=True),
    sa.Column("issue", sa.Integer(), nullable=False, server_default="0"),  # of the code on the version served
    sa.Column("seen_issue", sa.Integer(), nullable=False, server_default="0"),  # the newest that a phone shows
)

tag_counters = sa.Table(
    "tag_counters",
    metadata,
    sa.Column("pass_type", sa.String(255), primary_key=True),
    sa.Column("last", sa.BigInteger(), nullable=False),
)

codes = sa.Table(
    "codes",
    metadata,
    identity_column(),
    ref("pass_id", "passes", nullable=True, index=True),
    ref("member_id", "members", index=True),
    sa.Column("lookup", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("cipher", sa.Text(), nullable=False),
    text("kind", 20),
    text("key_id", 8),
    sa.Column("issue", sa.Integer(), nullable=False),
    at("valid_from"),
    at("valid_to", nullable=True),
    at("revoked_at", nullable=True),
    at("superseded_at", nullable=True),  # when the card got its next issue,
    sa.Column("superseded_till", sa.BigInteger(), nullable=True),  # and the till at which it had spent
    at("shown_at", nullable=True),  # when a till first saw this issue
    sa.Column("same_upto", sa.Integer(), nullable=True),  # which newer issues say nothing against who showed this one
    sa.Column("short", sa.LargeBinary(32), nullable=True),  # what the short form of the code is found by
    sa.Index("ux_codes_short", "short", unique=True),
)

devices = sa.Table(
    "devices",
    metadata,
    identity_column(),
    text("library_id", 128),
    text("pass_type", 255),
    text("push_kind", 20),
    text("push_token", 512),
    at("registered_at"),
    at("suspect_at", nullable=True),
    sa.UniqueConstraint("library_id", "pass_type"),
)

registrations = sa.Table(
    "registrations",
    metadata,
    sa.Column("device_id", Key, sa.ForeignKey("devices.id"), primary_key=True),
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, index=True),
    at("registered_at"),
)

departures = sa.Table(
    "departures",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    at("at"),  # when a device last ceased to hold the pass
    text("why", 20),  # removed, gone (the push service said so), refused (its token, twice), evicted, over
)

phone_logs = sa.Table(
    "phone_logs",
    metadata,
    identity_column(),
    at("at"),
    text("line", 500),
    ref("pass_id", "passes", nullable=True, index=True),
)
