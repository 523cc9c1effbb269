"""Who did what, who waits where after failing to sign in, and passwords that a backup code chose.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sign_in_waits",
        sa.Column("staff_id", Key, autoincrement=False, nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", Instant(timezone=True), nullable=False),
        sa.Column("locked_until", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sign_in_waits_staff_id_staff")),
        sa.PrimaryKeyConstraint("staff_id", "place", name=op.f("pk_sign_in_waits")),
    )
    op.create_table(
        "staff_events",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.Column("whom_id", Key, nullable=True),
        sa.Column("about", sa.String(length=60), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_staff_events_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_events_staff_id_staff")),
        sa.ForeignKeyConstraint(["whom_id"], ["staff.id"], name=op.f("fk_staff_events_whom_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_events")),
    )
    op.create_index("ix_staff_events_merchant_id_id", "staff_events", ["merchant_id", "id"], unique=False)
    op.create_index("ix_staff_events_about", "staff_events", ["about"], unique=False)
    _refuse_changes("staff_events")
    op.add_column("staff", sa.Column("code_reset_at", Instant(timezone=True), nullable=True))
    op.drop_column("staff", "failures")
    op.drop_column("staff", "locked_until")


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
    raise RuntimeError("Who did what is not thrown away; restore a backup instead.")
