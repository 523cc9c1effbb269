"""Owns the table of the keys that codes on cards are signed with."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import at, identity_column, metadata, public_id, ref, text

# A key is never taken away: cards that it signed are shown for years.
code_keys = sa.Table(
    "code_keys",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts"),
    text("key_id", 8),  # as codes name it
    sa.Column("public", sa.LargeBinary(32), nullable=False),  # Ed25519, raw
    sa.Column("private_cipher", sa.Text(), nullable=False),
    at("created_at"),
    at("signs_from"),  # tills have the public half by then
    sa.UniqueConstraint("account_id", "key_id"),
)
