"""Owns what times mean in a store's own zone: opening hours of an offer, days and months, birthdays.

The wall clock of the store decides. An hour that comes twice in autumn counts both times, one that is skipped in spring
never comes; a day is from one midnight to the next, be it 23 or 25 hours long.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.rules.programme.program_parts import Birthday, Calendar, Span

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_WEEK = 3
"""Days before and after a birthday that are its week."""


def local(at: datetime, zone: str) -> datetime:
    """What clock and calendar of the store say at this moment."""
    return at.astimezone(ZoneInfo(zone))


def within(calendar: Calendar, here: datetime) -> bool:
    """Whether a moment (as `local` gives it) is one of the calendar's; see `in_calendar`."""
    return in_calendar(calendar)(here)


def in_calendar(calendar: Calendar) -> Callable[[datetime], bool]:
    """Whether a moment (as `local` gives it) is one of the calendar's. Hours are whole minutes; those over midnight
    belong to the day on which they begin, so that Friday's night ends on Saturday."""
    days, dates = calendar.days, calendar.dates
    hours = None if calendar.hours is None else (_minute(calendar.hours[0]), _minute(calendar.hours[1]))

    def holds(here: datetime) -> bool:
        day = here.date()
        if hours is not None:
            start, end = hours
            now = here.hour * 60 + here.minute
            if start < end:
                if not start <= now < end:
                    return False
            elif now < end:
                day -= _DAY
            elif now < start:
                return False
        if days is not None and day.weekday() not in days:
            return False
        return dates is None or dates[0] <= day <= dates[1]

    return holds


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def window(span: Span, at: datetime, zone: str) -> tuple[datetime, datetime] | None:
    """From when until when (UTC, excluded) the span lasts that this moment is in; None for `ever` and `sale`, which
    have no bounds in the calendar."""
    day = local(at, zone).date()
    match span:
        case "day":
            first, after = day, day + timedelta(days=1)
        case "week":
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case "month":
            first = day.replace(day=1)
            after = (first + timedelta(days=31)).replace(day=1)
        case "year":
            first, after = date(day.year, 1, 1), date(day.year + 1, 1, 1)
        case _:
            return None
    return _midnight(first, zone), _midnight(after, zone)


def celebrated(birthday: tuple[int, int] | None, day: date) -> frozenset[Birthday]:
    """The spans around a birthday (month, day) that this day is in. A 29 February is on the 28th in other years."""
    if birthday is None:
        return frozenset()
    spans: set[Birthday] = {"month"} if birthday[0] == day.month else set()
    apart = min(abs((day - _birthday_in(year, birthday)).days) for year in (day.year - 1, day.year, day.year + 1))
    if apart <= _WEEK:
        spans.add("week")
    if apart == 0:
        spans.add("day")
    return frozenset(spans)


def _birthday_in(year: int, birthday: tuple[int, int]) -> date:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return date(year, 2, 28) if birthday == (2, 29) and not leap else date(year, *birthday)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
