"""Owns the bill of a basket: what deals, rewards and vouchers take off it, one after another, and what is to be paid.

Each takes from what those before it left. Excluded goods and lines stay as they are. Nothing is taken off that is not
to be paid: where goods or deposits taken back count against the others, all is off at most and nobody is paid for it.
Who takes what is told by `Taken`, whose name is `deal:ID`, `reward:CODE` or `voucher:ID`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.deals import Taken, deals_of, net_lines, parted
from wallet_server.rules.programme.program import Programme

DEAL, REWARD, VOUCHER = "deal", "reward", "voucher"
_MARKED = itemgetter(5)


@dataclass(frozen=True)
class Off:
    """What a reward or a voucher takes off: a share, or an amount; neither, and it is handed over instead.
    `minimum_minor` is what the basket has to come to after the deals."""

    name: str
    percent: int | None = None
    amount_minor: int | None = None
    minimum_minor: int = 0


class Bill:
    """A basket whose deals were taken off. `amount_minor` is what is to be paid for the whole of it, `after_deals` what
    its goods came to after the deals. What is taken off is parted over the lines when somebody asks for that."""

    def __init__(self, programme: Programme, lines: Sequence[Line], taken: Sequence[Taken] = ()) -> None:
        goods = programme.excluded
        self.lines = lines
        self.amount_minor = sum([line[3] for line in lines])
        self._taken: list[Taken] = []
        self._parting: list[tuple[str, int]] = []
        self._excluded = {number for number, line in enumerate(lines, 1) if line[5]} if any(map(_MARKED, lines)) else ()
        if goods:
            held = {number for number, line in enumerate(lines, 1) if goods.hold(line.category, line.sku)}
            self._excluded = held.union(self._excluded)
        self._goods = self.amount_minor - sum([lines[number - 1].amount_minor for number in self._excluded])
        self._left: dict[int, int] | None = None
        for one in taken:
            self._deal(self._at_most_all(one._replace(deal=f"{DEAL}:{one.deal}")))
        self.after_deals = max(0, self._goods)

    @property
    def payable(self) -> int:
        """What the goods that are not excluded still come to, or, where that is less, the whole."""
        return max(0, min(self._goods, self.amount_minor))

    @property
    def taken(self) -> Sequence[Taken]:
        """What was taken off which lines, one after another."""
        for name, total in self._parting:
            left = self._lines_left()
            parts = parted(total, {number: rest for number, rest in left.items() if rest > 0})
            self._taken.append(Taken(name, {number: part for number, part in parts.items() if part}, {}))
            for number, part in parts.items():
                left[number] -= part
        self._parting.clear()
        return self._taken

    def _lines_left(self) -> dict[int, int]:
        if self._left is None:
            excluded = self._excluded
            self._left = {n: line[3] for n, line in enumerate(self.lines, 1) if n not in excluded}
        return self._left

    def _at_most_all(self, one: Taken) -> Taken:
        """A deal beside goods that were taken back: what is more than the basket comes to stays on."""
        most = max(0, self.amount_minor)
        return one if sum(one.off.values()) <= most else one._replace(off=parted(most, one.off), free={})

    def _deal(self, one: Taken) -> None:
        left = self._lines_left()
        for number, part in one.off.items():
            left[number] -= part
        self._taken.append(one)
        self._less(sum(one.off.values()))

    def enough_for(self, off: Off) -> bool:
        """Whether the basket is large enough."""
        return self.after_deals >= off.minimum_minor

    def take(self, off: Off) -> int:
        """Take this off, and what it came to: an amount that is larger than what is left takes all of it."""
        goods = max(0, self._goods)
        asked = (goods * off.percent + 50) // 100 if off.percent is not None else off.amount_minor or 0
        total = min(asked, self.payable)
        self._parting.append((off.name, total))
        self._less(total)
        return total

    def _less(self, total: int) -> None:
        self._goods -= total
        self.amount_minor -= total

    def net(self) -> list[Line]:
        """The lines as they are to earn."""
        return net_lines(self.lines, self.taken)


def kept(taken: Iterable[Taken]) -> list[dict[str, Any]]:
    """What deals took off, as a sale keeps it: numbers of lines are texts, as JSON has them."""
    return [
        {
            "id": one.deal.removeprefix(f"{DEAL}:"),
            "lines": {str(number): part for number, part in one.off.items()},
            "free": {str(number): count for number, count in one.free.items()},
        }
        for one in taken
        if one.deal.startswith(f"{DEAL}:")
    ]


@dataclass(frozen=True)
class Repriced:
    """What is left of a sale after some of it was given back: its lines as they are to earn (as many as were given, in
    the same order), what is paid for them, and what was taken off them."""

    lines: tuple[Line, ...]
    amount_minor: int
    taken: tuple[Taken, ...]


def reprice(
    programme: Programme, basket: Basket, state: State, deals: bool, used: Sequence[Mapping[str, Any]]
) -> Repriced:
    """The bill of what is left of a sale, by the version, the moment and the state of the sale itself: a deal that
    lacks its pieces now is undone. What rewards and vouchers took off is taken off again, at most what is left; that
    the basket is smaller than a voucher asked for changes nothing."""
    bill = Bill(programme, basket.lines, deals_of(programme).apply(basket, state).deals if deals else ())
    for one in used:
        if one.get("percent") is not None or one.get("off_minor") is not None:
            bill.take(Off(f"{one['kind']}:{one['id']}", one.get("percent"), one.get("off_minor")))
    return Repriced(tuple(bill.net()), bill.amount_minor, tuple(bill.taken))
