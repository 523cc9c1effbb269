"""Owns the second opinion on a year of sales: every member's units counted by hand, with no code of the product.

It knows one programme (see `benchmarks.ledger_year.document`): a point for each whole dollar of what was paid, tobacco
apart, that runs out after six months; a status point for each whole dollar, for ever; a stamp for a visit of five
dollars or more, an hour after the last. Whoever comes back with ten stamps takes a coffee, else five dollars off for
each 500 points, as often as the basket holds them. What comes back is rated anew, by docs/programme.md.
"""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

TOBACCO = "CIGARETTES"
HOUR, SPAN = timedelta(hours=1), timedelta(days=90)
MONTHS = 6
COFFEE, FIVE, COFFEE_STAMPS, FIVE_POINTS, OFF_CENTS, SMALLEST_CENTS = "coffee", "five", 10, 500, 500, 500
THRESHOLDS = (("gold", 100_000), ("silver", 40_000))
"""What a tier asks for: cents paid within 90 days."""
MOST_FIVES = 20
CURRENCIES = ("points", "status", "stamps")


@dataclass(frozen=True)
class Article:
    """A line as sold: `pieces` of them for `cents` together."""

    sku: str
    category: str | None
    pieces: int
    cents: int


@dataclass
class _Lot:
    sale: int
    left: int
    ends: datetime | None


class Purse:
    """One currency of one member: lots that run out, what is owed, and what came of it by kind."""

    def __init__(self, months: int | None = None) -> None:
        self._months = months
        self._lots: list[_Lot] = []
        self._owed: list[int] = []
        self.flows: Counter[str] = Counter()

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self._lots) - sum(self._owed)

    def expire(self, at: datetime) -> None:
        for lot in self._lots:
            if lot.ends is not None and lot.ends <= at:
                self.flows["expire"] -= lot.left
                lot.left = 0
        self._lots = [lot for lot in self._lots if lot.left]

    def earn(self, sale: int, units: int, at: datetime) -> None:
        if not units:
            return
        self.flows["earn"] += units
        while units and self._owed:
            paid = min(units, self._owed[0])
            units -= paid
            self._owed[0] -= paid
            if not self._owed[0]:
                self._owed.pop(0)
        if units:
            self._lots.append(_Lot(sale, units, None if self._months is None else months_later(at, self._months)))

    def spend(self, units: int) -> None:
        self.flows["burn"] -= units
        self._draw(self._lots, units)

    def take_back(self, sale: int, units: int) -> None:
        """From what that sale gave, then from the oldest, and what is missing is owed."""
        self.flows["reverse"] -= units
        rest = self._draw([lot for lot in self._lots if lot.sale == sale], units)
        rest = self._draw(self._lots, rest)
        if rest:
            self._owed.append(rest)

    def _draw(self, lots: Iterable[_Lot], units: int) -> int:
        for lot in lots:
            part = min(lot.left, units)
            lot.left -= part
            units -= part
        self._lots = [lot for lot in self._lots if lot.left]
        return units


def months_later(at: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of a month that has no such day."""
    year, month = at.year + (at.month - 1 + months) // 12, (at.month - 1 + months) % 12 + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))


@dataclass
class _Sold:
    at: datetime
    articles: list[Article]
    pieces: list[int]
    cents: list[int]
    fives: int
    stamped: bool
    paid: int
    given: dict[str, int] = field(default_factory=dict)


class Member:
    """One household, from sale to sale. `taken` counts rewards."""

    def __init__(self) -> None:
        self.purses = {"points": Purse(MONTHS), "status": Purse(), "stamps": Purse()}
        self.sales: list[_Sold] = []
        self.taken: Counter[str] = Counter()
        self._stamped_at: datetime | None = None

    def wishes(self, at: datetime, articles: Sequence[Article]) -> list[str]:
        """The rewards that the member asks for with this basket."""
        self._expire(at)
        total = sum(article.cents for article in articles)
        if total > 0 and self.purses["stamps"].balance >= COFFEE_STAMPS:
            return [COFFEE]
        return [FIVE] * min(MOST_FIVES, max(0, self.purses["points"].balance) // FIVE_POINTS, total // OFF_CENTS)

    def buy(self, at: datetime, articles: list[Article], rewards: Sequence[str]) -> int:
        """A sale that uses these rewards; its number."""
        self._expire(at)
        self.taken.update(rewards)
        if COFFEE in rewards:
            self.purses["stamps"].spend(COFFEE_STAMPS)
        fives = rewards.count(FIVE)
        if fives:
            self.purses["points"].spend(FIVE_POINTS * fives)
        cents = [article.cents for article in articles]
        due = self._stamped_at is None or at - self._stamped_at >= HOUR
        sold = _Sold(at, articles, [article.pieces for article in articles], cents, fives, due, 0)
        sold.paid = sum(_net(cents, fives))
        sold.given = _rated(sold)
        if sold.given["stamps"]:
            self._stamped_at = at
        self.sales.append(sold)
        for code, units in sold.given.items():
            self.purses[code].earn(len(self.sales) - 1, units, at)
        return len(self.sales) - 1

    def bring_back(self, at: datetime, number: int, parts: Sequence[tuple[int, int | None]]) -> None:
        """Of some lines (from 1) so many pieces, or all that is left of the line."""
        self._expire(at)
        sold = self.sales[number]
        for line, pieces in parts:
            have, cents = sold.pieces[line - 1], sold.cents[line - 1]
            back = have if pieces is None else pieces
            # Half up: what so many pieces cost of what is left of the line.
            money = cents if back == have else (2 * cents * back + have) // (2 * have)
            sold.pieces[line - 1] -= back
            sold.cents[line - 1] -= money
        sold.paid = min(sold.paid, sum(_net(sold.cents, sold.fives)))
        now = _rated(sold)
        for code, units in sold.given.items():
            if now[code] > units:
                raise ValueError("less bought gives more: not a case of this programme")
            if now[code] < units:
                self.purses[code].take_back(number, units - now[code])
        sold.given = now

    def _expire(self, at: datetime) -> None:
        self.purses["points"].expire(at)

    def end(self, at: datetime) -> str:
        """Lets run out what has; the tier at that moment."""
        self._expire(at)
        spent = sum(sold.paid for sold in self.sales if at - SPAN <= sold.at <= at)
        return next((tier for tier, least in THRESHOLDS if spent >= least), "bronze")


def _net(cents: Sequence[int], fives: int) -> list[int]:
    """What is paid for each line: each reward takes its part of what the one before has left, by largest remainder."""
    left = list(cents)
    for _ in range(fives):
        places = [place for place, amount in enumerate(left) if amount > 0]
        whole = sum(left[place] for place in places)
        off = min(OFF_CENTS, whole)
        if not off:
            break
        parts = {place: off * left[place] // whole for place in places}
        by_rest = sorted(places, key=lambda place: (-(off * left[place] % whole), place))
        for place in by_rest[: off - sum(parts.values())]:
            parts[place] += 1
        for place, part in parts.items():
            left[place] -= part
    return left


def _rated(sold: _Sold) -> dict[str, int]:
    net = _net(sold.cents, sold.fives)
    whole = sum(net)
    smoke = sum(cents for cents, article in zip(net, sold.articles, strict=True) if article.category == TOBACCO)
    stamp = sold.stamped and whole >= SMALLEST_CENTS
    return {"points": max(0, whole - smoke) // 100, "status": max(0, whole) // 100, "stamps": int(stamp)}
