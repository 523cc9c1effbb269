"""A write waits for its turn, sees what was written before it, and leaves nothing behind when it cannot be made."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded, settings, together
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.app import create_app
from wallet_server.errors import Unavailable
from wallet_server.records import limits
from wallet_server.records.database import Database, Tx, open_database, regardless
from wallet_server.records.people import members
from wallet_server.records.schema import metadata, rate_windows

WAIT_SECONDS = 0.3


@pytest.fixture
def hurried(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A world that waits a moment only for a locked database."""
    with founded(database_url, tmp_path, database_wait_seconds=WAIT_SECONDS) as made:
        yield made


def _everything(world: World) -> dict[str, int]:
    with world.ctx.look() as tx:
        return {
            name: tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def _add_one(tx: Tx) -> None:
    """Read, think, write: what loses updates wherever two may read before either writes."""
    query = sa.select(rate_windows.c.taken).where(rate_windows.c.name == "n", rate_windows.c.window == 0)
    taken = tx.execute(query).scalar_one()
    time.sleep(0)
    tx.execute(sa.update(rate_windows).values(taken=taken + 1))


def _count_to_800(
    database: Database, begin: Callable[[Database], AbstractContextManager[Tx]], processes: list[Database]
) -> tuple[int, int]:
    """Eight writers add one a hundred times each: (what stands in the end, how many were refused)."""
    with database.change() as tx:
        limits.take(tx, "n", 0, 0)
    refused = []

    def add(own: Database) -> None:
        for _ in range(100):
            try:
                with begin(own) as tx:
                    _add_one(tx)
            except (Unavailable, sa.exc.OperationalError) as fault:
                refused.append(fault)

    assert together(*[functools.partial(add, processes[n % len(processes)]) for n in range(8)]) == [None] * 8
    with database.look() as tx:
        return limits.taken(tx, "n", 0), len(refused)


@pytest.mark.slow
def test_eight_writers_of_a_hundred_each_make_eight_hundred(new_database: NewDatabase, tmp_path: Path) -> None:
    """With connections, and turns, of their own, as in several processes."""
    plain = settings(new_database("sqlite"), tmp_path, database_wait_seconds=30.0)
    processes = [open_database(plain) for _ in range(4)]
    assert _count_to_800(processes[0], Database.change, processes) == (800, 0)
    for database in processes:
        database.close()


@pytest.mark.slow
def test_without_begin_immediate_the_same_writers_fail(new_database: NewDatabase, tmp_path: Path) -> None:
    """The counter-test: a transaction that begins by reading cannot count on writing afterwards."""
    database = open_database(settings(new_database("sqlite"), tmp_path))
    total, refused = _count_to_800(database, Database.look, [database])
    assert total < 800
    assert refused == 800 - total
    database.close()


def test_a_change_within_a_change_is_refused_at_once_and_the_next_one_goes(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """On SQLite, where it would wait for the turn that its own thread has."""
    database = open_database(settings(new_database("sqlite"), tmp_path, database_wait_seconds=60.0))
    for begin in (database.change, database.rehearse):
        with pytest.raises(RuntimeError, match="within a change"), database.change(), begin():
            raise AssertionError("it was let in")
    with database.change() as tx:
        limits.take(tx, "n", 0, 1)
    with database.change() as tx:
        assert limits.taken(tx, "n", 0) == 1
    database.close()


def test_what_is_counted_regardless_is_kept_when_a_change_is_undone_and_refused_in_a_look(
    database_url: str, tmp_path: Path
) -> None:
    database = open_database(settings(database_url, tmp_path))
    with pytest.raises(ValueError, match="undone"), database.change() as tx:  # noqa: PT012 - what is undone is many acts
        limits.take(tx, "n", 0, 10)
        regardless(tx, lambda other: limits.take(other, "n", 0, 1))
        raise ValueError("undone")
    for _ in range(2):  # the second has a connection that changes had
        with pytest.raises(RuntimeError, match="look"), database.look() as tx:
            regardless(tx, lambda other: limits.take(other, "n", 0, 100))
    with database.look() as tx:
        assert limits.taken(tx, "n", 0) == 1
    database.close()


def test_an_answer_that_is_still_read_after_its_look_keeps_nobody_from_writing(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """On SQLite a connection keeps its snapshot as long as a statement on it is open."""
    database = open_database(settings(new_database("sqlite"), tmp_path, database_wait_seconds=WAIT_SECONDS))
    other = open_database(settings(str(database.engine.url), tmp_path))
    with database.change() as tx:
        for number in range(3):
            limits.take(tx, f"{number}", 0, 1)
    with database.look() as tx:
        rows = iter(tx.execute(sa.select(rate_windows)))
        next(rows)
    with other.change() as tx:
        limits.take(tx, "0", 0, 1)
    for _ in range(2):
        with database.change() as tx:
            assert limits.take(tx, "0", 0, 1) in (3, 4)
    assert len(list(rows)) == 2
    other.close()
    database.close()


@contextmanager
def _held(world: World, holder: Holder) -> Iterator[None]:
    """Another process holds what the till needs: the writer's lock on SQLite, the member's row on PostgreSQL."""
    engine = sa.create_engine(world.ctx.settings.database, poolclass=sa.pool.NullPool)
    other = Database(engine)
    with other.change() as tx:
        members.lock_member(tx, holder.member_id)
        yield


def test_a_locked_database_is_waited_for_a_while_and_then_said_to_be_busy(hurried: World) -> None:
    holder = hurried.enrol()
    before = _everything(hurried)
    with _held(hurried, holder):
        start = time.monotonic()
        with pytest.raises(Unavailable):
            hurried.sell(holder, 1000, receipt="1", key="k")
        waited = time.monotonic() - start
    assert WAIT_SECONDS * 0.8 <= waited < WAIT_SECONDS + 3
    assert _everything(hurried) == before
    assert hurried.sell(holder, 1000, receipt="1", key="k")["balances"]["points"] == 10


def test_a_lock_that_goes_in_time_is_only_a_delay(hurried: World) -> None:
    holder = hurried.enrol()
    begun = threading.Event()

    def hold() -> None:
        with _held(hurried, holder):
            begun.set()
            time.sleep(WAIT_SECONDS / 3)

    def sell() -> Any:
        begun.wait(10)
        return hurried.sell(holder, 1000)["balances"]["points"]

    assert together(hold, sell) == [None, 10]


def _post_sale(world: World, holder: Holder, number: int) -> Any:
    body = {"code": holder.code, "receipt": str(number), "currency": "EUR", "amount_minor": 1000}
    return world.client().post("/v1/sales", json=body, headers=world.bearer(world.founded.till_key, f"k{number}"))


@contextmanager
def _disk_of(world: World, pages: int) -> Iterator[None]:
    """The database may grow by so many pages. The engine serves other tests after this one."""
    database = world.ctx.database
    with database.look() as tx:
        most = tx.exec_driver_sql("PRAGMA page_count").scalar_one() + pages

    def _said(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    sa.event.listen(database.engine, "begin", _said)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "begin", _said)
        database.close()


def test_a_full_disk_is_a_503_that_says_when_to_come_back_and_leaves_no_half_sale(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    with founded(new_database("sqlite"), tmp_path) as world:
        holder = world.enrol()
        _post_sale(world, holder, 0)
        with _disk_of(world, 3):
            answers = [_post_sale(world, holder, number) for number in range(1, 40)]
        counted = sum(answer.status_code == 200 for answer in answers)
        refused = [answer for answer in answers if answer.status_code != 200]
        assert counted
        assert {answer.status_code for answer in refused} == {503}
        assert {answer.json["code"] for answer in refused} == {"unavailable"}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert _everything(world)["sales"] == counted + 1
        assert upkeep.book_faults(world.ctx) == []
        first = 1 + next(n for n, answer in enumerate(answers) if answer.status_code == 503)
        again = _post_sale(world, holder, first)
        assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (200, None)


def test_a_full_disk_of_a_database_server_is_the_same_503(new_database: NewDatabase, tmp_path: Path) -> None:
    """The server says so itself, by the code that it uses for a full disk (53100), in the middle of the sale."""
    with founded(new_database("postgresql"), tmp_path) as world:
        holder = world.enrol()
        with world.ctx.change() as tx:
            tx.exec_driver_sql(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
            )
            tx.exec_driver_sql(
                "CREATE TRIGGER full_disk BEFORE INSERT ON lots FOR EACH ROW EXECUTE FUNCTION full_disk()"
            )
        before = _everything(world)
        answer = _post_sale(world, holder, 1)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        with world.ctx.change() as tx:
            tx.exec_driver_sql("DROP TRIGGER full_disk ON lots")
        assert _everything(world) | {"rate_windows": 0} == before | {"rate_windows": 0}
        assert _post_sale(world, holder, 1).status_code == 200


def test_a_connection_that_breaks_in_the_middle_of_a_change_is_unavailable_and_nothing_stays(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    with founded(new_database("postgresql"), tmp_path) as world:
        before = _everything(world)
        with pytest.raises(Unavailable), world.ctx.change() as tx:  # noqa: PT012 - which statement meets it is chance
            limits.take(tx, "x", 1, 1)
            mine = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            admin = sa.create_engine(world.ctx.settings.database, poolclass=sa.pool.NullPool)
            with admin.connect() as connection:
                connection.exec_driver_sql(f"SELECT pg_terminate_backend({mine})")
            for _ in range(100):
                limits.take(tx, "x", 1, 1)
                time.sleep(0.01)
        assert _everything(world) == before
        assert world.sell(world.enrol(), 1000)["balances"]["points"] == 10


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/wallet.db", "postgresql+psycopg:///x?host=/nowhere"])
def test_a_database_that_is_away_is_a_503(url: str, tmp_path: Path) -> None:
    app = create_app(settings("sqlite:///" + str(tmp_path / "x.db"), tmp_path))
    away = sa.create_engine(url)
    app.extensions["wallet"].database.engine = away
    for path, headers in (("/health", {}), ("/v1/stores", {"Authorization": "Bearer key_x.y"})):
        answer = app.test_client().get(path, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_look_cannot_write_where_the_database_can_tell(new_database: NewDatabase, tmp_path: Path) -> None:
    database = open_database(settings(new_database("postgresql"), tmp_path))
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), database.look() as tx:
        limits.take(tx, "x", 1, 1)
    database.close()


def test_a_till_that_is_refused_says_so_in_its_own_words(hurried: World) -> None:
    holder = hurried.enrol()
    with _held(hurried, holder), pytest.raises(Unavailable) as refusal:
        till.redeem(hurried.ctx, hurried.till, till.Redeemed(holder.code, None, 1, "1"), "k")
    assert "try again" in refusal.value.sentence


@pytest.mark.slow
def test_what_was_done_before_is_told_again_though_its_member_cannot_be_had(hurried: World) -> None:
    holder = hurried.enrol()
    sale = hurried.sell(holder, 1000, receipt="1", key="k")
    with _held(hurried, holder):
        assert hurried.sell(holder, 1000, receipt="1", key="k") == sale
        with pytest.raises(Unavailable):
            hurried.sell(holder, 1000, receipt="2", key="k2")


def test_a_column_whose_type_changed_under_a_prepared_statement_is_a_503_and_the_next_try_goes(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """An installation that is brought to another migration while it runs."""
    database = open_database(settings(new_database("postgresql"), tmp_path))
    query = sa.select(rate_windows.c.taken)
    for _ in range(10):
        with database.change() as tx:
            tx.execute(query).all()
    other = sa.create_engine(database.engine.url, poolclass=sa.pool.NullPool)
    with other.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE rate_windows ALTER COLUMN taken TYPE numeric")
    with pytest.raises(Unavailable), database.change() as tx:
        tx.execute(query).all()
    with database.change() as tx:
        assert tx.execute(query).all() == []
    database.close()
