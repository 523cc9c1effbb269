"""Owns what all processes know of an issuer together: its bucket of requests, what it is allowed, what it has heard."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.jobs import micros
from wallet_server.records.schema import callback_nonces, issuer_facts, issuer_rates, rotating_numbers

DEEP_SECONDS = 0.5
"""How long a full bucket lasts: what was not drawn in that time is lost, so that a pause makes no flood."""
QUIET_SECONDS = 0.1
"""The same of a rate above the published limit, which somebody was granted; there a bucket that was drawn from
`BUSY_SECONDS` ago or less owes up to `OWED_SECONDS` of what its drain was too busy to take."""
BUSY_SECONDS, OWED_SECONDS = 5.0, 2.0
PEAK = 1.25
"""What any second sees at most of such a rate, as a part of it: whoever was granted 250 a second sets 200."""
MOST_AT_ONCE, HANDFUL_SECONDS = 25, 0.125
PUBLISHED = 20
"""Requests that Google takes in a second, as it says."""
FOR_ONE = 2
"""Requests that whoever wants several leaves in the bucket, so that a single card, of somebody at the counter, never
waits for a mass change."""

_BUCKET = sa.select(issuer_rates).where(issuer_rates.c.issuer == b("issuer")).with_for_update()
_DRAW = (
    sa.update(issuer_rates)
    .where(issuer_rates.c.issuer == b("of_issuer"))
    .values(requests_milli=b("left"), filled_at=b("at"))
)


def draw(tx: Tx, issuer: str, want: int, per_second: float, now: datetime) -> tuple[int, float]:
    """Take up to `want` requests out of an issuer's bucket: (how many may be made now, seconds until it is worth asking
    for more). The bucket fills at `per_second`, over all processes together."""
    at = micros(now)
    row = tx.execute(_BUCKET, {"issuer": issuer}).first()
    if row is None:
        insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(issuer_rates)
        # As if nobody had drawn from it for as long as it takes to be full in both of its ways.
        full = {"issuer": issuer, "requests_milli": _deep(per_second), "filled_at": at - int(HANDFUL_SECONDS * 1e6)}
        tx.execute(insert.values(**full).on_conflict_do_nothing())
        row = tx.execute(_BUCKET, {"issuer": issuer}).one()
    found = pour(row.requests_milli, at - row.filled_at, want, per_second)
    # Whoever got nothing leaves the bucket as it was: what trickled in since would be rounded away. A clock that was
    # set back goes on from there.
    if found.granted or at < row.filled_at:
        tx.execute(_DRAW, {"of_issuer": issuer, "left": found.left, "at": at - found.early})
    return found.granted, found.seconds


@dataclass(frozen=True)
class Poured:
    """How many requests may be made now; what a bucket holds afterwards, in thousandths, as of `early` microseconds
    before the moment at which it was asked; and after how many seconds it is worth asking again."""

    granted: int
    left: int
    early: int
    seconds: float


def pour(milli: int, elapsed_micros: int, want: int, per_second: float) -> Poured:
    """What a bucket gives that held so many thousandths of a request so long ago. A clock that was set back fills
    nothing. Below the published limit no second sees more than that, above it none sees more than `PEAK` of the rate,
    however long a drain was held up before."""
    if per_second > PUBLISHED:
        return _made_up(milli, max(0, elapsed_micros), want, per_second)
    elapsed = max(0, elapsed_micros) / 1_000_000
    deep = _deep(per_second)
    filled = min(deep, milli + int(elapsed * per_second * 1000))
    # Half of what a shallow bucket holds beyond the first request: it must be full for nobody, or whoever comes a
    # moment late loses what ran over.
    kept = min(FOR_ONE * 1000, (deep - 1000) // 2) if want > 1 else 0
    granted = min(want, max(0, filled - kept) // 1000)
    left = filled - granted * 1000
    # A handful at once: a transaction for each single request would cost more than the request.
    handful = min(MOST_AT_ONCE * 1000, max(1000, deep // 2 // 1000 * 1000))
    missing = min(max(0, want - granted) * 1000, handful)
    return Poured(granted, left, 0, max(0.0, (missing + kept - left) / 1000 / per_second))


def _made_up(milli: int, elapsed: int, want: int, per_second: float) -> Poured:
    """The same of a rate that was granted. Two buckets in one: the rate, of which a drain may be owed a while, and what
    a second may see, which is full after an eighth of one. The moment as of which the first is counted says how full
    the second is: it lies so far back as that has filled since."""
    holds = max(1, int(per_second * HANDFUL_SECONDS))
    handful = min(MOST_AT_ONCE, holds)
    refill = (per_second * PEAK - holds) / 1_000_000  # of the second bucket, in requests for each microsecond
    lately = min(elapsed, int(holds / refill) + 1)
    owed = OWED_SECONDS if elapsed <= BUSY_SECONDS * 1_000_000 else QUIET_SECONDS
    deep = max(int(per_second * owed), handful + FOR_ONE) * 1000
    filled = min(deep, milli + int(elapsed * per_second / 1000))
    # A handful or nothing: a drain that makes up for something would else take each request by itself as it comes, and
    # so many transactions keep it behind for good.
    least = min(want, handful)
    kept = FOR_ONE * 1000 if want > 1 else 0
    granted = least if filled - kept >= least * 1000 and lately * refill >= least else 0
    early = max(0, lately - math.ceil(granted / refill)) if granted else elapsed
    if granted:
        return Poured(granted, filled - granted * 1000 - int(early * per_second / 1000), early, 0.0)
    seconds = max((least * 1000 + kept - filled) / 1000 / per_second, (least / refill - lately) / 1_000_000)
    return Poured(0, milli, early, max(0.0, seconds))


def _deep(per_second: float) -> int:
    """What a full bucket holds, in thousandths: at least one request and nearly another; and no second ever sees more
    than the published limit, where the rate is no higher (a request that is not whole is not made)."""
    if per_second > PUBLISHED:
        return max(1999, int(per_second * QUIET_SECONDS * 1000))
    return max(1999, min(int(per_second * DEEP_SECONDS * 1000), int((PUBLISHED - per_second) * 1000) + 999))


_FACTS = sa.select(issuer_facts.c.locations, issuer_facts.c.learned_at).where(issuer_facts.c.issuer == b("issuer"))


def locations(tx: Tx, issuer: str) -> tuple[bool | None, datetime | None]:
    """Whether this issuer's cards may name places (None: not known), and when that was learned."""
    row = tx.execute(_FACTS, {"issuer": issuer}).first()
    return (None, None) if row is None else (row.locations, row.learned_at)


