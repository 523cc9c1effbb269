"""Letters to people, one-time codes, members that became one, and cards of plastic from a file.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from wallet_server.records.schema import Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WORDS = sa.text("words IS NOT NULL")


def upgrade() -> None:
    _letters()
    _codes()
    _merges()
    _imports()
    op.create_index("ix_identities_kind_value", "identities", ["kind", "value"], unique=False)
    _refuse_changes("member_merges")


def _at(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, Instant(timezone=True), nullable=nullable)


def _ref(table: str, name: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [f"{target}.id"], name=op.f(f"fk_{table}_{name}_{target}"))


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=True),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("address_mark", sa.LargeBinary(32), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.Column("remote_id", sa.String(length=200), nullable=True),
        _at("created_at"),
        _at("good_until"),
        _at("settled_at", nullable=True),
        _ref("letters", "account_id", "accounts"),
        _ref("letters", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("public_id", name=op.f("uq_letters_public_id")),
    )
    op.create_index(op.f("ix_letters_member_id"), "letters", ["member_id"], unique=False)
    op.create_index("ix_letters_address_mark_created_at", "letters", ["address_mark", "created_at"])
    op.create_index("ix_letters_settled_at", "letters", ["settled_at"], sqlite_where=WORDS, postgresql_where=WORDS)


def _codes() -> None:
    op.create_table(
        "one_time_codes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("address_mark", sa.LargeBinary(32), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("secret", sa.String(length=60), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        _at("created_at"),
        _at("expires_at"),
        _at("used_at", nullable=True),
        _ref("one_time_codes", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_codes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_one_time_codes_public_id")),
    )
    op.create_index(op.f("ix_one_time_codes_member_id"), "one_time_codes", ["member_id"], unique=False)
    op.create_index(op.f("ix_one_time_codes_address_mark"), "one_time_codes", ["address_mark"], unique=False)


def _merges() -> None:
    op.create_table(
        "member_merges",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("kept_id", Key, nullable=False),
        sa.Column("merged_id", Key, nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        _at("at"),
        _ref("member_merges", "programme_id", "programmes"),
        _ref("member_merges", "kept_id", "members"),
        _ref("member_merges", "merged_id", "members"),
        _ref("member_merges", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_merges")),
        sa.UniqueConstraint("public_id", name=op.f("uq_member_merges_public_id")),
        sa.UniqueConstraint("merged_id", name=op.f("uq_member_merges_merged_id")),
    )
    for name in ("programme_id", "kept_id"):
        op.create_index(op.f(f"ix_member_merges_{name}"), "member_merges", [name], unique=False)
    op.create_table(
        "merged_members",
        sa.Column("merged_id", Key, autoincrement=False, nullable=False),
        sa.Column("kept_id", Key, nullable=False),
        _ref("merged_members", "merged_id", "members"),
        _ref("merged_members", "kept_id", "members"),
        sa.PrimaryKeyConstraint("merged_id", name=op.f("pk_merged_members")),
    )
    op.create_index(op.f("ix_merged_members_kept_id"), "merged_members", ["kept_id"], unique=False)


def _imports() -> None:
    op.create_table(
        "card_imports",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("file_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("currency", sa.String(length=40), nullable=True),
        sa.Column("lines", sa.BigInteger(), server_default="0", nullable=False),
        _at("created_at"),
        _at("done_at", nullable=True),
        _ref("card_imports", "programme_id", "programmes"),
        _ref("card_imports", "merchant_id", "merchants"),
        _ref("card_imports", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_imports")),
        sa.UniqueConstraint("public_id", name=op.f("uq_card_imports_public_id")),
    )
    op.create_index(op.f("ix_card_imports_programme_id"), "card_imports", ["programme_id"], unique=False)
    op.create_table(
        "card_import_rows",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("import_id", Key, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("points", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("why", sa.String(length=30), nullable=True),
        sa.Column("params", Json, nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("candidates", Json, nullable=True),
        sa.Column("settled_by", Key, nullable=True),
        _at("settled_at", nullable=True),
        _ref("card_import_rows", "import_id", "card_imports"),
        _ref("card_import_rows", "member_id", "members"),
        _ref("card_import_rows", "settled_by", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_import_rows")),
        sa.UniqueConstraint("import_id", "line", name=op.f("uq_card_import_rows_import_id_line")),
    )
    op.create_index(op.f("ix_card_import_rows_member_id"), "card_import_rows", ["member_id"], unique=False)
    op.create_index("ix_card_import_rows_import_id_state_line", "card_import_rows", ["import_id", "state", "line"])


def _refuse_changes(table: str) -> None:
    """As for the books: the database itself refuses, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is never changed'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
