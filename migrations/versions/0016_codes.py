"""Keys that codes on cards are signed with, issues of a code, and its short form.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "code_keys",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("key_id", sa.String(length=8), nullable=False),
        sa.Column("public", sa.LargeBinary(length=32), nullable=False),
        sa.Column("private_cipher", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("signs_from", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_code_keys_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_keys")),
        sa.UniqueConstraint("public_id", name=op.f("uq_code_keys_public_id")),
        sa.UniqueConstraint("account_id", "key_id", name=op.f("uq_code_keys_account_id_key_id")),
    )
    op.add_column("codes", sa.Column("superseded_at", Instant(timezone=True), nullable=True))
    op.add_column("codes", sa.Column("superseded_till", sa.BigInteger(), nullable=True))
    op.add_column("codes", sa.Column("shown_at", Instant(timezone=True), nullable=True))
    op.add_column("codes", sa.Column("short", sa.LargeBinary(length=32), nullable=True))
    op.create_index("ux_codes_short", "codes", ["short"], unique=True)
    for name in ("issue", "seen_issue"):
        op.add_column("publications", sa.Column(name, sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
