"""The audit finds every corruption that is planted, and what stood on a day is what a plain sum says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records.booking import Books
from tests.world import NOON, World
from wallet_server.records import audit
from wallet_server.records.database import Tx
from wallet_server.records.schema import balance_snapshots, ledger_entries, ledger_postings

CORRUPTIONS = {
    "a posting changed": "UPDATE ledger_postings SET amount = amount + 1 WHERE amount > 0",
    "a posting lost": "DELETE FROM ledger_postings WHERE amount < 0",
    "both legs changed alike": "UPDATE ledger_postings SET amount = amount * 2",
    "a cached balance changed": "UPDATE balances SET amount = amount + 1",
    "a cached balance lost": "DELETE FROM balances",
    "a lot that was never awarded": (
        "INSERT INTO lots (account_id, entry_id, amount, remaining, earned_at) "
        "SELECT account_id, entry_id, 5, 5, earned_at FROM lots WHERE remaining > 0"
    ),
    "a lot emptied": "UPDATE lots SET remaining = 0",
    "a lot spent below zero": "UPDATE lots SET remaining = remaining - 1000, amount = amount - 1000",
    "an allocation lost": "DELETE FROM lot_allocations",
    "an allocation changed": "UPDATE lot_allocations SET amount = amount + 1",
    "what one lot lost another has": (
        "UPDATE lots SET remaining = remaining + CASE WHEN expires_at IS NULL THEN -5 ELSE 5 END"
    ),
    "an allocation under another entry's name": (
        "UPDATE lot_allocations SET entry_id = (SELECT MIN(entry_id) FROM lots)"
    ),
    "a sale at a till that does not exist": (
        "INSERT INTO sales (public_id, programme_id, member_id, merchant_id, store_id, till_id, receipt, business_day, "
        "occurred_at, recorded_at, money, amount_minor, programme_version_id, state) "
        "SELECT 'sale_x', programme_id, member_id, merchant_id, 1, 999, 'x', '2026-11-18', "
        "effective_at, recorded_at, 'EUR', 100, programme_version_id, state FROM ledger_entries LIMIT 1"
    ),
    "spent from nowhere": (
        "INSERT INTO lot_allocations (lot_id, entry_id, amount) "
        "SELECT MAX(id), (SELECT MIN(entry_id) FROM lots), 1 FROM lots"
    ),
}


class _RolledBack(Exception):
    pass


@contextmanager
def _unguarded(world: World) -> Iterator[Tx]:
    """The books with their triggers and foreign keys off, as a restore by hand or a broken disk would leave them."""
    with pytest.raises(_RolledBack), world.ctx.change() as tx:  # noqa: PT012 - the whole test runs inside
        if world.ctx.database.sqlite:
            names = tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
            for name in names:
                tx.exec_driver_sql(f"DROP TRIGGER {name}")
            tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        else:
            tx.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield tx
        raise _RolledBack


def test_every_planted_corruption_is_found(world: World) -> None:
    for what, statement in CORRUPTIONS.items():
        with _unguarded(world) as tx:
            books = Books(world, tx, 2)
            for member in books.members:
                books.award(member, 50, days=3)
                books.award(member, 20)
                books.burn(member, 60)
            assert list(audit.faults(tx)) == []
            assert tx.exec_driver_sql(statement).rowcount
            assert list(audit.faults(tx)) != [], what


HOURS = st.integers(0, 24 * 6)
POSTINGS = st.lists(st.tuples(HOURS, st.integers(1, 50), st.booleans()), max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(POSTINGS, st.sets(st.integers(0, 6), max_size=4), st.lists(HOURS, min_size=1, max_size=5))
def test_what_stood_at_an_instant_is_a_plain_sum_with_and_without_snapshots(
    world: World, postings: list[tuple[int, int, bool]], snapshots: set[int], asked: list[int]
) -> None:
    start = datetime(2026, 11, 10, tzinfo=UTC)
    with _unguarded(world) as tx:
        books = Books(world, tx, 1)
        member = books.members[0]
        account = books.purse(member).account_id
        books.award(member, 1000, recorded_at=start)
        for hour, amount, give in sorted(postings):
            books.now = start + timedelta(hours=hour)
            _ = books.award(member, amount) if give else books.burn(member, amount)
        instants = [start + timedelta(hours=hour) for hour in asked]
        plain = [_plain_sum(tx, account, at) for at in instants]
        assert [audit.balance_as_of(tx, account, at) for at in instants] == plain
        for number in snapshots:
            audit.snapshot(tx, (start + timedelta(days=number)).date(), 0, 1000)
        assert [audit.balance_as_of(tx, account, at) for at in instants] == plain


def test_an_instant_is_the_same_wherever_it_is_asked_about(world: World) -> None:
    """Where it is tomorrow already, today's snapshot is not yet to be used."""
    with _unguarded(world) as tx:
        books = Books(world, tx, 1)
        account = books.purse(books.members[0]).account_id
        books.award(books.members[0], 7, recorded_at=NOON - timedelta(hours=1))
        books.award(books.members[0], 5, recorded_at=NOON + timedelta(hours=1))
        audit.snapshot(tx, NOON.date(), 0, 1000)
        for hours in (-12, 0, 14):
            assert audit.balance_as_of(tx, account, NOON.astimezone(timezone(timedelta(hours=hours)))) == 7


def _plain_sum(tx: Tx, account: int, at: datetime) -> int:
    rows = tx.execute(
        sa.select(ledger_postings.c.amount, ledger_entries.c.recorded_at)
        .join(ledger_entries, ledger_entries.c.id == ledger_postings.c.entry_id)
        .where(ledger_postings.c.account_id == account)
    ).all()
    return sum(row.amount for row in rows if row.recorded_at <= at)


def test_a_snapshot_is_what_later_questions_start_from(world: World) -> None:
    """The counter-test: with a wrong snapshot the answer is wrong, so the snapshot is really used."""
    with _unguarded(world) as tx:
        books = Books(world, tx, 1)
        account = books.purse(books.members[0]).account_id
        books.award(books.members[0], 7, recorded_at=NOON - timedelta(days=3))
        day = (NOON - timedelta(days=2)).date()
        tx.execute(sa.insert(balance_snapshots).values(account_id=account, day=day, amount=100))
        assert audit.balance_as_of(tx, account, NOON) == 100
        assert audit.balance_as_of(tx, account, NOON - timedelta(days=2, hours=13)) == 7


def test_snapshots_walk_all_accounts_in_slices_and_only_where_something_moved(world: World) -> None:
    with _unguarded(world) as tx:
        books = Books(world, tx, 3)
        for member in books.members[:2]:
            books.award(member, 9)
        books.burn(books.members[1], 9)
        after: int | None = 0
        rounds = 0
        while after is not None:
            after = audit.snapshot(tx, NOON.date(), after, 2)
            rounds += 1
        assert rounds > 3
        assert _snapshots(tx, NOON.date()) == [-18, 9, 9]
        audit.snapshot(tx, NOON.date(), 0, 1000)
        audit.snapshot(tx, NOON.date() + timedelta(days=1), 0, 1000)
        assert _snapshots(tx, NOON.date() + timedelta(days=1)) == []


def _snapshots(tx: Tx, day: date) -> list[int]:
    query = sa.select(balance_snapshots.c.amount).where(balance_snapshots.c.day == day)
    return sorted(tx.execute(query).scalars())
