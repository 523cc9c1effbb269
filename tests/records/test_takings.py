"""What a sale writes is the same, whether PostgreSQL takes it as one statement or as many; and how it is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server.actions import keys
from wallet_server.actions.operating import upkeep
from wallet_server.errors import Invalid, Unavailable
from wallet_server.records import jobs
from wallet_server.records.counter import takings
from wallet_server.records.counter.sales import NewSale, SaleLine
from wallet_server.records.counter.takings import Stale
from wallet_server.records.database import MOST_IN_HAND, Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.prepared import Prepared, together
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Award, Booking
from wallet_server.records.requests import AlreadyClaimed
from wallet_server.records.schema import balances, ledger_entries, ledger_postings, lots, sale_lines
from wallet_server.records.schema import jobs as job_table
from wallet_server.records.schema import passes as pass_table
from wallet_server.records.schema import sales as sale_table

WRITTEN = (sale_table, sale_lines, ledger_entries, ledger_postings, balances, lots, pass_table, job_table)
LINES = (
    SaleLine("4 006381", "BREAD", 1000, 250, 250, 17, False),
    SaleLine(None, None, -1500, None, -99, 0, True),
    SaleLine('"\\é€', "WINE", 2, None, 2**53 - 1, 0, False),
)


class _Undone(Exception):
    """Raised at the end of a try, so that the next finds what this one found."""


@pytest.fixture
def posted(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """On PostgreSQL, where there are two ways."""
    with founded(new_database("postgresql"), tmp_path) as made:
        yield made


def _sale(world: World, tx: Tx, holder: Holder, receipt: str, mark: str) -> tuple[NewSale, list[Award]]:
    """Three awards, two of them of one currency."""
    scope, now = world.till, world.clock()
    member = members.members_by_id(tx, [holder.member_id])[holder.member_id]
    assert scope.store_id is not None
    assert scope.till_id is not None
    new = NewSale(
        public_id=f"sale_{mark}",
        programme_id=member.programme_id,
        member_id=member.id,
        merchant_id=scope.merchant_id,
        store_id=scope.store_id,
        till_id=scope.till_id,
        receipt=receipt,
        business_day=now.date(),
        occurred_at=now - timedelta(seconds=90),
        recorded_at=now,
        money="EUR",
        amount_minor=151,
        programme_version_id=member.version_id,
        state={"tier": member.tier, "visits": {"a": "b"}},
    )
    booking = Booking(
        public_id="",
        programme_id=new.programme_id,
        member_id=new.member_id,
        merchant_id=new.merchant_id,
        programme_version_id=new.programme_version_id,
        rule_id="rule",
        reason="earn.sale",
        effective_at=new.occurred_at,
        recorded_at=now,
        store_id=new.store_id,
        till_id=new.till_id,
        receipt=receipt,
        params={"basis_minor": 151, "receipt": receipt},
        state=new.state,
    )
    purses = ledger.purses(tx, member.id, scope.merchant_id)
    given = [("points", 30, now + timedelta(days=400)), ("status", 7, None), ("points", 5, None)]
    awards = [
        Award(replace(booking, public_id=f"ent_{mark}{n}", rule_id=f"rule{n}"), purses[code], amount, until)
        for n, (code, amount, until) in enumerate(given)
    ]
    return new, awards


def _rows(tx: Tx) -> dict[str, list[Any]]:
    """All that stands, keys of our own making told by their order."""
    names: dict[tuple[str, int], int] = {}
    found: dict[str, list[Any]] = {}
    for table in WRITTEN:
        found[table.name] = rows = []
        for row in tx.execute(sa.select(table).order_by(*table.primary_key.columns)).mappings():
            known = dict(row)
            for column, key in known.items():
                table_of = {"entry_id": "ledger_entries", "sale_id": "sales", "id": table.name}.get(column)
                if table_of is not None:
                    known[column] = names.setdefault((table_of, key), len(names))
            rows.append(known)
    return found


def _after(world: World, holder: Holder, *, owing: bool, quiet: datetime | None) -> dict[str, list[Any]]:
    """What stands after a sale that is then undone. A purse that may owe goes the long way; here no debt is found."""
    left: dict[str, list[Any]] = {}
    with suppress(_Undone), world.ctx.change() as tx:
        tx.execute(sa.update(pass_table).values(quiet_until=quiet))
        new, awards = _sale(world, tx, holder, "r1", "x")
        awards = [replace(one, purse=replace(one.purse, owing=owing)) for one in awards]
        takings.record(tx, new, LINES, awards, Stale(3, "refresh", jobs.COUNTER, world.clock()))
        left = _rows(tx)
        raise _Undone
    return left


@pytest.mark.parametrize("seconds", [None, -5, 25.000001])
@pytest.mark.parametrize("waiting", [False, True])
def test_one_statement_leaves_what_many_leave(posted: World, seconds: float | None, waiting: bool) -> None:
    holder = posted.enrol()
    posted.sell(holder, 1000)
    if not waiting:
        posted.work()
    quiet = None if seconds is None else posted.clock() + timedelta(seconds=seconds)
    once = _after(posted, holder, owing=False, quiet=quiet)
    many = _after(posted, holder, owing=True, quiet=quiet)
    assert once == many
    assert len(once["sale_lines"]) == 1 + len(LINES)
    assert [e["rule_id"] for e in once["ledger_entries"]][-3:] == ["rule0", "rule1", "rule2"]


def test_the_same_receipt_is_claimed_once_and_the_books_add_up(world: World) -> None:
    holder = world.enrol()

    def count(mark: str) -> None:
        with world.ctx.change() as tx:
            new, awards = _sale(world, tx, holder, "r1", mark)
            takings.record(tx, new, LINES, awards, Stale(0, "refresh", jobs.COUNTER, world.clock()))

    count("x")
    with pytest.raises(AlreadyClaimed):
        count("y")
    with world.ctx.look() as tx:
        assert ledger.amounts(tx, [holder.member_id])[holder.member_id] == {"points": 35, "status": 7}
        assert tx.execute(sa.select(sa.func.count()).select_from(sale_table)).scalar() == 1
    assert upkeep.book_faults(world.ctx) == []


def test_a_sale_is_four_statements(posted: World) -> None:
    holder = posted.enrol()
    posted.sell(holder, 1000)
    said: list[str] = []
    engine = posted.ctx.database.engine
    scope = posted.till

    def note(_c: object, _cursor: object, text: str, *_more: Any) -> None:
        said.append(" ".join(text.split()[:3]))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        posted.sell(holder, 1000, scope=scope)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert len(said) == 4, said
    assert said[-2:] == ["WITH sale AS", "INSERT INTO requests"]


def test_a_sale_is_two_messages(posted: World, tmp_path: Path) -> None:
    """As libpq itself writes them down: BEGIN goes with what is asked, COMMIT with what is written."""
    holder = posted.enrol()
    for _ in range(2):
        posted.sell(holder, 1000)
    with posted.ctx.change() as tx:
        connection: Any = tx.connection.dbapi_connection
    scope = posted.till  # whose key is looked up
    with (tmp_path / "trace").open("w+") as file:
        connection.pgconn.trace(file.fileno())
        try:
            posted.sell(holder, 1000, scope=scope)
        finally:
            connection.pgconn.untrace()
        file.seek(0)
        told = [line.split("\t") for line in file.read().splitlines()]
        sent = [words[3] for words in told if words[1] == "F"]
    assert sent.count("Sync") + sent.count("Query") == 2, sent
    assert posted.sell(holder, 1000)["balances"]["points"] == 40


def test_what_was_left_for_the_end_is_there_for_whoever_asks_before_it(posted: World) -> None:
    """However it is asked; and a transaction that is undone takes it along."""
    table = sa.table("kept", sa.column("n"))
    insert, count = Prepared(sa.insert(table), ["n"]), sa.select(sa.func.count()).select_from(table)
    with posted.ctx.change() as tx:
        tx.execute(sa.text("CREATE TABLE kept (n integer)"))
    with posted.ctx.change() as tx:
        insert.leave(tx, {"n": 1})
        assert tx.execute(count).scalar() == 1  # by SQLAlchemy, and psycopg's cursor
        insert.leave(tx, {"n": 2})
        assert Prepared(count).first(tx, {})[0] == 2
        insert.leave(tx, {"n": 3})
        with tx.begin_nested() as inner:
            insert.leave(tx, {"n": 4})
            inner.rollback()
    with suppress(_Undone), posted.ctx.change() as tx:
        insert.leave(tx, {"n": 5})
        raise _Undone
    with posted.ctx.look() as tx:
        assert tx.execute(sa.text("SELECT array_agg(n) FROM kept")).scalar() == [1, 2, 3]


def test_several_ask_together_and_each_has_its_own_answer(world: World) -> None:
    holders = [world.enrol(), world.enrol()]
    known = Prepared(sa.select(pass_table.c.id, pass_table.c.serial).where(pass_table.c.id == sa.bindparam("key")))
    many = Prepared(sa.select(sa.func.count()).select_from(pass_table))
    with world.ctx.look() as tx:
        asked = [(known, {"key": one.pass_id}) for one in holders]
        first, total, second = together(tx, asked[0], (many, {}), asked[1])
    assert [rows[0].serial for rows in (first, second)] == [one.serial for one in holders]
    assert total[0][0] == 2


def test_a_text_that_cannot_be_stored_is_refused_and_not_cut_off(posted: World) -> None:
    statement = Prepared(sa.select(pass_table.c.id).where(pass_table.c.serial == sa.bindparam("serial")))
    with pytest.raises(Invalid, match="cannot be stored"), posted.ctx.look() as tx:
        statement.rows(tx, {"serial": "a\0b"})


def test_threads_wait_for_a_row_without_stopping_the_others(posted: World) -> None:
    """Whoever waits for a lock within a message of several statements lets the thread that holds it go on."""
    holder = posted.enrol()
    posted.sell(holder, 100)
    with posted.ctx.change() as tx:
        members.lock_member(tx, holder.member_id)
        waiting = threading.Thread(target=posted.sell, args=(holder, 200))
        waiting.start()
        time.sleep(0.2)
    waiting.join(4)
    with posted.ctx.look() as tx:
        assert ledger.amounts(tx, [holder.member_id])[holder.member_id]["points"] == 3


def test_a_look_at_a_key_leaves_its_connection_to_transactions(posted: World) -> None:
    """A glance takes a connection out of its transactions; whoever has it next is in one again."""
    with posted.ctx.change() as tx:
        tx.execute(sa.text("CREATE TABLE kept (n integer)"))
    for _ in range(3):
        keys.authenticate(posted.ctx, posted.founded.till_key)
        with suppress(_Undone), posted.ctx.change() as tx:
            tx.execute(sa.text("INSERT INTO kept VALUES (1)"))
            raise _Undone
    with posted.ctx.look() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM kept")).scalar() == 0


def test_what_is_prepared_stays_prepared_from_one_sale_to_the_next(posted: World) -> None:
    """A transaction that is rolled back makes the driver forget, so a key look-up must not be one."""
    holder = posted.enrol()
    for _ in range(8):
        posted.sell(holder, 100)  # each with a look at the till's key
    with posted.ctx.change() as tx:
        names = tx.execute(sa.text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert any(one.startswith("WITH sale AS") for one in names), names


def test_a_connection_that_was_cut_while_it_rested_is_another_one_when_it_is_needed(posted: World) -> None:
    """Those of transactions and those that are kept in hand for single looks."""
    holder, database = posted.enrol(), posted.ctx.database
    assert posted.till.till_id is not None
    url = sa.make_url(posted.ctx.settings.database).set(drivername="postgresql").render_as_string(hide_password=False)
    for entry in database.engine.pool._pool.queue:  # type: ignore[attr-defined]
        entry.info["wallet_used"] = 0.0  # it has rested
    rested = [database._changing, database._looking]
    assert all(rested)
    for hand in rested:  # each is given back to the pool, which sees that it is gone
        hand._kept.extend((connection, 0.0) for connection, _ in [hand._kept.pop()])
    with psycopg.connect(url, autocommit=True) as other:
        cut = other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        assert len(cut) >= len(rested)
    assert posted.sell(holder, 1000)["balances"]["points"] > 0


@pytest.mark.slow
def test_a_connection_that_is_cut_while_it_is_used_is_unavailable(posted: World) -> None:
    """As libpq says it, without a word of what was asked."""
    holder, scope = posted.enrol(), posted.till
    url = sa.make_url(posted.ctx.settings.database).set(drivername="postgresql").render_as_string(hide_password=False)
    for ask in (lambda: posted.till, lambda: posted.sell(holder, 1000, scope=scope)):
        ask()
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(Unavailable):
            ask()
        posted.ctx.database.close()
        assert ask()


def test_no_more_connections_are_kept_in_hand_than_are_allowed(world: World) -> None:
    database = world.ctx.database
    taken = [database.lend() for _ in range(MOST_IN_HAND + 2)]
    for one in taken:
        database.take_back(one)
    assert len(database._looking) == MOST_IN_HAND
    database.close()
    assert not database._looking
    assert world.till.till_id is not None


def test_a_value_that_was_not_given_is_no_null(world: World) -> None:
    statement = Prepared(sa.select(pass_table.c.id).where(pass_table.c.id == sa.bindparam("key")))
    with world.ctx.look() as tx, pytest.raises(KeyError):
        statement.rows(tx, {})
    holder = world.enrol()
    with world.ctx.look() as tx:
        assert statement.first(tx, {"key": holder.pass_id}).id == holder.pass_id
        assert passes.passes_by_id(tx, [holder.pass_id])
