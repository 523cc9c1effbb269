"""Owns the difference between SQLite and PostgreSQL, the transactions, and all that is known of Flask-SQLAlchemy.

A change on SQLite is BEGIN IMMEDIATE: with the driver's own deferred transactions, 8 threads that each add 1 a
hundred times lose most of the additions without an error. A look is a read transaction on both.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from psycopg.types.numeric import Int8Dumper
from sqlalchemy.engine import make_url

from wallet_server import resources
from wallet_server.errors import Invalid, Unavailable
from wallet_server.records import wire
from wallet_server.records.schema import metadata
from wallet_server.settings import Settings

Tx = sa.Connection
"""An open transaction. Only `records` looks inside; `actions` hands it on."""

db = SQLAlchemy(metadata=metadata)
_CHANGE, _USED, _KEPT, _RESTED = "wallet_change", "wallet_used", "wallet_kept", "wallet_rested"
FRESH_SECONDS = 1.0
"""A connection that was used so lately is taken to stand."""
MOST_IN_HAND = 4
"""Connections kept in hand for changes, as many for looks on SQLite, and as many for single looks: to take one out of
the pool and to give it back costs as much as a look itself."""


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def engine_options(url: str, settings: Settings) -> dict[str, Any]:
    """Arguments for `create_engine` that both Flask-SQLAlchemy and the command line use."""
    options: dict[str, Any] = {
        "json_serializer": _dumps,
        "json_deserializer": orjson.loads,
        "pool_size": settings.pool_size,
        "max_overflow": 8 + 3 * MOST_IN_HAND,
        "pool_timeout": settings.database_wait_seconds,
        # Statements are built once with bind parameters; the cache must hold them all.
        "query_cache_size": 1000,
        # An error must not carry an address or a push token into the log.
        "hide_parameters": True,
    }
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": settings.database_wait_seconds, "check_same_thread": False}
    else:
        wait = int(settings.database_wait_seconds * 1000)
        options["connect_args"] = {
            "connect_timeout": max(2, int(settings.database_wait_seconds)),
            "options": f"-c lock_timeout={wait} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        }
    return options


class Database:
    """An engine with the two kinds of transaction that the product uses."""

    def __init__(self, engine: sa.Engine, wait_seconds: float = 5.0) -> None:
        self.engine = engine
        self._wait_seconds = wait_seconds
        self.sqlite = engine.dialect.name == "sqlite"
        self._turns, self._own = Turns(), threading.local()
        # A look whose answer somebody still reads keeps its snapshot: no change could be made on its connection.
        self._changing, self._looking, self._reading = InHand(), InHand(), InHand()
        if self.sqlite:
            sa.event.listen(engine, "connect", _prepare_sqlite)
            # Not by an event: an engine that has a single listener asks after every event of every statement.
            engine.dialect.do_begin = _begin_sqlite  # type: ignore[assignment]
            engine.dispose()
        else:
            engine.dialect.do_commit = wire.commit  # type: ignore[assignment]
            engine.dialect.do_rollback = wire.rollback  # type: ignore[assignment]
            sa.event.listen(engine, "connect", _prepare_postgresql)
            sa.event.listen(engine, "checkin", _given_back)
            sa.event.listen(engine, "checkout", _ping)

    @contextmanager
    def change(self) -> Iterator[Tx]:
        """A transaction that writes: committed when the block ends, rolled back when it raises.

        Raises `Unavailable` when the database is locked, full or away; then nothing was changed. On SQLite a change
        within a change of the same thread is a `RuntimeError`: it would wait for itself.
        """
        kept: list[Callable[[Tx], object]] = []
        try:
            with self._turn(), _translated(), self._connected(self._changing) as connection:
                info = connection.info
                info[_KEPT] = kept
                if self.sqlite:
                    info[_CHANGE] = True
                try:
                    with connection.begin():
                        yield connection
                finally:
                    info.pop(_KEPT, None)
        except BaseException:
            self._keep(kept)
            raise

    def _keep(self, acts: Sequence[Callable[[Tx], object]]) -> None:
        if acts:
            with self.change() as tx:
                for act in acts:
                    act(tx)

    @contextmanager
    def rehearse(self) -> Iterator[Tx]:
        """A transaction that writes as `change` does and is rolled back at its end, however it ends."""
        kept: list[Callable[[Tx], object]] = []
        try:
            with self._turn(), _translated(), self.engine.connect() as connection:
                info = connection.info
                info[_KEPT] = kept
                if self.sqlite:
                    info[_CHANGE] = True
                transaction = connection.begin()
                try:
                    yield connection
                    if not self.sqlite:
                        wire.wire_of(connection.connection.dbapi_connection).flush()
                finally:
                    info.pop(_KEPT, None)
                    transaction.rollback()
        finally:
            self._keep(kept)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite the writers of this process take turns: its own waiting is not fair, and under load one writer of
        eight starved for seconds while the others went on."""
        if not self.sqlite:
            yield
            return
        if getattr(self._own, "turn", False):
            raise RuntimeError("A change was begun within a change of the same thread; hand its transaction on.")
        if not self._turns.take(self._wait_seconds):
            raise Unavailable("The database is busy; please try again in a moment.")
        self._own.turn = True
        try:
            yield
        finally:
            self._own.turn = False
            self._turns.give_back()

    @contextmanager
    def look(self) -> Iterator[Tx]:
        """A transaction that only reads, all of it on one snapshot. Raises `Unavailable`."""
        with _translated(), self._connected(self._reading) if self.sqlite else self.engine.connect() as connection:
            if not self.sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self, hand: InHand) -> Iterator[sa.Connection]:
        """A connection for one transaction; kept in that hand afterwards if nothing went wrong."""
        connection: sa.Connection = hand.take() or self.engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        hand.keep(connection)

    def lend(self) -> Any:
        """A pooled connection on which no transaction is open, for one look; to be given back as it is (`take_back`) or
        invalidated and closed."""
        return self._looking.take() or self.engine.raw_connection()

    def take_back(self, connection: Any) -> None:
        """Keep a connection that was lent for the next look, or give it to the pool."""
        self._looking.keep(connection)

    def close(self) -> None:
        """Close every pooled connection."""
        for hand in (self._changing, self._looking, self._reading):
            hand.empty()
        self.engine.dispose()


