"""How a member came to a tier, until when, and tiers that were given.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("members", sa.Column("customer_since", Instant(timezone=True), nullable=True))
    _standing()
    _grants()
    _refuse_changes("tier_grants")


def _standing() -> None:
    op.create_table(
        "member_standing",
        sa.Column("member_id", Key, autoincrement=False, nullable=False),
        sa.Column("level", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("earned", sa.String(length=40), nullable=True),
        sa.Column("earned_since", Instant(timezone=True), nullable=False),
        sa.Column("review_at", Instant(timezone=True), nullable=True),
        sa.Column("kept_until", Instant(timezone=True), nullable=True),
        sa.Column("falls_to", sa.String(length=40), nullable=True),
        sa.Column("given", sa.String(length=40), nullable=True),
        sa.Column("given_source", sa.String(length=10), nullable=True),
        sa.Column("given_until", Instant(timezone=True), nullable=True),
        sa.Column("due_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_member_standing_member_id_members")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_member_standing")),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_member_standing_due",
        "member_standing",
        ["due_at", "member_id"],
        unique=False,
        sqlite_where=due,
        postgresql_where=due,
    )


def _grants() -> None:
    op.create_table(
        "tier_grants",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("level", sa.String(length=40), nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("starts_at", Instant(timezone=True), nullable=False),
        sa.Column("ends_at", Instant(timezone=True), nullable=True),
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_tier_grants_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_tier_grants_member_id_members")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_tier_grants_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_grants")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tier_grants_public_id")),
    )
    op.create_index(op.f("ix_tier_grants_member_id"), "tier_grants", ["member_id"], unique=False)


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
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
