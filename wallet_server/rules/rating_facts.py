"""Owns what surrounds a sale while it is rated: the facts that conditions ask for, and which factors hold.

Facts are worked out when they are asked for, and once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from wallet_server.rules import conditions
from wallet_server.rules.baskets import Basket, Line, State
from wallet_server.rules.conditions import Condition, Unanswerable
from wallet_server.rules.occasions import WEEKDAYS, in_calendar, local
from wallet_server.rules.program import Programme
from wallet_server.rules.program_parts import Goods, Multiplier


class Happened(Protocol):
    """An event, as a condition asks about it."""

    @property
    def name(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, int | str | bool]: ...


class Store(NamedTuple):
    """A store, as a condition asks about it."""

    id: str
    zone: str


class BasketFacts:
    """A basket, as a condition asks about it: the lines that can earn at all."""

    __slots__ = ("_around", "_lines")

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._lines: list[Line] | None = None

    @property
    def lines(self) -> Sequence[Line]:
        if self._lines is None:
            goods = self._around.excluded
            self._lines = [line for line in self._around.rated.lines if not line.excluded]
            if goods:
                self._lines = [line for line in self._lines if not goods.hold(line.category, line.sku)]
        return self._lines

    @property
    def line_count(self) -> int:
        return len(self.lines)

    @property
    def amount_minor(self) -> int:
        return sum([line.amount_minor for line in self.lines])

    @property
    def hour(self) -> int:
        return self._around.here.hour

    @property
    def weekday(self) -> str:
        return WEEKDAYS[self._around.here.weekday()]

    @property
    def date(self) -> str:
        return self._around.here.date().isoformat()

    @property
    def rewards_used(self) -> bool:
        return self._around.rated.rewards_used


class MemberFacts(NamedTuple):
    """A member, as a condition asks about one."""

    tier: str | None
    tenure_days: int
    visits: int
    birthday_today: bool


class Surroundings:
    """All that can be asked of one sale or event; `unanswered` gathers whose condition had no answer."""

    __slots__ = ("_basket", "_here", "event", "excluded", "it", "line", "rated", "state", "unanswered")

    def __init__(self, basket: Basket, state: State, excluded: Goods, event: Happened | None = None) -> None:
        self.rated, self.state, self.excluded, self.event = basket, state, excluded, event
        self.line: Line | None = None
        self.it: Line | None = None
        self.unanswered: list[str] = []
        self._basket: BasketFacts | None = None
        self._here: datetime | None = None

    @property
    def basket(self) -> BasketFacts:
        if self._basket is None:
            self._basket = BasketFacts(self)
        return self._basket

    @property
    def store(self) -> Store:
        return Store(self.rated.store, self.rated.zone)

    @property
    def member(self) -> MemberFacts:
        state = self.state
        return MemberFacts(state.tier, state.tenure_days, state.sales, "day" in state.celebrates)

    @property
    def here(self) -> datetime:
        """The moment by the clock of the store."""
        if self._here is None:
            self._here = local(self.rated.at, self.rated.zone)
        return self._here

    def holds(self, condition: Condition, name: str) -> bool:
        """Whether it holds; without an answer it does not, and the name of what asked is noted."""
        try:
            return condition.holds(self)
        except Unanswerable:
            self.unanswered.append(name)
            return False


class Occasion:
    """The factors of a programme, and which of them hold for a sale. Each has a bit, in the order of the document.

    `per_line` are those whose condition is asked of each line, by their place; `conditions` all that are asked.
    """

    def __init__(self, programme: Programme) -> None:
        self._multipliers = programme.multipliers
        read = [None if one.when is None else conditions.read(one.when, conditions.SALE) for one in self._multipliers]
        self.per_line: Mapping[int, Condition] = {n: one for n, one in enumerate(read) if one and one.per_line}
        self._when = [None if one is None or one.per_line else one for one in read]
        self.conditions = [one for one in read if one is not None]
        self.asks = bool(self._multipliers)
        self._times = [in_calendar(one.calendar) if one.calendar else None for one in self._multipliers]
        self.birthdays = any(one.birthday for one in self._multipliers)
        self.stores = any(one.stores is not None for one in self._multipliers)
        self.zoned = any(one.calendar for one in self._multipliers)

    def held(self, around: Surroundings) -> int:
        """The bits of the factors that hold, those apart that depend on the goods."""
        bits = 0
        for number, one in enumerate(self._multipliers):
            if self._holds(one, number, around):
                bits |= 1 << number
        return bits

    def named(self, bits: int) -> tuple[str, ...]:
        """The ids of these factors."""
        return tuple(one.id for number, one in enumerate(self._multipliers) if bits >> number & 1)

    def _holds(self, one: Multiplier, number: int, around: Surroundings) -> bool:
        if one.tiers is not None and around.state.tier not in one.tiers:
            return False
        if one.stores is not None and around.rated.store not in one.stores:
            return False
        if one.birthday is not None and one.birthday not in around.state.celebrates:
            return False
        times, when = self._times[number], self._when[number]
        if times is not None and not times(around.here):
            return False
        return when is None or around.holds(when, one.id)
