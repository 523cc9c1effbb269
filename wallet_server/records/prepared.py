"""Owns statements that are compiled once for each database and run on the driver itself, inside a transaction.

Asking SQLAlchemy to execute costs many times what the driver does with the same text, each time anew. What a till waits
for is said this way: on SQLite on the driver's own cursor, on PostgreSQL over the wire (`records.wire`), where several
go as one message. What is rare is not worth it. The texts are compiled from the same constructs, values and columns
pass through the same converters, and whoever listens to the engine's statements hears these too.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.wire import Line, Refused, Wire, numbered, wire_of

_CURSOR = "wallet_cursor"
Convert = Callable[[Any], Any]
Readers = Sequence[tuple[int, Convert]]
"""Which columns are turned into Python, and by what."""
Build = Callable[[str], sa.Executable]


@dataclass(frozen=True)
class _Ready:
    """A statement as SQLAlchemy writes it, and as it is sent. `writers` turn values into what the driver knows,
    `readers` its columns into Python; `places` are the names of the values in the order in which they are sent, and
    `ways` the same names, each with its writer."""

    text: str
    sent: str | bytes
    constants: Mapping[str, Any]
    writers: Mapping[str, Convert]
    places: Sequence[str]
    ways: Sequence[tuple[str, Convert | None]]
    readers: Readers
    row: Callable[[Sequence[Any]], Any]

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as the driver knows them."""
        whole = {**self.constants, **values}
        for name, write in self.writers.items():
            whole[name] = write(whole[name])
        return whole

    def placed(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """The same in their places."""
        return tuple([given[name] for name in self.places])

    def rows(self, found: Sequence[Sequence[Any]]) -> list[Any]:
        """Columns by name, as SQLAlchemy's rows have them."""
        return [self.row(one) for one in self.plain(found)]

    def plain(self, found: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """Columns in their order, as Python has them."""
        return converted(found, self.readers)


class Prepared:
    """A statement that is often run; may be shared by all threads.

    `what` is a construct, or makes one for the name of a database. `columns` names the parameters of an insert that
    does not say them itself. No parameter may be a list of places (`expanding`); a list of keys is one value (`among`).
    """

    def __init__(self, what: sa.Executable | Build, columns: Sequence[str] | None = None) -> None:
        self._what, self._columns = what, columns
        self._ready: dict[str, _Ready] = {}

    def rows(self, tx: Tx, values: Mapping[str, Any]) -> list[Any]:
        """All rows of the answer, with their columns by name."""
        ready = self._for(tx)
        return ready.rows(self._found(tx, ready, values))

    def plain(self, tx: Tx, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """The same with the columns in their order and without names, where thousands come."""
        ready = self._for(tx)
        return ready.plain(self._found(tx, ready, values))

    def _found(self, tx: Tx, ready: _Ready, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        if isinstance(ready.sent, str):
            found: Sequence[Sequence[Any]] = self._done(tx, ready, values).fetchall()
            return found
        wire, line = self._line(tx, ready, values)
        return wire.rows(line, wire.ask((line,))[0])

    def first(self, tx: Tx, values: Mapping[str, Any]) -> Any:
        """The first row of the answer, or None."""
        found = self.rows(tx, values)
        return found[0] if found else None

    def run(self, tx: Tx, values: Mapping[str, Any]) -> int:
        """A statement without an answer; how many rows it changed."""
        ready = self._for(tx)
        if isinstance(ready.sent, str):
            return int(self._done(tx, ready, values).rowcount)
        wire, line = self._line(tx, ready, values)
        return wire.ask((line,))[0].command_tuples or 0

    def many(self, tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for each of these rows, without an answer."""
        ready = self._for(tx)
        if len(rows) == 1:
            self.run(tx, rows[0])
        elif isinstance(ready.sent, str):
            given = [ready.given(row) for row in rows]
            _tell(tx, ready, given)
            _cursor(tx).executemany(ready.sent, [ready.placed(one) for one in given])
        elif rows:
            lines = [self._line(tx, ready, row) for row in rows]
            lines[0][0].ask([line for _, line in lines])

    def leave(self, tx: Tx, values: Mapping[str, Any], refused: Refused | None = None) -> None:
        """On PostgreSQL: sent together with whatever this transaction says next, at the latest with its COMMIT. Nobody
        hears the answer; `refused` makes what is raised there if it is refused."""
        ready = self._for(tx)
        wire, line = self._line(tx, ready, values, refused)
        wire.leave(line)

    def _line(
        self, tx: Tx, ready: _Ready, values: Mapping[str, Any], refused: Refused | None = None
    ) -> tuple[Wire, Line]:
        if tx._has_events or tx.engine._has_events:
            _tell(tx, ready, ready.given(values))
        whole = {**ready.constants, **values}
        wire = wire_of(tx.connection.dbapi_connection)
        said = [whole[name] if write is None else write(whole[name]) for name, write in ready.ways]
        return wire, wire.line(ready.sent, said, refused)  # type: ignore[arg-type]

    def _done(self, tx: Tx, ready: _Ready, values: Mapping[str, Any]) -> Any:
        cursor, given = _cursor(tx), ready.given(values)
        _tell(tx, ready, given)
        cursor.execute(ready.sent, ready.placed(given))
        return cursor

    def _for(self, tx: Tx) -> _Ready:
        return self._ready.get(tx.dialect.name) or self._prepare(tx.dialect)

    def _prepare(self, dialect: sa.Dialect) -> _Ready:
        what = self._what(dialect.name) if callable(self._what) else self._what
        compiled: Any = what.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined]
        text = str(compiled)
        sent, places = (text, compiled.positiontup) if compiled.positional else numbered(text)
        answer: list[Any] = list(getattr(what, "_all_selected_columns", ()))
        writers = {name: write for name, write in compiled._bind_processors.items() if not isinstance(write, tuple)}
        ready = self._ready[dialect.name] = _Ready(
            text,
            sent,
            {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            writers,
            places,
            [(name, writers.get(name)) for name in places],
            readers_of(answer, dialect),
            _row_of([c.key for c in answer]),
        )
        return ready


def readers_of(columns: Iterable[Any], dialect: sa.Dialect) -> Readers:
    """What turns the columns of an answer into Python."""
    found = ((place, _reader(column.type, dialect)) for place, column in enumerate(columns))
    return [(place, read) for place, read in found if read is not None]


def converted(found: Sequence[Sequence[Any]], readers: Readers) -> Sequence[Sequence[Any]]:
    """Rows as a driver gives them, with these columns turned into Python."""
    if not readers or not found:
        return found
    rows = []
    for one in found:
        columns = list(one)
        for place, read in readers:
            columns[place] = read(columns[place])
        rows.append(columns)
    return rows


def _reader(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Convert | None:
    if isinstance(kind, sa.Numeric | sa.Float) and dialect.name == "postgresql":
        return None  # its driver reads what comes; SQLAlchemy wants to know first in which of many forms
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _row_of(names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    kind: Any = namedtuple("Row", list(names), rename=True)  # type: ignore[misc]  # noqa: PYI024 - known here alone
    make: Callable[[Sequence[Any]], Any] = kind._make
    return make


def _cursor(tx: Tx) -> Any:
    pooled = tx.connection
    cursor = pooled.info.get(_CURSOR)
    if cursor is None:
        connection: Any = pooled.dbapi_connection
        cursor = pooled.info[_CURSOR] = connection.cursor()
    return cursor


def _tell(tx: Tx, ready: _Ready, given: Any) -> None:
    if not (tx._has_events or tx.engine._has_events):  # asked as SQLAlchemy itself does
        return
    for hears in tx.dispatch.before_cursor_execute:
        many = isinstance(given, list)
        if isinstance(ready.sent, str):  # by place, as SQLAlchemy would have it
            said = [ready.placed(one) for one in given] if many else ready.placed(given)
        else:
            said = given
        hears(tx, None, ready.text, said, None, many)


_GENERIC = Line(b"SET LOCAL plan_cache_mode = force_generic_plan", ())


def planned_once(tx: Tx) -> None:
    """Until this transaction ends PostgreSQL has one plan for each statement, whatever its values. A list of keys looks
    to it as if it had ten: with the one key that most lists have it would plan anew each time, because that promises to
    be cheaper, and spend more on the plan than on the rows."""
    if tx.dialect.name != "sqlite":
        wire_of(tx.connection.dbapi_connection).leave(_GENERIC)


def together(tx: Tx, *asked: tuple[Prepared, Mapping[str, Any]]) -> list[list[Any]]:
    """The rows of several statements, in this order; on PostgreSQL with one message for all of them."""
    readies = [(one, one._for(tx), values) for one, values in asked]
    if isinstance(readies[0][1].sent, str):
        return [one.rows(tx, values) for one, values in asked]
    lines = [one._line(tx, ready, values) for one, ready, values in readies]
    wire = lines[0][0]
    answers = wire.ask([line for _, line in lines])
    return [
        ready.rows(wire.rows(line, answer))
        for (_, ready, _), (_, line), answer in zip(readies, lines, answers, strict=True)
    ]
