"""Owns what tiers are measured by: which figures a ladder asks for, from when on each counts, and what needs make of
them.

Days, months and years are those of the member's store. A rolling window goes back to the same time of day so many days
or months before, or to the last day of a month that has no such day; whoever joined on 29 February begins a year on the
28th in other years.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from wallet_server.rules.baskets.occasions import local
from wallet_server.rules.programme.program_parts import AllOf, AnyOf, AtLeast, Ladder, Level, Need, Reach, Weighted

EVER = Reach("ever")
Wanted = tuple[str, Reach]
"""A metric, as the document names it, and how far back it looks."""
Measures = Mapping[Wanted, int]
"""What was found; a figure that is missing is 0."""
BALANCE = "balance:"
_NEEDED = "_needed"


@dataclass(frozen=True)
class Person:
    """What dates a member's windows: the zone of their store, and since when they are a customer."""

    zone: str
    since: datetime


@dataclass(frozen=True)
class Missing:
    """So much more of a metric (at least 1)."""

    metric: str
    units: int


def need_of(ladder: Ladder, level: Level) -> Need:
    """What a level asks for; a threshold is a need of the balance that the ladder counts in."""
    return level.needs or AtLeast(f"{BALANCE}{ladder.currency}", EVER, level.threshold)


def needed(ladder: Ladder) -> tuple[Wanted, ...]:
    """Every figure that the ladder asks for, once, in the order of its levels."""
    kept: tuple[Wanted, ...] | None = vars(ladder).get(_NEEDED)
    if kept is None:
        levels = [level for level in ladder.levels[1:] if not level.invitation]
        kept = tuple(dict.fromkeys(one for level in levels for one in _figures(need_of(ladder, level))))
        vars(ladder)[_NEEDED] = kept  # a ladder never changes, and each sale asks
    return kept


def measured(ladder: Ladder) -> bool:
    """Whether it asks for more than its own balance, which is known wherever something is booked."""
    return any(one != (f"{BALANCE}{ladder.currency}", EVER) for one in needed(ladder))


def dated(wanted: Sequence[Wanted]) -> bool:
    """Whether one of them counts by the calendar of the member's store."""
    return any(
        metric == "tenure_days" or reach.kind.startswith(("calendar", "anniversary")) for metric, reach in wanted
    )


def moves_by_itself(ladder: Ladder) -> bool:
    """Whether a tier is reached, or lost at once, by nothing but time."""
    at_once = ladder.review.kind == "at-once"
    return any(metric == "tenure_days" or (at_once and reach != EVER) for metric, reach in needed(ladder))


def _figures(need: Need) -> Iterator[Wanted]:
    match need:
        case AtLeast():
            yield need.metric, need.reach
        case Weighted():
            yield from ((metric, reach) for metric, reach, _weight in need.terms)
        case AllOf() | AnyOf():
            for part in need.needs:
                yield from _figures(part)


# --- time ----------------------------------------------------------------------------------------------------


def since(reach: Reach, at: datetime, person: Person) -> datetime | None:
    """From which instant on (included) a window counts that is looked at in this moment; None: everything does."""
    if reach.kind == "ever":
        return None
    here = local(at, person.zone)
    today = here.date()
    match reach.kind:
        case "rolling-days":
            return _instant(here.replace(tzinfo=None) - timedelta(days=reach.count), person.zone)
        case "rolling-months":
            return _instant(datetime.combine(months_before(today, reach.count), here.time()), person.zone)
        case "calendar-year":
            return midnight(date(today.year, 1, 1), person.zone)
        case "calendar-quarter":
            return midnight(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), person.zone)
        case "calendar-month":
            return midnight(today.replace(day=1), person.zone)
        case _:
            joined = local(person.since, person.zone).date()
            return midnight(max(joined, _last_anniversary(joined, today)), person.zone)


def next_look(wanted: Sequence[Wanted], at: datetime, person: Person) -> datetime | None:
    """When figures next change by nothing but time, as far as a card shows it: at the turn of a month or a year, and
    of a week where days count; None: never."""
    turns = []
    today = local(at, person.zone).date()
    for metric, reach in wanted:
        if metric == "tenure_days" or reach.kind.startswith("rolling"):
            turns.append(midnight(today + timedelta(days=7 - today.weekday()), person.zone))
        elif reach.kind == "anniversary-year":
            turns.append(next_turn("anniversary", at, person))
        elif reach != EVER:
            turns.append(midnight((today.replace(day=1) + timedelta(days=31)).replace(day=1), person.zone))
    return min(turns, default=None)


