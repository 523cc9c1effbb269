"""Owns "what would it have cost me?": what a stamp card or points would have given away on purchases of the past.

Everything is counted as given: each full card, each point, also those that nobody would ever have claimed. What
comes out is therefore the most that these purchases would have cost. All numbers are integers or exact fractions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import NamedTuple

FEW_CARDS = Fraction(2, 5)
"""Where a till does not know its customers, the lower end of the range: 2 of 5 purchases with the card shown."""
SHORTEST = 28
"""Days of history below which nothing is told of a whole year."""
REWARD_BANDS = (0, 1, 2, 3, 4, 5, 6, 11, 21)
VALUE_BANDS_MINOR = (0, 1, 100, 500, 1000, 2000, 5000, 10000)
TENTH = 10


class Purchase(NamedTuple):
    """One purchase: the day as `date.toordinal`, the amount in the smallest unit of money (below zero: a refund)."""

    day: int
    amount_minor: int
    customer: str | None


class Row(NamedTuple):
    """One line of a till's export; lines of one receipt are one purchase."""

    day: int
    amount_minor: int
    customer: str | None
    receipt: str | None


@dataclass(frozen=True)
class StampCard:
    """A gift worth `gift_minor` after every `paid` purchases of at least `minimum_minor`: "10 + 1" is paid=10."""

    paid: int
    gift_minor: int
    minimum_minor: int = 0


@dataclass(frozen=True)
class PointsCard:
    """`per_minor` points for each smallest unit of money, rounded down for each purchase; each worth `worth_minor`."""

    per_minor: Fraction
    worth_minor: Fraction


Offer = StampCard | PointsCard


@dataclass(frozen=True)
class Band:
    """The customers who would have had from `low` to below `high` (None: without end): gifts of a stamp card, or
    points by what they are worth in the smallest unit of money."""

    low: int
    high: int | None
    customers: int
    given_minor: int


@dataclass(frozen=True)
class Month:
    """A calendar month: turnover, what was given away in it, and all that was given until its end."""

    year: int
    month: int
    turnover_minor: int
    given_minor: int
    so_far_minor: int


@dataclass(frozen=True)
class Outcome:
    """What the offer would have cost.

    `known` says whether the till knew its customers. Where it did, `least_minor` and `most_minor` are both what was
    given; else they are the ends of a range: 2 of 5 purchases with the card, and all of them on cards that all fill.
    `units` are gifts or points (of `most_minor`). The medians are of the known customers, for 365 days; None below
    `SHORTEST` days. `top_given_minor` went to the tenth of the customers (rounded up) that had most.
    """

    purchases: int
    first_day: int
    last_day: int
    turnover_minor: int
    known: bool
    known_turnover_minor: int
    customers: int
    units: int
    least_minor: int
    most_minor: int
    bands: tuple[Band, ...]
    months: tuple[Month, ...]
    median_units_year: Fraction | None
    median_given_year_minor: Fraction | None
    top_customers: int
    top_given_minor: int

    @property
    def rate(self) -> tuple[Fraction, Fraction] | None:
        """What is given back of the turnover, (least, most); None when nothing was turned over."""
        if self.turnover_minor <= 0:
            return None
        return Fraction(self.least_minor, self.turnover_minor), Fraction(self.most_minor, self.turnover_minor)


def purchases_of(rows: Iterable[Row]) -> list[Purchase]:
    """Purchases in the order of their days: lines of one receipt on one day are one, and have its first customer."""
    single: list[Purchase] = []
    receipts: dict[tuple[int, str], Purchase] = {}
    for row in rows:
        if row.receipt is None:
            single.append(Purchase(row.day, row.amount_minor, row.customer))
            continue
        key = (row.day, row.receipt)
        before = receipts.get(key)
        if before is None:
            receipts[key] = Purchase(row.day, row.amount_minor, row.customer)
        else:
            whose = before.customer if before.customer is not None else row.customer
            receipts[key] = Purchase(row.day, before.amount_minor + row.amount_minor, whose)
    return sorted([*single, *receipts.values()], key=lambda one: one.day)


