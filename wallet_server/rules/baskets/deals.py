"""Owns what comes off a basket at once: which deals hold, which pieces they take, and what each line loses by them.

Deals apply in the order of the programme's document, and none takes what one before it took. All is in whole minor
units: what a deal takes off is rounded half up, once, and parted over its lines by largest remainder (of equal
remainders the earlier line first), so that the parts are the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from wallet_server.rules.baskets import occasions
from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.rating import ZONED, Needs
from wallet_server.rules.baskets.rating_facts import BeforeGoods, Surroundings
from wallet_server.rules.conditions import conditions
from wallet_server.rules.conditions.conditions import Condition
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import AmountOff, BuyGet, Deal, Goods, PercentOff

_SKU, _CATEGORY = itemgetter(0), itemgetter(1)
Run = tuple[int, int, int]
"""Pieces of one price: the price, the line with its sign turned (of equal prices the later line comes first), how
many."""


class Taken(NamedTuple):
    """What one deal does: `off` minor units by line (counted from 1); of them `free` whole pieces that cost nothing;
    `pieces` are those that a group of pieces gives, free or not."""

    deal: str
    off: Mapping[int, int]
    free: Mapping[int, int]
    pieces: int = 0


class Hint(NamedTuple):
    """One piece more of the article on `line` would give the next `percent` off; `given` are the pieces that have it
    already."""

    deal: str
    line: int
    percent: int
    given: int


class Dealt(NamedTuple):
    """What all deals do to a basket, in their order; deals that take nothing are left out."""

    deals: tuple[Taken, ...] = ()
    hints: tuple[Hint, ...] = ()


class Deals:
    """The deals of one version of a programme, made ready once."""

    def __init__(self, programme: Programme) -> None:
        self._excluded = programme.excluded
        self._deals = [
            (deal, None if deal.when is None else conditions.read(deal.when, conditions.SALE))
            for deal in programme.deals
        ]
        # Where every deal names its goods, most baskets have none of them.
        named = all(deal.goods for deal in programme.deals)
        self._categories = (
            frozenset[str]().union(*(deal.goods.categories for deal in programme.deals)) if named else None
        )
        self._skus = frozenset[str]().union(*(deal.goods.skus for deal in programme.deals))
        asked = frozenset[str]().union(*(when.asks for _, when in self._deals if when))
        self._needs = Needs(
            birthday="member.birthday_today" in asked,
            sales="member.visits" in asked,
            tenure="member.tenure_days" in asked,
            store="store.id" in asked,
            zone=bool(asked & ZONED) or any(deal.calendar for deal in programme.deals),
        )

    def needs(self, others: Needs) -> Needs:
        """What has to be looked up for the deals, and for rating besides."""
        own = self._needs
        return replace(
            others,
            birthday=own.birthday or others.birthday,
            sales=own.sales or others.sales,
            tenure=own.tenure or others.tenure,
        )

    def remember(self, basket: Basket, state: State) -> dict[str, object]:
        """What the deals used of it, for the books, as `rating.recall` reads it."""
        needs = self._needs
        wanted: tuple[tuple[str, bool, object], ...] = (
            ("celebrates", needs.birthday, sorted(state.celebrates)),
            ("tenure_days", needs.tenure, state.tenure_days),
            ("sales", needs.sales, state.sales),
            ("store", needs.store, basket.store),
            ("zone", needs.zone, basket.zone),
        )
        return {name: value for name, matters, value in wanted if matters}

    def __bool__(self) -> bool:
        return bool(self._deals)

    def _concern(self, lines: Sequence[Line]) -> bool:
        """Whether any of these goods is of a deal."""
        categories, skus = self._categories, self._skus
        if categories is None or not categories.isdisjoint(map(_CATEGORY, lines)):
            return True
        return bool(skus) and not skus.isdisjoint(map(_SKU, lines))

    def on_now(self, basket: Basket, state: State) -> Sequence[Deal]:
        """The deals that hold here and now for whoever this is, as far as that can be said before there are goods:
        `basket` has none. One that depends on the goods is among them."""
        here = occasions.local(basket.at, basket.zone)
        around = BeforeGoods(basket, state, self._excluded)
        found = []
        for deal, when in self._deals:
            if (deal.tiers is not None and state.tier not in deal.tiers) or not occasions.within(deal.calendar, here):
                continue
            if when is None or around.may_hold(when):
                found.append(deal)
        return found

    def apply(self, basket: Basket, state: State) -> Dealt:
        """What comes off this basket."""
        if not self._deals or not self._concern(basket.lines):
            return Dealt()
        here = occasions.local(basket.at, basket.zone)
        around: Surroundings | None = None
        counter = _Counter(basket.lines, self._excluded)
        taken: list[Taken] = []
        hints: list[Hint] = []
        for deal, when in self._deals:
            if (deal.tiers is not None and state.tier not in deal.tiers) or not occasions.within(deal.calendar, here):
                continue
            chosen: Sequence[int] = counter.of(deal.goods)
            if when is not None:
                around = around or Surroundings(basket, state, self._excluded)
                chosen = _held(when, around, basket.lines, chosen)
            if not chosen:
                continue
            found, hint = _take(deal, counter, chosen)
            if found is not None:
                taken.append(found)
            if hint is not None:
                hints.append(hint)
        return Dealt(tuple(taken), tuple(hints))


def _held(when: Condition, around: Surroundings, lines: Sequence[Line], chosen: Sequence[int]) -> Sequence[int]:
    """A condition on a line chooses the lines; any other holds for all or for none, and is asked once."""
    if not when.per_line:
        return chosen if around.holds(when, "") else ()
    found = []
    for number in chosen:
        around.line = lines[number]
        if around.holds(when, ""):
            found.append(number)
    return found


class _Counter:
    """A basket while deals take from it: of each line what is left to pay, and its whole pieces that no deal took."""

    def __init__(self, lines: Sequence[Line], excluded: Goods) -> None:
        self.lines = lines
        self.left: dict[int, int] = {}
        self.runs: dict[int, list[Run]] = {}
        self.off = 0
        back: list[int] = []
        for number, line in enumerate(lines):
            if line.excluded or (excluded and excluded.hold(line.category, line.sku)):
                continue
            self.left[number] = line.amount_minor
            if line.amount_minor < 0 or line.quantity_milli < 0:
                back.append(number)
            elif line.amount_minor and line.quantity_milli and line.quantity_milli % 1000 == 0:
                self.runs[number] = _pieces(line, number)
        self.total = sum(self.left.values())
        for number in back:
            self._give_back(lines[number])

    def of(self, goods: Goods) -> list[int]:
        if not goods:
            return list(self.left)
        return [n for n in self.left if goods.hold(self.lines[n].category, self.lines[n].sku)]

    def _give_back(self, line: Line) -> None:
        """Pieces taken back are none of the basket's: as many of the same article count no more, the last first."""
        pieces = abs(line.quantity_milli) // 1000
        for number in reversed(self.runs):
            other = self.lines[number]
            if (other.sku, other.category) == (line.sku, line.category):
                kept: list[Run] = []
                for price, turned, count in self.runs[number]:
                    gone = min(count, pieces)
                    pieces -= gone
                    if count > gone:
                        kept.append((price, turned, count - gone))
                self.runs[number] = kept

    def use(self, number: int, price: int, count: int) -> None:
        """A deal took so many pieces of a line at this price."""
        self.left[number] -= price * count
        runs: list[Run] = []
        for had, turned, many in self.runs[number]:
            part = min(many, count) if had == price else 0
            count -= part
            if many > part:
                runs.append((had, turned, many - part))
        self.runs[number] = runs

    def use_whole(self, number: int) -> None:
        self.left[number] = 0
        self.runs.pop(number, None)


