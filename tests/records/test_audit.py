"""The audit finds every corruption that is planted, and what stood on a day is what a plain sum says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.records.booking import Books
from tests.world import World
from wallet_server.records.books import audit
from wallet_server.records.database import Tx

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


@pytest.mark.slow
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
