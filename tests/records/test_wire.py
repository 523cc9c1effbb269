"""What is prepared on a connection to PostgreSQL stays with it, and there is no more of it for what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from psycopg.errors import UniqueViolation

from tests.conftest import NewDatabase
from tests.world import settings
from wallet_server.errors import Unavailable
from wallet_server.records import requests
from wallet_server.records.database import Database, Tx, open_database
from wallet_server.records.operating.glance import Glance
from wallet_server.records.prepared import Prepared
from wallet_server.records.requests import AlreadyClaimed, Claim
from wallet_server.records.schema import rate_windows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
_WINDOWS = sa.select(rate_windows.c.name, rate_windows.c.taken)
_TAKEN = Prepared(_WINDOWS)
_ADD = Prepared(sa.insert(rate_windows), ["name", "window", "taken"])


@pytest.fixture
def database(new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """One whose changes keep to one connection, and whose looks to another, however slow the machine."""
    monkeypatch.setattr("wallet_server.records.database.FRESH_SECONDS", 3600.0)
    found = open_database(settings(new_database("postgresql"), tmp_path))
    yield found
    found.close()


def _prepared(tx: Tx) -> int:
    """Statements that the server keeps for this connection."""
    return int(tx.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one())


def _claim(tx: Tx) -> None:
    """The same name twice: told by the COMMIT."""
    _TAKEN.rows(tx, {})
    requests.claim(tx, [Claim("somebody", "key")] * 2, "sell", b"", 200, "{}", NOW)


def _add_twice(tx: Tx) -> None:
    """The same row twice: told at once."""
    for _ in range(2):
        _ADD.run(tx, {"name": "n", "window": 0, "taken": 1})


def _ordinary(tx: Tx) -> None:
    """By psycopg's own cursor."""
    _TAKEN.rows(tx, {})
    for _ in range(2):
        tx.execute(sa.insert(rate_windows), {"name": "n", "window": 0, "taken": 1})


@pytest.mark.parametrize(
    ("refused", "fault"),
    [(_claim, AlreadyClaimed), (_add_twice, UniqueViolation), (_ordinary, sa.exc.IntegrityError)],
)
def test_what_is_refused_leaves_nothing_more_prepared(
    database: Database, refused: Callable[[Tx], None], fault: type[Exception]
) -> None:
    counts = []
    for number in range(60):
        with pytest.raises(fault), database.change() as tx:
            refused(tx)
        if number in (9, 59):
            with database.change() as tx:
                counts.append(_prepared(tx))
    assert counts[0] == counts[1]


def test_what_is_undone_in_part_leaves_nothing_more_prepared(database: Database) -> None:
    """psycopg lets go of what it has prepared then, which may be nothing, or everything."""
    counts = []
    for number in range(30):
        with database.change() as tx:
            _TAKEN.rows(tx, {})
            tx.begin_nested().rollback()
            assert _TAKEN.rows(tx, {}) == []
        if number in (9, 29):
            with database.change() as tx:
                counts.append(_prepared(tx))
    assert counts[0] == counts[1]


def test_a_column_that_has_another_type_since_is_a_503_once_and_leaves_nothing_prepared(database: Database) -> None:
    """An installation that is brought to another migration while it runs. A single look is made again at once."""
    look = Glance(_WINDOWS)
    look.rows(database)
    with database.change() as tx:
        _TAKEN.rows(tx, {})
        before = _prepared(tx)
    for kind in ("numeric", "bigint"):
        other = sa.create_engine(database.engine.url, poolclass=sa.pool.NullPool)
        with other.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE rate_windows ALTER COLUMN taken TYPE {kind}")
        with pytest.raises(Unavailable), database.change() as tx:
            _TAKEN.rows(tx, {})
        assert look.rows(database) == []
        with database.change() as tx:
            assert _TAKEN.rows(tx, {}) == []
    with database.change() as tx:
        _TAKEN.rows(tx, {})
        assert _prepared(tx) <= before
