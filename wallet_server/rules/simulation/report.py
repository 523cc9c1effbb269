"""Owns the figures of a simulation, made of what was counted; money in minor units, shares as exact fractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from wallet_server.rules.simulation.customers import Portrait, Top, middle, portrait, top_share
from wallet_server.rules.simulation.engine import Engine, Habit
from wallet_server.rules.simulation.tally import COSTS, MemberEnd, Tally

SHORTEST = 28
"""Days of history below which nothing is told of a whole year."""
YEAR = 365
NAMED = 20
"""So many of those who are never rewarded are named."""


@dataclass(frozen=True)
class Baskets:
    """What one purchase comes to. `mean` and `median` are None without any purchase."""

    count: int
    lines: int
    returns: int
    mean_minor: Fraction | None
    median_minor: Fraction | None


@dataclass(frozen=True)
class Month:
    """A calendar month: turnover, what was given in it by kind, the units of each currency that were earned, spent and
    ran out in it, those outstanding at its end, and what these are worth."""

    year: int
    month: int
    turnover_minor: int
    given_minor: int
    earned: Mapping[str, int]
    spent: Mapping[str, int]
    expired: Mapping[str, int]
    outstanding: Mapping[str, int]
    owed_minor: int


@dataclass(frozen=True)
class TierShare:
    """Members who end in a tier, who ever reached it (or a higher one), and what those who end there bought."""

    code: str
    threshold: int
    members: int
    reached: int
    turnover_minor: int


@dataclass(frozen=True)
class Never:
    """Members who were never rewarded: how many, what they bought, how many of them came once alone, and the first few
    by name, those who bought most first."""

    members: int
    turnover_minor: int
    once: int
    named: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Report:
    """What a draft would have cost and to whom it would have given. `given_minor` is what members had (`costs`, by
    kind) and what they still hold at the end (`held_minor`); `rate` is that of the turnover of members.

    `median_year_minor` is what half of the members would have had in 365 days at most, None below `SHORTEST` days.
    `spend_p50_minor` and `spend_p90_minor` are by nearest rank, of the whole time. `tier_units` is what one purchase of
    a member earns on the average of the currency that tiers count in.
    """

    habit: Habit
    first: date | None
    last: date | None
    days: int
    baskets: Baskets
    turnover_minor: int
    unknown_minor: int
    unknown_purchases: int
    members: int
    member_minor: int
    costs: Mapping[str, int]
    held_minor: int
    given_minor: int
    rate: Fraction | None
    median_year_minor: Fraction | None
    spend_p50_minor: int | None
    spend_p90_minor: int | None
    tiers: tuple[TierShare, ...]
    tier_units: Fraction | None
    months: tuple[Month, ...]
    rewards: Mapping[str, int]
    vouchers: tuple[int, int, int]
    never: Never
    interval_days: Fraction | None
    returning: int
    top: Top
    portrait: Portrait | None
    unvalued: tuple[str, ...]


def report(engine: Engine, tally: Tally) -> Report:
    """The figures of everything that was counted."""
    ends, days = tally.members, tally.span_days()
    member_minor = sum(one.turnover_minor for one in ends)
    costs = {kind: sum(tally.given[kind].values()) for kind in COSTS}
    held = sum(one.held_minor for one in ends)
    given = sum(costs.values()) + held
    spends = sorted(one.turnover_minor for one in ends)
    return Report(
        habit=engine.habit,
        first=None if tally.first is None else tally.first.date(),
        last=None if tally.last is None else tally.last.date(),
        days=days,
        baskets=_baskets(tally),
        turnover_minor=sum(tally.turnover.values()),
        unknown_minor=tally.unknown_minor,
        unknown_purchases=tally.unknown_purchases,
        members=len(ends),
        member_minor=member_minor,
        costs=costs,
        held_minor=held,
        given_minor=given,
        rate=Fraction(given, member_minor) if member_minor > 0 else None,
        median_year_minor=_year(ends, days),
        spend_p50_minor=ranked(spends, 50),
        spend_p90_minor=ranked(spends, 90),
        tiers=_tiers(engine, ends),
        tier_units=_tier_units(engine, tally),
        months=_months(engine, tally),
        rewards=dict(sorted(tally.rewards.items())),
        vouchers=(tally.vouchers_made, tally.vouchers_used, tally.vouchers_lost),
        never=_never(ends),
        interval_days=middle(tally.gaps),
        returning=sum(one.purchases > 1 for one in ends),
        top=top_share(spends),
        portrait=portrait(tally.traits),
        unvalued=engine.unvalued(),
    )


def ranked(ordered: Sequence[int], percent: int) -> int | None:
    """The value by nearest rank; None without any."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def _baskets(tally: Tally) -> Baskets:
    whole = sum(amount * count for amount, count in tally.baskets.items())
    mean = Fraction(whole, tally.purchases) if tally.purchases else None
    return Baskets(tally.purchases, tally.lines, tally.returns, mean, middle(tally.baskets))


def _year(ends: Sequence[MemberEnd], days: int) -> Fraction | None:
    if not ends or days < SHORTEST:
        return None
    found = middle(Counter(one.had_minor + one.held_minor for one in ends))
    return None if found is None else found * YEAR / days


def _tiers(engine: Engine, ends: Sequence[MemberEnd]) -> tuple[TierShare, ...]:
    there = Counter(one.tier for one in ends)
    turnover: Counter[int] = Counter()
    for one in ends:
        turnover[one.tier] += one.turnover_minor
    return tuple(
        TierShare(code, threshold, there[place], sum(one.best >= place for one in ends), turnover[place])
        for place, (code, threshold) in enumerate(zip(engine.ladders.codes, engine.ladders.thresholds, strict=True))
    )


def _tier_units(engine: Engine, tally: Tally) -> Fraction | None:
    purchases = sum(one.purchases for one in tally.members)
    if not engine.ladders.currency or not purchases:
        return None
    flows = tally.flows.get(engine.ladders.currency, {})
    return Fraction(sum(flow.earned for flow in flows.values()), purchases)


def _months(engine: Engine, tally: Tally) -> tuple[Month, ...]:
    """Every month from the first purchase to the last, also those in which nothing was."""
    if tally.first is None or tally.last is None:
        return ()
    first = tally.first.year * 12 + tally.first.month - 1
    last = tally.last.year * 12 + tally.last.month - 1
    outstanding = dict.fromkeys(tally.flows, 0)
    found = []
    for number in range(first, last + 1):
        flows = {code: by_month[number] for code, by_month in tally.flows.items() if number in by_month}
        for code, flow in flows.items():
            outstanding[code] += flow.change
        found.append(
            Month(
                year=number // 12,
                month=number % 12 + 1,
                turnover_minor=tally.turnover[number],
                given_minor=sum(tally.given[kind][number] for kind in COSTS),
                earned={code: flow.earned - flow.taken_back for code, flow in flows.items()},
                spent={code: flow.spent for code, flow in flows.items()},
                expired={code: flow.expired for code, flow in flows.items()},
                outstanding=dict(outstanding),
                owed_minor=sum(engine.money(code, units) for code, units in outstanding.items()),
            )
        )
    return tuple(found)


def _never(ends: Sequence[MemberEnd]) -> Never:
    found = sorted((one for one in ends if not one.gifts), key=lambda one: (-one.turnover_minor, one.customer))
    return Never(
        members=len(found),
        turnover_minor=sum(one.turnover_minor for one in found),
        once=sum(one.purchases <= 1 for one in found),
        named=tuple((one.customer, one.turnover_minor) for one in found[:NAMED]),
    )
