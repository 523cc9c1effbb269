"""Owns what is known of customers by their purchases alone: traits, the portrait of the best, the share of the top.

Traits are compared by rank, not by mean: how likely one of the best has more of it than one of the rest, ties counting
half. One customer who bought a ship says nothing about the others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from wallet_server.rules.baskets.baskets import Line

TENTH, FIFTH = 10, 5
EVENING = 17
SATURDAY = 5
MOST_CATEGORIES = 40
"""So many of the commonest categories are looked at as traits of their own."""
CATEGORY = "category:"


class Purchase(NamedTuple):
    """A basket of the past; `at` carries the store's own zone, `timed` says whether the time of day is known."""

    at: datetime
    store: str
    lines: Sequence[Line]
    timed: bool = True


class Traits(NamedTuple):
    """What one customer's purchases say of them; `numbers` by name, in thousandths; `categories` that they ever
    bought from."""

    customer: str
    turnover_minor: int
    numbers: Mapping[str, int]
    categories: frozenset[str]


NUMBERS = (
    "purchases", "basket_minor", "lines", "pieces", "skus", "categories", "stores", "interval_days", "months",
    "tenure_days", "recency_days", "weekend", "evening", "taken_back",
)  # fmt: skip
"""Names of the traits that are numbers; `weekend`, `evening` and `taken_back` are shares of the purchases."""


def traits(customer: str, purchases: Sequence[Purchase], until: datetime) -> Traits:
    """The traits of one customer; purchases in order of time, at least one, none of them after `until`."""
    count = len(purchases)
    amounts = [sum([line.amount_minor for line in one.lines]) for one in purchases]
    bought = [(one, amount) for one, amount in zip(purchases, amounts, strict=True) if amount >= 0]
    skus: set[str | None] = set()
    categories: set[str | None] = set()
    lines = pieces = 0
    for one in purchases:
        skus.update([line.sku for line in one.lines])
        categories.update([line.category for line in one.lines])
        lines += len(one.lines)
        pieces += sum([line.quantity_milli for line in one.lines])
    first, last = purchases[0].at, purchases[-1].at
    numbers = {
        "purchases": len(bought) * 1000,
        "basket_minor": sum([amount for _, amount in bought]) * 1000 // max(1, len(bought)),
        "lines": lines * 1000 // count,
        "pieces": pieces // count,
        "stores": len({one.store for one in purchases}) * 1000,
        "months": len({(one.at.year, one.at.month) for one in purchases}) * 1000,
        "tenure_days": (last.date() - first.date()).days * 1000,
        "recency_days": (until.date() - last.date()).days * 1000,
        "weekend": sum([one.at.weekday() >= SATURDAY for one in purchases]) * 1000 // count,
        "taken_back": (count - len(bought)) * 1000 // count,
    }
    if (between := middle(gaps(purchases, amounts))) is not None:
        numbers["interval_days"] = int(between * 1000)
    if all(one.timed for one in purchases):
        numbers["evening"] = sum([one.at.hour >= EVENING for one in purchases]) * 1000 // count
    if known := len(skus - {None}):
        numbers["skus"] = known * 1000
    kinds = frozenset(one for one in categories if one is not None)
    if kinds:
        numbers["categories"] = len(kinds) * 1000
    return Traits(customer, sum(amounts), numbers, kinds)


def gaps(purchases: Sequence[Purchase], totals: Sequence[int]) -> Counter[int]:
    """How often so many days lie between a day with a purchase and the next one with one; returns are none. In order of
    time."""
    days = dict.fromkeys([one[0].toordinal() for one, total in zip(purchases, totals, strict=True) if total >= 0])
    return Counter([later - earlier for earlier, later in pairwise(days)])


