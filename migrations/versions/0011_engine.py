"""What the loyalty engine keeps: goods given back, events, awards that wait, holds, warnings.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from wallet_server.records.schema import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("members", sa.Column("birthday", sa.String(length=5), nullable=True))
    _refunds()
    _corrections()
    _member_events()
    _pending_awards()
    _holds()
    _expiry_warnings()
    for table in ("refunds", "refund_lines", "corrections", "member_events"):
        _refuse_changes(table)


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("sale_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("store_id", Key, nullable=True),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("occurred_at", Instant(timezone=True), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.String(length=3), nullable=False),
        _to("refunds", "sale_id", "sales"),
        _to("refunds", "programme_id", "programmes"),
        _to("refunds", "member_id", "members"),
        _to("refunds", "merchant_id", "merchants"),
        _to("refunds", "store_id", "stores"),
        _to("refunds", "till_id", "tills"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("public_id", name=op.f("uq_refunds_public_id")),
        sa.UniqueConstraint("sale_id", "number", name=op.f("uq_refunds_sale_id_number")),
    )
    op.create_index("ix_refunds_member_id_id", "refunds", ["member_id", "id"], unique=False)
    op.create_index("ix_refunds_merchant_id_recorded_at", "refunds", ["merchant_id", "recorded_at"], unique=False)
    op.create_table(
        "refund_lines",
        sa.Column("refund_id", Key, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("quantity_milli", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        _to("refund_lines", "refund_id", "refunds"),
        sa.PrimaryKeyConstraint("refund_id", "number", name=op.f("pk_refund_lines")),
    )


def _corrections() -> None:
    """With what was reversed before: each reversal of an award or of an expiry took all of it back."""
    op.create_table(
        "corrections",
        sa.Column("entry_id", Key, autoincrement=False, nullable=False),
        sa.Column("corrects_id", Key, nullable=False),
        sa.Column("refund_id", Key, nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        _to("corrections", "entry_id", "ledger_entries"),
        _to("corrections", "corrects_id", "ledger_entries"),
        _to("corrections", "refund_id", "refunds"),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_corrections")),
    )
    op.execute(
        "INSERT INTO corrections (entry_id, corrects_id, amount) "
        "SELECT e.id, e.reverses_id, ABS(p.amount) FROM ledger_entries e "
        "JOIN ledger_entries undone ON undone.id = e.reverses_id AND undone.kind IN ('earn', 'expire') "
        "JOIN ledger_postings p ON p.entry_id = e.id "
        "JOIN ledger_accounts a ON a.id = p.account_id AND a.owner_kind = 'member'"
    )
    op.create_index(op.f("ix_corrections_corrects_id"), "corrections", ["corrects_id"], unique=False)
    op.create_index(op.f("ix_corrections_refund_id"), "corrections", ["refund_id"], unique=False)


def _member_events() -> None:
    op.create_table(
        "member_events",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("occurred_at", Instant(timezone=True), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.Column("proof", sa.String(length=200), nullable=True),
        sa.Column("fields", Json, nullable=False),
        sa.Column("state", Json, nullable=False),
        _to("member_events", "programme_id", "programmes"),
        _to("member_events", "member_id", "members"),
        _to("member_events", "merchant_id", "merchants"),
        _to("member_events", "programme_version_id", "programme_versions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_events")),
        sa.UniqueConstraint("public_id", name=op.f("uq_member_events_public_id")),
    )
    op.create_index(
        "ix_member_events_member_id_name_occurred_at",
        "member_events",
        ["member_id", "name", "occurred_at"],
        unique=False,
    )


def _pending_awards() -> None:
    op.create_table(
        "pending_awards",
        sa.Column("lot_id", Key, autoincrement=False, nullable=False),
        sa.Column("entry_id", Key, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("matures_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("confirmed_id", Key, nullable=True),
        _to("pending_awards", "lot_id", "lots"),
        _to("pending_awards", "entry_id", "ledger_entries"),
        _to("pending_awards", "account_id", "ledger_accounts"),
        _to("pending_awards", "confirmed_id", "ledger_entries"),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_pending_awards")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_pending_awards_entry_id")),
        sa.UniqueConstraint("confirmed_id", name=op.f("uq_pending_awards_confirmed_id")),
    )
    op.create_index(op.f("ix_pending_awards_account_id"), "pending_awards", ["account_id"], unique=False)
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_pending_awards_maturing",
        "pending_awards",
        ["matures_at", "lot_id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("store_id", Key, nullable=True),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("entry_id", Key, nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("closed_at", Instant(timezone=True), nullable=True),
        _to("holds", "programme_id", "programmes"),
        _to("holds", "member_id", "members"),
        _to("holds", "merchant_id", "merchants"),
        _to("holds", "store_id", "stores"),
        _to("holds", "till_id", "tills"),
        _to("holds", "currency_id", "currencies"),
        _to("holds", "account_id", "ledger_accounts"),
        _to("holds", "entry_id", "ledger_entries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("public_id", name=op.f("uq_holds_public_id")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_holds_entry_id")),
    )
    op.create_index(op.f("ix_holds_member_id"), "holds", ["member_id"], unique=False)
    still_open = sa.text("state = 'open'")
    op.create_index(
        "ix_holds_lapsing",
        "holds",
        ["expires_at", "id"],
        unique=False,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def _expiry_warnings() -> None:
    op.create_table(
        "expiry_warnings",
        sa.Column("account_id", Key, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("days_before", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("warned_at", Instant(timezone=True), nullable=False),
        _to("expiry_warnings", "account_id", "ledger_accounts"),
        sa.PrimaryKeyConstraint("account_id", "day", "days_before", name=op.f("pk_expiry_warnings")),
    )


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
