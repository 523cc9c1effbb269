"""Owns the shortest way to PostgreSQL: statements prepared once on each connection, sent through libpq itself, and as
many in one message as need not wait for each other.

psycopg's cursor costs the interpreter five times what libpq does with the same statement, and its BEGIN and COMMIT are
a message each. Here BEGIN travels with the first statement of a transaction, COMMIT with what was left for the end, and
psycopg goes on beside it: it asks the connection itself whether a transaction is open. Values go as text, whose types
PostgreSQL finds out when it prepares the statement; columns come back through psycopg's own converters.
"""

from __future__ import annotations

import itertools
import re
import select
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Jsonb

_OK = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)
_IDLE, _OPEN, _FAILED = pq.TransactionStatus.IDLE, pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR
_SYNC, _SKIPPED = pq.ExecStatus.PIPELINE_SYNC, pq.ExecStatus.PIPELINE_ABORTED
_DEALLOCATING = ("ROLLBACK", "DROP", "ALTER")
"""After these psycopg lets go of everything that was prepared on its connection."""
_OUTDATED = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)
"""What a prepared statement says that is no longer good: a column has another type since, or it is gone."""
_NAMED = re.compile(r"%\((\w+)\)s")
_numbers = itertools.count()
WAIT_MILLISECONDS = 60_000
"""How long one wait for the server's next word is; after it the connection is asked whether it still stands."""

Refused = Callable[[psycopg.Error], Exception]
"""What is raised in place of the database's own refusal of a statement."""


class Line(NamedTuple):
    """A statement in PostgreSQL's own form ($1, $2, …) with its values."""

    text: bytes
    values: Sequence[bytes | None]
    refused: Refused | None = None


_BEGIN, _COMMIT, _ROLLBACK = Line(b"BEGIN", ()), Line(b"COMMIT", ()), Line(b"ROLLBACK", ())


def _text(value: str) -> bytes:
    if "\0" in value:  # libpq would take what stands before it for all of it
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


def _bytes(value: bytes) -> bytes:
    return b"\\x" + value.hex().encode()


# A sale says some fifty values: where it can be, what turns one into text is compiled code.
_SAID: dict[type, Callable[[Any], bytes | None]] = {
    type(None): {None: None}.__getitem__,
    str: _text,
    int: b"%d".__mod__,
    bool: {True: b"t", False: b"f"}.__getitem__,
    bytes: _bytes,
    datetime: lambda value: str(value).encode(),
    date: lambda value: value.isoformat().encode(),
    psycopg.Binary: lambda value: _bytes(bytes(value.obj)),
    Jsonb: lambda value: orjson.dumps(value.obj, option=orjson.OPT_SORT_KEYS),
}


