"""Owns the page of a shop's day: its numbers in the store's own zone, the last fortnight, and the first steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions import journal
from wallet_server.actions.context import Context
from wallet_server.records import overview, parties, programmes
from wallet_server.records.overview import Day, Moved, Visit
from wallet_server.records.scope import Scope
from wallet_server.rules.program import Programme

FORTNIGHT = 14
LAST_VISITS = 12


@dataclass(frozen=True)
class Guest:
    """Somebody who was at the till today, and the end of the code on their card."""

    visit: Visit
    card: str


@dataclass(frozen=True)
class Today:
    """A merchant's day so far. `fortnight` are the last 14 days, the oldest first, this one the last.

    `published`, `paired` and `begun` say how far the first steps are: a card, a till, a first sale.
    """

    day: date
    zone: str
    store: str
    came: int
    guests: tuple[Guest, ...]
    sales: Day
    moved: Mapping[str, Moved]
    joined: int
    sent: int
    tickets: int
    fortnight: tuple[tuple[date, Day], ...]
    programmes: tuple[Programme, ...]
    join_codes: tuple[str, ...]
    published: bool
    paired: bool
    begun: bool


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a day begins and ends in a zone, as UTC; a day may have 23 or 25 hours."""
    start, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return start, end


def today(ctx: Context, scope: Scope) -> Today:
    """The day as it stands. A merchant of several stores is told in the zone of the first of them."""
    now = ctx.now()
    with ctx.look() as tx:
        stores = parties.stores_of(tx, scope)
        zone = stores[0].zone if stores else scope.zone
        day = now.astimezone(ZoneInfo(zone)).date()
        start, end = bounds(day, ZoneInfo(zone))
        first = day - timedelta(days=FORTNIGHT - 1)
        days = overview.days(tx, scope, first, day)
        came, visits = overview.visits(tx, scope, start, end, LAST_VISITS)
        names = journal.card_names(ctx, tx, [one.member_id for one in visits])
        rows = programmes.programmes_of(tx, scope)
        fortnight = [first + timedelta(days=n) for n in range(FORTNIGHT)]
        none = Day(0, 0, {})
        return Today(
            day=day,
            zone=zone,
            store=stores[0].name if len(stores) == 1 else "",
            came=came,
            guests=tuple(Guest(one, names.get(one.member_id, "")) for one in visits),
            sales=days.get(day, none),
            moved=overview.moved(tx, scope, start, end),
            joined=overview.joined(tx, scope, start, end),
            sent=overview.sent(tx, scope, start, end),
            tickets=overview.open_tickets(tx, scope),
            fortnight=tuple((one, days.get(one, none)) for one in fortnight),
            programmes=tuple(ctx.programme(tx, row.version_id) for row in rows if row.version_id),
            join_codes=tuple(row.join_code for row in rows if row.version_id),
            published=any(row.version_id for row in rows),
            paired=overview.has_paired(tx, scope),
            begun=overview.has_sold(tx, scope),
        )
