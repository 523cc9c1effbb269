"""What the doctor of one card asks for: when its phones were last rung and how often, and why one ceased to hold it.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "departures",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_departures_pass_id_passes")),
        sa.PrimaryKeyConstraint("pass_id", name=op.f("pk_departures")),
    )
    op.add_column("publications", sa.Column("pushed_at", Instant(timezone=True), nullable=True))
    op.add_column("publications", sa.Column("pushes_since", Instant(timezone=True), nullable=True))
    op.add_column("publications", sa.Column("pushes", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    raise RuntimeError("What was noted of phones is not thrown away; restore a backup instead.")
