"""Owns how often somebody failed to sign in from a place, and until when nobody is let try there.

A place is a network, a browser that the person signed in with before, or everywhere together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import sign_in_waits, staff
from wallet_server.records.scope import Scope

_W = sign_in_waits.c


def count(tx: Tx, staff_id: int, place: str, now: datetime) -> int | None:
    """One more failure there, and how many there are now; None, and nothing is counted, while one waits there."""
    make = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(sign_in_waits)
    row = {"staff_id": staff_id, "place": place, "failures": 1, "failed_at": now, "locked_until": None}
    statement = make.values(**row).on_conflict_do_update(
        index_elements=["staff_id", "place"],
        set_={"failures": _W.failures + 1, "failed_at": now},
        where=sa.or_(_W.locked_until.is_(None), _W.locked_until <= now),
    )
    found = tx.execute(statement.returning(_W.failures)).scalar()
    return None if found is None else int(found)


def lock(tx: Tx, staff_id: int, place: str, until: datetime) -> None:
    """Nobody is let try there before then."""
    tx.execute(sa.update(sign_in_waits).where(_W.staff_id == staff_id, _W.place == place).values(locked_until=until))


def give_back(tx: Tx, staff_id: int, place: str, *, unlock: bool = True) -> None:
    """What was counted last was no failure: one fewer, and no wait for it; without `unlock` where it led to none."""
    mine = sa.update(sign_in_waits).where(_W.staff_id == staff_id, _W.place == place)
    tx.execute(mine.values(failures=_W.failures - 1, **({"locked_until": None} if unlock else {})))


def places(tx: Tx, staff_id: int) -> list[str]:
    """Where it is known of this person that they failed."""
    return list(tx.execute(sa.select(_W.place).where(_W.staff_id == staff_id).limit(1000)).scalars())


def clear(tx: Tx, staff_id: int, places: Sequence[str] | None = None) -> None:
    """Begin to count anew at these places, or at all."""
    mine = sa.delete(sign_in_waits).where(_W.staff_id == staff_id)
    tx.execute(mine if places is None else mine.where(_W.place.in_(places)))


def forget(tx: Tx, staff_id: int, before: datetime) -> None:
    """Delete what was last counted before then, and is over."""
    over = sa.or_(_W.locked_until.is_(None), _W.locked_until < before)
    tx.execute(sa.delete(sign_in_waits).where(_W.staff_id == staff_id, _W.failed_at < before, over))


def locked_at(tx: Tx, staff_id: int, now: datetime) -> dict[str, datetime]:
    """Where this person waits, and until when."""
    mine = sa.select(_W.place, _W.locked_until).where(_W.staff_id == staff_id, _W.locked_until > now).limit(1000)
    return {row.place: row.locked_until for row in tx.execute(mine)}


def waiting_in(tx: Tx, scope: Scope, now: datetime) -> set[int]:
    """The keys of the merchant's people who wait somewhere."""
    joined = sign_in_waits.join(staff, staff.c.id == _W.staff_id)
    query = sa.select(_W.staff_id).select_from(joined).where(staff.c.merchant_id == scope.merchant_id)
    return set(tx.execute(query.where(_W.locked_until > now).distinct().limit(1000)).scalars())
