"""Owns which units run out soon, who was warned of it, and what of that is still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import Instant, balances, currencies, expiry_warnings, lots, members, programmes


@dataclass(frozen=True)
class Ending:
    """A lot that runs out soon, and whose it is."""

    lot_id: int
    account_id: int
    member_id: int
    currency: str
    earned_at: datetime
    expires_at: datetime

    @property
    def day(self) -> date:
        """On which it runs out, UTC."""
        return self.expires_at.astimezone(UTC).date()


_ENDING = (
    sa.select(
        lots.c.id, lots.c.account_id, balances.c.member_id, currencies.c.code, lots.c.earned_at, lots.c.expires_at
    )
    .select_from(lots)
    .join(balances, balances.c.account_id == lots.c.account_id)
    .join(members, members.c.id == balances.c.member_id)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .where(
        # Written out, not bound: else neither database would use the partial index.
        lots.c.remaining > sa.literal_column("0"),
        sa.tuple_(lots.c.expires_at, lots.c.id)
        > sa.tuple_(b("from_at", type_=Instant()), b("after", type_=sa.BigInteger())),
        lots.c.expires_at <= b("until"),
        members.c.left_at.is_(None),
    )
    .order_by(lots.c.expires_at, lots.c.id)
    .limit(b("most"))
)


def ending(
    tx: Tx, after: tuple[datetime, int], until: datetime, most: int, account_id: int | None = None
) -> list[Ending]:
    """Up to `most` lots that run out beyond `after` (when, lot) and by `until`, the first to run out first; of one
    account if it is named."""
    query = _ENDING
    if account_id is not None:
        own = sa.select(programmes.c.id).where(programmes.c.account_id == account_id)
        query = query.where(members.c.programme_id.in_(own))
    given = {"from_at": after[0], "after": after[1], "until": until, "most": most}
    return [
        Ending(r.id, r.account_id, r.member_id, r.code, r.earned_at, r.expires_at) for r in tx.execute(query, given)
    ]


def note(tx: Tx, account_id: int, day: date, days_before: int, amount: int, at: datetime) -> bool:
    """Note a warning; False where this one, or a later one of the same units, was given before. The member is held."""
    row = expiry_warnings.c
    given = sa.select(row.account_id).where(
        row.account_id == account_id, row.day == day, row.days_before <= days_before
    )
    if tx.execute(given.limit(1)).first() is not None:
        return False
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    values = {"account_id": account_id, "day": day, "days_before": days_before, "amount": amount, "warned_at": at}
    add = make(expiry_warnings).values(values).on_conflict_do_nothing().returning(row.account_id)
    return tx.execute(add).first() is not None


_LEFT = sa.select(sa.func.coalesce(sa.func.sum(lots.c.remaining), 0)).where(
    lots.c.account_id == b("account"),
    lots.c.remaining > sa.literal_column("0"),
    lots.c.expires_at >= b("since"),
    lots.c.expires_at < b("until"),
)


def left(tx: Tx, account_id: int, day: date) -> int:
    """What runs out of an account on a day."""
    since = datetime.combine(day, time(), UTC)
    given = {"account": account_id, "since": since, "until": since + timedelta(days=1)}
    return int(tx.execute(_LEFT, given).scalar_one())


@dataclass(frozen=True)
class Warned:
    """A member who was warned of units: what of them is left now."""

    account_id: int
    member_id: int
    currency: str
    day: date
    days_before: int
    warned_at: datetime
    amount: int

    @property
    def name(self) -> str:
        """What the warning is called."""
        return f"exp_{self.account_id}_{self.day:%Y%m%d}_{self.days_before}"


_WARNED = (
    sa.select(expiry_warnings, balances.c.member_id, currencies.c.code)
    .join(balances, balances.c.account_id == expiry_warnings.c.account_id)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .order_by(expiry_warnings.c.day, expiry_warnings.c.account_id, expiry_warnings.c.days_before)
)
_OF_MEMBERS = Prepared(
    lambda dialect: _WARNED.where(among(dialect, balances.c.member_id), expiry_warnings.c.day >= b("today"))
)
_NAMED = _WARNED.where(
    expiry_warnings.c.account_id == b("account"),
    expiry_warnings.c.day == b("day"),
    expiry_warnings.c.days_before == b("days"),
)


def _warned(tx: Tx, r: Any) -> Warned:
    amount = left(tx, r.account_id, r.day)
    return Warned(r.account_id, r.member_id, r.code, r.day, r.days_before, r.warned_at, amount)


def of_members(tx: Tx, member_ids: Sequence[int], now: datetime) -> Mapping[int, list[Warned]]:
    """Member key to the warnings that still mean something, the first to run out first."""
    found: dict[int, list[Warned]] = {}
    for r in _OF_MEMBERS.rows(tx, {"ids": list(member_ids), "today": now.astimezone(UTC).date()}):
        one = _warned(tx, r)
        if one.amount:
            found.setdefault(one.member_id, []).append(one)
    return found


def named(tx: Tx, name: str) -> Warned | None:
    """One by its name; None where nobody was warned so."""
    _, account, day, days = name.split("_")
    given = {"account": int(account), "day": datetime.strptime(day, "%Y%m%d").date(), "days": int(days)}  # noqa: DTZ007 - a day
    r = tx.execute(_NAMED, given).first()
    return None if r is None else _warned(tx, r)
