"""The first tables: who, programmes, members and passes, sales and books, announcements, delivery.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from wallet_server.records.schema import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
NEVER_CHANGED = (
    "ledger_entries",
    "ledger_postings",
    "lot_allocations",
    "sales",
    "sale_lines",
    "balance_snapshots",
)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("issuer_mark", sa.String(length=12), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("issuer_mark", name=op.f("uq_accounts_issuer_mark")),
        sa.UniqueConstraint("public_id", name=op.f("uq_accounts_public_id")),
    )
    op.create_table(
        "assets",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_assets")),
    )
    op.create_table(
        "circuits",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("open_until", Instant(timezone=True), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("opened_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_circuits")),
    )
    op.create_table(
        "devices",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("library_id", sa.String(length=128), nullable=False),
        sa.Column("pass_type", sa.String(length=255), nullable=False),
        sa.Column("push_kind", sa.String(length=20), nullable=False),
        sa.Column("push_token", sa.String(length=512), nullable=False),
        sa.Column("registered_at", Instant(timezone=True), nullable=False),
        sa.Column("suspect_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("library_id", "pass_type", name=op.f("uq_devices_library_id_pass_type")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("rest_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("leased_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_jobs_kind_key")),
    )
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["lane", "due_at"],
        unique=False,
        sqlite_where=sa.text("dead_at IS NULL"),
        postgresql_where=sa.text("dead_at IS NULL"),
    )
    op.create_table(
        "rate_windows",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("window", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "window", name=op.f("pk_rate_windows")),
    )
    op.create_table(
        "requests",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("route", sa.String(length=80), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("principal", "key", name=op.f("uq_requests_principal_key")),
    )
    op.create_table(
        "tag_counters",
        sa.Column("pass_type", sa.String(length=255), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pass_type", name=op.f("pk_tag_counters")),
    )
    op.create_table(
        "credential_sets",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=True),
        sa.Column("wallet", sa.String(length=20), nullable=False),
        sa.Column("pass_type", sa.String(length=255), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("key_cipher", sa.Text(), nullable=False),
        sa.Column("not_before", Instant(timezone=True), nullable=False),
        sa.Column("not_after", Instant(timezone=True), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("retired_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_credential_sets_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_sets")),
        sa.UniqueConstraint("public_id", name=op.f("uq_credential_sets_public_id")),
    )
    op.create_index(op.f("ix_credential_sets_account_id"), "credential_sets", ["account_id"], unique=False)
    op.create_table(
        "merchants",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_merchants_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchants")),
        sa.UniqueConstraint("public_id", name=op.f("uq_merchants_public_id")),
    )
    op.create_index(op.f("ix_merchants_account_id"), "merchants", ["account_id"], unique=False)
    op.create_table(
        "programmes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("join_code", sa.String(length=40), nullable=False),
        sa.Column("credential_set_id", Key, nullable=True),
        sa.Column("current_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_programmes_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["credential_set_id"], ["credential_sets.id"], name=op.f("fk_programmes_credential_set_id_credential_sets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programmes")),
        sa.UniqueConstraint("join_code", name=op.f("uq_programmes_join_code")),
        sa.UniqueConstraint("public_id", name=op.f("uq_programmes_public_id")),
    )
    op.create_index(op.f("ix_programmes_account_id"), "programmes", ["account_id"], unique=False)
    op.create_table(
        "stores",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("texts", Json, nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("closed_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_stores_merchant_id_merchants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
        sa.UniqueConstraint("public_id", name=op.f("uq_stores_public_id")),
    )
    op.create_index(op.f("ix_stores_merchant_id"), "stores", ["merchant_id"], unique=False)
    op.create_table(
        "announcements",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("texts", Json, nullable=False),
        sa.Column("audience_tier", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("confirmed_at", Instant(timezone=True), nullable=True),
        sa.Column("recalled_at", Instant(timezone=True), nullable=True),
        sa.Column("ends_at", Instant(timezone=True), nullable=False),
        sa.Column("walked_to", Key, server_default="0", nullable=False),
        sa.Column("walked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_announcements_merchant_id_merchants")),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_announcements_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
        sa.UniqueConstraint("public_id", name=op.f("uq_announcements_public_id")),
    )
    op.create_index(op.f("ix_announcements_programme_id"), "announcements", ["programme_id"], unique=False)
    op.create_table(
        "currencies",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("iso", sa.String(length=3), nullable=True),
        sa.Column("exponent", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_currencies_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_currencies")),
        sa.UniqueConstraint("programme_id", "code", name=op.f("uq_currencies_programme_id_code")),
    )
    op.create_table(
        "members",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("home_store_id", Key, nullable=True),
        sa.Column("language", sa.String(length=12), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=True),
        sa.Column("joined_at", Instant(timezone=True), nullable=False),
        sa.Column("left_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["home_store_id"], ["stores.id"], name=op.f("fk_members_home_store_id_stores")),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_members_programme_id_programmes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("public_id", name=op.f("uq_members_public_id")),
    )
    op.create_index(op.f("ix_members_programme_id"), "members", ["programme_id"], unique=False)
    op.create_table(
        "participations",
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("joined_at", Instant(timezone=True), nullable=False),
        sa.Column("left_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_participations_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_participations_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("programme_id", "merchant_id", name=op.f("pk_participations")),
    )
    op.create_table(
        "programme_versions",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("published_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_programme_versions_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_versions")),
        sa.UniqueConstraint("programme_id", "number", name=op.f("uq_programme_versions_programme_id_number")),
    )
    op.create_table(
        "tills",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("store_id", Key, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_tills_store_id_stores")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tills")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tills_public_id")),
    )
    op.create_index(op.f("ix_tills_store_id"), "tills", ["store_id"], unique=False)
    op.create_table(
        "announcement_members",
        sa.Column("announcement_id", Key, autoincrement=False, nullable=False),
        sa.Column("member_id", Key, autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.Column("decided_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["announcements.id"],
            name=op.f("fk_announcement_members_announcement_id_announcements"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_announcement_members_member_id_members")),
        sa.PrimaryKeyConstraint("announcement_id", "member_id", name=op.f("pk_announcement_members")),
    )
    op.create_index(
        "ix_announcement_members_member_id_decided_at",
        "announcement_members",
        ["member_id", "decided_at"],
        unique=False,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("scopes", sa.String(length=400), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=True),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id_accounts")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_api_keys_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_api_keys_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("public_id", name=op.f("uq_api_keys_public_id")),
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False)
    op.create_table(
        "consents",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_consents_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_member_id_purpose_id", "consents", ["member_id", "purpose", "id"], unique=False)
    op.create_table(
        "identities",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("verified_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_identities_member_id_members")),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_identities_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_member_id"), "identities", ["member_id"], unique=False)
    op.create_index(
        "ux_identities_verified",
        "identities",
        ["programme_id", "kind", "value"],
        unique=True,
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("owner_kind", sa.String(length=20), nullable=False),
        sa.Column("owner_id", Key, nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["currency_id"], ["currencies.id"], name=op.f("fk_ledger_accounts_currency_id_currencies")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_ledger_accounts_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
        sa.UniqueConstraint(
            "currency_id",
            "owner_kind",
            "owner_id",
            "purpose",
            name=op.f("uq_ledger_accounts_currency_id_owner_kind_owner_id_purpose"),
        ),
    )
    op.create_table(
        "passes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("wallet", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("credential_set_id", Key, nullable=False),
        sa.Column("pass_type", sa.String(length=255), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("token_cipher", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("loud", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quiet_until", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_set_id"], ["credential_sets.id"], name=op.f("fk_passes_credential_set_id_credential_sets")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_passes_member_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passes")),
        sa.UniqueConstraint("pass_type", "serial", name=op.f("uq_passes_pass_type_serial")),
        sa.UniqueConstraint("public_id", name=op.f("uq_passes_public_id")),
    )
    op.create_index(op.f("ix_passes_member_id"), "passes", ["member_id"], unique=False)
    op.create_table(
        "sales",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("store_id", Key, nullable=False),
        sa.Column("till_id", Key, nullable=False),
        sa.Column("receipt", sa.String(length=80), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("occurred_at", Instant(timezone=True), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.Column("money", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_sales_member_id_members")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"], name=op.f("fk_sales_merchant_id_merchants")),
        sa.ForeignKeyConstraint(["programme_id"], ["programmes.id"], name=op.f("fk_sales_programme_id_programmes")),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_sales_programme_version_id_programme_versions"),
        ),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_sales_store_id_stores")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_sales_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sales_public_id")),
        sa.UniqueConstraint("till_id", "business_day", "receipt", name=op.f("uq_sales_till_id_business_day_receipt")),
    )
    op.create_index("ix_sales_member_id_id", "sales", ["member_id", "id"], unique=False)
    op.create_table(
        "balance_snapshots",
        sa.Column("account_id", Key, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_accounts.id"], name=op.f("fk_balance_snapshots_account_id_ledger_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_balance_snapshots")),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", Key, autoincrement=False, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_accounts.id"], name=op.f("fk_balances_account_id_ledger_accounts")
        ),
        sa.ForeignKeyConstraint(["currency_id"], ["currencies.id"], name=op.f("fk_balances_currency_id_currencies")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_balances_member_id_members")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_balances")),
    )
    op.create_index(op.f("ix_balances_member_id"), "balances", ["member_id"], unique=False)
    op.create_table(
        "codes",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("pass_id", Key, nullable=True),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cipher", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key_id", sa.String(length=8), nullable=False),
        sa.Column("issue", sa.Integer(), nullable=False),
        sa.Column("valid_from", Instant(timezone=True), nullable=False),
        sa.Column("valid_to", Instant(timezone=True), nullable=True),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_codes_member_id_members")),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_codes_pass_id_passes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codes")),
        sa.UniqueConstraint("lookup", name=op.f("uq_codes_lookup")),
    )
    op.create_index(op.f("ix_codes_member_id"), "codes", ["member_id"], unique=False)
    op.create_index(op.f("ix_codes_pass_id"), "codes", ["pass_id"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("member_id", Key, nullable=False),
        sa.Column("merchant_id", Key, nullable=False),
        sa.Column("store_id", Key, nullable=True),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("receipt", sa.String(length=80), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sale_id", Key, nullable=True),
        sa.Column("reverses_id", Key, nullable=True),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("rule_id", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("params", Json, nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.Column("effective_at", Instant(timezone=True), nullable=False),
        sa.Column("recorded_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_ledger_entries_member_id_members")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_ledger_entries_merchant_id_merchants")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_ledger_entries_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_ledger_entries_programme_version_id_programme_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["ledger_entries.id"], name=op.f("fk_ledger_entries_reverses_id_ledger_entries")
        ),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_ledger_entries_sale_id_sales")),
        sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=op.f("fk_ledger_entries_store_id_stores")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_ledger_entries_till_id_tills")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("public_id", name=op.f("uq_ledger_entries_public_id")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_ledger_entries_reverses_id")),
    )
    op.create_index("ix_ledger_entries_member_id_id", "ledger_entries", ["member_id", "id"], unique=False)
    op.create_index(op.f("ix_ledger_entries_sale_id"), "ledger_entries", ["sale_id"], unique=False)
    op.create_table(
        "phone_logs",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("line", sa.String(length=500), nullable=False),
        sa.Column("pass_id", Key, nullable=True),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_phone_logs_pass_id_passes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_logs")),
    )
    op.create_index(op.f("ix_phone_logs_pass_id"), "phone_logs", ["pass_id"], unique=False)
    op.create_table(
        "publications",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("of_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("programme_version_id", Key, nullable=False),
        sa.Column("alert", sa.String(length=20), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=True),
        sa.Column("news", sa.String(length=40), nullable=True),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_points", sa.BigInteger(), nullable=False),
        sa.Column("seen_tier", sa.String(length=40), nullable=True),
        sa.Column("seen_news", sa.String(length=40), nullable=True),
        sa.Column("unseen_since", Instant(timezone=True), nullable=False),
        sa.Column("last_modified", Instant(timezone=True), nullable=False),
        sa.Column("published_at", Instant(timezone=True), nullable=False),
        sa.Column("tag", sa.BigInteger(), nullable=True),
        sa.Column("tagged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rung", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("remote_state", sa.String(length=4000), nullable=True),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_publications_pass_id_passes")),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_publications_programme_version_id_programme_versions"),
        ),
        sa.PrimaryKeyConstraint("pass_id", name=op.f("pk_publications")),
    )
    op.create_index(op.f("ix_publications_tag"), "publications", ["tag"], unique=False)
    op.create_table(
        "registrations",
        sa.Column("device_id", Key, nullable=False),
        sa.Column("pass_id", Key, nullable=False),
        sa.Column("registered_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_registrations_device_id_devices")),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_registrations_pass_id_passes")),
        sa.PrimaryKeyConstraint("device_id", "pass_id", name=op.f("pk_registrations")),
    )
    op.create_index(op.f("ix_registrations_pass_id"), "registrations", ["pass_id"], unique=False)
    op.create_table(
        "sale_lines",
        sa.Column("sale_id", Key, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=True),
        sa.Column("category", sa.String(length=80), nullable=True),
        sa.Column("quantity_milli", sa.BigInteger(), nullable=False),
        sa.Column("unit_amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fk_sale_lines_sale_id_sales")),
        sa.PrimaryKeyConstraint("sale_id", "number", name=op.f("pk_sale_lines")),
    )
    op.create_table(
        "ledger_postings",
        sa.Column("entry_id", Key, autoincrement=False, nullable=False),
        sa.Column("account_id", Key, autoincrement=False, nullable=False),
        sa.Column("currency_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_postings_amount_not_zero")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_accounts.id"], name=op.f("fk_ledger_postings_account_id_ledger_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["currency_id"], ["currencies.id"], name=op.f("fk_ledger_postings_currency_id_currencies")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_ledger_postings_entry_id_ledger_entries")
        ),
        sa.PrimaryKeyConstraint("entry_id", "account_id", name=op.f("pk_ledger_postings")),
    )
    op.create_index(
        "ix_ledger_postings_account_id_entry_id", "ledger_postings", ["account_id", "entry_id"], unique=False
    )
    op.create_table(
        "lots",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("account_id", Key, nullable=False),
        sa.Column("entry_id", Key, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("earned_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_accounts.id"], name=op.f("fk_lots_account_id_ledger_accounts")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["ledger_entries.id"], name=op.f("fk_lots_entry_id_ledger_entries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lots")),
    )
    op.create_index(op.f("ix_lots_entry_id"), "lots", ["entry_id"], unique=False)
    op.create_index(
        "ix_lots_open",
        "lots",
        ["account_id", "id"],
        unique=False,
        sqlite_where=sa.text("remaining <> 0"),
        postgresql_where=sa.text("remaining <> 0"),
    )
    op.create_index(
        "ix_lots_lapsing",
        "lots",
        ["expires_at", "id"],
        unique=False,
        sqlite_where=sa.text("remaining > 0 AND expires_at IS NOT NULL"),
        postgresql_where=sa.text("remaining > 0 AND expires_at IS NOT NULL"),
    )
    op.create_table(
        "lot_allocations",
        sa.Column("lot_id", Key, autoincrement=False, nullable=False),
        sa.Column("entry_id", Key, autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_lot_allocations_entry_id_ledger_entries")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_lot_allocations_lot_id_lots")),
        sa.PrimaryKeyConstraint("lot_id", "entry_id", name=op.f("pk_lot_allocations")),
    )
    op.create_index(op.f("ix_lot_allocations_entry_id"), "lot_allocations", ["entry_id"], unique=False)

    _refuse_changes()


def _refuse_changes() -> None:
    """Books are never edited: a further entry corrects. The database itself refuses, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for table in NEVER_CHANGED:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is never changed'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is never changed', TG_TABLE_NAME; END $$"
    )
    for table in NEVER_CHANGED:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise RuntimeError("The books are not thrown away; restore a backup instead.")
