"""Owns the tables of reaching people: letters to them, one-time codes, members that became one, and cards of plastic
that are taken over from a file."""

from __future__ import annotations

import sqlalchemy as sa

from wallet_server.records.schema.columns import Json, Key, at, count, identity_column, metadata, public_id, ref, text

letters = sa.Table(
    "letters",
    metadata,
    identity_column(),
    public_id(),
    ref("account_id", "accounts", nullable=True),  # null: it is not known yet whose member is meant
    ref("member_id", "members", nullable=True, index=True),
    text("kind", 10),  # email, phone
    sa.Column("address_mark", sa.LargeBinary(32), nullable=False),
    text("purpose", 20),
    text("language", 12),
    sa.Column("words", sa.Text(), nullable=True),  # sealed: to whom, and what the text needs; null: erased
    text("state", 12),  # waiting, sent, refused, late, nobody
    count("tries"),
    text("why", 200, nullable=True),
    text("remote_id", 200, nullable=True),
    at("created_at"),
    at("good_until"),
    at("settled_at", nullable=True),
    sa.Index("ix_letters_address_mark_created_at", "address_mark", "created_at"),
    sa.Index("ix_letters_settled_at", "settled_at", sqlite_where=sa.text("words IS NOT NULL"),
             postgresql_where=sa.text("words IS NOT NULL")),
)  # fmt: skip

one_time_codes = sa.Table(
    "one_time_codes",
    metadata,
    identity_column(),
    public_id(),
    ref("member_id", "members", nullable=True, index=True),  # null: it proves an address alone
    text("purpose", 20),
    text("kind", 10),
    sa.Column("address_mark", sa.LargeBinary(32), nullable=False, index=True),
    sa.Column("address", sa.Text(), nullable=True),  # sealed; null: erased
    text("secret", 60),  # an authenticator of the digits: a bare hash of six would be found by trying
    count("tries"),
    at("created_at"),
    at("expires_at"),
    at("used_at", nullable=True),
)

member_merges = sa.Table(
    "member_merges",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", index=True),
    ref("kept_id", "members", index=True),
    ref("merged_id", "members", unique=True),
    text("reason", 20),
    ref("staff_id", "staff", nullable=True),  # null: the member did it
    at("at"),
)

merged_members = sa.Table(
    "merged_members",
    metadata,
    sa.Column("merged_id", Key, sa.ForeignKey("members.id"), primary_key=True, autoincrement=False),
    ref("kept_id", "members", index=True),  # who stands for this member now, at the end of any chain
)

card_imports = sa.Table(
    "card_imports",
    metadata,
    identity_column(),
    public_id(),
    ref("programme_id", "programmes", index=True),
    ref("merchant_id", "merchants"),
    ref("staff_id", "staff", nullable=True),
    text("name", 200),
    sa.Column("file_sha256", sa.LargeBinary(32), nullable=False),
    sa.Column("columns", Json, nullable=False),
    text("currency", 40, nullable=True),
    count("lines"),
    at("created_at"),
    at("done_at", nullable=True),
)

card_import_rows = sa.Table(
    "card_import_rows",
    metadata,
    identity_column(),
    ref("import_id", "card_imports"),
    sa.Column("line", sa.Integer(), nullable=False),
    text("state", 12),  # waiting, made, linked, doubtful, dirty, known
    text("number", 40, nullable=True),
    count("points"),
    text("why", 30, nullable=True),
    sa.Column("params", Json, nullable=False),
    sa.Column("person", sa.Text(), nullable=True),  # sealed; null: nothing was given, or it is settled
    ref("member_id", "members", nullable=True, index=True),
    sa.Column("candidates", Json, nullable=True),  # public ids and how near each is, while a person is to choose
    ref("settled_by", "staff", nullable=True),
    at("settled_at", nullable=True),
    sa.UniqueConstraint("import_id", "line"),
    sa.Index("ix_card_import_rows_import_id_state_line", "import_id", "state", "line"),
    sa.Index("ix_card_import_rows_number", "number"),
)

REACHING_FACTS = ("member_merges",)
"""Refuses UPDATE and DELETE by trigger, as the books do."""
