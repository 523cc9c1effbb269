"""Wallets that cards are pushed to: what they were given, what they said, and what may still be sent today.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _cards()
    _alerts()
    _shared()


def _cards() -> None:
    op.create_table(
        "programme_wallets",
        sa.Column("programme_id", Key, autoincrement=False, nullable=False),
        sa.Column("credential_set_id", Key, autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("wallet", sa.String(length=20), nullable=False),
        sa.Column("programme_version_id", Key, nullable=True),
        sa.Column("remote_state", sa.String(length=4000), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("chosen_at", Instant(timezone=True), nullable=True),
        sa.Column("published_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_programme_wallets_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["credential_set_id"],
            ["credential_sets.id"],
            name=op.f("fk_programme_wallets_credential_set_id_credential_sets"),
        ),
        sa.ForeignKeyConstraint(
            ["programme_version_id"],
            ["programme_versions.id"],
            name=op.f("fk_programme_wallets_programme_version_id_programme_versions"),
        ),
        sa.PrimaryKeyConstraint("programme_id", "credential_set_id", "subject", name=op.f("pk_programme_wallets")),
    )
    op.create_table(
        "pass_holdings",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("saved_at", Instant(timezone=True), nullable=True),
        sa.Column("removed_at", Instant(timezone=True), nullable=True),
        sa.Column("has_users", sa.Boolean(), nullable=True),
        sa.Column("said_at", Instant(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_pass_holdings_pass_id_passes")),
        sa.PrimaryKeyConstraint("pass_id", name=op.f("pk_pass_holdings")),
    )
    op.create_table(
        "rotating_codes",
        sa.Column("pass_id", Key, autoincrement=False, nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("till_id", Key, nullable=True),
        sa.Column("taken_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_rotating_codes_pass_id_passes")),
        sa.ForeignKeyConstraint(["till_id"], ["tills.id"], name=op.f("fk_rotating_codes_till_id_tills")),
        sa.PrimaryKeyConstraint("pass_id", name=op.f("pk_rotating_codes")),
    )


def _alerts() -> None:
    op.create_table(
        "pass_alerts",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("pass_id", Key, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["pass_id"], ["passes.id"], name=op.f("fk_pass_alerts_pass_id_passes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pass_alerts")),
    )
    op.create_index("ix_pass_alerts_pass_id_at", "pass_alerts", ["pass_id", "at"], unique=False)
    op.create_index("ix_pass_alerts_at", "pass_alerts", ["at"], unique=False)
    op.create_table(
        "class_alerts",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("programme_id", Key, nullable=False),
        sa.Column("credential_set_id", Key, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_class_alerts_programme_id_programmes")
        ),
        sa.ForeignKeyConstraint(
            ["credential_set_id"],
            ["credential_sets.id"],
            name=op.f("fk_class_alerts_credential_set_id_credential_sets"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_alerts")),
    )
    op.create_index("ix_class_alerts_programme_id_at", "class_alerts", ["programme_id", "at"], unique=False)


def _shared() -> None:
    op.create_table(
        "callback_nonces",
        sa.Column("nonce_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce_sha256", name=op.f("pk_callback_nonces")),
    )
    op.create_index("ix_callback_nonces_expires_at", "callback_nonces", ["expires_at"], unique=False)
    op.create_table(
        "issuer_facts",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("locations", sa.Boolean(), nullable=True),
        sa.Column("learned_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_issuer_facts")),
    )
    op.create_table(
        "issuer_rates",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("requests_milli", sa.BigInteger(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_issuer_rates")),
    )


def downgrade() -> None:
    raise RuntimeError("What vendors hold is not thrown away; restore a backup instead.")
