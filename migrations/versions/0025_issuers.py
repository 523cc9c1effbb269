"""Which merchant owes a coupon: what is owed by coupons is told by merchant, as units are.

Coupons of before are owed by the merchant that booked the units they were made of or that made the gesture; one for
joining by that of the member's store; and where nothing says whose one was, by the merchant that took part first. The
sums of days are made again for coupons, with that merchant.

Revision: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Of what was given over the interface nothing but the deed of that very moment says who gave it.
OWED = """
UPDATE coupons SET issuer_id = COALESCE(
  (SELECT e.merchant_id FROM ledger_entries e WHERE e.public_id = coupons.entry),
  (SELECT g.merchant_id FROM given_gestures g WHERE g.public_id = coupons.entry),
  (SELECT MIN(d.merchant_id) FROM staff_events d JOIN members m ON m.public_id = d.about
   WHERE coupons.source = 'goodwill' AND d.what = 'goodwill' AND d.at = coupons.issued_at
   AND (m.id = coupons.member_id
        OR m.id IN (SELECT w.merged_id FROM merged_members w WHERE w.kept_id = coupons.member_id))),
  (SELECT s.merchant_id FROM members m JOIN stores s ON s.id = m.home_store_id
   WHERE m.id = coupons.member_id AND coupons.source = 'welcome'),
  (SELECT p.merchant_id FROM participations p WHERE p.programme_id = coupons.programme_id
   ORDER BY p.joined_at, p.merchant_id LIMIT 1))
"""
SUMMED = """
INSERT INTO book_days (programme_id, day, book, merchant_id, issuer_id, side, reason, cohort, amount, times)
SELECT moved.programme_id, moved.day, 'coupons', moved.merchant_id, moved.issuer_id, moved.kind, moved.source,
       moved.cohort, SUM(moved.value_minor), COUNT(*)
FROM (SELECT c.programme_id, DAY_OF(v.at) AS day, v.merchant_id, c.issuer_id, v.kind, c.source,
             MONTH_OF(c.issued_at) AS cohort, v.value_minor
      FROM coupon_events v JOIN coupons c ON c.id = v.coupon_id) moved
JOIN book_marks b ON b.programme_id = moved.programme_id AND moved.day <= b.through
GROUP BY moved.programme_id, moved.day, moved.merchant_id, moved.issuer_id, moved.kind, moved.source, moved.cohort
"""


def upgrade() -> None:
    for table in ("coupons", "book_days"):
        _add_issuer(table)
    op.execute(OWED)
    _refuse_changes(refuse=False)
    _sum_anew()
    _refuse_changes(refuse=True)


def _add_issuer(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"ALTER TABLE {table} ADD COLUMN issuer_id INTEGER REFERENCES merchants (id)")
        return
    op.add_column(table, sa.Column("issuer_id", Key, nullable=True))
    op.create_foreign_key(op.f(f"fk_{table}_issuer_id_merchants"), table, "merchants", ["issuer_id"], ["id"])


def _sum_anew() -> None:
    if op.get_bind().dialect.name == "sqlite":
        day, month = "date(v.at)", "substr(c.issued_at, 1, 7)"
    else:
        day, month = "date(v.at AT TIME ZONE 'UTC')", "to_char(c.issued_at AT TIME ZONE 'UTC', 'YYYY-MM')"
    op.execute("DELETE FROM book_days WHERE book = 'coupons'")
    op.execute(SUMMED.replace("DAY_OF(v.at)", day).replace("MONTH_OF(c.issued_at)", month))


def _refuse_changes(*, refuse: bool) -> None:
    """Sums of days are never changed but here, where each gets a further column."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER book_days_refuse_{verb.lower()} BEFORE {verb} ON book_days "
                "BEGIN SELECT RAISE(ABORT, 'book_days is never changed'); END"
                if refuse
                else f"DROP TRIGGER book_days_refuse_{verb.lower()}"
            )
        return
    op.execute(
        "CREATE TRIGGER book_days_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON book_days "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        if refuse
        else "DROP TRIGGER book_days_refuse_change ON book_days"
    )


def downgrade() -> None:
    raise RuntimeError("Who owes what is not forgotten; restore a backup instead.")
