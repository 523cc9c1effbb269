"""Coupons: what was promised to whom, the passes that show it, and what became of it.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "coupons",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("money", sa.String(length=3), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("issued_at", Instant(timezone=True), nullable=False),
        sa.Column("valid_to", Instant(timezone=True), nullable=True),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.Column("over_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_coupons_programme_id_programmes")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_coupons_member_id_members")),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_coupons_programme_version_id_programme_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupons")),
        sa.UniqueConstraint("public_id", name=op.f("uq_coupons_public_id")),
    )
    op.create_index(op.f("ix_coupons_member_id"), "coupons", ["member_id"], unique=False)
    waiting = sa.text("state = 'issued' AND valid_to IS NOT NULL")
    op.create_index(
        "ix_coupons_lapsing",
        "coupons",
        ["valid_to", "id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "coupon_passes",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("coupon_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_coupon_passes_pass_id_passes")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_passes_coupon_id_coupons")),
        sa.PrimaryKeyConstraint("pass_id", name=op.f("pk_coupon_passes")),
    )
    op.create_index(op.f("ix_coupon_passes_coupon_id"), "coupon_passes", ["coupon_id"], unique=False)
    op.create_table(
        "coupon_events",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("coupon_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("merchant_id", Key, nullable=True),
        sa.Column("store_id", Key, nullable=True),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("receipt", sa.String(length=80), nullable=True),
        sa.Column("value_minor", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_events_coupon_id_coupons")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_coupon_events_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_coupon_events_store_id_stores")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_coupon_events_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_events")),
        sa.UniqueConstraint("public_id", name=op.f("uq_coupon_events_public_id")),
        sa.UniqueConstraint("coupon_id", "number", name=op.f("uq_coupon_events_coupon_id_number")),
    )
    op.create_index("ix_coupon_events_merchant_id_at", "coupon_events", ["merchant_id", "at"], unique=False)
    _refuse_changes("coupon_events")


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
    raise RuntimeError("What was promised is not thrown away; restore a backup instead.")
