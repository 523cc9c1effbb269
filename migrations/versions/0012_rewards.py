"""Stock of rewards, vouchers of every source, what one more piece would do, and words about gestures of goodwill.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("coupons", sa.Column("promise", sa.String(length=60), nullable=True))
    op.add_column("coupons", sa.Column("entry", sa.String(length=40), nullable=True))
    op.create_table(
        "reward_stock",
        sa.Column("programme_id", Key, autoincrement=False, nullable=False),
        sa.Column("reward", sa.String(length=40), nullable=False),
        sa.Column("given", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_reward_stock_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("programme_id", "reward", name=op.f("pk_reward_stock")),
    )
    _hints()
    op.create_table(
        "goodwill_notes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("complaint", sa.String(length=80), nullable=True),
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_goodwill_notes_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goodwill_notes")),
        sa.UniqueConstraint("about", name=op.f("uq_goodwill_notes_about")),
    )
    op.create_index("ix_goodwill_notes_member_id_at", "goodwill_notes", ["member_id", "at"], unique=False)


def _hints() -> None:
    op.create_table(
        "deal_hints",
        sa.Column("programme_id", Key, autoincrement=False, nullable=False),
        sa.Column("deal", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("offered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("taken", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_deal_hints_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("programme_id", "deal", "day", name=op.f("pk_deal_hints")),
    )
    op.create_table(
        "till_hints",
        sa.Column("till_id", Key, autoincrement=False, nullable=False),
        sa.Column("deal", sa.String(length=40), nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_till_hints_till_id_tills")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_till_hints_member_id_members")),
        sa.PrimaryKeyConstraint("till_id", "deal", name=op.f("pk_till_hints")),
    )


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
