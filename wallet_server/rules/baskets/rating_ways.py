"""Owns the ways to earn in integers: what a rule gives exactly, by which factors, and how it is rounded.

Exact units are (numerator, denominator) with a denominator above zero, not reduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import prod

from wallet_server.rules.baskets.baskets import Basket, State
from wallet_server.rules.baskets.rating_tally import SHIFT, Tally
from wallet_server.rules.conditions.conditions import Condition
from wallet_server.rules.programme.program import EarnRule, Event, Item, Per, Programme, Rounding, Visit

Exact = tuple[int, int]
Way = Callable[[Tally, int, Basket, State], Exact]
Quick = Callable[[Mapping[int, int], int, Basket, State], int]
"""What a rule gives, cap apart, by the amounts of each kind alone and where no factor for some goods holds."""
Flat = Callable[[int, datetime, Mapping[str, datetime]], int]
"""The same of a sale whose lines are all alike to every rule, without any factor: by what they come to, its moment, and
the visits that were counted before."""
_NOTHING: Exact = (0, 1)
_MOST_KEPT = 1_000


class Factors:
    """The factors that may apply to one rule. A visit is one whole: a factor for some goods is none for it."""

    def __init__(self, programme: Programme, rule: EarnRule, per_line: Mapping[int, Condition]) -> None:
        self._all = programme.multipliers
        self.applies = self.of_goods = 0
        for number, one in enumerate(self._all):
            of_goods = bool(one.goods) or number in per_line
            meant = rule.id in one.rules if one.rules is not None else True
            if meant and not (of_goods and isinstance(rule.way, Visit)):
                self.applies |= 1 << number
                self.of_goods |= of_goods << number
        self._kept: dict[int, Exact] = {0: (1, 1)}

    def of(self, bits: int) -> Exact:
        """What these factors make together: those that multiply one after another, those that add by the sum of what
        each adds, of the highest the largest alone; the three multiplied."""
        found = self._kept.get(bits)
        if found is None:
            held = [one for number, one in enumerate(self._all) if bits >> number & 1]
            product = prod((one.factor for one in held if one.stacking == "multiply"), start=Fraction(1))
            added = 1 + sum((one.factor - 1 for one in held if one.stacking == "add"), Fraction(0))
            highest = max((one.factor for one in held if one.stacking == "highest"), default=Fraction(1))
            whole = product * max(Fraction(0), added) * highest
            found = whole.numerator, whole.denominator
            if len(self._kept) < _MOST_KEPT:
                self._kept[bits] = found
        return found


def way_of(rule: EarnRule, bit: int, factors: Factors) -> Way:
    """What the rule gives exactly for a sale, as a closure."""
    way = rule.way
    if isinstance(way, Event):
        raise ValueError("an event is no sale")
    if isinstance(way, Visit):
        return _visit(way, rule.id, bit, factors)
    if isinstance(way, Item):
        return _item(way, bit, factors)
    if way.scope == "line":
        return _line_by_line(rule, way, bit, factors)
    return _basket(way, bit, factors, rule.without_tax)


def quick_of(rule: EarnRule, bit: int, factors: Factors) -> Quick | None:
    """The same for the plainest and commonest rules, in fewer steps; None for any other. What it gives is rounded."""
    way = rule.way
    if isinstance(way, Per) and way.scope == "basket" and not rule.without_tax:
        return _quick_basket(way, bit, factors)
    return _quick_visit(way, rule.id, bit, factors) if isinstance(way, Visit) else None


def _quick_basket(way: Per, bit: int, factors: Factors) -> Quick:
    above, below, rounded = way.rate.numerator, way.rate.denominator, _ROUNDED[way.rounding]
    applies, factor_of = factors.applies, factors.of

    def give(amounts: Mapping[int, int], held: int, _basket: Basket, _state: State) -> int:
        total = 0
        for kind in amounts:
            if kind & bit:
                total += amounts[kind]
        if total <= 0:
            return 0
        held &= applies
        if not held:
            return rounded(total * above, below)
        more, less = factor_of(held)
        return rounded(total * above * more, below * less)

    return give


def _quick_visit(way: Visit, name: str, bit: int, factors: Factors) -> Quick:
    units, minimum, interval = way.units, way.minimum_minor, way.interval
    applies, factor_of = factors.applies, factors.of

    def give(amounts: Mapping[int, int], held: int, basket: Basket, state: State) -> int:
        total, some = 0, False
        for kind in amounts:
            if kind & bit:
                total, some = total + amounts[kind], True
        if not some or total < minimum:
            return 0
        nearest = state[1].get(name)
        if nearest is not None and abs(basket[1] - nearest) < interval:
            return 0
        more, less = factor_of(held & applies)
        return units * more // less

    return give


def flat_of(rule: EarnRule, kind: int, bit: int) -> Flat | None:
    """What a rule with a quick way gives for lines of this one kind; None where it has none."""
    way = rule.way
    if not kind & bit:
        return _flat_nothing
    if isinstance(way, Per) and way.scope == "basket" and not rule.without_tax:
        return _flat_basket(way)
    return _flat_visit(way, rule.id) if isinstance(way, Visit) else None


def _flat_nothing(_total: int, _at: datetime, _visits: Mapping[str, datetime]) -> int:
    return 0


def _flat_basket(way: Per) -> Flat:
    above, below, rounded = way.rate.numerator, way.rate.denominator, _ROUNDED[way.rounding]
    if way.rounding == "down":  # nearly every programme: without a call
        return lambda total, _at, _visits: total * above // below if total > 0 else 0
    return lambda total, _at, _visits: rounded(total * above, below) if total > 0 else 0


def _flat_visit(way: Visit, name: str) -> Flat:
    units, minimum, interval = way.units, way.minimum_minor, way.interval

    def give(total: int, at: datetime, visits: Mapping[str, datetime]) -> int:
        if total < minimum:
            return 0
        nearest = visits.get(name)
        return units if nearest is None or abs(at - nearest) >= interval else 0

    return give


def together(gives: Sequence[Flat]) -> Callable[[int, datetime, Mapping[str, datetime]], list[int]]:
    """What several rules give, in their order; of three or fewer, as most programmes have, without a loop."""
    if len(gives) == 3:
        one, other, third = gives
        return lambda total, at, visits: [one(total, at, visits), other(total, at, visits), third(total, at, visits)]
    if len(gives) == 2:
        one, other = gives
        return lambda total, at, visits: [one(total, at, visits), other(total, at, visits)]
    return lambda total, at, visits: [give(total, at, visits) for give in gives]


def _basket(way: Per, bit: int, factors: Factors, without_tax: bool) -> Way:
    above, below = way.rate.numerator, way.rate.denominator
    applies = factors.applies

    def give(tally: Tally, held: int, _basket: Basket, _state: State) -> Exact:
        held &= applies
        if not held and not without_tax:
            total = 0
            for kind, amount in tally.amounts.items():
                if kind & bit:
                    total += amount
            return total * above, below
        number, of = _together(_by_factor(tally, bit, held, without_tax), factors)
        return number * above, of * below

    return give


def _by_factor(tally: Tally, bit: int, held: int, without_tax: bool) -> dict[int, int]:
    """The amounts that count, by the factors that are for them."""
    sums: dict[int, int] = {}
    for kind, amount in tally.amounts.items():
        if kind & bit:
            bits = held & kind >> SHIFT
            sums[bits] = sums.get(bits, 0) + amount - (tally.taxes[kind] if without_tax else 0)
    return sums


def _together(sums: Mapping[int, int], factors: Factors) -> Exact:
    number, of = 0, 1
    for bits, amount in sums.items():
        above, below = factors.of(bits)
        number, of = number * below + amount * above * of, of * below
    return number, of


def _line_by_line(rule: EarnRule, way: Per, bit: int, factors: Factors) -> Way:
    above, below = way.rate.numerator, way.rate.denominator
    rounding, applies, without_tax = way.rounding, factors.applies, rule.without_tax

    def give(tally: Tally, held: int, _basket: Basket, _state: State) -> Exact:
        held &= applies
        units = 0
        for kind, amount, tax in tally.each:
            if kind & bit:
                more, less = factors.of(held & kind >> SHIFT)
                exact = (amount - tax if without_tax else amount) * above * more
                units += round_units(exact, below * less, rounding)
        return units, 1

    return give


def _visit(way: Visit, name: str, bit: int, factors: Factors) -> Way:
    units, minimum, interval = way.units, way.minimum_minor, way.interval
    waits = interval > timedelta(0)

    def give(tally: Tally, held: int, basket: Basket, state: State) -> Exact:
        total, some = 0, False
        for kind, amount in tally.amounts.items():
            if kind & bit:
                total, some = total + amount, True
        if not some or total < minimum:
            return _NOTHING
        if waits:
            nearest = state.visits.get(name)
            if nearest is not None and abs(basket.at - nearest) < interval:
                return _NOTHING
        above, below = factors.of(held & factors.applies)
        return units * above, below

    return give


def _item(way: Item, bit: int, factors: Factors) -> Way:
    units, applies = way.units, factors.applies

    def give(tally: Tally, held: int, _basket: Basket, _state: State) -> Exact:
        held &= applies
        sums: dict[int, int] = {}
        for kind, pieces in tally.pieces.items():
            if kind & bit:
                bits = held & kind >> SHIFT
                sums[bits] = sums.get(bits, 0) + pieces
        whole = {bits: max(0, pieces) // 1000 * units for bits, pieces in sums.items()}
        return _together(whole, factors)

    return give


def basis_of(rule: EarnRule, bit: int, factors: Factors, tally: Tally, held: int) -> tuple[int, int, dict[int, int]]:
    """The money that counted, how many lines it came from, and the money by the factors that were for it."""
    held &= factors.applies
    lines = sum(count for kind, count in tally.counts.items() if kind & bit)
    if isinstance(rule.way, Visit):
        total = sum(amount for kind, amount in tally.amounts.items() if kind & bit)
        return total, lines, {held: total}
    sums = _by_factor(tally, bit, held, rule.without_tax)
    return sum(sums.values()), lines, sums


def _down(above: int, below: int) -> int:
    return above // below


def _up(above: int, below: int) -> int:
    return -(-above // below)


def _half_up(above: int, below: int) -> int:
    return (2 * above + below) // (2 * below)


def _half_even(above: int, below: int) -> int:
    whole, rest = divmod(above, below)
    return whole + (2 * rest > below or (2 * rest == below and whole % 2 == 1))


_ROUNDED: Mapping[Rounding, Callable[[int, int], int]] = {
    "down": _down,
    "up": _up,
    "half_up": _half_up,
    "half_even": _half_even,
}


def round_units(above: int, below: int, rounding: Rounding) -> int:
    """Rounds the magnitude and keeps the sign: what an amount earns and what its return takes back are opposites."""
    rounded = _ROUNDED[rounding]
    return rounded(above, below) if above >= 0 else -rounded(-above, below)


def rounding_of(rule: EarnRule) -> Callable[[int, int], int]:
    """How the rule rounds exact units of zero or more; whatever is not by amount is rounded down."""
    return _ROUNDED[rule.way.rounding] if isinstance(rule.way, Per) else _down
