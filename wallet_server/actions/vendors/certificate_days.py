"""Owns the days that certificates have left: what is worth a warning, said once for each threshold, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from wallet_server.actions.context import Context
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import credentials
from wallet_server.records.vendors.credentials import CredentialRow
from wallet_server.wallets.apple.credentials import WARN_DAYS, days_left

EXPIRED = 0
_log = structlog.get_logger("vault")


@dataclass(frozen=True)
class Left:
    """A certificate that ends soon: `days` are begun ones (1 on its last day, 0 when it is over)."""

    pass_type: str
    days: int
    ends: datetime
    own: bool


def reached(not_after: datetime, now: datetime) -> int | None:
    """The lowest threshold that the days left have come down to; None while there is time."""
    left = days_left(not_after, now)
    return next((days for days in (EXPIRED, *WARN_DAYS) if left <= days), None)


def warn(ctx: Context) -> int:
    """Say in the log what ends soon, once for each threshold of each certificate, whichever process comes first and
    however often it starts; returns how many were said."""
    now = ctx.now()
    with ctx.look() as tx:
        due = [(row, days) for row in credentials.all_sets(tx) if (days := _unsaid(row, now)) is not None]
    said = 0
    for row, days in due:
        with ctx.change() as tx:
            first = credentials.warn(tx, row.id, row.version, days)
            whose = credentials.owner(tx, row)
        if first:
            said += 1
            _say(row, days, whose, now)
    return said


def _unsaid(row: CredentialRow, now: datetime) -> int | None:
    days = reached(row.not_after, now)
    return None if days is None or (row.warned_days is not None and row.warned_days <= days) else days


def _say(row: CredentialRow, days: int, whose: str, now: datetime) -> None:
    facts = {
        "set": row.public_id,
        "pass_type": row.pass_type,
        "owner": whose,
        "days_left": max(0, days_left(row.not_after, now)),
        "threshold": days,
        "ends": row.not_after.isoformat(),
    }
    if days == EXPIRED:
        _log.error("certificate expired: no card is signed and no phone rung until it is renewed", **facts)
    else:
        _log.warning("certificate ends soon: renew it by `wallet-server setup apple`", **facts)


def ending(ctx: Context, scope: Scope) -> list[Left]:
    """What signs cards of this account and ends within sixty days, the soonest first: in everybody's time, however far
    ahead the account's clock is."""
    now = ctx.clock()
    with ctx.look() as tx:
        rows = credentials.sets_of(tx, scope.account_id)
    soon = [
        Left(row.pass_type, max(0, days_left(row.not_after, now)), row.not_after, row.account_id is not None)
        for row in rows
        if reached(row.not_after, now) is not None
    ]
    return sorted(soon, key=lambda one: one.ends)
