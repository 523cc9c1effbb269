"""Owns the tier of a simulated member: by a balance alone, or by figures and reviews as the books have them.

What only happens outside a till (events, referrals, gifts of a tier) is not in a file of sales and counts nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from wallet_server.rules.programme.program import Ladder, Programme
from wallet_server.rules.simulation.purses import Purse
from wallet_server.rules.tiers.metrics import EVER, Measures, Person, measured, needed, since, tenure_days
from wallet_server.rules.tiers.standing import AT_ONCE, Standing, beginning, judged_at, settle
from wallet_server.rules.tiers.tiers import level_for

NIGHT = time(1, 30, tzinfo=UTC)
"""When the product looks at tiers that nothing but time moves."""
MOST_LOOKS = 400
"""Reviews between two purchases: a year and more of daily ones."""

_DAY = timedelta(days=1)


class Series:
    """A figure over time: what it came to up to each moment."""

    __slots__ = ("_sums", "_times")

    def __init__(self) -> None:
        self._times: list[datetime] = []
        self._sums = [0]

    def add(self, at: datetime, units: int) -> None:
        """Adds what came at a moment, the latest so far."""
        self._times.append(at)
        self._sums.append(self._sums[-1] + units)

    def within(self, begin: datetime | None, end: datetime) -> int:
        """What came from `begin` on (included; None: ever) up to `end`, included."""
        first = 0 if begin is None else bisect_left(self._times, begin)
        return self._sums[max(first, bisect_right(self._times, end))] - self._sums[first]


class Ladders:
    """The ladder of a programme, made ready once."""

    def __init__(self, programme: Programme) -> None:
        self.ladder = programme.ladder
        levels = () if self.ladder is None else tuple(one for one in self.ladder.levels if not one.invitation)
        self.codes = tuple(level.code for level in levels)
        self.thresholds = tuple(level.threshold for level in levels)
        self.currency = "" if self.ladder is None else self.ladder.currency
        self.pots = tuple(one.code for one in programme.currencies if one.kind == "money")
        review = None if self.ladder is None else self.ladder.review
        self.simple = review is None or (review.kind == AT_ONCE and not review.grace_days)
        self.simple = self.simple and (self.ladder is None or not measured(self.ladder))

    def place(self, code: str | None) -> int:
        """The place of a level, the first for one that is not on the ladder."""
        return self.codes.index(code) if code in self.codes else 0

    def of_balance(self, value: int) -> int:
        """The place that a balance reaches, where nothing else counts."""
        return max(0, bisect_right(self.thresholds, value) - 1)

    def around(self, value: int) -> tuple[int, int]:
        """From where on and up to where (excluded) a balance reaches the same place as this one."""
        place = bisect_right(self.thresholds, value)
        below = self.thresholds[place - 1] if place > 1 else -(2**62)
        return below, self.thresholds[place] if place < len(self.thresholds) else 2**62


class Climb:
    """One member on a ladder that asks for more than a balance."""

    def __init__(self, ladders: Ladders, ladder: Ladder, zone: str, since_when: datetime) -> None:
        self._ladders, self._ladder = ladders, ladder
        self._person = Person(zone, since_when)
        self._wanted = needed(ladder)
        self._series: dict[str, Series] = {}
        self._day: int | None = None
        self._standing: Standing = beginning(ladder.levels[0].code, since_when)
        self._looked = since_when
        # Where grace runs from the night in which a tier is no longer deserved, each night matters.
        self._each = ladder.review.kind == AT_ONCE and ladder.review.grace_days > 0

    def nights(self, at: datetime) -> list[datetime]:
        """The nights before a purchase in which the tier is to be looked at: all since the last look, or the last."""
        last = datetime.combine(at.astimezone(UTC).date(), NIGHT)
        last = last if last <= at else last - _DAY
        if last <= self._looked:
            return []
        count = min(MOST_LOOKS, -(-(last - self._looked) // _DAY)) if self._each else 1
        return [last - _DAY * back for back in reversed(range(count))]

    def bought(self, at: datetime, paid: int, *, came_back: bool = False) -> None:
        """What was paid for a purchase, or for goods that came back (below zero)."""
        self._of("spend").add(at, paid)
        if paid > 0 and not came_back:
            self._of("orders").add(at, 1)
            if at.toordinal() != self._day:
                self._day = at.toordinal()
                self._of("visits").add(at, 1)

    def earned(self, at: datetime, currency: str, units: int) -> None:
        """Units that a purchase brought."""
        self._of(f"earned:{currency}").add(at, units)

    def look(self, at: datetime, purses: Mapping[str, Purse]) -> int:
        """The place on the ladder now, after every review that was due."""
        self._looked = at
        for _ in range(MOST_LOOKS):
            due = self._standing.due_at
            if due is None or due > at:
                break
            self._settle(due, purses)
        self._settle(at, purses)
        return self._ladders.place(self._standing.level)

    def _settle(self, now: datetime, purses: Mapping[str, Purse]) -> None:
        deserved = level_for(self._ladder, self._figures(now, purses)).code
        at = judged_at(self._ladder, self._standing, deserved, now)
        judged = None if at is None else level_for(self._ladder, self._figures(at, purses)).code
        self._standing = settle(self._ladder, self._standing, deserved, judged, self._person, now)

    def _figures(self, at: datetime, purses: Mapping[str, Purse]) -> Measures:
        found = {}
        for metric, reach in self._wanted:
            if metric == "tenure_days":
                value = tenure_days(at, self._person)
            elif metric == "pot":
                value = _sum(purses, self._ladders.pots)
            elif metric.startswith("balance:"):
                value = _sum(purses, [metric.removeprefix("balance:")])
            else:
                begin = None if reach == EVER else since(reach, at, self._person)
                value = self._of(metric).within(begin, at)
            found[metric, reach] = value
        return found

    def _of(self, metric: str) -> Series:
        return self._series.setdefault(metric, Series())


def _sum(purses: Mapping[str, Purse], codes: Sequence[str]) -> int:
    return sum(purses[code].balance for code in codes if code in purses)
