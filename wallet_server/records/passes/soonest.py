"""Owns the lane of mass changes that are put to a vendor, who takes so many a second: what runs out first goes first.

A job of this lane is due or leased, but for those whose card is quiet for some seconds: what has to wait longer waits
in the lane of all mass changes, so that none is looked at in vain whenever others are claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records import jobs as outbox
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, DRIP, NEVER, Lease, Put, micros
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse.lots import OPEN
from wallet_server.records.schema import balances, coupons, jobs, lots


def _put_statement(dialect: str) -> sa.Insert:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    named: dict[str, Any] = {name: b(name) for name in ("kind", "key", "lane", "run_at", "runs_out_at")}
    insert = make(jobs).values(**named, due_at=b("run_at"), generation=1)
    first = outbox.least(dialect, jobs.c.runs_out_at, insert.excluded.runs_out_at)
    return outbox.or_put_again(insert, dialect, runs_out_at=first)


_PUT = Prepared(_put_statement)


def put(tx: Tx, wishes: Iterable[tuple[Put, int]]) -> None:
    """As `jobs.put`, each with the instant (microseconds UTC) at which what it tells of is over; of two the sooner."""
    rows = [
        {"kind": w.kind, "key": w.key, "lane": w.lane, "run_at": micros(w.run_at), "runs_out_at": over}
        for w, over in sorted(wishes, key=lambda one: (one[0].kind, one[0].key))
    ]
    if rows:
        _PUT.many(tx, rows)


def _claim_statement(dialect: str) -> sa.Executable:
    # Written out, not bound: else a database cannot tell that the index of this lane alone holds the row.
    # And by no index of what is due: that would sort all of a backlog for each claim.
    due = jobs.c.due_at + sa.literal_column("0") <= b("now", type_=sa.BigInteger)
    drip = sa.select(jobs.c.id).where(jobs.c.lane == sa.literal_column(str(DRIP)), due)
    return outbox.leased(drip.order_by(jobs.c.runs_out_at, jobs.c.due_at), dialect)


_CLAIM = Prepared(_claim_statement)


def claim(tx: Tx, most: int, now: datetime, lease_seconds: float) -> list[Lease]:
    """Lease up to `most` due jobs of this lane, those whose matter runs out first; given in the order in which `put`
    locks."""
    until = micros(now + timedelta(seconds=lease_seconds))
    return outbox.leases(_CLAIM.plain(tx, {"now": micros(now), "most": most, "until": until}))


def waiting(lane: int) -> int:
    """The lane in which a job of this one waits for its time."""
    return BULK if lane == DRIP else lane


_LOTS = (
    sa.select(balances.c.member_id, sa.func.min(lots.c.expires_at))
    .join(lots, lots.c.account_id == balances.c.account_id)
    .where(balances.c.member_id.in_(b("ids", expanding=True)), OPEN, lots.c.remaining > 0, lots.c.expires_at > b("now"))
    .group_by(balances.c.member_id)
)
_COUPONS = (
    sa.select(coupons.c.member_id, sa.func.min(coupons.c.valid_to))
    .where(
        coupons.c.member_id.in_(b("ids", expanding=True)), coupons.c.state == "issued", coupons.c.valid_to > b("now")
    )
    .group_by(coupons.c.member_id)
)


def runs_out(tx: Tx, member_ids: Sequence[int], now: datetime) -> Mapping[int, int]:
    """When the first thing that these members have runs out, points or a coupon (microseconds UTC); `NEVER` for those
    to whom nothing does."""
    found = dict.fromkeys(member_ids, NEVER)
    for query in (_LOTS, _COUPONS) if found else ():
        for key, at in tx.execute(query, {"ids": list(found), "now": now}):
            found[key] = min(found[key], micros(at))
    return found
