"""Owns the figures for whoever watches an installation: read from the database, so that every process says the same."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from wallet_server.actions.context import Context
from wallet_server.errors import NotFound, Unauthenticated
from wallet_server.records.jobs import AFAR, BULK, COUNTER, DRIP, OUT, SERVICE
from wallet_server.records.operating import counters, gauges

MOST_COUNTED = gauges.MOST_COUNTED
LANES = {
    COUNTER: "counter",
    AFAR: "counter-vendor",
    SERVICE: "service",
    BULK: "bulk",
    DRIP: "bulk-vendor",
    OUT: "webhooks",
}
PUSHES = ("told", "gone", "doubted", "refused", "later")
PASSES = ("served", "unchanged")


@dataclass(frozen=True)
class Days:
    """Days that a certificate has left, below zero when it is over."""

    public_id: str
    pass_type: str
    left: float


@dataclass(frozen=True)
class Queue:
    """A lane of the outbox. `age_seconds` is how long the oldest has been due."""

    lane: str
    due: int
    waiting: int
    age_seconds: float


@dataclass(frozen=True)
class Figures:
    """Everything at one moment; the totals count since the installation began."""

    certificates: tuple[Days, ...]
    queues: tuple[Queue, ...]
    dead: int
    pushes: Mapping[str, int]
    passes: Mapping[str, int]
    sales: int


def admit(ctx: Context, token: str) -> None:
    """Raises `NotFound` where nobody is to be told, `Unauthenticated` for another token than the settings name."""
    expected = ctx.settings.metrics_token
    if expected is None:
        raise NotFound("There is nothing at this address.")
    if not hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode()):
        raise Unauthenticated("Send the token of WALLET_METRICS_TOKEN: Authorization: Bearer …")


def figures(ctx: Context) -> Figures:
    """What stands now; this process hands in what it has counted first."""
    ctx.tally.hand_in(ctx.database)
    now = ctx.now()
    with ctx.look() as tx:
        ends, depths, dead, totals = (
            gauges.certificates(tx),
            gauges.depths(tx, now),
            gauges.dead(tx),
            counters.totals(tx),
        )
    return Figures(
        tuple(Days(one.public_id, one.pass_type, (one.not_after - now) / timedelta(days=1)) for one in ends),
        tuple(
            Queue(
                LANES[one.lane],
                one.due,
                one.waiting,
                (now - one.oldest).total_seconds() if one.oldest is not None else 0.0,
            )
            for one in depths
        ),
        dead,
        {outcome: totals.get(f"pushes:{outcome}", 0) for outcome in PUSHES},
        {answer: totals.get(f"passes:{answer}", 0) for answer in PASSES},
        totals.get("sales", 0),
    )
