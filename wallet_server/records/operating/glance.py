"""Owns the cheapest look at the database: one statement, compiled once, on a pooled connection, with no transaction.

A transaction that reads costs several times what a key look-up does. Where one statement says everything, there is
nothing that a snapshot would have to keep together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa

from wallet_server.errors import Unavailable
from wallet_server.records.database import Database
from wallet_server.records.prepared import Readers, converted, readers_of
from wallet_server.records.wire import numbered, wire_of

BUSY = "The database cannot be read just now; please try again in a moment."


class _Ready(NamedTuple):
    """A statement as a driver takes it: its text (numbered, and then bytes, for PostgreSQL), the values that are always
    the same, the names in their order (None where the driver takes names), and what turns which columns into Python."""

    text: str | bytes
    constants: dict[str, Any]
    places: Sequence[str] | None
    readers: Readers


class Glance:
    """A query whose parameters are texts and whole numbers; may be shared by all threads."""

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        self._ready: dict[str, _Ready] = {}

    def rows(self, database: Database, **values: str | int) -> Sequence[Sequence[Any]]:
        """All rows, with their columns in the order of the query's columns. Raises `Unavailable`."""
        engine = database.engine
        text, constants, places, readers = self._ready.get(engine.dialect.name) or self._prepare(engine.dialect)
        whole = {**constants, **values}
        given: Any = whole if places is None else [whole[name] for name in places]
        try:
            connection = database.lend()
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error, psycopg.Error) as fault:
            # A raw connection raises what the driver raises, where there is no database to connect to.
            raise Unavailable(BUSY) from fault
        try:
            found = _asked(connection, text, given)
        except (sqlite3.OperationalError, psycopg.OperationalError) as fault:
            connection.invalidate()
            connection.close()
            raise Unavailable(BUSY) from fault
        except BaseException:
            connection.close()
            raise
        database.take_back(connection)
        return converted(found, readers)

    def first(self, database: Database, **values: str | int) -> Sequence[Any] | None:
        """The first row, or None."""
        found = self.rows(database, **values)
        return found[0] if found else None

    def _prepare(self, dialect: sa.Dialect) -> _Ready:
        compiled: Any = self._query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        text: str | bytes = str(compiled)
        places = list(compiled.positiontup) if compiled.positional else None
        if dialect.name == "postgresql":
            text, places = numbered(str(compiled))
        ready = _Ready(text, dict(compiled.params), places, readers_of(self._query.selected_columns, dialect))
        self._ready[dialect.name] = ready
        return ready


def _asked(connection: Any, text: str | bytes, given: Any) -> list[tuple[Any, ...]]:
    if isinstance(text, bytes):
        # Over the wire, where a statement outside a transaction is one message; psycopg would begin one.
        wire = wire_of(connection.dbapi_connection)
        line = wire.line(text, given)
        return wire.rows(line, wire.alone(line))
    cursor = connection.cursor()
    cursor.execute(text, given)
    found = list(cursor.fetchall())
    cursor.close()
    return found
