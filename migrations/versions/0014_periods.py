"""Days summed, closed periods, and the estimates of what will be redeemed that they were closed with.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FACTS = ("book_days", "closed_periods", "redemption_estimates")


def upgrade() -> None:
    _days()
    _periods()
    for table in FACTS:
        _refuse_changes(table)


def _days() -> None:
    op.create_table(
        "book_days",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("book", sa.String(length=10), nullable=False),
        sa.Column("currency_id", Key, nullable=True),
        sa.Column("merchant_id", Key, nullable=True),
        sa.Column("side", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("cohort", sa.String(length=7), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_book_days_programme_id_programmes")),
        sa.ForeignKeyConstraint(["currency_id"], ["currencies.id"], name=op.f("fk_book_days_currency_id_currencies")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_book_days_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book_days")),
    )
    op.create_index("ix_book_days_programme_id_day", "book_days", ["programme_id", "day"], unique=False)
    op.create_table(
        "book_marks",
        sa.Column("programme_id", Key, autoincrement=False, nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_book_marks_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_book_marks")),
    )


def _periods() -> None:
    op.create_table(
        "closed_periods",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("starts_at", Instant(timezone=True), nullable=True),
        sa.Column("ends_at", Instant(timezone=True), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("previous_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("closed_at", Instant(timezone=True), nullable=False),
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_closed_periods_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closed_periods")),
        sa.UniqueConstraint("public_id", name=op.f("uq_closed_periods_public_id")),
        sa.UniqueConstraint("account_id", "number", name=op.f("uq_closed_periods_account_id_number")),
    )
    op.create_table(
        "redemption_estimates",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("period_id", Key, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("share_billionths", sa.BigInteger(), nullable=False),
        sa.Column("low_billionths", sa.BigInteger(), nullable=False),
        sa.Column("high_billionths", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("redemptions", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["period_id"], ["closed_periods.id"], name=op.f("fk_redemption_estimates_period_id_closed_periods")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_redemption_estimates_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["currency_id"], ["currencies.id"], name=op.f("fk_redemption_estimates_currency_id_currencies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_estimates")),
        sa.UniqueConstraint(
            "programme_id", "currency_id", "month", name=op.f("uq_redemption_estimates_programme_id_currency_id_month")
        ),
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
    raise RuntimeError("What was closed is not forgotten; restore a backup instead.")
