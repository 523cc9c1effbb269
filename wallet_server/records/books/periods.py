"""Owns closed periods: the figures that were frozen, each chained by hash to the one before, and their estimates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import closed_periods, redemption_estimates
from wallet_server.records.scope import Scope
from wallet_server.rules.books.redemption import BILLION, Estimate

MOST = 500


@dataclass(frozen=True)
class PeriodRow:
    """A closed period, from `starts_at` (None: the beginning) to before `ends_at`; `figures` is canonical JSON."""

    id: int
    public_id: str
    number: int
    starts_at: datetime | None
    ends_at: datetime
    figures: str
    previous_sha256: bytes | None
    sha256: bytes
    closed_at: datetime
    principal: str


def seal(figures: str, previous: bytes | None) -> bytes:
    """The hash of a period: of its figures as written, after the hash of the one before."""
    return hashlib.sha256((previous or b"") + figures.encode()).digest()


_OWN = sa.select(closed_periods)


def _row(r: sa.Row) -> PeriodRow:  # type: ignore[type-arg]
    return PeriodRow(r.id, r.public_id, r.number, r.starts_at, r.ends_at, r.figures, r.previous_sha256, r.sha256,
                     r.closed_at, r.principal)  # fmt: skip


def closed(tx: Tx, scope: Scope, most: int = MOST) -> list[PeriodRow]:
    """The account's closed periods, the newest first."""
    own = _OWN.where(closed_periods.c.account_id == scope.account_id)
    return [_row(r) for r in tx.execute(own.order_by(closed_periods.c.number.desc()).limit(most))]


def one(tx: Tx, scope: Scope, public_id: str) -> PeriodRow:
    """A closed period of the account. Raises `NotFound`."""
    own = _OWN.where(closed_periods.c.account_id == scope.account_id, closed_periods.c.public_id == public_id)
    row = tx.execute(own).first()
    if row is None:
        raise NotFound("There is no such closed period.", field="close")
    return _row(row)


def add(tx: Tx, scope: Scope, public_id: str, last: PeriodRow | None, ends_at: datetime, figures: str,
        at: datetime) -> PeriodRow | None:  # fmt: skip
    """Close the period after `last`; None when somebody else closed one meanwhile."""
    previous = last.sha256 if last else None
    values: dict[str, Any] = {
        "public_id": public_id,
        "account_id": scope.account_id,
        "number": last.number + 1 if last else 1,
        "starts_at": last.ends_at if last else None,
        "ends_at": ends_at,
        "figures": figures,
        "previous_sha256": previous,
        "sha256": seal(figures, previous),
        "closed_at": at,
        "principal": scope.principal,
    }
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(closed_periods)
    wish = insert.values(values).on_conflict_do_nothing(index_elements=["account_id", "number"])
    row = tx.execute(wish.returning(closed_periods)).first()
    return None if row is None else _row(row)


@dataclass(frozen=True)
class Frozen:
    """The estimate of a currency with which a period was closed; `month` is the one at whose end it was known."""

    programme_id: int
    currency_id: int
    month: str
    found: Estimate


def keep_estimates(tx: Tx, period: int, made: Sequence[Frozen]) -> None:
    """Keep what was expected when a period was closed; what was kept for a month already stands."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(redemption_estimates)
    rows = [
        {
            "period_id": period,
            "programme_id": each.programme_id,
            "currency_id": each.currency_id,
            "month": each.month,
            "share_billionths": int(each.found.share * BILLION),
            "low_billionths": int(each.found.low * BILLION),
            "high_billionths": int(each.found.high * BILLION),
            "months": each.found.months,
            "redemptions": each.found.redemptions,
            "why": each.found.why,
        }
        for each in made
    ]
    if rows:
        tx.execute(insert.on_conflict_do_nothing(), rows)


def shares(tx: Tx, programme_id: int, until: datetime) -> dict[tuple[int, str], Fraction]:
    """Currency and month to the share that the books reckoned with then (all of it, where the data did not carry an
    estimate), as periods that were over by `until` have frozen it: a later close changes no moment before its end."""
    e, p = redemption_estimates.c, closed_periods.c
    rows = tx.execute(
        sa.select(e.currency_id, e.month, e.share_billionths, e.why)
        .join(closed_periods, p.id == e.period_id)
        .where(e.programme_id == programme_id, p.ends_at <= until)
    )
    return {
        (r.currency_id, r.month): Fraction(1) if r.why is not None else Fraction(r.share_billionths, BILLION)
        for r in rows
    }