def _pieces(line: Line, number: int) -> list[Run]:
    """The whole pieces of a line, whose prices differ by one minor unit at most and add up to the line."""
    count = line.quantity_milli // 1000
    price, over = divmod(line.amount_minor, count)
    return [run for run in ((price, -number, count - over), (price + 1, -number, over)) if run[2]]


def _take(deal: Deal, counter: _Counter, chosen: Sequence[int]) -> tuple[Taken | None, Hint | None]:
    way = deal.way
    if isinstance(way, BuyGet):
        return _buy_get(deal.id, way, counter, chosen)
    return _off(deal.id, way, counter, chosen), None


def _buy_get(deal: str, way: BuyGet, counter: _Counter, chosen: Sequence[int]) -> tuple[Taken | None, Hint | None]:
    """The cheapest pieces are off. What is neither off nor needed for it stays for the next deals: the dearest."""
    runs = sorted(run for n in chosen for run in counter.runs.get(n, ()))
    pieces = sum(run[2] for run in runs)
    size = way.buy + way.get
    rounds, rest = divmod(pieces, size)
    given = rounds * way.get + max(0, rest - way.buy)
    hint = None
    if pieces and rest >= way.buy:
        hint = Hint(deal, 1 - runs[0][1], way.percent, given)
    if not given:
        return None, hint
    exact: dict[int, int] = {}
    free: dict[int, int] = {}
    for number, price, count in _first(runs, given):
        exact[number] = exact.get(number, 0) + price * count * way.percent
        free[number] = free.get(number, 0) + count
    for number, price, count in _first(runs, rounds * size + (rest if rest > way.buy else 0)):
        counter.use(number, price, count)
    total = (sum(exact.values()) + 50) // 100
    counter.off += total
    off = {n + 1: part for n, part in parted(total, exact).items() if part}
    whole = {n + 1: count for n, count in free.items()} if way.percent == 100 else {}
    return (Taken(deal, off, whole, given) if off else None), hint


