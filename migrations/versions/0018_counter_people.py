"""Who stands at a till: PINs, shifts, deeds, gestures and their budgets; keys that are rotated; what looks odd.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from wallet_server.records.schema import Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
FACTS = ("counter_deeds", "given_gestures", "undone_gestures", "refused_gestures", "anomalies")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("label", sa.String(length=100), nullable=True))
    op.add_column("api_keys", sa.Column("replaced_by", sa.String(length=40), nullable=True))
    _shifts()
    _deeds()
    _gestures()
    _budgets()
    _watch()
    for table in FACTS:
        _refuse_changes(table)


def _shifts() -> None:
    op.create_table(
        "cashier_pins",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("pin_cipher", sa.Text(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_cashier_pins_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cashier_pins")),
        sa.UniqueConstraint("staff_id", name=op.f("uq_cashier_pins_staff_id")),
    )
    op.create_table(
        "shifts",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("api_key_id", Key, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("began_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_shifts_staff_id_staff")),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_shifts_api_key_id_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shifts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_shifts_public_id")),
    )
    op.create_index("ix_shifts_api_key_id", "shifts", ["api_key_id"], unique=False)
    op.create_index("ix_shifts_staff_id", "shifts", ["staff_id"], unique=False)


def _deeds() -> None:
    op.create_table(
        "counter_deeds",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_counter_deeds_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_counter_deeds_till_id_tills")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_counter_deeds_staff_id_staff")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_counter_deeds_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter_deeds")),
    )
    op.create_index("ix_counter_deeds_about", "counter_deeds", ["about"], unique=False)
    op.create_index("ix_counter_deeds_merchant_id_at", "counter_deeds", ["merchant_id", "at"], unique=False)


def _gestures() -> None:
    op.create_table(
        "given_gestures",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("gesture", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("about", sa.String(length=40), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_given_gestures_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_given_gestures_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_given_gestures_till_id_tills")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_given_gestures_staff_id_staff")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_given_gestures_member_id_members")),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_given_gestures_programme_version_id_programme_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_given_gestures")),
        sa.UniqueConstraint("public_id", name=op.f("uq_given_gestures_public_id")),
    )
    op.create_index("ix_given_gestures_member_id_at", "given_gestures", ["member_id", "at"], unique=False)
    op.create_index("ix_given_gestures_merchant_id_at", "given_gestures", ["merchant_id", "at"], unique=False)
    op.create_index("ix_given_gestures_programme_id_at", "given_gestures", ["programme_id", "at"], unique=False)
    op.create_index("ix_given_gestures_staff_id_at", "given_gestures", ["staff_id", "at"], unique=False)
    op.create_table(
        "undone_gestures",
        sa.Column("gesture_id", Key, autoincrement=False, nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["gesture_id"], ["given_gestures.id"], name=op.f("fk_undone_gestures_gesture_id_given_gestures")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_undone_gestures_staff_id_staff")),
        sa.PrimaryKeyConstraint("gesture_id", name=op.f("pk_undone_gestures")),
    )


def _budgets() -> None:
    op.create_table(
        "refused_gestures",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("gesture", sa.String(length=40), nullable=False),
        sa.Column("budget", sa.String(length=60), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_refused_gestures_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_refused_gestures_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_refused_gestures_till_id_tills")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_refused_gestures_staff_id_staff")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_refused_gestures_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_gestures")),
    )
    op.create_index("ix_refused_gestures_merchant_id_at", "refused_gestures", ["merchant_id", "at"], unique=False)
    op.create_table(
        "gesture_complaints",
        sa.Column("gesture_id", Key, autoincrement=False, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("complaint", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["gesture_id"], ["given_gestures.id"], name=op.f("fk_gesture_complaints_gesture_id_given_gestures")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_gesture_complaints_member_id_members")),
        sa.PrimaryKeyConstraint("gesture_id", name=op.f("pk_gesture_complaints")),
    )
    op.create_index("ix_gesture_complaints_member_id", "gesture_complaints", ["member_id"], unique=False)
    op.create_table(
        "gesture_turns",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("owner", Key, autoincrement=False, nullable=False),
        sa.Column("taken", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "owner", name=op.f("pk_gesture_turns")),
    )


def _watch() -> None:
    op.create_table(
        "watch_limits",
        sa.Column("merchant_id", Key, autoincrement=False, nullable=False),
        sa.Column("limits", Json, nullable=False),
        sa.Column("changed_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_watch_limits_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_watch_limits")),
    )
    op.create_table(
        "anomalies",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("pattern", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=90), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("member_id", Key, nullable=True),
        sa.Column("found", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("allowed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_anomalies_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_anomalies_staff_id_staff")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_anomalies_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anomalies")),
        sa.UniqueConstraint(
            "merchant_id", "day", "pattern", "subject", name=op.f("uq_anomalies_merchant_id_day_pattern_subject")
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
