"""Owns sales of nobody yet: kept as they were sold until somebody claims them by the code on the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.requests import AlreadyClaimed
from wallet_server.records.schema import unclaimed_sales
from wallet_server.records.scope import Scope

_ROW = unclaimed_sales.c


@dataclass(frozen=True)
class NewUnclaimed:
    """A sale about to be kept; `said` is the sale as the till sent it."""

    public_id: str
    merchant_id: int
    store_id: int
    till_id: int
    programme_id: int
    programme_version_id: int
    code_sha256: bytes
    code_cipher: str
    receipt: str
    business_day: date
    occurred_at: datetime
    recorded_at: datetime
    said: Mapping[str, Any]
    expires_at: datetime


@dataclass(frozen=True)
class UnclaimedRow:
    """A sale that is kept. `member_id` and `booked` (the sale it became) once it was claimed."""

    id: int
    public_id: str
    merchant_id: int
    store_id: int
    till_id: int
    programme_version_id: int
    code_cipher: str | None
    business_day: date
    occurred_at: datetime
    said: Mapping[str, Any]
    expires_at: datetime
    member_id: int | None
    booked: str | None


def _row(r: sa.Row) -> UnclaimedRow:  # type: ignore[type-arg]
    return UnclaimedRow(
        r.id,
        r.public_id,
        r.merchant_id,
        r.store_id,
        r.till_id,
        r.programme_version_id,
        r.code_cipher,
        r.business_day,
        r.occurred_at,
        r.said,
        r.expires_at,
        r.member_id,
        r.booked,
    )


def add(tx: Tx, new: NewUnclaimed) -> None:
    """Keep it. Raises `AlreadyClaimed` where this receipt of this till and day is kept already."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    natural = ["till_id", "business_day", "receipt"]
    insert = make(unclaimed_sales).values({**vars(new), "said": dict(new.said)})
    if tx.execute(insert.on_conflict_do_nothing(index_elements=natural).returning(_ROW.id)).first() is None:
        raise AlreadyClaimed


def is_taken(tx: Tx, programme_id: int, code_sha256: bytes) -> bool:
    """Whether a code is on another receipt of this programme."""
    query = sa.select(_ROW.id).where(_ROW.programme_id == programme_id, _ROW.code_sha256 == code_sha256)
    return tx.execute(query).first() is not None


def hold(tx: Tx, programme_id: int, code_sha256: bytes) -> UnclaimedRow | None:
    """The sale with this code on its receipt, held until the end of the transaction; None where there is none."""
    query = sa.select(unclaimed_sales).where(_ROW.programme_id == programme_id, _ROW.code_sha256 == code_sha256)
    found = tx.execute(query if tx.dialect.name == "sqlite" else query.with_for_update()).first()
    return None if found is None else _row(found)


def sale_in(tx: Tx, scope: Scope, public_id: str, *, hold: bool = False) -> UnclaimedRow:
    """One of the caller's merchant; held, if asked. Raises `NotFound`."""
    query = sa.select(unclaimed_sales).where(_ROW.public_id == public_id, _ROW.merchant_id == scope.merchant_id)
    found = tx.execute(query.with_for_update() if hold and tx.dialect.name != "sqlite" else query).first()
    if found is None:
        raise NotFound("There is no such sale.", field="id")
    return _row(found)


def claimed(tx: Tx, key: int, member_id: int, booked: str, at: datetime) -> None:
    """It is this member's now."""
    values = {"member_id": member_id, "booked": booked, "claimed_at": at, "code_cipher": None}
    tx.execute(sa.update(unclaimed_sales).where(_ROW.id == key).values(values))


def end(tx: Tx, key: int, at: datetime) -> None:
    """Nobody can claim it any more."""
    tx.execute(sa.update(unclaimed_sales).where(_ROW.id == key).values(expires_at=at, code_cipher=None))
