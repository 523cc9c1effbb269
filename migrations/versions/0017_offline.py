"""Tills without a network: their devices, what these signed and what became of it; sales that nobody has claimed yet.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from wallet_server.records.schema import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _devices()
    _events()
    _allowances()
    _unclaimed()
    for table in ("offline_events", "offline_burns"):
        _refuse_changes(table)


def _devices() -> None:
    op.create_table(
        "offline_queues",
        sa.Column("account_id", Key, autoincrement=False, nullable=False),
        sa.Column("frontier_at", Instant(timezone=True), nullable=True),
        sa.Column("frontier_till", sa.String(length=40), nullable=True),
        sa.Column("frontier_device", sa.String(length=40), nullable=True),
        sa.Column("frontier_sequence", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", Instant(timezone=True), nullable=True),
        sa.Column("lease", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_offline_queues_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_offline_queues")),
    )
    op.create_table(
        "offline_devices",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=False),
        sa.Column("api_key", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=65), nullable=False),
        sa.Column("registered_at", Instant(timezone=True), nullable=False),
        sa.Column("replaced_at", Instant(timezone=True), nullable=True),
        sa.Column("next_sequence", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("horizon_at", Instant(timezone=True), nullable=False),
        sa.Column("heard_at", Instant(timezone=True), nullable=False),
        sa.Column("floor_at", Instant(timezone=True), nullable=True),
        sa.Column("skew_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_offline_devices_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_offline_devices_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_offline_devices_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_devices")),
        sa.UniqueConstraint("api_key", "public_key", name=op.f("uq_offline_devices_api_key_public_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offline_devices_public_id")),
    )
    op.create_index(op.f("ix_offline_devices_account_id"), "offline_devices", ["account_id"], unique=False)


def _events() -> None:
    op.create_table(
        "offline_events",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("device_id", Key, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("text_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("skew_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["offline_devices.id"], name=op.f("fk_offline_events_device_id_offline_devices")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_events")),
        sa.UniqueConstraint("device_id", "text_sha256", name=op.f("uq_offline_events_device_id_text_sha256")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offline_events_public_id")),
    )
    op.create_index("ix_offline_events_device_id_sequence", "offline_events", ["device_id", "sequence"], unique=False)
    op.create_table(
        "offline_fates",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("event_id", Key, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("text_cipher", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.Column("params", Json, nullable=False),
        sa.Column("booked", sa.String(length=40), nullable=True),
        sa.Column("late", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("settled_at", Instant(timezone=True), nullable=True),
        sa.Column("decision", sa.String(length=12), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_offline_fates_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["offline_events.id"], name=op.f("fk_offline_fates_event_id_offline_events")
        ),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_offline_fates_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_fates")),
        sa.UniqueConstraint("event_id", name=op.f("uq_offline_fates_event_id")),
    )
    op.create_index(
        "ix_offline_fates_conflicts",
        "offline_fates",
        ["merchant_id", "event_id"],
        unique=False,
        sqlite_where=sa.text("state = 'conflict'"),
        postgresql_where=sa.text("state = 'conflict'"),
    )
    op.create_index(
        "ix_offline_fates_texts",
        "offline_fates",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("text_cipher IS NOT NULL"),
        postgresql_where=sa.text("text_cipher IS NOT NULL"),
    )
    op.create_index(
        "ix_offline_fates_waiting",
        "offline_fates",
        ["account_id", "event_id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _allowances() -> None:
    op.create_table(
        "offline_allowances",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("device_id", Key, nullable=False),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", Instant(timezone=True), nullable=False),
        sa.Column("ends_at", Instant(timezone=True), nullable=False),
        sa.Column("closed_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["currency_id"], ["currencies.id"], name=op.f("fk_offline_allowances_currency_id_currencies")
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["offline_devices.id"], name=op.f("fk_offline_allowances_device_id_offline_devices")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_offline_allowances_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_allowances")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offline_allowances_public_id")),
    )
    op.create_index(op.f("ix_offline_allowances_device_id"), "offline_allowances", ["device_id"], unique=False)
    op.create_index(
        "ix_offline_allowances_open",
        "offline_allowances",
        ["programme_id", "id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "offline_burns",
        sa.Column("event_id", Key, autoincrement=False, nullable=False),
        sa.Column("allowance_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["allowance_id"], ["offline_allowances.id"], name=op.f("fk_offline_burns_allowance_id_offline_allowances")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["offline_events.id"], name=op.f("fk_offline_burns_event_id_offline_events")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_offline_burns_member_id_members")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_offline_burns")),
    )
    op.create_index(op.f("ix_offline_burns_allowance_id"), "offline_burns", ["allowance_id"], unique=False)


def _unclaimed() -> None:
    op.create_table(
        "unclaimed_sales",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("store_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("code_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_cipher", sa.Text(), nullable=True),
        sa.Column("receipt", sa.String(length=80), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("occurred_at", Instant(timezone=True), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("claimed_at", Instant(timezone=True), nullable=True),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("booked", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_unclaimed_sales_member_id_members")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_unclaimed_sales_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_unclaimed_sales_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_unclaimed_sales_programme_version_id_programme_versions"),
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_unclaimed_sales_store_id_stores")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_unclaimed_sales_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unclaimed_sales")),
        sa.UniqueConstraint("programme_id", "code_sha256", name=op.f("uq_unclaimed_sales_programme_id_code_sha256")),
        sa.UniqueConstraint("public_id", name=op.f("uq_unclaimed_sales_public_id")),
        sa.UniqueConstraint(
            "till_id", "business_day", "receipt", name=op.f("uq_unclaimed_sales_till_id_business_day_receipt")
        ),
    )


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
