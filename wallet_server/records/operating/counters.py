"""Owns what the processes have counted together: totals by name, since the installation began."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import counters


def add(tx: Tx, counts: Mapping[str, int]) -> None:
    """Add to these totals; in the order of their names, so that two processes never wait for each other."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(counters)
    statement = insert.on_conflict_do_update(
        index_elements=["name"], set_={"total": counters.c.total + insert.excluded.total}
    )
    rows = [{"name": name, "total": counts[name]} for name in sorted(counts)]
    if rows:
        tx.execute(statement, rows)


def totals(tx: Tx) -> dict[str, int]:
    """Every total; there are a few dozen names."""
    return {r.name: r.total for r in tx.execute(sa.select(counters.c.name, counters.c.total))}
