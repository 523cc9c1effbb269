"""Owns the tables of who takes part: accounts, merchants, stores, tills, keys, certificates, programmes."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

accounts = sa.Table(
    "accounts",
    metadata,
    identity_column(),
    public_id(),
    text("name", 200),
    text("issuer_mark", 12, unique=True),
    at("created_at"),
    text("mode", 8, server_default="live"),  # live, test: nobody's money, and a clock of its own
)

merchants = sa.Table(
    "merchants",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", index=True),
    text("name", 200),
    at("created_at"),
)

stores = sa.Table(
    "stores",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants", index=True),
    text("name", 200),
    text("zone", 64),
    sa.Column("latitude", sa.Float(), nullable=True),
    sa.Column("longitude", sa.Float(), nullable=True),
    sa.Column("texts", Json, nullable=True),
    at("created_at"),
    at("closed_at", nullable=True),
)

tills = sa.Table(
    "tills",
    metadata,
    identity_column(),
    public_id(),
    ref("store_id", "stores", index=True),
    text("name", 200),
    at("created_at"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", index=True),
    ref("merchant_id", "merchants"),
    ref("till_id", "tills", nullable=True),
    text("scopes", 400),
    text("name", 100, nullable=True),  # of a paired device, for the list of those that may be revoked
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
    at("created_at"),
    at("expires_at", nullable=True),
    at("revoked_at", nullable=True),
    at("used_at", nullable=True),  # to the minute
    text("label", 100, nullable=True),  # what people call a key of their software
    text("replaced_by", 40, nullable=True),  # the public id of its successor, while both work
)

# Signing keys (.p8) for the push service, one for a team; nothing in the vault is ever handed out.
push_keys = sa.Table(
    "push_keys",
    metadata,
    identity_column(),
    public_id(),
    text("team", 64, unique=True),
    text("kid", 40),
    sa.Column("key_cipher", sa.Text(), nullable=False),
    sa.Column("token_cipher", sa.Text(), nullable=True),  # what was signed last, so that all processes send the same
    at("token_at", nullable=True),
    at("created_at"),
)

credential_sets = sa.Table(
    "credential_sets",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", nullable=True, index=True),  # null: the platform's own
    text("wallet", 20),
    text("pass_type", 255),
    text("team", 64),
    sa.Column("certificate", sa.Text(), nullable=False),
    sa.Column("chain", sa.Text(), nullable=False),
    sa.Column("key_cipher", sa.Text(), nullable=False),
    at("not_before"),
    at("not_after"),
    at("created_at"),
    at("retired_at", nullable=True),
    at("told_at", nullable=True),  # when a phone was last told something under it, to the hour
    count("version", 1),  # moves with every change of what is loaded: certificate, chain, key, way of pushing
    sa.Column("warned_days", sa.Integer(), nullable=True),  # the last threshold of days left that was warned of
    ref("push_key_id", "push_keys", nullable=True),  # null: its own certificate opens the push service
)

# What a renewal took the place of, kept until its end, so that an operator can go back.
previous_certificates = sa.Table(
    "previous_certificates",
    metadata,
    sa.Column("credential_set_id", Key, sa.ForeignKey("credential_sets.id"), primary_key=True, autoincrement=False),
    sa.Column("certificate", sa.Text(), nullable=False),
    sa.Column("chain", sa.Text(), nullable=False),
    sa.Column("key_cipher", sa.Text(), nullable=False),
    at("not_before"),
    at("not_after"),
    at("replaced_at"),
)

programmes = sa.Table(
    "programmes",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", index=True),
    text("name", 200),
    text("join_code", 40, unique=True),
    ref("credential_set_id", "credential_sets", nullable=True),
    sa.Column("current_version", sa.Integer(), nullable=False, server_default="0"),
    at("created_at"),
)

programme_versions = sa.Table(
    "programme_versions",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("document", sa.Text(), nullable=False),
    text("fingerprint", 64),
    at("published_at"),
    sa.UniqueConstraint("programme_id", "number"),
)

participations = sa.Table(
    "participations",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True),
    sa.Column("merchant_id", Key, sa.ForeignKey("merchants.id"), primary_key=True),
    at("joined_at"),
    at("left_at", nullable=True),
)

currencies = sa.Table(
    "currencies",
    metadata,
    identity_column(),
    ref("programme_id", "programmes"),
    text("code", 40),
    text("kind", 20),
    text("iso", 3, nullable=True),
    sa.Column("exponent", sa.Integer(), nullable=False, server_default="0"),
    sa.UniqueConstraint("programme_id", "code"),
)
