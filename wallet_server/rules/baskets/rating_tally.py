"""Owns the one walk through the lines of a sale: what came together of each kind of goods.

Goods that no rule and no factor tells apart are of one kind: an integer with a bit for each rule that counts them and,
above those, one for each factor that is for them. So a walk adds up a few sums however many rules there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.baskets.rating_facts import Surroundings
from wallet_server.rules.conditions.conditions import Condition
from wallet_server.rules.programme.program import EarnRule, Item, Per, Programme

SHIFT = 20
"""Bits of a kind that are rules; those of factors stand above them. As many as a document may have of either."""
_MOST_KEPT = 10_000
_CATEGORY, _EXCLUDED = itemgetter(1), itemgetter(5)


class Tally(NamedTuple):
    """What came together, by kind. `each` is kind, amount and tax of each line, where a rule rounds line by line."""

    amounts: Mapping[int, int]
    taxes: Mapping[int, int]
    pieces: Mapping[int, int]
    counts: Mapping[int, int]
    each: Sequence[tuple[int, int, int]]


_NONE: Mapping[int, int] = {}


class Sorter:
    """Sorts the lines of sales by the rules and factors of one programme."""

    def __init__(
        self,
        programme: Programme,
        rules: Sequence[EarnRule],
        whens: Mapping[str, Condition],
        per_line: Mapping[int, Condition],
    ) -> None:
        self._programme, self._rules = programme, rules
        asked = [(1 << n, whens[rule.id]) for n, rule in enumerate(rules) if rule.id in whens]
        self._asked = [(bit, when) for bit, when in asked if when.per_line]
        self._asked += [(1 << number + SHIFT, when) for number, when in per_line.items()]
        self._names = [rule.id for rule in rules] + [""] * (SHIFT - len(rules))
        self._names += [one.id for one in programme.multipliers]
        self.asks = bool(self._asked)
        self._by_sku = bool(_skus(programme, rules))
        self._categories = _categories(programme, rules)
        self._other = self._kind(None, None)
        self._of_category = {category: self._kind(category, None) for category in self._categories}
        self._of_sku: dict[tuple[str | None, str | None], int] = {}
        self._one_kind = not self._by_sku and not self._categories
        self.amounts_do = not self.asks and not self._by_sku and not any(_wants_more(rule) for rule in rules)

    @property
    def usual(self) -> int:
        """The kind of goods that no rule and no factor names."""
        return self._other

    def alike(self, lines: Sequence[Line]) -> bool:
        """Whether all lines (at least one) are of the usual kind, where no sku and no condition tells them apart."""
        if True in map(_EXCLUDED, lines) or not lines:
            return False
        return self._one_kind or self._categories.isdisjoint(map(_CATEGORY, lines))

    def amounts(self, lines: Sequence[Line]) -> Mapping[int, int]:
        """What the lines that are not excluded come to, by kind; enough where `amounts_do`."""
        if self._one_kind:
            amounts = [line[3] for line in lines if not line[5]]
            return {self._other: sum(amounts)} if amounts else _NONE
        if self.alike(lines):
            return {self._other: sum([line[3] for line in lines])}
        sums: dict[int, int] = {}
        kind_of, rest = self._of_category, 0
        for _, category, _, amount, _, excluded in lines:
            if category in kind_of:
                if not excluded:
                    kind = kind_of[category]
                    sums[kind] = sums.get(kind, 0) + amount
            elif not excluded:
                rest += amount
        # The kind of all other goods stands there if there was a line of it, even if it comes to nothing.
        other = self._other
        if rest or any(line[1] not in kind_of and not line[5] for line in lines):
            sums[other] = sums.get(other, 0) + rest
        return sums

    def tally(self, lines: Sequence[Line], around: Surroundings | None) -> Tally:
        """What came together of the lines that are not excluded: as much of it as the rules ask for."""
        if not self.amounts_do:
            return self.whole(lines, around)
        return Tally(self.amounts(lines), _NONE, _NONE, _NONE, ())

    def whole(self, lines: Sequence[Line], around: Surroundings | None) -> Tally:
        """All that came together."""
        amounts: dict[int, int] = {}
        taxes: dict[int, int] = {}
        pieces: dict[int, int] = {}
        counts: dict[int, int] = {}
        each = []
        for line in lines:
            sku, category, quantity, amount, tax, excluded = line
            if excluded:
                continue
            kind = self._static(category, sku)
            if around is not None and self.asks:
                kind = self._asked_of(line, kind, around)
            amounts[kind] = amounts.get(kind, 0) + amount
            taxes[kind] = taxes.get(kind, 0) + tax
            # Below zero for goods taken back, whichever of the two the till gave a sign.
            taken_back = amount < 0 or quantity < 0
            pieces[kind] = pieces.get(kind, 0) + (-abs(quantity) if taken_back else quantity)
            counts[kind] = counts.get(kind, 0) + 1
            each.append((kind, amount, tax))
        return Tally(amounts, taxes, pieces, counts, each)

    def _static(self, category: str | None, sku: str | None) -> int:
        if not self._by_sku:
            return self._of_category.get(category, self._other)  # type: ignore[arg-type]
        key = (category, sku)
        kind = self._of_sku.get(key)
        if kind is None:
            kind = self._kind(category, sku)
            if len(self._of_sku) < _MOST_KEPT:
                self._of_sku[key] = kind
        return kind

    def _asked_of(self, line: Line, kind: int, around: Surroundings) -> int:
        around.line = line
        for bit, when in self._asked:
            if kind & bit and not around.holds(when, self._names[bit.bit_length() - 1]):
                kind &= ~bit
        return kind

    def _kind(self, category: str | None, sku: str | None) -> int:
        excluded = self._programme.excluded
        bits = 0
        for number, rule in enumerate(self._rules):
            if not (excluded and excluded.hold(category, sku)) and _counts(rule, category, sku):
                bits |= 1 << number
        for number, one in enumerate(self._programme.multipliers):
            if one.goods.hold(category, sku):
                bits |= 1 << number + SHIFT
        return bits


def _counts(rule: EarnRule, category: str | None, sku: str | None) -> bool:
    if category in rule.excluded_categories or sku in rule.excluded_skus:
        return False
    way = rule.way
    if not isinstance(way, Item) or not (way.categories or way.skus):
        return True
    return category in way.categories or sku in way.skus


def _wants_more(rule: EarnRule) -> bool:
    """Whether more than the amounts of a kind decide what a rule gives."""
    way = rule.way
    return isinstance(way, Item) or rule.without_tax or (isinstance(way, Per) and way.scope == "line")


def _categories(programme: Programme, rules: Sequence[EarnRule]) -> frozenset[str]:
    items = [rule.way.categories for rule in rules if isinstance(rule.way, Item)]
    return programme.excluded.categories.union(
        *(rule.excluded_categories for rule in rules), *items, *(one.goods.categories for one in programme.multipliers)
    )


def _skus(programme: Programme, rules: Sequence[EarnRule]) -> frozenset[str]:
    items = [rule.way.skus for rule in rules if isinstance(rule.way, Item)]
    return programme.excluded.skus.union(
        *(rule.excluded_skus for rule in rules), *items, *(one.goods.skus for one in programme.multipliers)
    )
