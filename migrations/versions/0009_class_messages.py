"""Messages to everybody at once, and how far the nightly look at a vendor's list of holders has come.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "class_messages",
        sa.Column("announcement_id", Key, autoincrement=False, nullable=False),
        sa.Column("credential_set_id", Key, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("alerted", sa.Boolean(), nullable=True),
        sa.Column("why", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["announcements.id"], name=op.f("fk_class_messages_announcement_id_announcements")
        ),
        sa.ForeignKeyConstraint(
            ["credential_set_id"],
            ["credential_sets.id"],
            name=op.f("fk_class_messages_credential_set_id_credential_sets"),
        ),
        sa.PrimaryKeyConstraint("announcement_id", "credential_set_id", name=op.f("pk_class_messages")),
    )
    op.create_table(
        "holder_walks",
        sa.Column("credential_set_id", Key, autoincrement=False, nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mended", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_set_id"],
            ["credential_sets.id"],
            name=op.f("fk_holder_walks_credential_set_id_credential_sets"),
        ),
        sa.PrimaryKeyConstraint("credential_set_id", name=op.f("pk_holder_walks")),
    )


def downgrade() -> None:
    raise RuntimeError("What was told to everybody is not forgotten; restore a backup instead.")
