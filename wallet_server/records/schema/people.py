"""Owns the tables of the merchant's people: staff, how they sign in, the devices that they pair, and what customers
tell them."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

staff = sa.Table(
    "staff",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", index=True),
    ref("merchant_id", "merchants", index=True),
    text("email", 320, unique=True),  # normalised; one person, one sign-in, whatever the installation's accounts
    text("name", 200),
    text("role", 20),  # owner, marketer, accountant, cashier
    text("language", 12),
    text("password_hash", 300, nullable=True),  # argon2id; null: passkeys alone
    sa.Column("totp_cipher", sa.Text(), nullable=True),
    at("totp_confirmed_at", nullable=True),
    count("totp_step"),  # the last time step that was accepted: a code is good once
    at("created_at"),
    at("disabled_at", nullable=True),
    at("code_reset_at", nullable=True),  # a backup code chose the password, and no app or passkey signed in since
)

passkeys = sa.Table(
    "passkeys",
    metadata,
    identity_column(),
    public_id(),
    ref("staff_id", "staff", index=True),
    sa.Column("credential", sa.LargeBinary(1023), nullable=False, unique=True),
    sa.Column("public_key", sa.LargeBinary(), nullable=False),
    count("sign_count"),
    text("name", 100),
    at("created_at"),
    at("used_at", nullable=True),
)

backup_codes = sa.Table(
    "backup_codes",
    metadata,
    identity_column(),
    ref("staff_id", "staff", index=True),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False, unique=True),
    at("created_at"),
    at("used_at", nullable=True),
)

invitations = sa.Table(
    "invitations",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", nullable=True),  # null: the first owner, who founds an account
    ref("merchant_id", "merchants", nullable=True, index=True),
    ref("invited_by", "staff", nullable=True),
    text("purpose", 20),  # found, join, reset, enter
    ref("staff_id", "staff", nullable=True),  # who chooses a new password, or enters
    text("email", 320, nullable=True),
    text("role", 20),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False, unique=True),
    at("created_at"),
    at("expires_at"),
    at("used_at", nullable=True),
    at("revoked_at", nullable=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    identity_column(),
    public_id(),
    ref("staff_id", "staff", index=True),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False, unique=True),
    text("device", 200),  # what the browser says it is, for the person's own list
    sa.Column("remembered", sa.Boolean(), nullable=False),  # on the person's own device: it lasts longer
    at("created_at"),
    at("seen_at"),
    at("expires_at"),
    at("confirmed_at", nullable=True),  # null while the second factor is awaited
    at("ended_at", nullable=True),
)

challenges = sa.Table(
    "challenges",
    metadata,
    identity_column(),
    ref("staff_id", "staff", nullable=True),
    text("purpose", 20),  # register, sign-in
    sa.Column("challenge", sa.LargeBinary(64), nullable=False, unique=True),
    at("expires_at"),
)

pairings = sa.Table(
    "pairings",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants", index=True),
    ref("till_id", "tills"),
    ref("staff_id", "staff", nullable=True),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False, unique=True),
    at("created_at"),
    at("expires_at"),
    at("used_at", nullable=True),
    ref("api_key_id", "api_keys", nullable=True),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True, autoincrement=False),
    sa.Column("form", Json, nullable=False),
    count("revision", 1),
    at("changed_at"),
    ref("staff_id", "staff", nullable=True),
)
card_returns = sa.Table(
    "card_returns",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants"),
    ref("member_id", "members", index=True),
    ref("staff_id", "staff", nullable=True),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False, unique=True),
    at("created_at"),
    at("expires_at"),
    at("used_at", nullable=True),
)


ratings = sa.Table(
    "ratings",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", index=True),
    ref("merchant_id", "merchants"),
    ref("member_id", "members", index=True),
    ref("sale_id", "sales", nullable=True, unique=True),
    ref("store_id", "stores", nullable=True),
    sa.Column("mark", sa.SmallInteger(), nullable=False),  # 1 to 5
    text("text", 1000, nullable=True),
    at("at"),
)

tickets = sa.Table(
    "tickets",
    metadata,
    identity_column(),
    public_id(),
    ref("merchant_id", "merchants", index=True),
    ref("rating_id", "ratings", nullable=True, unique=True),
    ref("member_id", "members"),
    text("state", 20),  # open, closed
    at("opened_at"),
    at("closed_at", nullable=True),
    ref("closed_by", "staff", nullable=True),
    text("note", 1000, nullable=True),
)
