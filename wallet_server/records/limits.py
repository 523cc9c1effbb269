"""Owns what processes share so that they keep one limit together: counted windows, and circuits that are open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import circuits, rate_windows


def _take_statement(dialect: str) -> sa.Executable:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(rate_windows)
    return (
        insert.values(name=b("name"), window=b("window"), taken=b("count"))
        .on_conflict_do_update(
            index_elements=["name", "window"], set_={"taken": rate_windows.c.taken + insert.excluded.taken}
        )
        .returning(rate_windows.c.taken)
    )


_TAKE = Prepared(_take_statement)


def take(tx: Tx, name: str, window: int, count: int) -> int:
    """Add `count` to a window's counter and return the new total; windows are small integers that only grow."""
    return int(_TAKE.plain(tx, {"name": name, "window": window, "count": count})[0][0])


_TAKEN = Prepared(
    sa.select(rate_windows.c.taken).where(rate_windows.c.name == b("name"), rate_windows.c.window == b("window"))
)


def taken(tx: Tx, name: str, window: int) -> int:
    """What a window's counter stands at."""
    found = _TAKEN.plain(tx, {"name": name, "window": window})
    return int(found[0][0]) if found else 0


_TAKEN_SINCE = Prepared(
    lambda dialect: sa.select(rate_windows.c.name, rate_windows.c.window, rate_windows.c.taken).where(
        among(dialect, rate_windows.c.name, "names"), rate_windows.c.window >= b("first")
    )
)


def taken_since(tx: Tx, names: Sequence[str], first: int) -> dict[tuple[str, int], int]:
    """(Name, window) to what its counter stands at, for the windows from `first` on."""
    rows = _TAKEN_SINCE.plain(tx, {"names": list(names), "first": first})
    return {(name, window): count for name, window, count in rows}


def forget_windows(tx: Tx, before: int, names: Sequence[str] = ()) -> int:
    """Delete counters of windows that are over (of these names alone, if given); returns how many."""
    over = rate_windows.c.window < before
    if names:
        over &= rate_windows.c.name.in_(list(names))
    return tx.execute(sa.delete(rate_windows).where(over)).rowcount


def open_circuit(tx: Tx, name: str, until: datetime, why: str, now: datetime) -> None:
    """Nothing more is sent under this name until then."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(circuits)
    tx.execute(
        insert.values(name=name, open_until=until, why=why[:500], opened_at=now).on_conflict_do_update(
            index_elements=["name"], set_={"open_until": insert.excluded.open_until, "why": insert.excluded.why}
        )
    )


def close_circuit(tx: Tx, name: str) -> None:
    """What was wrong has been mended: sending goes on at once."""
    tx.execute(sa.delete(circuits).where(circuits.c.name == name))


_OPEN = Prepared(sa.select(circuits).where(circuits.c.open_until > b("now")))


def open_circuits(tx: Tx, now: datetime) -> dict[str, tuple[datetime, str]]:
    """Name to (until when, why)."""
    return {r.name: (r.open_until, r.why) for r in _OPEN.rows(tx, {"now": now})}
