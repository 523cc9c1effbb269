"""Owns what is counted while histories are replayed: sums that can be added up, whoever counted which members."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from wallet_server.rules.simulation.customers import Traits
from wallet_server.rules.simulation.purses import Flows, flow_in

REWARDS, VOUCHERS, DEALS, UNITS = "rewards", "vouchers", "deals", "units"
COSTS = (REWARDS, VOUCHERS, DEALS, UNITS)
"""What a merchant gives: rewards, vouchers that were used, what deals took off, units that paid at the till."""


class MemberEnd(NamedTuple):
    """One member at the end: `had_minor` was given to them, `held_minor` is what they still hold (units at their worth,
    vouchers that are good); `tier` is where they are and `best` how far they came: places on the ladder, -1 without
    one."""

    customer: str
    turnover_minor: int
    purchases: int
    had_minor: int
    held_minor: int
    gifts: int
    tier: int
    best: int


@dataclass
class Tally:
    """Counts of a part of the customers, or of all. `flows` by currency code and month; `spent_on` what was given by
    kind and month; `gaps` how often so many days lay between two purchases of a member; `baskets` how often a basket
    came to so much."""

    first: datetime | None = None
    last: datetime | None = None
    purchases: int = 0
    lines: int = 0
    returns: int = 0
    unknown_minor: int = 0
    unknown_purchases: int = 0
    turnover: Counter[int] = field(default_factory=Counter)
    flows: dict[str, Flows] = field(default_factory=dict)
    given: dict[str, Counter[int]] = field(default_factory=lambda: {kind: Counter() for kind in COSTS})
    rewards: Counter[str] = field(default_factory=Counter)
    vouchers_made: int = 0
    vouchers_used: int = 0
    vouchers_lost: int = 0
    gaps: Counter[int] = field(default_factory=Counter)
    baskets: Counter[int] = field(default_factory=Counter)
    members: list[MemberEnd] = field(default_factory=list)
    traits: list[Traits] = field(default_factory=list)

    def flows_of(self, currency: str) -> Flows:
        """The flows of a currency, begun where there are none."""
        return self.flows.setdefault(currency, {})

    def add(self, other: Tally) -> None:
        """Adds what was counted of other members."""
        self.first = _outer(self.first, other.first, min)
        self.last = _outer(self.last, other.last, max)
        for name in ("purchases", "lines", "returns", "unknown_minor", "unknown_purchases", "vouchers_made",
                     "vouchers_used", "vouchers_lost"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("turnover", "rewards", "gaps", "baskets"):
            # Not `+=`, which drops what is not above zero: a month of returns is one.
            getattr(self, name).update(getattr(other, name))
        for kind, months in other.given.items():
            self.given[kind].update(months)
        for currency, flows in other.flows.items():
            mine = self.flows_of(currency)
            for month, flow in flows.items():
                flow_in(mine, month).add(flow)
        self.members += other.members
        self.traits += other.traits

    def span_days(self) -> int:
        """From the first day to the last, both counted; 0 where nothing was bought."""
        if self.first is None or self.last is None:
            return 0
        return (self.last.date() - self.first.date()).days + 1


def _outer(one: datetime | None, other: datetime | None, choose: object) -> datetime | None:
    if one is None or other is None:
        return one or other
    return choose(one, other) if callable(choose) else one
