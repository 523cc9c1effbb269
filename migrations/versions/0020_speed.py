"""PostgreSQL checks the books' references in the audit and not row by row: a sale of nine lines made it look up 45 rows
that the same transaction had just written, or holds, or that nobody can delete. What they name refuses to be deleted.

SQLite keeps them: they cost it next to nothing there.

Revision: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UNCHECKED = {
    "sales": {
        "programme_id": "programmes",
        "member_id": "members",
        "merchant_id": "merchants",
        "store_id": "stores",
        "till_id": "tills",
        "programme_version_id": "programme_versions",
    },
    "sale_lines": {"sale_id": "sales"},
    "ledger_entries": {
        "programme_id": "programmes",
        "member_id": "members",
        "merchant_id": "merchants",
        "store_id": "stores",
        "till_id": "tills",
        "sale_id": "sales",
        "programme_version_id": "programme_versions",
    },
    "ledger_postings": {
        "entry_id": "ledger_entries",
        "account_id": "ledger_accounts",
        "currency_id": "currencies",
    },
    "lots": {"account_id": "ledger_accounts", "entry_id": "ledger_entries"},
}
NEVER_DELETED = (
    "programmes",
    "programme_versions",
    "members",
    "merchants",
    "stores",
    "tills",
    "currencies",
    "ledger_accounts",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in UNCHECKED.items():
        for column, named in columns.items():
            op.drop_constraint(f"fk_{table}_{column}_{named}", table, type_="foreignkey")
    op.execute(
        "CREATE FUNCTION refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is never deleted from: the books name its rows', TG_TABLE_NAME; END $$"
    )
    for table in NEVER_DELETED:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_deletion BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion()"
        )


def downgrade() -> None:
    raise RuntimeError("What was booked is not forgotten; restore a backup instead.")
