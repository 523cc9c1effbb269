"""Which waiting refreshes run out first, the debts of a purse by themselves, and every changing number that was taken.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    never = sa.Column("runs_out_at", sa.BigInteger(), server_default=str(2**62), nullable=False)
    op.add_column("jobs", never)
    vendors_work, owing = sa.text("lane = 4 AND dead_at IS NULL"), sa.text("remaining < 0")
    op.create_index(
        "ix_jobs_soonest",
        "jobs",
        ["lane", "runs_out_at", "due_at"],
        sqlite_where=vendors_work,
        postgresql_where=vendors_work,
    )
    op.drop_table("rotating_codes")  # the last number of each pass alone: what a till sends later was older than that
    op.create_table(
        "rotating_numbers",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("counter", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("taken_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_rotating_numbers_pass_id_passes")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_rotating_numbers_till_id_tills")),
        sa.PrimaryKeyConstraint("pass_id", "counter", name=op.f("pk_rotating_numbers")),
    )
    op.create_index(op.f("ix_rotating_numbers_taken_at"), "rotating_numbers", ["taken_at"])
    op.create_index("ix_lots_debts", "lots", ["account_id"], sqlite_where=owing, postgresql_where=owing)


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
