"""Owns whole-database copies: a consistent look at everything, rows in a form that both databases share, and filling
an empty database with them.

A row travels as a JSON array: instants as ISO 8601 in UTC, bytes as base64, JSON documents as canonical text. Rows
are ordered by primary key, texts by their bytes, so that the same content has the same hash on both databases. The
tables are read from the database itself, not from this version's declaration: a copy may be of an older migration.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import make_url

from wallet_server import resources
from wallet_server.errors import Conflict, Misconfigured, Unavailable
from wallet_server.records.database import Database, Tx, upgrade
from wallet_server.records.schema import Instant, metadata, passes

VERSIONS = "alembic_version"
SLICE = 500
KINDS: dict[str, Callable[[], sa.types.TypeEngine[Any]]] = {
    "instant": Instant,
    "date": sa.Date,
    "bytes": sa.LargeBinary,
    "truth": sa.Boolean,
    "text": sa.types.NullType,
    "json": sa.types.NullType,  # as text: a document that is `null` is not the same as none
    "number": sa.types.NullType,
}
Row = list[Any]
"""The values of a row in the order of its table's columns, as JSON can hold them."""


@dataclass(frozen=True)
class Shape:
    """A table as the database has it: its columns with their kinds (see `KINDS`), and its primary key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """What a table holds: how many rows, and the SHA-256 (hex) of all of them as lines of JSON."""

    rows: int
    sha256: str


class Tally:
    """Counts and hashes the lines of a table as they pass by."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def line(self, row: Row) -> bytes:
        """The row as a line of JSON, counted."""
        line = orjson.dumps(row) + b"\n"
        self.count(line)
        return line

    def count(self, line: bytes) -> None:
        self.rows += 1
        self._hash.update(line)

    def content(self) -> Content:
        return Content(self.rows, self._hash.hexdigest())


# --- reading ---------------------------------------------------------------------------------------------------


@contextmanager
def snapshot(url: str, beside: Path) -> Iterator[Tx]:
    """One consistent look at everything while the product goes on writing.

    SQLite is copied first, by its online backup, into a file that is `beside` plus an ending, checked, and removed at
    the end. Raises `Unavailable` when the database is away or its file is damaged.
    """
    if not url.startswith("sqlite"):
        with _opened(url) as engine, _reading(engine) as tx:
            yield tx
        return
    copy = beside.with_name(beside.name + ".snapshot")
    try:
        _copy_file(Path(make_url(url).database or ""), copy)
        with _opened(f"sqlite:///{copy}") as engine, _reading(engine) as tx:
            yield tx
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def still(url: str) -> Iterator[Tx]:
    """The same for a database that is about to be left: on SQLite nobody else can write meanwhile."""
    with _opened(url) as engine:
        if engine.dialect.name == "sqlite":
            with Database(engine).change() as tx:
                yield tx
        else:
            with _reading(engine) as tx:
                yield tx


@contextmanager
def _reading(engine: sa.Engine) -> Iterator[Tx]:
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def _opened(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        yield engine
    except sa.exc.OperationalError as fault:
        raise Unavailable(f"The database does not answer as it should: {str(fault.orig).strip()}") from fault
    finally:
        engine.dispose()


def _copy_file(source: Path, target: Path) -> None:
    if not source.is_file():
        raise Misconfigured(f"There is no database at {source}; set WALLET_DATABASE_URL or WALLET_DATA_DIR.")
    target.touch(mode=0o600, exist_ok=False)
    try:
        with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            found = [str(row[0]) for row in new.execute("PRAGMA integrity_check(5)")]
    except sqlite3.DatabaseError as fault:
        raise Unavailable(f"The database file {source} cannot be copied: {fault}.") from fault
    if found != ["ok"]:
        raise Unavailable(f"The database file {source} is damaged: {'; '.join(found)}. Restore an earlier backup.")


def revision(tx: Tx) -> str | None:
    """The migration at which this database stands; None before the first."""
    return MigrationContext.configure(tx).get_current_revision()


def sqlite_file(url: str) -> Path | None:
    """Where the database at this address lies; None when it is no SQLite."""
    return Path(make_url(url).database or "") if url.startswith("sqlite") else None


def standing(url: str) -> tuple[str | None, str | None]:
    """The migration of the database at this address, and the newest that this version of the product knows.

    Makes no file and changes nothing. Raises `Unavailable` when the database does not answer.
    """
    newest = ScriptDirectory(str(resources.migrations())).get_current_head()
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        return None, newest
    with _opened(url) as engine, engine.connect() as tx:
        return revision(tx), newest


def shapes(tx: Tx) -> list[Shape]:
    """Every table but the note of the migration, a referenced one always before those that refer to it: as they are
    declared, for PostgreSQL does not itself know all references of the books."""
    inspector = sa.inspect(tx)
    there = set(inspector.get_table_names()) - {VERSIONS}
    declared = [table.name for table in metadata.sorted_tables if table.name in there]
    found = []
    for name in [*declared, *sorted(there.difference(declared))]:
        columns = tuple((c["name"], _kind(c["type"])) for c in inspector.get_columns(name))
        found.append(Shape(name, columns, tuple(inspector.get_pk_constraint(name)["constrained_columns"])))
    return found


def _kind(declared: sa.types.TypeEngine[Any]) -> str:
    for kind, of in (
        ("instant", sa.DateTime),
        ("date", sa.Date),
        ("bytes", sa.LargeBinary),
        ("truth", sa.Boolean),
        ("json", sa.JSON),
        ("text", sa.String),
    ):
        if isinstance(declared, of):
            return kind
    return "number"


def rows(tx: Tx, shape: Shape) -> Iterator[Row]:
    """Every row of a table by its key, read in slices."""
    table, kinds = _table(shape), dict(shape.columns)
    sqlite = tx.dialect.name == "sqlite"
    columns = [
        sa.cast(table.c[name], sa.Text()).label(name) if kind == "json" and not sqlite else table.c[name]
        for name, kind in shape.columns
    ]
    order = [
        sa.collate(table.c[name], "C") if kinds[name] == "text" and not sqlite else table.c[name] for name in shape.key
    ]
    query = sa.select(*columns).order_by(*order).execution_options(yield_per=SLICE)
    packs = [_PACK.get(kind) for _, kind in shape.columns]
    for row in tx.execute(query):
        yield [v if pack is None or v is None else pack(v) for v, pack in zip(row, packs, strict=True)]


def content(tx: Tx, shape: Shape, on_row: Callable[[], None] = lambda: None) -> Content:
    """Count and hash what a table holds."""
    tally = Tally()
    for row in rows(tx, shape):
        tally.line(row)
        on_row()
    return tally.content()


def _table(shape: Shape) -> sa.TableClause:
    return sa.table(shape.name, *(sa.column(name, KINDS[kind]()) for name, kind in shape.columns))


def _pack_json(text: str) -> str:
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()


_PACK: dict[str, Callable[[Any], Any]] = {
    "instant": lambda at: at.astimezone(UTC).isoformat(timespec="microseconds"),
    "date": date.isoformat,
    "bytes": lambda body: base64.b64encode(bytes(body)).decode(),
    "json": _pack_json,
}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytes": lambda text: base64.b64decode(text, validate=True),
}