def learn_locations(tx: Tx, issuer: str, allowed: bool | None, at: datetime) -> None:
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(issuer_facts)
    learned = {"locations": allowed, "learned_at": at}
    tx.execute(insert.values(issuer=issuer, **learned).on_conflict_do_update(index_elements=["issuer"], set_=learned))


def hear(tx: Tx, nonce_sha256: str, expires_at: datetime) -> bool:
    """Note a message by the hash (hex) of its nonce; False when it was heard before."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(callback_nonces)
    row = insert.values(nonce_sha256=nonce_sha256, expires_at=expires_at).on_conflict_do_nothing()
    return tx.execute(row.returning(callback_nonces.c.nonce_sha256)).first() is not None


def forget_heard(tx: Tx, now: datetime) -> int:
    """Throw away the nonces of messages that have expired, which nobody takes any more; returns how many."""
    return tx.execute(sa.delete(callback_nonces).where(callback_nonces.c.expires_at <= now)).rowcount


@dataclass(frozen=True)
class Taken:
    """A number of a rotating barcode that was taken, at which till, and when (UTC, at the till)."""

    counter: int
    till_id: int | None
    at: datetime


MOST_OF_A_VISIT = 20


def taken(tx: Tx, pass_id: int, since: datetime, until: datetime) -> list[Taken]:
    """The numbers of a pass that were taken in this time, the latest first."""
    c = rotating_numbers.c
    rows = tx.execute(
        sa.select(c.counter, c.till_id, c.taken_at)
        .where(c.pass_id == pass_id, c.taken_at >= since, c.taken_at <= until)
        .order_by(c.taken_at.desc())
        .limit(MOST_OF_A_VISIT)
    )
    return [Taken(*row) for row in rows]


def use_number(tx: Tx, pass_id: int, number: Taken) -> bool:
    """Take a number; False when it was taken before, by whomever."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(rotating_numbers)
    values = {"counter": number.counter, "till_id": number.till_id, "taken_at": number.at}
    row = insert.values(pass_id=pass_id, **values).on_conflict_do_nothing()
    return tx.execute(row.returning(rotating_numbers.c.counter)).first() is not None


def forget_numbers(tx: Tx, before: datetime) -> int:
    """Throw away the numbers that were taken before then, and that nobody takes any more; returns how many."""
    return tx.execute(sa.delete(rotating_numbers).where(rotating_numbers.c.taken_at < before)).rowcount
