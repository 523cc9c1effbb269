"""Owns what a sale or an event earns: THE engine, the same for the till, refunds, quotes and replays.

A programme version is compiled once. The order is that of docs/programme.md: lines net of deals and of excluded goods,
then for each rule its condition, exact units, factors, rounding, never below zero, and the cap. Everything is counted
in integers: exact units are a numerator and a denominator, so that nothing is made for each line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from wallet_server.errors import Invalid
from wallet_server.rules.baskets import rating_ways
from wallet_server.rules.baskets.baskets import MAX_AMOUNT, Award, Basket, Line, Rated, State, refuse_excess
from wallet_server.rules.baskets.earning import expiry
from wallet_server.rules.baskets.rating_facts import Occasion, Surroundings
from wallet_server.rules.baskets.rating_tally import Sorter, Tally
from wallet_server.rules.baskets.rating_ways import Factors, Way
from wallet_server.rules.baskets.withheld import why_nothing
from wallet_server.rules.conditions import conditions
from wallet_server.rules.conditions.conditions import Condition
from wallet_server.rules.programme.program import EarnRule, Event, Programme, Visit
from wallet_server.rules.programme.program_parts import Span

__all__ = ["Needs", "Rater", "Reported", "recall"]

ZONED = frozenset({"basket.hour", "basket.weekday", "basket.date", "store.zone"})
"""What a condition asks that depends on the clock of the store."""


@dataclass(frozen=True)
class Needs:
    """What has to be looked up before a sale (or an event) can be rated; nothing else of the state matters.

    `visit_rules` count visits, which matter up to `visit_span` away. `caps` are rule id and window of what the rules
    have given. `birthday`, `sales` (how many counted so far) and `tenure` say whether a factor or a condition asks;
    `store` and `zone` that where the sale was matters, and so has to be kept with it.
    """

    visit_rules: tuple[str, ...] = ()
    visit_span: timedelta = timedelta(0)
    caps: tuple[tuple[str, Span], ...] = ()
    birthday: bool = False
    sales: bool = False
    tenure: bool = False
    store: bool = False
    zone: bool = False


@dataclass(frozen=True)
class Reported:
    """An event: what happened to a member. `fields` hold texts, whole numbers, true and false."""

    name: str
    fields: Mapping[str, int | str | bool]
    at: datetime
    zone: str = "UTC"


class _Rule:
    """A rule ready to be applied to a sale."""

    __slots__ = ("bit", "cap", "factors", "id", "not_with_rewards", "quick", "rounded", "rule", "way", "when")

    def __init__(self, rule: EarnRule, bit: int, factors: Factors, when: Condition | None) -> None:
        self.rule, self.id, self.bit, self.factors = rule, rule.id, bit, factors
        self.not_with_rewards = rule.not_with_rewards
        self.way: Way = rating_ways.way_of(rule, bit, factors)
        self.quick = rating_ways.quick_of(rule, bit, factors)
        self.rounded = rating_ways.rounding_of(rule)
        self.when = None if when is None or when.per_line else when
        self.cap = rule.cap

    def room(self, state: State) -> int | None:
        """What the cap leaves; None where there is none."""
        if self.cap is None:
            return None
        return max(0, self.cap.units - (state.given.get(self.id, 0) if self.cap.window != "sale" else 0))


class Rater:
    """One version of a programme, compiled; safe between threads."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._occasions = Occasion(programme)
        sold = [rule for rule in programme.earn if not isinstance(rule.way, Event)]
        whens = {rule.id: conditions.read(rule.when, conditions.SALE) for rule in sold if rule.when is not None}
        self._sorter = Sorter(programme, sold, whens, self._occasions.per_line)
        self._rules = tuple(
            _Rule(rule, 1 << number, Factors(programme, rule, self._occasions.per_line), whens.get(rule.id))
            for number, rule in enumerate(sold)
        )
        self._events: dict[str, list[tuple[EarnRule, Event, Condition | None]]] = {}
        for rule in programme.earn:
            if isinstance(rule.way, Event):
                when = None if rule.when is None else conditions.read(rule.when, conditions.EVENT)
                self._events.setdefault(rule.way.name, []).append((rule, rule.way, when))
        self._plain = not self._occasions.asks and not any(rule.when for rule in self._rules) and not self._sorter.asks
        quick = [rule.quick for rule in self._rules if rule.quick and not rule.cap and not rule.not_with_rewards]
        self._for_goods = sum_of_bits([rule.factors.of_goods for rule in self._rules])
        all_quick = self._sorter.amounts_do and len(quick) == len(self._rules)
        every = self._plain and all_quick
        self._quick = [(rule.quick, rule.when, rule.id) for rule in self._rules if rule.quick] if all_quick else []
        self._plainest = tuple(quick) if every else None
        kind = self._sorter.usual
        flat = [rating_ways.flat_of(rule.rule, kind, rule.bit) for rule in self._rules] if every else [None]
        self._flat = rating_ways.together([give for give in flat if give]) if all(flat) else None
        asked = frozenset[str]().union(
            *(when.asks for when in whens.values()), *(one.asks for one in self._occasions.conditions)
        )
        self.needs = self._needs([rule.rule for rule in self._rules], asked)

    def _needs(self, rules: Sequence[EarnRule], asked: frozenset[str]) -> Needs:
        visits = [(rule.id, rule.way.interval) for rule in rules if isinstance(rule.way, Visit) and rule.way.interval]
        caps = tuple((rule.id, rule.cap.window) for rule in rules if rule.cap and rule.cap.window != "sale")
        return Needs(
            visit_rules=tuple(name for name, _ in visits),
            visit_span=max((span for _, span in visits), default=timedelta(0)),
            caps=caps,
            birthday="member.birthday_today" in asked or self._occasions.birthdays,
            sales="member.visits" in asked,
            tenure="member.tenure_days" in asked,
            store="store.id" in asked or self._occasions.stores,
            zone=bool(asked & ZONED) or self._occasions.zoned,
        )

    def units(self, basket: Basket, state: State) -> list[int]:
        """What each rule that sales earn by gives, in their order, as `rate` has it; the lines are taken as sound."""
        if self._plainest is not None:
            amounts = self._sorter.amounts(basket[0])
            return [give(amounts, 0, basket, state) for give in self._plainest]
        around = None if self._plain else Surroundings(basket, state, self.programme.excluded)
        held = 0 if around is None else self._occasions.held(around)
        if self._quick and around is not None:
            amounts = self._sorter.amounts(basket[0])
            if held & self._for_goods and len(amounts) < 2 and self._sorter.alike(basket[0]):
                held &= ~self._for_goods  # there are no such goods
            if not held & self._for_goods:
                return [
                    give(amounts, held, basket, state) if when is None or around.holds(when, name) else 0
                    for give, when, name in self._quick
                ]
        tally = self._sorter.tally(basket.lines, around)
        return [self._units(rule, tally, held, around, basket, state) for rule in self._rules]

    def flat(self, lines: Sequence[Line], total: int, at: datetime, visits: Mapping[str, datetime]) -> list[int] | None:
        """`units` of a sale whose lines come to `total`, where only that matters, its moment and the visits before it
        (`State.visits`); None where more does."""
        if self._flat is None or not self._sorter.alike(lines):
            return None
        return self._flat(total, at, visits)

    def _units(
        self, rule: _Rule, tally: Tally, held: int, around: Surroundings | None, basket: Basket, state: State
    ) -> int:
        when, units = rule.when, 0
        if when is not None and not (around is not None and around.holds(when, rule.id)):
            return 0
        if rule.not_with_rewards and basket.rewards_used:
            return 0
        if rule.quick is not None and not held & rule.factors.of_goods:
            units = rule.quick(tally.amounts, held, basket, state)
        else:
            above, below = rule.way(tally, held, basket, state)
            units = rule.rounded(above, below) if above > 0 else 0
        return min(units, rule.room(state) or 0) if units and rule.cap is not None else units

    @property
    def rules(self) -> tuple[EarnRule, ...]:
        """The rules that `units` speaks of."""
        return tuple(rule.rule for rule in self._rules)

    def rate(self, basket: Basket, state: State) -> Rated:
        """What a sale earns, at most one award a rule.

        Goods taken back count against the rest of the sale, never below zero for a rule. A line taken back is rounded
        as its purchase was, so that the two cancel exactly. Raises Invalid for what is too large, listing every fault,
        and ValueError when the time carries no zone.
        """
        if basket.at.utcoffset() is None:
            raise ValueError("times must carry a zone")
        refuse_excess(basket.lines)
        around = Surroundings(basket, state, self.programme.excluded)
        held = self._occasions.held(around)
        tally = self._sorter.whole(basket.lines, around)
        awards: list[Award] = []
        withheld: list[tuple[str, str]] = []
        for rule in self._rules:
            if rule.when is not None and not around.holds(rule.when, rule.id):
                withheld.append((rule.id, "condition"))
                continue
            if rule.not_with_rewards and basket.rewards_used:
                withheld.append((rule.id, "rewards"))
                continue
            above, below = rule.way(tally, held, basket, state)
            units = rule.rounded(above, below) if above > 0 else 0
            if units:
                award = self._award(rule, tally, held, Fraction(above, below), units, basket, state)
                if award.amount:
                    awards.append(award)
                else:
                    withheld.append((rule.id, "limit"))
            elif why := why_nothing(rule.rule, rule.bit, tally, basket):
                withheld.append((rule.id, why))
        unanswered = tuple(dict.fromkeys(around.unanswered))
        return Rated(tuple(awards), self._occasions.named(held), unanswered, tuple(withheld))

    def _award(
        self, rule: _Rule, tally: Tally, held: int, exact: Fraction, units: int, basket: Basket, state: State
    ) -> Award:
        room = rule.room(state)
        cut = 0 if room is None or units <= room else units - room
        basis, lines, masks = rating_ways.basis_of(rule.rule, rule.bit, rule.factors, tally, held)
        params: dict[str, int | str] = {"basis_minor": basis, "lines": lines}
        names: tuple[str, ...] = ()
        if any(masks):
            names = self._occasions.named(sum_of_bits(masks))
            params["multipliers"] = " ".join(names)
            if len(masks) == 1:
                factor = Fraction(*rule.factors.of(next(iter(masks))))
                params["factor"] = str(factor)
        if cut:
            params["cut"] = cut
        return self._finished(rule.rule, units - cut, basket.at, exact, params, names, cut)

    def _finished(
        self,
        rule: EarnRule,
        units: int,
        at: datetime,
        exact: Fraction,
        params: Mapping[str, int | str],
        names: tuple[str, ...],
        cut: int,
        reason: str = "earn.sale",
    ) -> Award:
        if units > MAX_AMOUNT:
            raise Invalid("This sale would earn more than an account can hold.", field="lines")
        days = self.programme.currency(rule.currency).pending_days
        until = at + timedelta(days=days) if days else None
        expires = expiry(self.programme, rule.currency, at)
        return Award(rule.currency, units, rule.id, reason, params, expires, until, exact, names, cut)

    def knows_event(self, name: str) -> bool:
        """Whether any rule gives for events of this name."""
        return name in self._events

    def wants_proof(self, name: str) -> bool:
        """Whether a rule refuses an event of this name that names no proof."""
        return any(way.proof for _, way, _ in self._events.get(name, ()))

    def event_needs(self, name: str) -> Needs:
        """What has to be looked up before an event of this name can be rated."""
        found = self._events.get(name, ())
        asked = frozenset[str]().union(*(when.asks for _, _, when in found if when))
        caps = tuple((rule.id, rule.cap.window) for rule, _, _ in found if rule.cap and rule.cap.window != "sale")
        return Needs(
            caps=caps,
            birthday="member.birthday_today" in asked,
            sales="member.visits" in asked,
            tenure="member.tenure_days" in asked,
        )

    def rate_event(self, event: Reported, state: State) -> Rated:
        """What an event earns. A cap within a `sale` is one within an event. Raises ValueError as `rate` does."""
        if event.at.utcoffset() is None:
            raise ValueError("times must carry a zone")
        around = Surroundings(Basket((), event.at, event.zone), state, self.programme.excluded, event)
        awards, withheld = [], []
        for rule, way, when in self._events.get(event.name, ()):
            if when is not None and not around.holds(when, rule.id):
                withheld.append((rule.id, "condition"))
                continue
            used = state.given.get(rule.id, 0) if rule.cap and rule.cap.window != "sale" else 0
            cut = 0 if rule.cap is None else max(0, way.units - max(0, rule.cap.units - used))
            if cut < way.units:
                params: dict[str, int | str] = {"event": event.name} | ({"cut": cut} if cut else {})
                exact = Fraction(way.units)
                awards.append(self._finished(rule, way.units - cut, event.at, exact, params, (), cut, "earn.event"))
            else:
                withheld.append((rule.id, "limit"))
        return Rated(tuple(awards), (), tuple(dict.fromkeys(around.unanswered)), tuple(withheld))

    def remember(self, basket: Basket, state: State, rated: Rated) -> dict[str, object]:
        """What the decision used, for the books (as JSON has it): what rates the sale again, and what was decided."""
        needs, kept = self.needs, dict[str, object](tier=state.tier)
        if state.visits:
            kept["visits"] = {rule: at.isoformat() for rule, at in state.visits.items()}
        if needs.caps:
            kept["given"] = {rule: state.given.get(rule, 0) for rule, _ in needs.caps}
        wanted: tuple[tuple[str, bool, object], ...] = (
            ("celebrates", needs.birthday, sorted(state.celebrates)),
            ("tenure_days", needs.tenure, state.tenure_days),
            ("sales", needs.sales, state.sales),
            ("store", needs.store, basket.store),
            ("zone", needs.zone, basket.zone),
            ("rewards_used", basket.rewards_used, True),
            ("multipliers", bool(rated.multipliers), list(rated.multipliers)),
            ("unanswered", bool(rated.unanswered), list(rated.unanswered)),
        )
        return kept | {name: value for name, matters, value in wanted if matters}

    def remember_event(self, name: str, zone: str, state: State, rated: Rated) -> dict[str, object]:
        """What the decision on an event used, for the books, as `remember` has it of a sale."""
        needs, kept = self.event_needs(name), dict[str, object](tier=state.tier)
        wanted: tuple[tuple[str, bool, object], ...] = (
            ("given", bool(needs.caps), {rule: state.given.get(rule, 0) for rule, _ in needs.caps}),
            ("celebrates", needs.birthday, sorted(state.celebrates)),
            ("tenure_days", needs.tenure, state.tenure_days),
            ("sales", needs.sales, state.sales),
            ("zone", bool(needs.caps) or needs.birthday, zone),
            ("unanswered", bool(rated.unanswered), list(rated.unanswered)),
        )
        return kept | {name: value for name, matters, value in wanted if matters}

    def waits(self, basket: Basket, state: State, rated: Rated) -> bool:
        """Whether a rule that counts visits gave nothing because one was counted just before."""
        if not state.visits:
            return False
        without = self.units(basket, state._replace(visits={}))
        return sum(1 for units in without if units) > len(rated.awards)


def recall(kept: Mapping[str, Any], lines: Sequence[Line], at: datetime) -> tuple[Basket, State]:
    """A sale as it was rated, of what `Rater.remember` kept of it; `lines` may be what is left of them."""
    basket = Basket(
        lines, at, kept.get("zone", "UTC"), kept.get("store", ""), rewards_used=bool(kept.get("rewards_used"))
    )
    state = State(
        tier=kept.get("tier"),
        visits={rule: datetime.fromisoformat(when) for rule, when in kept.get("visits", {}).items()},
        given=kept.get("given", {}),
        celebrates=frozenset(kept.get("celebrates", ())),
        tenure_days=kept.get("tenure_days", 0),
        sales=kept.get("sales", 0),
    )
    return basket, state


def sum_of_bits(masks: Iterable[int]) -> int:
    """All the bits that stand in any of these."""
    bits = 0
    for mask in masks:
        bits |= mask
    return bits