# --- filling ---------------------------------------------------------------------------------------------------


def bring_to(url: str, wanted: str) -> None:
    """Migrate an empty database to the revision of a copy.

    Raises `Conflict` when it holds something or is further on than the copy, `Misconfigured` when this version of the
    product does not know that revision.
    """
    if not url.startswith("sqlite") or Path(make_url(url).database or "").exists():
        with _opened(url) as engine, engine.connect() as tx:
            refuse_unless_empty(tx)
    try:
        upgrade(url, wanted)
    except CommandError as fault:
        raise Misconfigured(
            f"The copy is of migration {wanted}, which this version of the product does not know: use the version "
            "that made it, or a newer one."
        ) from fault
    with _opened(url) as engine, engine.connect() as tx:
        stands = revision(tx)
    if stands != wanted:
        raise Conflict(
            f"The database stands at migration {stands} already and the copy is of {wanted}: give a new, empty one.",
            code="not-empty",
        )


def refuse_unless_empty(tx: Tx) -> None:
    """Raises `Conflict` (`not-empty`) when any table holds a row."""
    for shape in shapes(tx):
        if tx.execute(sa.select(sa.literal(1)).select_from(sa.table(shape.name)).limit(1)).first() is not None:
            raise Conflict(
                f"The database is not empty (there are {shape.name}): give a new, empty one. Nothing was changed. What "
                "stands in it is proven by `wallet-server doctor --books`.",
                code="not-empty",
            )


@contextmanager
def filling(url: str) -> Iterator[Tx]:
    """One transaction that nobody else can write beside; all that was inserted stands at its end, or nothing."""
    with _opened(url) as engine, Database(engine).change() as tx:
        if tx.dialect.name != "sqlite":
            for shape in shapes(tx):
                tx.execute(sa.text(f"LOCK TABLE {_quoted(tx, shape.name)} IN EXCLUSIVE MODE"))
        refuse_unless_empty(tx)
        yield tx


def insert(tx: Tx, shape: Shape, given: Iterable[Row]) -> None:
    """Write rows in slices. Raises `Conflict` when the database refuses one, and ValueError for a row that is none."""
    statement = sa.insert(_table(shape))
    unpacks = [(name, _UNPACK.get(kind)) for name, kind in shape.columns]
    given = iter(given)
    while batch := list(islice(given, SLICE)):
        values = [
            {n: v if unpack is None or v is None else unpack(v) for (n, unpack), v in zip(unpacks, row, strict=True)}
            for row in batch
        ]
        try:
            tx.execute(statement, values)
        except (sa.exc.DataError, sa.exc.IntegrityError) as fault:
            raise Conflict(f"A row of {shape.name} cannot be stored here: {str(fault.orig).strip()}") from fault


def set_sequences(tx: Tx) -> None:
    """New rows get keys above those that were inserted (SQLite sees to it by itself)."""
    if tx.dialect.name == "sqlite":
        return
    for shape in shapes(tx):
        if shape.key != ("id",):
            continue
        top = sa.func.max(sa.column("id", sa.BigInteger()))
        sequence = sa.func.pg_get_serial_sequence(_quoted(tx, shape.name), "id")
        value = sa.func.setval(sequence, sa.func.coalesce(top, 1), top.is_not(None))
        tx.execute(sa.select(value).select_from(sa.table(shape.name)))


def _quoted(tx: Tx, name: str) -> str:
    return tx.dialect.identifier_preparer.quote(name)


# --- proving ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SealedToken:
    """A pass's token in its envelope, and the hash by which phones are recognised."""

    serial: str
    cipher: str
    sha256: bytes


def some_tokens(tx: Tx, most: int) -> list[SealedToken]:
    """Tokens of passes spread evenly over all of them, the newest among them."""
    last = tx.execute(sa.select(sa.func.max(passes.c.id))).scalar() or 0
    step = max(1, last // most)
    query = sa.select(passes.c.serial, passes.c.token_cipher, passes.c.token_sha256)
    spread = query.where(sa.or_(passes.c.id % step == 0, passes.c.id == last)).order_by(passes.c.id).limit(most + 1)
    return [SealedToken(r.serial, r.token_cipher, bytes(r.token_sha256)) for r in tx.execute(spread)]