def replay(purchases: Sequence[Purchase], offer: Offer) -> Outcome:
    """What this offer would have given away. `purchases` stand in the order of their days, at least one of them.

    A refund takes points back, never below zero, and gives no stamp; the stamp of what was refunded stays. Where no
    purchase has a customer, all of them are taken for one customer's: the upper end of the range.
    """
    if not purchases:
        raise ValueError("there is nothing to replay")
    known = any(one.customer is not None for one in purchases)
    wallet = _Wallets(offer)
    turnover: dict[tuple[int, int], int] = {}
    given: dict[tuple[int, int], int] = {}
    months: dict[int, tuple[int, int]] = {}
    known_turnover = 0
    for day, amount, customer in purchases:
        month = months.get(day)
        if month is None:
            on = date.fromordinal(day)
            month = months[day] = (on.year, on.month)
        turnover[month] = turnover.get(month, 0) + amount
        if customer is not None:
            known_turnover += amount
        if customer is not None or not known:
            given[month] = given.get(month, 0) + wallet.buy(customer or "", amount)
    units = wallet.units()
    whole = sum(units.values())
    most = _worth(whole, offer)
    per_customer = units if known else {}
    shares = sorted((_worth(count, offer) for count in per_customer.values()), reverse=True)
    top = -(-len(shares) // TENTH)
    year = _year(purchases, per_customer)
    return Outcome(
        purchases=len(purchases),
        first_day=purchases[0].day,
        last_day=purchases[-1].day,
        turnover_minor=sum(turnover.values()),
        known=known,
        known_turnover_minor=known_turnover,
        customers=len(per_customer),
        units=whole,
        least_minor=most if known else _worth(int(whole * FEW_CARDS), offer),
        most_minor=most,
        bands=_bands(per_customer.values(), offer) if known else (),
        months=_months(turnover, given, offer),
        median_units_year=year,
        median_given_year_minor=None if year is None else year * _unit_worth(offer),
        top_customers=top,
        top_given_minor=sum(shares[:top]),
    )


class _Wallets:
    """What each customer holds while the purchases go by."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._held: dict[str, int] = {}  # stamps ever given, or points

    def buy(self, customer: str, amount: int) -> int:
        """The gifts or points that this purchase adds (below zero: that a refund takes back)."""
        held = self._held.get(customer, 0)
        offer = self._offer
        if isinstance(offer, StampCard):
            now = held + (amount > 0 and amount >= offer.minimum_minor)
            self._held[customer] = now
            return now // offer.paid - held // offer.paid
        rate = offer.per_minor
        points = abs(amount) * rate.numerator // rate.denominator
        now = held + points if amount > 0 else max(0, held - points)
        self._held[customer] = now
        return now - held

    def units(self) -> dict[str, int]:
        """Gifts or points of each customer."""
        offer = self._offer
        if isinstance(offer, StampCard):
            return {customer: stamps // offer.paid for customer, stamps in self._held.items()}
        return self._held


def _unit_worth(offer: Offer) -> Fraction:
    return Fraction(offer.gift_minor) if isinstance(offer, StampCard) else offer.worth_minor


def _worth(units: int, offer: Offer) -> int:
    """In the smallest unit of money, rounded down."""
    worth = _unit_worth(offer)
    return units * worth.numerator // worth.denominator


def _bands(units: Iterable[int], offer: Offer) -> tuple[Band, ...]:
    edges = REWARD_BANDS if isinstance(offer, StampCard) else VALUE_BANDS_MINOR
    customers, given = [0] * len(edges), [0] * len(edges)
    for count in units:
        value = _worth(count, offer)
        place = bisect_right(edges, count if isinstance(offer, StampCard) else value) - 1
        customers[place] += 1
        given[place] += value
    ends: tuple[int | None, ...] = (*edges[1:], None)
    last = max((n for n, many in enumerate(customers) if many), default=-1)
    return tuple(Band(edges[n], ends[n], customers[n], given[n]) for n in range(last + 1))


def _months(
    turnover: Mapping[tuple[int, int], int], given: Mapping[tuple[int, int], int], offer: Offer
) -> tuple[Month, ...]:
    months, units, before = [], 0, 0
    for year, month in sorted(turnover):
        units += given.get((year, month), 0)
        so_far = _worth(units, offer)
        months.append(Month(year, month, turnover[year, month], so_far - before, so_far))
        before = so_far
    return tuple(months)


def _year(purchases: Sequence[Purchase], units: Mapping[str, int]) -> Fraction | None:
    """The median of what a customer has in 365 days."""
    days = purchases[-1].day - purchases[0].day + 1
    if not units or days < SHORTEST:
        return None
    ordered = sorted(units.values())
    middle = len(ordered) // 2
    median = Fraction(ordered[middle]) if len(ordered) % 2 else Fraction(ordered[middle - 1] + ordered[middle], 2)
    return median * 365 / days
