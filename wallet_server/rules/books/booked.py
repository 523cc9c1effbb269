"""Owns the liability report of a currency: what was booked, month by month, told in units and in money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from wallet_server.rules.books.liability import (
    Age,
    Cohort,
    Money,
    Movement,
    Owed,
    Worth,
    ageing,
    is_sold,
    owed,
    rounded,
    total,
)
from wallet_server.rules.books.redemption import Cell, Estimate, History, estimate

POSTINGS, LOTS, SALES, COUPONS = "postings", "lots", "sales", "coupons"
ISSUED, REDEEMED, BREAKAGE = "issued", "redeemed", "breakage"
GIVING = (ISSUED, "goodwill", "written_off")
"""Accounts on the other side of what is given. Where an entry has none, units moved between a member's own accounts."""
HOLD, RELEASE, ASIDE = "hold", "release", "hold."
"""Kinds of the entries that put units aside and give them back, and how the reason begins of what is put aside."""
SHOWN_MONTHS = 12


@dataclass(frozen=True)
class Flow:
    """A sum of one book over the month (counted from year 0) in which it was recorded; `cohort` the month in which what
    moved was given. Of a coupon `issuer_id` is the merchant that owes it, `merchant_id` that at whose till it moved."""

    book: str
    month: int
    currency_id: int | None
    merchant_id: int | None
    side: str
    reason: str
    cohort: int | None
    amount: int
    times: int
    issuer_id: int | None = None


@dataclass(frozen=True)
class Terms:
    """What a currency promises: how long units live (months), what one was worth at the end of a month and is now, and
    by month the part that was expected to be redeemed, where a close has frozen it."""

    currency_id: int
    lives: int | None
    worth_at: Callable[[int], Worth | None]
    worth_now: Worth | None
    frozen: Mapping[int, Fraction]


@dataclass(frozen=True)
class Point:
    """What was outstanding and owed at the end of a month (the last: now)."""

    month: int
    units: int
    liability_minor: int


@dataclass(frozen=True)
class Told:
    """The report of one currency. `money` is None where nobody said what a unit is worth; so is all that follows."""

    worth: Worth | None
    estimate: Estimate
    outstanding: int
    coming: int
    money: Money | None
    before: Money | None
    ages: tuple[Age, ...]
    movement: Movement
    series: tuple[Point, ...]

    @property
    def breakage(self) -> int:
        """Units outstanding that are not expected to be used."""
        return max(self.outstanding, 0) - self.coming


def history(flows: Iterable[Flow], currency_id: int) -> History:
    """What became of the units of each month, by age, of all merchants: what the estimate is made from."""
    found: dict[int, dict[int, Cell]] = defaultdict(dict)
    for one in flows:
        if one.book != LOTS or one.currency_id != currency_id or one.cohort is None or one.reason.startswith(ASIDE):
            continue
        cell = _cell(one)
        ages, age = found[one.cohort], max(0, one.month - one.cohort)
        ages[age] = ages[age].plus(cell) if age in ages else cell
    return found


def _cell(one: Flow) -> Cell:
    # What is put aside is on its way to be redeemed: its lot counts it as such, and takes it back if it is given back.
    # While it waits it is owed under the entry that put it aside.
    used = (REDEEMED,) if one.reason.startswith(ASIDE) else (REDEEMED, HOLD, RELEASE)
    if one.side in used:
        return Cell(redeemed=-one.amount, times=one.times)
    if one.side == BREAKAGE:
        return Cell(expired=-one.amount)
    return Cell(granted=one.amount)


def cohorts(flows: Iterable[Flow], currency_id: int) -> list[Cohort]:
    """Month of granting, and sold or not, to what became of it."""
    cells: dict[tuple[int, bool], Cell] = {}
    prices: dict[int, int] = defaultdict(int)
    for one in flows:
        if one.cohort is None:
            continue
        if one.book == SALES:
            prices[one.cohort] += one.amount
        elif one.book == LOTS and one.currency_id == currency_id:
            key = (one.cohort, is_sold(one.reason))
            cells[key] = cells.get(key, Cell()).plus(_cell(one))
    return [
        Cohort(month, sold, cell.granted, cell.redeemed, cell.expired, prices.get(month, 0) if sold else 0)
        for (month, sold), cell in sorted(cells.items())
    ]