class Wire:
    """The way over one connection; for one thread at a time, as the connection is."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection, self._pg = connection, connection.pgconn
        self._names: dict[bytes, bytes] = {}
        self._readers: dict[bytes, Any] = {}
        self._waiting: list[Line] = []
        self._outdated: list[bytes] = []
        self.others_outdated = False
        """Whether something is no longer good that psycopg has prepared."""
        self._arrivals = select.poll()
        self._arrivals.register(self._pg.socket, select.POLLIN)
        self._others = Transformer(connection)

    def line(self, text: bytes, values: Iterable[Any], refused: Refused | None = None) -> Line:
        """A statement with its values as PostgreSQL reads them. Raises `psycopg.DataError` for what it cannot hold."""
        known, other = _SAID, self._said
        return Line(text, [known.get(type(value), other)(value) for value in values], refused)

    def _said(self, value: Any) -> bytes | None:
        said = self._others.get_dumper(value, PyFormat.TEXT).dump(value)
        return None if said is None else bytes(said)

    def leave(self, line: Line) -> None:
        """Send this with whatever comes next in this transaction, at the latest with its COMMIT. Nobody reads its
        answer; who finds out that it is refused is whoever sends next."""
        self._waiting.append(line)

    def flush(self) -> None:
        """Send what was left, so that what another way sends next comes after it."""
        if self._waiting:
            self.ask(())

    def ask(self, lines: Sequence[Line]) -> list[pq.abc.PGresult]:
        """The answers to these, in one message, within the connection's transaction (begun here where none is open).

        Raises `psycopg.Error`, or what a line has in its place, for the first that is refused; then none after it was
        done, and the transaction can only be rolled back.
        """
        left, self._waiting = self._waiting, []
        whole = [*left, *lines]
        if self._pg.transaction_status == _IDLE:
            return self._sent(whole, begin=True)[len(left) :]
        if len(whole) == 1 and whole[0].text in self._names:
            return [self.alone(whole[0])]
        return self._sent(whole)[len(left) :]

    def alone(self, line: Line) -> pq.abc.PGresult:
        """The answer to one statement, as its own transaction where none is open."""
        name = self._names.get(line.text)
        if name is None:
            return self._sent([line])[0]
        answer = self._pg.exec_prepared(name, line.values)  # type: ignore[arg-type]  # None is NULL
        if answer.status in _OK:
            return answer
        fault = self._fault(answer, line)
        if isinstance(fault, _OUTDATED) and self._pg.transaction_status == _IDLE:
            return self._sent([line])[0]  # nothing that came before it was undone with it
        raise fault

    def commit(self) -> None:
        """End the open transaction, together with what was left for its end."""
        left, self._waiting = self._waiting, []
        status = self._pg.transaction_status
        if left:
            self._sent(left, begin=status == _IDLE, end=True)
        elif status == _OPEN:
            self._plain(_COMMIT)
        else:
            self._connection.commit()
        if self._outdated:
            self._let_go()

    def rollback(self) -> None:
        """Undo the open transaction; whatever was left is not sent. What is prepared stays so: it is no part of a
        transaction."""
        self._waiting.clear()
        status = self._pg.transaction_status
        if self.others_outdated:
            self.others_outdated = False
            self._connection.rollback()  # it lets go of all that it has prepared, and of ours with it
            self.unlearn()
            self._outdated.clear()
        elif status in (_OPEN, _FAILED):
            self._plain(_ROLLBACK)
        elif status != _IDLE:
            self._connection.rollback()
        if self._outdated:
            self._let_go()

    def unlearn(self) -> None:
        """What was prepared is gone, or no longer good: all is prepared anew. The server lets go of what it still has
        once no transaction is open."""
        self._outdated += self._names.values()
        self._names.clear()
        self._readers.clear()

    def _let_go(self) -> None:
        outdated, self._outdated = self._outdated, []
        for name in outdated:
            self._pg.exec_(b"DEALLOCATE " + name)  # some are gone already: whatever it answers

    def _plain(self, line: Line) -> None:
        answer = self._pg.exec_(line.text)
        if answer.status not in _OK:
            raise self._fault(answer, line)

    def rows(self, line: Line, answer: pq.abc.PGresult) -> list[tuple[Any, ...]]:
        """The rows of an answer, each column as psycopg reads it."""
        if not answer.ntuples:
            return []
        reader = self._readers.get(line.text)
        if reader is None:
            reader = self._readers[line.text] = Transformer(self._connection)
            reader.set_pgresult(answer)
        else:  # the same columns as before, whose converters it knows
            reader.set_pgresult(answer, set_loaders=False)
        found: list[tuple[Any, ...]] = reader.load_rows(0, answer.ntuples, tuple)
        reader.set_pgresult(None, set_loaders=False)
        return found

    def _begin(self) -> Line:
        level, read_only = self._connection.isolation_level, self._connection.read_only
        if level is None and read_only is None:
            return _BEGIN
        said = ["BEGIN"]
        if level is not None:
            said.append("ISOLATION LEVEL " + level.name.replace("_", " "))
        if read_only is not None:
            said.append("READ ONLY" if read_only else "READ WRITE")
        return Line(" ".join(said).encode(), ())

    def _sent(self, lines: Sequence[Line], *, begin: bool = False, end: bool = False) -> list[pq.abc.PGresult]:
        """Send them as one message and wait for all answers, which are those to the lines themselves."""
        pg, new = self._pg, dict[bytes, bytes]()
        whole = [*((self._begin(),) if begin else ()), *lines, *((_COMMIT,) if end else ())]
        asked: list[tuple[Line, bytes | None]] = []
        pg.enter_pipeline_mode()
        try:
            for line in whole:
                name = self._names.get(line.text) or new.get(line.text)
                if name is None:
                    name = new[line.text] = b"wallet_%d" % next(_numbers)
                    pg.send_prepare(name, line.text)
                    asked.append((line, name))
                pg.send_query_prepared(name, line.values)
                asked.append((line, None))
            pg.pipeline_sync()
            answers = self._answers()
            pg.exit_pipeline_mode()
        except BaseException:
            pg.finish()  # what it would say next belongs to nobody: the pool must not hand it on
            raise
        return self._judged(asked, answers)[begin : begin + len(lines)]

    def _judged(
        self, asked: Sequence[tuple[Line, bytes | None]], answers: Sequence[pq.abc.PGresult]
    ) -> list[pq.abc.PGresult]:
        """The answers to all that was not to be prepared only, which is remembered."""
        found = []
        for (line, name), answer in zip(asked, answers, strict=True):
            if answer.status not in _OK:
                raise self._fault(answer, line)
            if name is None:
                found.append(answer)
            else:
                self._names[line.text] = name
        return found

    def _answers(self) -> list[pq.abc.PGresult]:
        """Everything up to the end of the message. The wait lets other threads go on, which libpq's own here would
        not."""
        pg, ended = self._pg, False
        found: list[pq.abc.PGresult] = []
        while pg.flush():
            select.select([pg.socket], [pg.socket], [], WAIT_MILLISECONDS / 1000)
            pg.consume_input()
        while True:
            while pg.is_busy():
                self._arrivals.poll(WAIT_MILLISECONDS)
                pg.consume_input()
            answer = pg.get_result()
            if answer is None:
                if ended or pg.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("the connection is lost")
                ended = True
                continue
            ended = False
            if answer.status == _SYNC:
                return found
            found.append(answer)

    def _fault(self, answer: pq.abc.PGresult, line: Line) -> Exception:
        fault: psycopg.Error = psycopg.errors.error_from_result(answer, "utf-8")
        if self._pg.status != pq.ConnStatus.OK:
            return psycopg.OperationalError(str(fault))  # libpq says that it is lost, and nothing of what was refused
        if isinstance(fault, _OUTDATED):
            self.unlearn()
        return fault if line.refused is None else line.refused(fault)


class InTurn(psycopg.Cursor[Any]):
    """psycopg's cursor, before whose statements goes what was left on the wire of its connection."""

    def execute(self, *args: Any, **more: Any) -> InTurn:
        wire = wire_of(self.connection)
        wire.flush()
        try:
            super().execute(*args, **more)
        except _OUTDATED:
            wire.others_outdated = True
            raise
        if (self.statusmessage or "").startswith(_DEALLOCATING):
            wire.unlearn()
        return self

    def executemany(self, *args: Any, **more: Any) -> None:
        wire_of(self.connection).flush()
        super().executemany(*args, **more)


def numbered(text: str) -> tuple[bytes, list[str]]:
    """psycopg's own form of a statement into PostgreSQL's, and the names of its values in the order of their
    numbers."""
    places: dict[str, int] = {}
    sent = _NAMED.sub(lambda found: f"${places.setdefault(found[1], len(places) + 1)}", text)
    return sent.replace("%%", "%").encode(), list(places)


_WIRE = "wallet_wire"


def wire_of(connection: Any) -> Wire:
    """The wire of a psycopg connection."""
    found: Wire | None = getattr(connection, _WIRE, None)
    if found is None:
        found = Wire(connection)
        setattr(connection, _WIRE, found)
    return found


def commit(pooled: Any) -> None:
    """`do_commit` of SQLAlchemy's dialect."""
    wire_of(pooled.dbapi_connection).commit()


def rollback(pooled: Any) -> None:
    """`do_rollback` of SQLAlchemy's dialect."""
    wire_of(pooled.dbapi_connection).rollback()
