"""Owns the bill of a basket: what deals, rewards and vouchers take off it, one after another, and what is to be paid.

Each takes from what those before it left. Excluded goods and lines stay as they are. Nothing is taken off that is not
to be paid: where goods or deposits taken back count against the others, all is off at most and nobody is paid for it.
Who takes what is told by `Taken`, whose name is `deal:ID`, `reward:CODE` or `voucher:ID`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallet_server.rules.baskets import Basket, Line, State
from wallet_server.rules.deals import Taken, deals_of, net_lines, parted
from wallet_server.rules.program import Programme

DEAL, REWARD, VOUCHER = "deal", "reward", "voucher"


@dataclass(frozen=True)
class Off:
    """What a reward or a voucher takes off: a share, or an amount; neither, and it is handed over instead.
    `minimum_minor` is what the basket has to come to after the deals."""

    name: str
    percent: int | None = None
    amount_minor: int | None = None
    minimum_minor: int = 0


class Bill:
    """A basket whose deals were taken off."""

    def __init__(self, programme: Programme, lines: Sequence[Line], taken: Iterable[Taken] = ()) -> None:
        goods = programme.excluded
        self.lines = lines
        self.taken: list[Taken] = []
        self.amount_minor = sum([line[3] for line in lines])
        """What is to be paid for the whole basket."""
        self._left = {number: line[3] for number, line in enumerate(lines, 1) if not line[5]}
        if goods:
            for number in [n for n in self._left if goods.hold(lines[n - 1].category, lines[n - 1].sku)]:
                del self._left[number]
        self._goods = max(0, sum(self._left.values()))
        for one in taken:
            self.taken.append(self._at_most_all(one._replace(deal=f"{DEAL}:{one.deal}")))
            self._less(self.taken[-1].off)
        self.after_deals = self._goods

    @property
    def payable(self) -> int:
        """What the goods that are not excluded still come to, or, where that is less, the whole."""
        return max(0, min(self._goods, self.amount_minor))

    def _at_most_all(self, one: Taken) -> Taken:
        """A deal beside goods that were taken back: what is more than the basket comes to stays on."""
        most = max(0, self.amount_minor)
        return one if sum(one.off.values()) <= most else one._replace(off=parted(most, one.off), free={})

    def enough_for(self, off: Off) -> bool:
        """Whether the basket is large enough."""
        return self.after_deals >= off.minimum_minor

    def take(self, off: Off) -> int:
        """Take this off, and what it came to: an amount that is larger than what is left takes all of it."""
        asked = (self._goods * off.percent + 50) // 100 if off.percent is not None else off.amount_minor or 0
        total = min(asked, self.payable)
        parts = parted(total, {number: left for number, left in self._left.items() if left > 0})
        self.taken.append(Taken(off.name, {number: part for number, part in parts.items() if part}, {}))
        self._less(self.taken[-1].off)
        return total

    def _less(self, off: Mapping[int, int]) -> None:
        for number, part in off.items():
            self._left[number] -= part
        self._goods = max(0, sum(self._left.values()))
        self.amount_minor -= sum(off.values())

    def net(self) -> list[Line]:
        """The lines as they are to earn."""
        return net_lines(self.lines, self.taken) if self.taken else list(self.lines)


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
