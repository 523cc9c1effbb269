"""Coupons of before their issuer was kept: who owes each is found in what was booked and done, and the sums of days say
so too, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from wallet_server.records import database
from wallet_server.records.books import audit, book_days

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
LATE = datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
"""The next day already in Paris, where a connection's clock may stand."""
BAKER, FLORIST = 1, 2


class Before:
    """A database as a migration left it. What a row says nothing of is filled in by what its column takes."""

    def __init__(self, url: str, migration: str = "0024") -> None:
        database.upgrade(url, migration)
        self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        self._known = sa.MetaData()
        self._rows = 0

    def add(self, table: str, **said: Any) -> None:
        self._rows += 1
        known = sa.Table(table, self._known, autoload_with=self.engine, resolve_fks=False)
        row = {one.name: self._plain(table, one) for one in known.columns if not one.nullable and one.default is None}
        with self.engine.begin() as tx:
            tx.execute(sa.insert(known).values({**row, **said}))

    def _plain(self, table: str, column: sa.Column[Any]) -> Any:
        if column.foreign_keys or (column.name.endswith("_id") and column.name != "public_id"):
            return 1
        kind = column.type
        if isinstance(kind, sa.DateTime):
            return NOON
        if isinstance(kind, sa.Boolean):
            return False
        if isinstance(kind, sa.Numeric | sa.Integer):
            return self._rows if column.primary_key else 1
        if isinstance(kind, sa.LargeBinary):
            return self._rows.to_bytes(32, "big")
        return {} if isinstance(kind, sa.JSON) else f"{table[:20]}-{self._rows}"[: getattr(kind, "length", None)]


def founded(url: str) -> Before:
    """A florist who began a programme, a baker who came later, and a member of theirs with cards and a past."""
    before = Before(url)
    before.add("accounts", id=1, issuer_mark="abcd")
    for key in (BAKER, FLORIST):
        before.add("merchants", id=key, account_id=1)
        before.add("stores", id=key, merchant_id=key, zone="Europe/Paris")
    before.add("programmes", id=1, account_id=1, public_id="prog")
    before.add("participations", programme_id=1, merchant_id=BAKER, joined_at=NOON)
    before.add("participations", programme_id=1, merchant_id=FLORIST, joined_at=NOON - timedelta(days=1))
    before.add("programme_versions", id=1, programme_id=1, number=1)
    before.add("members", id=1, public_id="kept", programme_id=1, home_store_id=BAKER)
    before.add("members", id=2, public_id="merged", programme_id=1)
    before.add("merged_members", merged_id=2, kept_id=1)
    before.add("staff", id=1, merchant_id=BAKER)
    return before


def coupon(before: Before, key: int, source: str, issued_at: datetime = NOON, **said: Any) -> None:
    row = {"member_id": 1, "money": "EUR", "state": "issued", "value_minor": key * 100, "issued_at": issued_at}
    before.add("coupons", id=key, public_id=f"cou_{key}", source=source, **row | said)
    event(before, key, 1, "issued", key * 100, issued_at)


def event(before: Before, key: int, number: int, kind: str, value_minor: int, at: datetime, **said: Any) -> None:
    said |= {"coupon_id": key, "number": number, "kind": kind, "value_minor": value_minor, "at": at}
    before.add("coupon_events", **said)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_who_owes_the_coupons_of_before_is_found(new_database: NewDatabase, kind: str) -> None:
    url = new_database(kind, migrated=False)
    before = founded(url)
    before.add("ledger_entries", public_id="ent_baker", merchant_id=BAKER)
    before.add("given_gestures", public_id="ges_baker", merchant_id=BAKER)
    before.add("staff_events", merchant_id=BAKER, what="goodwill", about="merged", at=NOON + timedelta(seconds=1))
    before.add("staff_events", merchant_id=BAKER, what="goodwill", about="somebody else", at=NOON)
    coupon(before, 1, "conversion", entry="ent_baker")
    coupon(before, 2, "goodwill", entry="ges_baker")
    coupon(before, 3, "goodwill", NOON + timedelta(seconds=1))
    coupon(before, 4, "welcome", LATE)
    coupon(before, 5, "welcome", member_id=2)
    coupon(before, 6, "goodwill")
    event(before, 1, 2, "used", -100, NOON + timedelta(days=1), merchant_id=FLORIST)
    event(before, 4, 2, "expired", -400, NOON + timedelta(days=9))
    before.add("book_days", programme_id=1, day=NOON.date(), book="sales", side="sold", merchant_id=BAKER, amount=77)
    before.add("book_days", programme_id=1, day=NOON.date(), book="coupons", side="issued", amount=2_100, times=6)
    before.add("book_marks", programme_id=1, through=date(2026, 11, 20))

    database.upgrade(url)
    with before.engine.connect() as tx:
        owing = {row.id: row.issuer_id for row in tx.exec_driver_sql("SELECT id, issuer_id FROM coupons")}
        assert owing == {1: BAKER, 2: BAKER, 3: BAKER, 4: BAKER, 5: FLORIST, 6: FLORIST}
        (wrong,) = book_days.faults(tx)
        assert "sales" in wrong, "only the sum of sales that there are none of"
        assert not [one for one in audit.faults(tx) if "by no merchant" in one]
        days: Counter[tuple[int | None, int | None, str]] = Counter()
        for one in book_days.flows(tx, 1, NOON + timedelta(days=2)):
            if one.book == book_days.COUPONS:
                days[one.merchant_id, one.issuer_id, one.side] += one.amount
        issued = {(None, BAKER, "issued"): 1_000, (None, FLORIST, "issued"): 1_100}
        assert days == issued | {(FLORIST, BAKER, "used"): -100}
        day = tx.exec_driver_sql("SELECT MIN(day), MAX(day) FROM book_days WHERE book = 'coupons'").one()
        assert [str(one) for one in day] == ["2026-11-18", "2026-11-19"]
    with before.engine.begin() as tx:  # the days since, as they are summed from now on
        assert book_days.sum_days(tx, 1, date(2026, 11, 30))
        late = tx.exec_driver_sql("SELECT issuer_id, amount, times FROM book_days WHERE side = 'expired'").all()
        assert [tuple(row) for row in late] == [(BAKER, -400, 1)]
        assert len(list(book_days.faults(tx))) == 1
    for statement in ("UPDATE book_days SET amount = 1", "DELETE FROM book_days"):
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), before.engine.begin() as tx:
            tx.exec_driver_sql(statement)