def movement(before: Iterable[Flow], now: Iterable[Flow], currency_id: int) -> Movement:
    """Units from one moment to another."""
    opening = closing = moved = 0
    granted: dict[str, int] = defaultdict(int)
    gone = {REDEEMED: 0, BREAKAGE: 0}
    for sign, flows in ((-1, before), (1, now)):
        for one in flows:
            if one.book != LOTS or one.currency_id != currency_id:
                continue
            opening += one.amount if sign < 0 else 0
            closing += one.amount if sign > 0 else 0
            if one.side in gone:
                gone[one.side] -= sign * one.amount
            elif one.side in GIVING:
                granted[one.reason] += sign * one.amount
            else:
                moved += sign * one.amount
    given = {reason: amount for reason, amount in sorted(granted.items()) if amount}
    return Movement(opening, given, gone[REDEEMED], gone[BREAKAGE], moved, closing)


@dataclass(frozen=True)
class Subject:
    """What a report is about: all flows up to the moment and up to the beginning of the period, those of the merchant
    that is asked about (all, if none), and the first month that is not over at the moment and at the beginning."""

    whole: Sequence[Flow]
    own: Sequence[Flow]
    before: Sequence[Flow]
    until: int
    until_before: int


class Reckoning:
    """The currencies of one programme, told together: what one sale gives of several is shared out among all."""

    def __init__(self, subject: Subject, terms: Sequence[Terms]) -> None:
        self._subject = subject
        self._terms = {one.currency_id: one for one in terms}
        self._histories = {key: history(subject.whole, key) for key in self._terms}
        self._share_until = cache(self._estimated)

    def estimate(self, currency_id: int) -> Estimate:
        """What is expected now, with its interval and its trial on held-out months."""
        return estimate(self._histories[currency_id], self._subject.until, self._terms[currency_id].lives)

    def _estimated(self, currency_id: int, until: int) -> Estimate:
        return estimate(self._histories[currency_id], until, self._terms[currency_id].lives, spread=False)

    def _share_at_first(self, currency_id: int, month: int, until: int) -> Fraction:
        kept = self._terms[currency_id].frozen.get(month)
        return self._share_until(currency_id, min(month + 1, until)).used if kept is None else kept

    def lines(self, currency_id: int, flows: Sequence[Flow], until: int, now: Estimate | None = None) -> list[Owed]:
        """What each month's units come to, by what was in the books then."""
        terms = self._terms[currency_id]
        expected = now or self._share_until(currency_id, until)
        others = self._alone(flows, until, currency_id)
        found = []
        for one in cohorts(flows, currency_id):
            # A price is shared out by what units were worth when they were given; what will come is worth what it is.
            known = terms.worth_at(one.month) if one.sold else terms.worth_now
            share = self._share_at_first(currency_id, one.month, until)
            rate = None if known is None else known.rate
            found.append(owed(one, rate, share, expected.ahead(until - one.month), others.get(one.month, Fraction(0))))
        return found

    def _alone(self, flows: Sequence[Flow], until: int, but: int) -> dict[int, Fraction]:
        """Month to the stand-alone price of what its sales gave of the other currencies."""
        found: dict[int, Fraction] = defaultdict(Fraction)
        for key, terms in self._terms.items():
            for one in cohorts(flows, key) if key != but else ():
                worth = terms.worth_at(one.month) if one.sold else None
                if worth is not None:
                    found[one.month] += max(one.granted, 0) * worth.rate * self._share_at_first(key, one.month, until)
        return found

    def told(self, currency_id: int) -> Told:
        """The report of one of the currencies."""
        subject, terms = self._subject, self._terms[currency_id]
        now = self.estimate(currency_id)
        lines = self.lines(currency_id, subject.own, subject.until, now)
        known = terms.worth_now is not None
        before = total(self.lines(currency_id, subject.before, subject.until_before)) if known else None
        return Told(
            worth=terms.worth_now,
            estimate=now,
            outstanding=sum(one.cohort.outstanding for one in lines),
            coming=min(rounded(sum((one.coming for one in lines), Fraction(0))), max(0, _standing(lines))),
            money=total(lines) if known else None,
            before=before,
            ages=tuple(ageing(lines, subject.until)),
            movement=movement(subject.before, subject.own, currency_id),
            series=tuple(self._series(currency_id, lines)),
        )

    def _series(self, currency_id: int, lines: Sequence[Owed]) -> list[Point]:
        subject = self._subject
        first = min((one.month for one in subject.own if one.book == LOTS), default=subject.until)
        found = []
        for month in range(max(first, subject.until - SHOWN_MONTHS), subject.until):
            then = self.lines(currency_id, [one for one in subject.own if one.month <= month], month + 1)
            found.append(Point(month, _standing(then), total(then).liability_minor))
        if any(one.month == subject.until for one in subject.own):
            found.append(Point(subject.until, _standing(lines), total(lines).liability_minor))
        return found


def _standing(lines: Sequence[Owed]) -> int:
    return sum(one.cohort.outstanding for one in lines)
