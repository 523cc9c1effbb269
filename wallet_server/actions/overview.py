"""Owns the page of a shop's day: its numbers on each store's own clock, the last fortnight, and the first steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.context import Context
from wallet_server.actions.people import journal
from wallet_server.records import overview, parties
from wallet_server.records.overview import Clocks, Day, Moved, Span, Visit
from wallet_server.records.parties import StoreRow
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.programme.program import Programme

FORTNIGHT = 14
LAST_VISITS = 12


@dataclass(frozen=True)
class Guest:
    """Somebody who was at the till today, and the end of the code on their card."""

    visit: Visit
    card: str


@dataclass(frozen=True)
class Today:
    """A merchant's day so far, in each store the day on its own clock; `day` and `zone` are those of the first store.

    `elsewhere` names the stores by their day where another one is just there. `fortnight` are the last 14 days, the
    oldest first, the latest that a store has begun the last. `published`, `paired` and `begun` say how far the first
    steps are: a card, a till, a first sale.
    """

    day: date
    zone: str
    store: str
    elsewhere: tuple[tuple[date, tuple[str, ...]], ...]
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


def span(now: datetime, zone: str) -> Span:
    """The day of an instant on the clock of a zone; it may have 23 or 25 hours."""
    there = ZoneInfo(zone)
    day = now.astimezone(there).date()
    start, end = (datetime.combine(one, time(), there).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return Span(day, start, end)


def _elsewhere(stores: Sequence[StoreRow], clocks: Clocks) -> tuple[tuple[date, tuple[str, ...]], ...]:
    """The days that are just now in the stores, the first store's first; nothing where all have the same."""
    named: dict[date, list[str]] = {}
    for store in stores:
        named.setdefault(clocks.spans[store.zone].day, []).append(store.name)
    return tuple((day, tuple(names)) for day, names in named.items()) if len(named) > 1 else ()


def today(ctx: Context, scope: Scope) -> Today:
    """The day as it stands."""
    now = ctx.now()
    with ctx.look() as tx:
        stores = parties.stores_of(tx, scope)
        zone = stores[0].zone if stores else scope.zone
        clocks = Clocks(zone, {one: span(now, one) for one in (zone, *overview.zones(tx, scope))})
        day, latest = clocks.own.day, max(one.day for one in clocks.spans.values())
        first = latest - timedelta(days=FORTNIGHT - 1)
        days = overview.days(tx, scope, first, latest)
        came, visits = overview.visits(tx, scope, clocks, LAST_VISITS)
        names = journal.card_names(ctx, tx, [one.member_id for one in visits])
        rows = programmes.programmes_of(tx, scope)
        fortnight = [first + timedelta(days=n) for n in range(FORTNIGHT)]
        none = Day(0, 0, {})
        return Today(
            day=day,
            zone=zone,
            store=stores[0].name if len(stores) == 1 else "",
            elsewhere=_elsewhere(stores, clocks),
            came=came,
            guests=tuple(Guest(one, names.get(one.member_id, "")) for one in visits),
            sales=overview.sold(tx, scope, clocks),
            moved=overview.moved(tx, scope, clocks),
            joined=overview.joined(tx, scope, clocks.own),
            sent=overview.sent(tx, scope, clocks.own),
            tickets=overview.open_tickets(tx, scope),
            fortnight=tuple((one, days.get(one, none)) for one in fortnight),
            programmes=tuple(ctx.programme(tx, row.version_id) for row in rows if row.version_id),
            join_codes=tuple(row.join_code for row in rows if row.version_id),
            published=any(row.version_id for row in rows),
            paired=overview.has_paired(tx, scope),
            begun=overview.has_sold(tx, scope),
        )