def _first(runs: Iterable[Run], pieces: int) -> Iterable[tuple[int, int, int]]:
    """The first so many pieces: line, price, how many."""
    for price, turned, count in runs:
        part = min(count, pieces)
        if not part:
            return
        pieces -= part
        yield -turned, price, part


def _off(deal: str, way: PercentOff | AmountOff, counter: _Counter, chosen: Sequence[int]) -> Taken | None:
    whole = sum(counter.left[n] for n in chosen)
    if whole <= 0 or counter.total - counter.off < way.minimum_minor:
        return None
    if isinstance(way, PercentOff):
        total = (whole * way.percent + 50) // 100
        total = total if way.most_minor is None else min(total, way.most_minor)
    else:
        total = min(way.amount_minor, whole)
    off = parted(total, {n: counter.left[n] for n in chosen if counter.left[n] > 0})
    for number in chosen:
        counter.use_whole(number)
    counter.off += total
    return Taken(deal, {n + 1: part for n, part in off.items() if part}, {}) if total else None


def parted(total: int, shares: Mapping[int, int]) -> dict[int, int]:
    """A total (at most the shares' sum) in whole units, in proportion to the shares, by largest remainder."""
    whole = sum(shares.values())
    if not whole:
        return {}
    parts, remainders = {}, []
    for number, share in shares.items():
        parts[number], rest = divmod(total * share, whole)
        remainders.append((-rest, number))
    missing = total - sum(parts.values())
    for _, number in sorted(remainders)[:missing]:
        parts[number] += 1
    return parts


def net_lines(lines: Sequence[Line], taken: Iterable[Taken]) -> list[Line]:
    """The lines after what was taken off, as they are to earn: without the pieces that cost nothing, tax in proportion.
    A line of which nothing is left is an excluded one, so that every line keeps its number."""
    off: dict[int, int] = {}
    free: dict[int, int] = {}
    for one in taken:
        _add(off, one.off)
        _add(free, one.free)
    if not off:
        return list(lines)
    return [_net(line, off.get(n, 0), free.get(n, 0)) for n, line in enumerate(lines, 1)]


def _net(line: Line, off: int, free: int) -> Line:
    if not off:
        return line
    left, quantity = line.amount_minor - off, line.quantity_milli - 1000 * free
    tax = (2 * line.tax_minor * left + line.amount_minor) // (2 * line.amount_minor)
    return Line(line.sku, line.category, quantity, left, tax, line.excluded or not left)


def _add(to: dict[int, int], by: Mapping[int, int]) -> None:
    for number, part in by.items():
        to[number] = to.get(number, 0) + part


_KEPT, _MOST_KEPT = dict[int, tuple[Programme, Deals]](), 64


def deals_of(programme: Programme) -> Deals:
    """The deals of this version; by identity, as a version is parsed once and kept."""
    found = _KEPT.get(id(programme))
    if found is None or found[0] is not programme:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        found = _KEPT[id(programme)] = (programme, Deals(programme))
    return found[1]
