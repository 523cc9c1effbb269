"""Owns the sentence that every change says of cards: they are stale. What alerts may come of it, and when it is told.

One change is told at once or at the end of the coalescing window; thousands go behind it, those that are put to a
vendor at the vendor's rate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes, soonest
from wallet_server.rules.passes.card import ALERT_ORDER, Facet

REFRESH = "refresh"
BIT: Mapping[Facet, int] = {facet: 1 << n for n, facet in enumerate(ALERT_ORDER)}


def mask(facets: Iterable[Facet]) -> int:
    """The facets as bits, as `passes.loud` stores them."""
    return sum(BIT[facet] for facet in set(facets))


def changed(tx: Tx, member_id: int, loud: Iterable[Facet], now: datetime, lane: int = jobs.COUNTER) -> None:
    """This member's cards are stale; `loud` names what may raise an alert (corrections and recalls name nothing).

    Writes the refresh jobs in the caller's transaction: the first after a quiet spell at once, further ones at the
    end of the coalescing window. The caller rings the bell after its commit.
    """
    bumped = passes.bump(tx, member_id, mask(loud))
    jobs.put(tx, [jobs.Put(REFRESH, str(key), lane, max(now, quiet or now)) for key, quiet in bumped])


def changed_many(
    tx: Tx,
    member_ids: Sequence[int],
    loud: Iterable[Facet],
    now: datetime,
    *,
    pushed: Collection[str] = (),
    ends_at: datetime | None = None,
) -> None:
    """The same for a slice of a mass change, behind the counter's work. The cards of the `pushed` wallets go at their
    vendor's rate; of something that ends (`ends_at`) first to those of whom that, or something of their own, ends
    soonest."""
    bumped = passes.bump_many(tx, member_ids, mask(loud)) if member_ids else []
    afar = {member for _, _, wallet, member in bumped if wallet in pushed}
    overs: Mapping[int, int] = dict.fromkeys(afar, jobs.NEVER)
    if afar and ends_at is not None:
        last = jobs.micros(ends_at)
        overs = {key: min(last, own) for key, own in soonest.runs_out(tx, sorted(afar), now).items()}
    puts = []
    for key, quiet, wallet, member in bumped:
        lane = jobs.DRIP if wallet in pushed else jobs.BULK
        puts.append((jobs.Put(REFRESH, str(key), lane, max(now, quiet or now)), overs.get(member, jobs.NEVER)))
    # In one go, as jobs are locked: nobody waits for the others in another order.
    if afar:
        soonest.put(tx, puts)
    else:
        jobs.put(tx, [wish for wish, _ in puts])