class InHand:
    """Connections that are not given back to the pool between two uses. One that rested is: the pool looks whether it
    still stands."""

    def __init__(self, most: int = MOST_IN_HAND) -> None:
        self._most = most
        self._kept: deque[tuple[Any, float]] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self) -> Any:
        """One that was just used; None where there is none."""
        while self._kept:
            try:
                connection, used = self._kept.pop()
            except IndexError:  # another thread was quicker
                return None
            if time.monotonic() - used < FRESH_SECONDS:
                return connection
            connection.info[_RESTED] = True
            connection.close()
        return None

    def keep(self, connection: Any) -> None:
        """Whoever is done with a connection, on which no transaction is open."""
        if len(self._kept) < self._most:
            self._kept.append((connection, time.monotonic()))
        else:
            connection.close()

    def empty(self) -> None:
        """Give all of them to the pool."""
        while self._kept:
            self._kept.pop()[0].close()


def regardless(tx: Tx, act: Callable[[Tx], object]) -> None:
    """What is to be done even if this transaction (a `change`) is undone: in one of its own then, right after it.

    For what counts wrong guesses: the refusal that answers one would undo its count. Raises `RuntimeError` in a look,
    which nothing follows: there the count would be lost.
    """
    kept: list[Callable[[Tx], object]] | None = tx.info.get(_KEPT)
    if kept is None:
        raise RuntimeError("Only a change can leave something to be done after it; this is a look.")
    kept.append(act)


