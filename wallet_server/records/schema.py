"""Owns the tables. Everything stored is declared here, once; migrations are tested to agree with it on both databases.

Conventions: internal keys are BIGINT; public ids are prefixed and random; amounts are BIGINT in the smallest unit of
their currency; instants are UTC. Ledger tables refuse UPDATE and DELETE by trigger (see the migrations).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC: TIMESTAMPTZ on PostgreSQL, text with a fixed width on SQLite. Refuses naive values."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> sa.Column[Any]:
    return sa.Column("id", Key, primary_key=True, autoincrement=True)


def _public() -> sa.Column[Any]:
    return sa.Column("public_id", sa.String(40), nullable=False, unique=True)


def _ref(name: str, target: str, *, nullable: bool = False, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Key, sa.ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def _at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Instant(), nullable=nullable)


def _text(name: str, length: int, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable, **more)


def _count(name: str, default: int = 0) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=str(default))


# -- who: account > programmes, merchants > stores > tills ------------------------------------------------------------

accounts = sa.Table(
    "accounts",
    metadata,
    _id(),
    _public(),
    _text("name", 200),
    _text("issuer_mark", 12, unique=True),
    _at("created_at"),
)

merchants = sa.Table(
    "merchants",
    metadata,
    _id(),
    _public(),
    _ref("account_id", "accounts", index=True),
    _text("name", 200),
    _at("created_at"),
)

stores = sa.Table(
    "stores",
    metadata,
    _id(),
    _public(),
    _ref("merchant_id", "merchants", index=True),
    _text("name", 200),
    _text("zone", 64),
    sa.Column("latitude", sa.Float(), nullable=True),
    sa.Column("longitude", sa.Float(), nullable=True),
    sa.Column("texts", Json, nullable=True),
    _at("created_at"),
    _at("closed_at", nullable=True),
)

tills = sa.Table(
    "tills",
    metadata,
    _id(),
    _public(),
    _ref("store_id", "stores", index=True),
    _text("name", 200),
    _at("created_at"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    _public(),
    _ref("account_id", "accounts", index=True),
    _ref("merchant_id", "merchants"),
    _ref("till_id", "tills", nullable=True),
    _text("scopes", 400),
    sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
    _at("created_at"),
    _at("expires_at", nullable=True),
    _at("revoked_at", nullable=True),
)

credential_sets = sa.Table(
    "credential_sets",
    metadata,
    _id(),
    _public(),
    _ref("account_id", "accounts", nullable=True, index=True),  # null: the platform's own
    _text("wallet", 20),
    _text("pass_type", 255),
    _text("team", 64),
    sa.Column("certificate", sa.Text(), nullable=False),
    sa.Column("chain", sa.Text(), nullable=False),
    sa.Column("key_cipher", sa.Text(), nullable=False),
    _at("not_before"),
    _at("not_after"),
    _at("created_at"),
    _at("retired_at", nullable=True),
)

# -- programmes -------------------------------------------------------------------------------------------------------

programmes = sa.Table(
    "programmes",
    metadata,
    _id(),
    _public(),
    _ref("account_id", "accounts", index=True),
    _text("name", 200),
    _text("join_code", 40, unique=True),
    _ref("credential_set_id", "credential_sets", nullable=True),
    sa.Column("current_version", sa.Integer(), nullable=False, server_default="0"),
    _at("created_at"),
)

programme_versions = sa.Table(
    "programme_versions",
    metadata,
    _id(),
    _ref("programme_id", "programmes"),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("document", sa.Text(), nullable=False),
    _text("fingerprint", 64),
    _at("published_at"),
    sa.UniqueConstraint("programme_id", "number"),
)

participations = sa.Table(
    "participations",
    metadata,
    sa.Column("programme_id", Key, sa.ForeignKey("programmes.id"), primary_key=True),
    sa.Column("merchant_id", Key, sa.ForeignKey("merchants.id"), primary_key=True),
    _at("joined_at"),
    _at("left_at", nullable=True),
)

currencies = sa.Table(
    "currencies",
    metadata,
    _id(),
    _ref("programme_id", "programmes"),
    _text("code", 40),
    _text("kind", 20),
    _text("iso", 3, nullable=True),
    sa.Column("exponent", sa.Integer(), nullable=False, server_default="0"),
    sa.UniqueConstraint("programme_id", "code"),
)

# -- members and their passes -----------------------------------------------------------------------------------------

members = sa.Table(
    "members",
    metadata,
    _id(),
    _public(),
    _ref("programme_id", "programmes", index=True),
    _ref("home_store_id", "stores", nullable=True),
    _text("language", 12),
    _text("tier", 40, nullable=True),
    _at("joined_at"),
    _at("left_at", nullable=True),
)

identities = sa.Table(
    "identities",
    metadata,
    _id(),
    _ref("programme_id", "programmes"),
    _ref("member_id", "members", index=True),
    _text("kind", 20),
    _text("value", 320),
    _at("verified_at", nullable=True),
    sa.UniqueConstraint("programme_id", "kind", "value"),
)

consents = sa.Table(
    "consents",
    metadata,
    _id(),
    _ref("member_id", "members"),
    _text("purpose", 40),
    sa.Column("granted", sa.Boolean(), nullable=False),
    _text("source", 80),
    _at("at"),
    sa.Index("ix_consents_member_id_purpose_id", "member_id", "purpose", "id"),
)

passes = sa.Table(
    "passes",
    metadata,
    _id(),
    _public(),
    _ref("member_id", "members", index=True),
    _text("wallet", 20),
    _text("kind", 20),
    _ref("credential_set_id", "credential_sets"),
    _text("pass_type", 255),
    _text("serial", 64),
    sa.Column("token_cipher", sa.Text(), nullable=False),
    sa.Column("token_sha256", sa.LargeBinary(32), nullable=False),
    _text("state", 20),
    _count("version", 1),
    sa.Column("loud", sa.Integer(), nullable=False, server_default="0"),
    _at("quiet_until", nullable=True),
    _at("created_at"),
    sa.UniqueConstraint("pass_type", "serial"),
)

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, autoincrement=False),
    _count("number", 1),  # versions served so far; the first is 1
    _count("of_version", 1),  # passes.version that this publication has taken in
    sa.Column("card", sa.Text(), nullable=False),
    _text("fingerprint", 64),
    _ref("programme_version_id", "programme_versions"),
    _text("alert", 20, nullable=True),
    sa.Column("points", sa.BigInteger(), nullable=False),
    _text("tier", 40, nullable=True),
    _text("news", 40, nullable=True),
    _at("last_modified"),
    _at("published_at"),
    sa.Column("tag", sa.BigInteger(), nullable=True, index=True),
    _count("tagged"),  # number that the tag stands for
    _count("rung"),  # number that phones were last told of
    _count("fetched"),  # highest number that was downloaded
    _text("remote_state", 4000, nullable=True),
)

tag_counters = sa.Table(
    "tag_counters",
    metadata,
    sa.Column("pass_type", sa.String(255), primary_key=True),
    sa.Column("last", sa.BigInteger(), nullable=False),
)

codes = sa.Table(
    "codes",
    metadata,
    _id(),
    _ref("pass_id", "passes", nullable=True, index=True),
    _ref("member_id", "members", index=True),
    sa.Column("lookup", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("cipher", sa.Text(), nullable=False),
    _text("kind", 20),
    _text("key_id", 8),
    sa.Column("issue", sa.Integer(), nullable=False),
    _at("valid_from"),
    _at("valid_to", nullable=True),
    _at("revoked_at", nullable=True),
)

devices = sa.Table(
    "devices",
    metadata,
    _id(),
    _text("library_id", 128),
    _text("pass_type", 255),
    _text("push_kind", 20),
    _text("push_token", 512),
    _at("registered_at"),
    _at("suspect_at", nullable=True),
    sa.UniqueConstraint("library_id", "pass_type"),
)

registrations = sa.Table(
    "registrations",
    metadata,
    sa.Column("device_id", Key, sa.ForeignKey("devices.id"), primary_key=True),
    sa.Column("pass_id", Key, sa.ForeignKey("passes.id"), primary_key=True, index=True),
    _at("registered_at"),
)

phone_logs = sa.Table(
    "phone_logs",
    metadata,
    _id(),
    _at("at"),
    _text("line", 500),
    _ref("pass_id", "passes", nullable=True, index=True),
)

# -- sales and the books ----------------------------------------------------------------------------------------------

requests = sa.Table(
    "requests",
    metadata,
    _id(),
    _text("principal", 60),
    _text("key", 160),
    _text("route", 80),
    sa.Column("request_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("status", sa.Integer(), nullable=False),
    sa.Column("answer", sa.Text(), nullable=False),
    _at("at"),
    sa.UniqueConstraint("principal", "key"),
)

sales = sa.Table(
    "sales",
    metadata,
    _id(),
    _public(),
    _ref("programme_id", "programmes"),
    _ref("member_id", "members"),
    _ref("merchant_id", "merchants"),
    _ref("store_id", "stores"),
    _ref("till_id", "tills"),
    _text("receipt", 80),
    sa.Column("business_day", sa.Date(), nullable=False),
    _at("occurred_at"),
    _at("recorded_at"),
    _text("money", 3),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    _ref("programme_version_id", "programme_versions"),
    sa.Column("state", Json, nullable=False),
    sa.UniqueConstraint("till_id", "business_day", "receipt"),
    sa.Index("ix_sales_member_id_id", "member_id", "id"),
)

sale_lines = sa.Table(
    "sale_lines",
    metadata,
    sa.Column("sale_id", Key, sa.ForeignKey("sales.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    _text("sku", 80, nullable=True),
    _text("category", 80, nullable=True),
    sa.Column("quantity_milli", sa.BigInteger(), nullable=False),
    sa.Column("unit_amount_minor", sa.BigInteger(), nullable=True),
    sa.Column("amount_minor", sa.BigInteger(), nullable=False),
    sa.Column("tax_minor", sa.BigInteger(), nullable=False),
    sa.Column("excluded", sa.Boolean(), nullable=False),
)

ledger_accounts = sa.Table(
    "ledger_accounts",
    metadata,
    _id(),
    _ref("programme_id", "programmes"),
    _ref("currency_id", "currencies"),
    _text("owner_kind", 20),
    sa.Column("owner_id", Key, nullable=False),
    _text("purpose", 20),
    sa.UniqueConstraint("currency_id", "owner_kind", "owner_id", "purpose"),
)

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    _id(),
    _public(),
    _ref("programme_id", "programmes"),
    _ref("member_id", "members"),
    _ref("merchant_id", "merchants"),
    _ref("store_id", "stores", nullable=True),
    _ref("till_id", "tills", nullable=True),
    _text("receipt", 80, nullable=True),
    _text("kind", 20),
    _ref("sale_id", "sales", nullable=True, index=True),
    _ref("reverses_id", "ledger_entries", nullable=True),
    _ref("programme_version_id", "programme_versions"),
    _text("rule_id", 80),
    _text("reason", 40),
    sa.Column("params", Json, nullable=False),
    sa.Column("state", Json, nullable=False),
    _at("effective_at"),
    _at("recorded_at"),
    sa.UniqueConstraint("reverses_id"),
    sa.Index("ix_ledger_entries_member_id_id", "member_id", "id"),
)

ledger_postings = sa.Table(
    "ledger_postings",
    metadata,
    sa.Column("entry_id", Key, sa.ForeignKey("ledger_entries.id"), primary_key=True, autoincrement=False),
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    _ref("currency_id", "currencies"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
    sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
    sa.Index("ix_ledger_postings_account_id_entry_id", "account_id", "entry_id"),
)

balances = sa.Table(
    "balances",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    _ref("member_id", "members", index=True),
    _ref("currency_id", "currencies"),
    sa.Column("amount", sa.BigInteger(), nullable=False),
)

balance_snapshots = sa.Table(
    "balance_snapshots",
    metadata,
    sa.Column("account_id", Key, sa.ForeignKey("ledger_accounts.id"), primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),
)

lots = sa.Table(
    "lots",
    metadata,
    _id(),
    _ref("account_id", "ledger_accounts"),
    _ref("entry_id", "ledger_entries", index=True),
    sa.Column("amount", sa.BigInteger(), nullable=False),  # negative: a debt left by a reversal
    sa.Column("remaining", sa.BigInteger(), nullable=False),
    _at("earned_at"),
    _at("expires_at", nullable=True),
    sa.Index("ix_lots_open", "account_id", "id", sqlite_where=sa.text("remaining <> 0"),
             postgresql_where=sa.text("remaining <> 0")),
)  # fmt: skip

lot_allocations = sa.Table(
    "lot_allocations",
    metadata,
    sa.Column("lot_id", Key, sa.ForeignKey("lots.id"), primary_key=True, autoincrement=False),
    sa.Column("entry_id", Key, sa.ForeignKey("ledger_entries.id"), primary_key=True, autoincrement=False),
    sa.Column("amount", sa.BigInteger(), nullable=False),  # what the entry took from the lot; negative: gave back
)

LEDGER_TABLES = ("ledger_entries", "ledger_postings", "lot_allocations", "sales", "sale_lines", "balance_snapshots")
"""Tables that refuse UPDATE and DELETE by trigger, on both databases."""

# -- announcements ----------------------------------------------------------------------------------------------------

announcements = sa.Table(
    "announcements",
    metadata,
    _id(),
    _public(),
    _ref("programme_id", "programmes", index=True),
    _ref("merchant_id", "merchants"),
    sa.Column("texts", Json, nullable=False),
    _text("audience_tier", 40, nullable=True),
    _text("state", 20),
    _at("created_at"),
    _at("confirmed_at", nullable=True),
    _at("recalled_at", nullable=True),
    _at("ends_at"),
    sa.Column("walked_to", Key, nullable=False, server_default="0"),
    _at("walked_at", nullable=True),
)

announcement_members = sa.Table(
    "announcement_members",
    metadata,
    sa.Column("announcement_id", Key, sa.ForeignKey("announcements.id"), primary_key=True, autoincrement=False),
    sa.Column("member_id", Key, sa.ForeignKey("members.id"), primary_key=True, autoincrement=False),
    _text("outcome", 20),  # shown, waiting, skipped, recalled
    _text("why", 40, nullable=True),
    _at("decided_at"),
    sa.Index("ix_announcement_members_member_id_decided_at", "member_id", "decided_at"),
)

# -- delivery ---------------------------------------------------------------------------------------------------------

jobs = sa.Table(
    "jobs",
    metadata,
    _id(),
    _text("kind", 40),
    _text("key", 80),
    sa.Column("lane", sa.SmallInteger(), nullable=False),
    _count("generation", 1),
    _count("attempt"),
    _count("failures"),
    sa.Column("run_at", sa.BigInteger(), nullable=False),  # microseconds UTC, as the three below
    _count("rest_until"),
    _count("leased_until"),
    sa.Column("due_at", sa.BigInteger(), nullable=False),  # the latest of the three above
    sa.Column("dead_at", sa.BigInteger(), nullable=True),
    _text("last_error", 500, nullable=True),
    sa.UniqueConstraint("kind", "key"),
    sa.Index("ix_jobs_waiting", "lane", "due_at", sqlite_where=sa.text("dead_at IS NULL"),
             postgresql_where=sa.text("dead_at IS NULL")),
)  # fmt: skip

circuits = sa.Table(
    "circuits",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    _at("open_until"),
    _text("why", 500),
    _at("opened_at"),
)

rate_windows = sa.Table(
    "rate_windows",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("window", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("taken", sa.BigInteger(), nullable=False),
)

assets = sa.Table(
    "assets",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    _text("media_type", 80),
    sa.Column("body", sa.LargeBinary(), nullable=False),
    _at("created_at"),
)