def tenure_days(at: datetime, person: Person) -> int:
    """Whole days since somebody became a customer, by the calendar of the store."""
    return max(0, (local(at, person.zone).date() - local(person.since, person.zone).date()).days)


def months_before(day: date, months: int) -> date:
    """The same day so many months before, or the last of a month that has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < 1:
        return date(1, 1, 2)
    last = next(number for number in (31, 30, 29, 28) if _is_day(year, month + 1, number))
    return date(year, month + 1, min(day.day, last))


def _is_day(year: int, month: int, day: int) -> bool:
    return (date(year, month, 28) + timedelta(days=day - 28)).month == month


def anniversary(joined: date, year: int) -> date:
    """The day of that year on which a year of membership begins."""
    leap = (joined.month, joined.day) == (2, 29) and not _is_day(year, 2, 29)
    return date(year, 2, 28) if leap else date(year, joined.month, joined.day)


def _last_anniversary(joined: date, today: date) -> date:
    this = anniversary(joined, today.year)
    return this if this <= today else anniversary(joined, today.year - 1)


def next_turn(kind: str, after: datetime, person: Person) -> datetime:
    """When the next year begins after this moment: by the `calendar-year`, or by the `anniversary` of joining."""
    today = local(after, person.zone).date()
    if kind == "calendar-year":
        return midnight(date(today.year + 1, 1, 1), person.zone)
    joined = local(person.since, person.zone).date()
    this = anniversary(joined, today.year)
    return midnight(this if this > today else anniversary(joined, today.year + 1), person.zone)


def midnight(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a day begins there."""
    return _instant(datetime.combine(day, time.min), zone)


def _instant(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# --- needs ---------------------------------------------------------------------------------------------------


def met(need: Need, found: Measures) -> bool:
    """Whether these figures are enough."""
    match need:
        case AtLeast():
            return found.get((need.metric, need.reach), 0) >= need.value
        case Weighted():
            return _weighed(need, found) >= need.value
        case AllOf():
            return all(met(part, found) for part in need.needs)
        case AnyOf():
            return any(met(part, found) for part in need.needs)


def progress(need: Need, found: Measures) -> Fraction:
    """How far along, from 0 to 1, which alone is met: of several that are all needed their mean, of any of several the
    one that is furthest."""
    match need:
        case AtLeast():
            return _share(found.get((need.metric, need.reach), 0), need.value)
        case Weighted():
            return _share(_weighed(need, found), need.value)
        case AllOf():
            return sum((progress(part, found) for part in need.needs), Fraction(0)) / len(need.needs)
        case AnyOf():
            return max(progress(part, found) for part in need.needs)


def _share(value: int, goal: int) -> Fraction:
    return Fraction(1) if value >= goal else Fraction(max(value, 0), goal)


def _weighed(need: Weighted, found: Measures) -> int:
    return sum(found.get((metric, reach), 0) * weight for metric, reach, weight in need.terms)


def missing(need: Need, found: Measures) -> tuple[Missing, ...]:
    """What would be enough, by the nearest way: of any of several the one that is furthest along; of a weighted sum
    more of what it owes most to. Each metric once; nothing where the need is met."""
    most: dict[str, int] = {}
    for one in _lacking(need, found):
        most[one.metric] = max(one.units, most.get(one.metric, 0))
    return tuple(Missing(metric, units) for metric, units in most.items())


def _lacking(need: Need, found: Measures) -> Iterator[Missing]:
    if met(need, found):
        return
    match need:
        case AtLeast():
            yield Missing(need.metric, need.value - found.get((need.metric, need.reach), 0))
        case Weighted():
            best = max(need.terms, key=lambda term: found.get((term[0], term[1]), 0) * term[2])
            yield Missing(best[0], -(-(need.value - _weighed(need, found)) // best[2]))
        case AllOf():
            for part in need.needs:
                yield from _lacking(part, found)
        case AnyOf():
            yield from _lacking(max(need.needs, key=lambda part: progress(part, found)), found)


def satisfied(need: Need, found: Measures) -> tuple[Missing, ...]:
    """By what a need is met: of any of several the first that is; of a weighted sum its figures as they are. Nothing
    where it is not met."""
    if not met(need, found):
        return ()
    match need:
        case AtLeast():
            return (Missing(need.metric, need.value),)
        case Weighted():
            values = [Missing(metric, found.get((metric, reach), 0)) for metric, reach, _weight in need.terms]
            return tuple(one for one in values if one.units > 0)
        case AllOf():
            most = {one.metric: one for part in need.needs for one in satisfied(part, found)}
            return tuple(most.values())
        case AnyOf():
            return next(satisfied(part, found) for part in need.needs if met(part, found))