class Turns:
    """A lock that is handed on in the order of asking."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def take(self, wait_seconds: float) -> bool:
        """Wait for one's turn; False when it did not come in time."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(wait_seconds):
            return True
        with self._guard:
            if mine.is_set():  # it came in the very last moment
                return True
            self._waiting.remove(mine)
            return False

    def give_back(self) -> None:
        """The next one in line has it."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a committed sale survives a power cut, not just a crash of the process.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(pooled: Any) -> None:
    pooled.dbapi_connection.execute("BEGIN IMMEDIATE" if pooled.info.pop(_CHANGE, False) else "BEGIN")


def _prepare_postgresql(connection: psycopg.Connection, _record: object) -> None:
    # All whole numbers as BIGINT: by default their type follows their size, and each mixture of types is another
    # statement to prepare.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.cursor_factory = wire.InTurn


def _given_back(_connection: Any, record: Any) -> None:
    record.info[_USED] = 0.0 if record.info.pop(_RESTED, False) else time.monotonic()


def _ping(connection: Any, record: Any, _fairy: object) -> None:
    """See that a connection that rested is still one; to ask each time would be one message more for each sale."""
    if time.monotonic() - record.info.get(_USED, 0.0) < FRESH_SECONDS:
        return
    try:
        stands = connection.pgconn.exec_(b"").status == psycopg.pq.ExecStatus.EMPTY_QUERY
    except psycopg.Error as fault:
        raise sa.exc.InvalidatePoolError from fault
    if not stands:
        raise sa.exc.InvalidatePoolError


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.TimeoutError as fault:
        raise Unavailable("The database is busy; please try again in a moment.") from fault
    except (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error) as fault:
        # A prepared statement raises what its driver raises.
        gone = isinstance(fault, sa.exc.DBAPIError) and fault.connection_invalidated
        original = fault.orig if isinstance(fault, sa.exc.DBAPIError) else fault
        if isinstance(original, sqlite3.DataError | psycopg.DataError):
            raise Invalid("The request holds a text or a number that cannot be stored.", code="not-storable") from fault
        if gone or _passing(original):
            raise Unavailable("The database cannot be written to just now; please try again in a moment.") from fault
        raise


def _passing(original: BaseException | None) -> bool:
    if isinstance(original, sqlite3.OperationalError):
        text = str(original).lower()
        return any(w in text for w in ("locked", "busy", "disk is full", "disk i/o", "readonly", "unable to open"))
    if isinstance(original, psycopg.errors.FeatureNotSupported):
        # A column has another type since the statement was prepared; the rollback lets go of what was prepared.
        return "cached plan must not change result type" in str(original)
    return isinstance(
        original,
        psycopg.errors.OperationalError  # also: disk full, too many connections, server shutting down
        | psycopg.errors.LockNotAvailable
        | psycopg.errors.DeadlockDetected
        | psycopg.errors.SerializationFailure,
    )


def open_database(settings: Settings) -> Database:
    """A database without Flask, for the command line and tests."""
    url = settings.database
    _make_place(url)
    return Database(sa.create_engine(url, **engine_options(url, settings)), settings.database_wait_seconds)


def attach(app: Flask, settings: Settings) -> Database:
    """Give a Flask app its database (and `flask db …` its migrations); touches no table."""
    url = settings.database
    _make_place(url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url, settings)
    db.init_app(app)
    Migrate(app, db, directory=str(resources.migrations()))
    with app.app_context():
        return Database(db.engine, settings.database_wait_seconds)


def _make_place(url: str) -> None:
    """The folder of a SQLite database and an empty file, for their owner alone; SQLite gives its -wal and -shm the
    mode of the file."""
    name = make_url(url).database
    if url.startswith("sqlite") and name and name != ":memory:":
        Path(name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(name).touch(mode=0o600)


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.migrations()))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at this address to a migration, the newest unless told otherwise."""
    config = _alembic()
    _make_place(url)
    database = Database(sa.create_engine(url, poolclass=sa.pool.NullPool))
    with database.change() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)
    database.close()
