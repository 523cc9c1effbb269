"""Owns what surrounds a sale while it is rated: the facts that conditions ask for, and which factors hold.

Facts are worked out when they are asked for, and once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Never, Protocol

from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.occasions import WEEKDAYS, in_calendar, local
from wallet_server.rules.conditions import conditions
from wallet_server.rules.conditions.conditions import Condition, Unanswerable
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Goods, Multiplier


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

    __slots__ = ("_amount_minor", "_around", "_lines")

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._lines: list[Line] | None = None
        self._amount_minor: int | None = None

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
        # Once: what is asked of each line may ask for it.
        if self._amount_minor is None:
            self._amount_minor = sum([line.amount_minor for line in self.lines])
        return self._amount_minor

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


class _NotKnown(Unanswerable):
    """What is asked of goods before there are any."""


class _NoLine:
    def __getattr__(self, name: str) -> Never:
        raise _NotKnown(name)


class _NoGoods(BasketFacts):
    __slots__ = ()

    @property
    def lines(self) -> Never:
        raise _NotKnown("lines")

    @property
    def rewards_used(self) -> Never:
        raise _NotKnown("rewards_used")


class BeforeGoods(Surroundings):
    """What can be asked of a sale of which nobody knows the goods yet."""

    __slots__ = ()

    def __init__(self, basket: Basket, state: State, excluded: Goods) -> None:
        super().__init__(basket, state, excluded)
        nobody: Any = _NoLine()
        self.line, self._basket = nobody, _NoGoods(self)

    def may_hold(self, condition: Condition) -> bool:
        """Whether it holds, or would with some goods."""
        try:
            return condition.holds(self)
        except _NotKnown:
            return True
        except Unanswerable:
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
        self._tests = [
            (1 << n, tuple(self._tests_of(one, when)))
            for n, (one, when) in enumerate(zip(self._multipliers, self._when, strict=True))
        ]
        self.birthdays = any(one.birthday for one in self._multipliers)
        self.stores = any(one.stores is not None for one in self._multipliers)
        self.zoned = any(one.calendar for one in self._multipliers)

    def held(self, around: Surroundings) -> int:
        """The bits of the factors that hold, those apart that depend on the goods."""
        bits = 0
        for bit, tests in self._tests:
            for test in tests:
                if not test(around):
                    break
            else:
                bits |= bit
        return bits

    def named(self, bits: int) -> tuple[str, ...]:
        """The ids of these factors."""
        return tuple(one.id for number, one in enumerate(self._multipliers) if bits >> number & 1)

    @staticmethod
    def _tests_of(one: Multiplier, when: Condition | None) -> Iterator[Callable[[Surroundings], bool]]:
        """What has to be so for a factor to hold, the quickest to find out first."""
        tiers, stores, birthday = one.tiers, one.stores, one.birthday
        if tiers is not None:
            yield lambda around: around.state[0] in tiers
        if stores is not None:
            yield lambda around: around.rated.store in stores
        if birthday is not None:
            yield lambda around: birthday in around.state.celebrates
        if one.calendar:
            times = in_calendar(one.calendar)
            yield lambda around: times(around.here)
        if when is not None:
            yield lambda around: around.holds(when, one.id)