def middle(counted: Mapping[int, int]) -> Fraction | None:
    """The median of numbers given with how often each occurs; None without any."""
    whole = sum(counted.values())
    if not whole:
        return None
    return Fraction(_nth(counted, (whole + 1) // 2) + _nth(counted, whole // 2 + 1), 2)


def _nth(counted: Mapping[int, int], place: int) -> int:
    """The number at this place, from 1, of all in their order."""
    for number in sorted(counted):
        place -= counted[number]
        if place <= 0:
            return number
    raise ValueError("there are not so many")


# ---------------------------------------------------------------------- the top


@dataclass(frozen=True)
class Top:
    """The customers who bought most, `count` of `customers` (a fifth, rounded up), and what they brought of the
    turnover of all customers."""

    customers: int
    count: int
    brought_minor: int
    turnover_minor: int

    @property
    def share(self) -> Fraction | None:
        """Of the turnover; None when there was none."""
        return Fraction(self.brought_minor, self.turnover_minor) if self.turnover_minor > 0 else None


def top_share(turnovers: Sequence[int], part: int = FIFTH) -> Top:
    """What the top fifth (or another `part`) of the customers brought."""
    count = -(-len(turnovers) // part)
    best = sorted(turnovers, reverse=True)[:count]
    return Top(len(turnovers), count, sum(best), sum(turnovers))


# ---------------------------------------------------------------------- the portrait


@dataclass(frozen=True)
class Trait:
    """What distinguishes the best customers: `likelihood` that one of them has more of it than one of the rest; `best`
    and `rest` are the medians, for a category the shares of those who buy from it."""

    name: str
    likelihood: Fraction
    best: Fraction
    rest: Fraction

    @property
    def strength(self) -> Fraction:
        """How far from chance, 0 to 1/2."""
        return abs(self.likelihood - Fraction(1, 2))


@dataclass(frozen=True)
class Portrait:
    """The tenth of the customers that bought most, and what tells them from the rest, the most telling first."""

    customers: int
    best: int
    traits: tuple[Trait, ...]


def portrait(all_traits: Sequence[Traits], most: int = 5) -> Portrait | None:
    """The portrait of the best; None for fewer than ten customers. Turnover itself is no trait: it says who is best."""
    if len(all_traits) < TENTH:
        return None
    ranked = sorted(all_traits, key=lambda one: (-one.turnover_minor, one.customer))
    count = -(-len(ranked) // TENTH)
    best, rest = ranked[:count], ranked[count:]
    found = [_number(name, best, rest) for name in NUMBERS] + _categories(best, rest)
    telling = [one for one in found if one is not None and one.strength]
    telling.sort(key=lambda one: (-one.strength, one.name))
    return Portrait(len(ranked), count, tuple(telling[:most]))


def _number(name: str, best: Sequence[Traits], rest: Sequence[Traits]) -> Trait | None:
    mine = sorted([one.numbers[name] for one in best if name in one.numbers])
    others = sorted([one.numbers[name] for one in rest if name in one.numbers])
    if not mine or not others:
        return None
    # Twice the pairs in which one of the best has more, ties once: whole numbers.
    more = sum(bisect_left(others, value) + bisect_right(others, value) for value in mine)
    likelihood = Fraction(more, 2 * len(mine) * len(others))
    return Trait(name, likelihood, _median(mine), _median(others))


def _categories(best: Sequence[Traits], rest: Sequence[Traits]) -> list[Trait | None]:
    bought = Counter(category for one in (*best, *rest) for category in one.categories)
    common = sorted(bought, key=lambda name: (-bought[name], name))[:MOST_CATEGORIES]
    found: list[Trait | None] = []
    for name in common:
        mine = Fraction(sum([name in one.categories for one in best]), len(best))
        others = Fraction(sum([name in one.categories for one in rest]), len(rest))
        found.append(Trait(CATEGORY + name, Fraction(1, 2) + (mine - others) / 2, mine, others))
    return found


def _median(ordered: Sequence[int]) -> Fraction:
    """Of thousandths, in whole."""
    half = len(ordered) // 2
    if len(ordered) % 2:
        return Fraction(ordered[half], 1000)
    return Fraction(ordered[half - 1] + ordered[half], 2000)
