"""The vault: versions and warnings of certificates, the one before each, keys of the push service, and counters.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

from wallet_server.records.schema import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "push_keys",
        sa.Column("id", Key, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=40), nullable=False),
        sa.Column("key_cipher", sa.Text(), nullable=False),
        sa.Column("token_cipher", sa.Text(), nullable=True),
        sa.Column("token_at", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_keys")),
        sa.UniqueConstraint("public_id", name=op.f("uq_push_keys_public_id")),
        sa.UniqueConstraint("team", name=op.f("uq_push_keys_team")),
    )
    op.create_table(
        "previous_certificates",
        sa.Column("credential_set_id", Key, autoincrement=False, nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("key_cipher", sa.Text(), nullable=False),
        sa.Column("not_before", Instant(timezone=True), nullable=False),
        sa.Column("not_after", Instant(timezone=True), nullable=False),
        sa.Column("replaced_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_set_id"],
            ["credential_sets.id"],
            name=op.f("fk_previous_certificates_credential_set_id_credential_sets"),
        ),
        sa.PrimaryKeyConstraint("credential_set_id", name=op.f("pk_previous_certificates")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.add_column("credential_sets", sa.Column("version", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("credential_sets", sa.Column("warned_days", sa.Integer(), nullable=True))
    # In words that both databases take: SQLite adds a reference only together with its column.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE credential_sets ADD COLUMN push_key_id {kind} "
        "CONSTRAINT fk_credential_sets_push_key_id_push_keys REFERENCES push_keys (id)"
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["dead_at"],
        unique=False,
        sqlite_where=sa.text("dead_at IS NOT NULL"),
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )


def downgrade() -> None:
    raise RuntimeError("The keys in the vault are not thrown away; restore a backup instead.")
