"""The merchant's people: staff and their sign-in, paired devices, drafts, ratings and tickets.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from wallet_server.records.schema import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "staff",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=True),
        sa.Column("totp_cipher", sa.Text(), nullable=True),
        sa.Column("totp_confirmed_at", Instant(timezone=True), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("disabled_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_staff_account_id_accounts")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_staff_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_staff_public_id")),
    )
    op.create_index(op.f("ix_staff_account_id"), "staff", ["account_id"], unique=False)
    op.create_index(op.f("ix_staff_merchant_id"), "staff", ["merchant_id"], unique=False)
    op.create_table(
        "backup_codes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_backup_codes_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_codes")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_backup_codes_secret_sha256")),
    )
    op.create_index(op.f("ix_backup_codes_staff_id"), "backup_codes", ["staff_id"], unique=False)
    op.create_table(
        "challenges",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("challenge", sa.LargeBinary(length=64), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_challenges_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenges")),
        sa.UniqueConstraint("challenge", name=op.f("uq_challenges_challenge")),
    )
    op.create_table(
        "drafts",
        sa.Column("programme_id", Key, autoincrement=False, nullable=False),
        sa.Column("form", Json, nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("changed_at", Instant(timezone=True), nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_drafts_programme_id_programmes")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_drafts_staff_id_staff")),
        sa.PrimaryKeyConstraint("programme_id", name=op.f("pk_drafts")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=True),
        sa.Column("merchant_id", Key, nullable=True),
        sa.Column("invited_by", Key, nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invitations_account_id_accounts")),
        sa.ForeignKeyConstraint(["invited_by"], ["staff.id"], name=op.f("fk_invitations_invited_by_staff")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_invitations_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_invitations_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("public_id", name=op.f("uq_invitations_public_id")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_invitations_secret_sha256")),
    )
    op.create_index(op.f("ix_invitations_merchant_id"), "invitations", ["merchant_id"], unique=False)
    op.create_table(
        "passkeys",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("credential", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_passkeys_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential", name=op.f("uq_passkeys_credential")),
        sa.UniqueConstraint("public_id", name=op.f("uq_passkeys_public_id")),
    )
    op.create_index(op.f("ix_passkeys_staff_id"), "passkeys", ["staff_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", Key, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("seen_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("confirmed_at", Instant(timezone=True), nullable=True),
        sa.Column("ended_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sessions_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sessions_public_id")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_sessions_secret_sha256")),
    )
    op.create_index(op.f("ix_sessions_staff_id"), "sessions", ["staff_id"], unique=False)
    op.create_table(
        "pairings",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=False),
        sa.Column("staff_id", Key, nullable=True),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.Column("used_at", Instant(timezone=True), nullable=True),
        sa.Column("api_key_id", Key, nullable=True),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_pairings_api_key_id_api_keys")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_pairings_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_pairings_staff_id_staff")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_pairings_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairings")),
        sa.UniqueConstraint("public_id", name=op.f("uq_pairings_public_id")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_pairings_secret_sha256")),
    )
    op.create_index(op.f("ix_pairings_merchant_id"), "pairings", ["merchant_id"], unique=False)
    op.create_table(
        "ratings",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("sale_id", Key, nullable=True),
        sa.Column("store_id", Key, nullable=True),
        sa.Column("mark", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=True),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_ratings_member_id_members")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_ratings_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_ratings_programme_id_programmes")),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_ratings_sale_id_sales")),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_ratings_store_id_stores")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ratings")),
        sa.UniqueConstraint("public_id", name=op.f("uq_ratings_public_id")),
        sa.UniqueConstraint("sale_id", name=op.f("uq_ratings_sale_id")),
    )
    op.create_index(op.f("ix_ratings_member_id"), "ratings", ["member_id"], unique=False)
    op.create_index(op.f("ix_ratings_programme_id"), "ratings", ["programme_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("rating_id", Key, nullable=True),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("opened_at", Instant(timezone=True), nullable=False),
        sa.Column("closed_at", Instant(timezone=True), nullable=True),
        sa.Column("closed_by", Key, nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["staff.id"], name=op.f("fk_tickets_closed_by_staff")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_tickets_member_id_members")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_tickets_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["rating_id"], ["ratings.id"], name=op.f("fk_tickets_rating_id_ratings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tickets_public_id")),
        sa.UniqueConstraint("rating_id", name=op.f("uq_tickets_rating_id")),
    )
    op.create_index(op.f("ix_tickets_merchant_id"), "tickets", ["merchant_id"], unique=False)
    op.add_column("credential_sets", sa.Column("told_at", Instant(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("name", sa.String(length=100), nullable=True))
    op.add_column("api_keys", sa.Column("used_at", Instant(timezone=True), nullable=True))
    op.add_column("announcements", sa.Column("audience_member_id", Key, nullable=True))
    op.add_column("publications", sa.Column("seen_at", Instant(timezone=True), nullable=True))
    op.add_column("announcement_members", sa.Column("fetched_at", Instant(timezone=True), nullable=True))
    op.add_column("announcement_members", sa.Column("alerted", sa.Boolean(), nullable=True))
    op.create_index(
        "ix_ledger_entries_merchant_id_recorded_at", "ledger_entries", ["merchant_id", "recorded_at"], unique=False
    )
    op.create_index(
        "ix_ledger_entries_member_id_rule_id_effective_at",
        "ledger_entries",
        ["member_id", "rule_id", "effective_at"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("Sign-ins and ratings are not thrown away; restore a backup instead.")
