"""Owns when something of an account falls due by time alone: awards on their way, reservations, units and coupons that
run out, tiers that are to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    Instant,
    balances,
    coupons,
    holds,
    ledger_entries,
    lots,
    member_standing,
    members,
    pending_awards,
    programmes,
)


def _first(column: sa.ColumnElement[datetime], programme: Any, source: Any, *where: Any) -> sa.Select[Any]:
    own = programme.in_(sa.select(programmes.c.id).where(programmes.c.account_id == b("account")))
    later = column > b("after", type_=Instant())
    return sa.select(sa.func.min(column, type_=Instant())).select_from(source).where(own, later, *where)


_LOTS = _first(
    lots.c.expires_at,
    members.c.programme_id,
    lots.join(balances, balances.c.account_id == lots.c.account_id).join(members, members.c.id == balances.c.member_id),
    lots.c.remaining > 0,
)
_OTHERS = (
    _first(
        pending_awards.c.matures_at,
        ledger_entries.c.programme_id,
        pending_awards.join(ledger_entries, ledger_entries.c.id == pending_awards.c.entry_id),
        pending_awards.c.state == "waiting",
    ),
    _first(holds.c.expires_at, holds.c.programme_id, holds, holds.c.state == "open"),
    _first(coupons.c.valid_to, coupons.c.programme_id, coupons, coupons.c.state == "issued"),
    _first(
        member_standing.c.due_at,
        members.c.programme_id,
        member_standing.join(members, members.c.id == member_standing.c.member_id),
    ),
)


def next_due(tx: Tx, account_id: int, after: datetime, warned: Sequence[int]) -> datetime | None:
    """When, after that, something of this account falls due next, or members are to be warned so many days before units
    run out (`warned`); None: never."""
    asked = {"account": account_id, "after": after}
    found = [tx.execute(query, asked).scalar() for query in (_LOTS, *_OTHERS)]
    for days in warned:
        ends = tx.execute(_LOTS, {"account": account_id, "after": after + timedelta(days=days)}).scalar()
        found.append(None if ends is None else ends - timedelta(days=days))
    return min((one for one in found if one is not None), default=None)
