"""Owns the databases that the replay and the benchmarks run on: a new SQLite file, a PostgreSQL of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgres

KINDS = ("sqlite", "postgresql")
NoPostgres = postgres.NoPostgres
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}
"""The tests' PostgreSQL forgets at a power cut; one that is measured, or stands for a shop's, must not."""


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a new, empty database of this kind, and one line on what it is. Raises NoPostgres."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'wallet.db'}", f"SQLite, WAL, synchronous=FULL, in {folder.parent}"
        return
    postgres.OPTIONS.update(DURABLE)
    with tempfile.TemporaryDirectory(prefix="wallet-postgres-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # the server runs under another user and must find its own folder inside
        session = postgres.Session(Path(name))
        try:
            server = session.server()
            yield session.create(), f"PostgreSQL, {server.origin}, data in {server.home or 'its own place'}"
        finally:
            session.end()
