"""Owns to which day a write of a till belongs, and how one that carries no date is called by the till's own number."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.once import ECHO
from wallet_server.records.scope import Scope

MOST_APART = timedelta(days=2)
"""Between the day that a sale counts to and that on which it was made."""
_NEAR = 2
"""So many hours from midnight no echo is of another day, even where the clocks are changed then."""


def undated(scope: Scope, what: str, number: str, now: datetime) -> tuple[str, list[str]]:
    """The name of a write that carries no date, by the till's number for it, and its echoes: the names that it would
    have had a moment ago or will have in a moment, where that is another day. The one that was sent first may be
    overtaken."""
    local = now.astimezone(ZoneInfo(scope.zone))
    day, others = local.date(), set[date]()
    if not _NEAR <= local.hour < 24 - _NEAR:
        others = {business_day(scope, None, at) for at in (now - ECHO, now + ECHO)} - {day}
    return f"{what}:{day.isoformat()}:{number}", [f"{what}:{other.isoformat()}:{number}" for other in others]


def business_day(scope: Scope, given: date | None, at: datetime) -> date:
    """The day a sale counts to: as the till says, else the date in the store's own zone."""
    return given or at.astimezone(ZoneInfo(scope.zone)).date()


def near(scope: Scope, day: date, at: datetime) -> bool:
    """Whether a sale of then can count to this day: some shops close theirs after midnight, or the day after."""
    return abs(day - business_day(scope, None, at)) <= MOST_APART
