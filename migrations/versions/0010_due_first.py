"""Which waiting refreshes run out first, and the debts of a purse by themselves.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

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
    op.create_index("ix_lots_debts", "lots", ["account_id"], sqlite_where=owing, postgresql_where=owing)


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
