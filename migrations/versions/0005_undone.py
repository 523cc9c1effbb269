"""What was undone and what was given back: sales that were reversed, whether they had booked anything or not, and the
links by which a shop gives a member the card back.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sale_reversals",
        sa.Column("sale_id", Key, autoincrement=False, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_sale_reversals_sale_id_sales")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_sale_reversals_till_id_tills")),
        sa.PrimaryKeyConstraint("sale_id", name=op.f("pk_sale_reversals")),
    )
    op.execute(
        "INSERT INTO sale_reversals (sale_id, till_id, recorded_at) SELECT sale_id, MIN(till_id), MIN(recorded_at) "
        "FROM ledger_entries WHERE reason = 'reverse.sale' AND sale_id IS NOT NULL GROUP BY sale_id"
    )
    _refuse_changes("sale_reversals")
    op.create_table(
        "card_returns",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_card_returns_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_card_returns_member_id_members")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_card_returns_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_returns")),
        sa.UniqueConstraint("public_id", name=op.f("uq_card_returns_public_id")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_card_returns_secret_sha256")),
    )
    op.create_index(op.f("ix_card_returns_member_id"), "card_returns", ["member_id"], unique=False)


def _refuse_changes(table: str) -> None:
    """As for the other books: the database itself refuses, whoever asks."""
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
    raise RuntimeError("What was undone is not thrown away; restore a backup instead.")
