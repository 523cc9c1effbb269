"""Owns what to say against a draft before it is published: codes and figures, worded in `words`.

The limits are those of people who ran such programmes: a first tier that one gets by accident on the first day rewards
nobody, one that nobody reaches neither; some euros once a year do not bring anybody back; whoever buys a mattress does
not come back for a stamp; and nine rules are too many to be told at a till.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from wallet_server.rules.programme.program import Programme, Visit
from wallet_server.rules.programme.program_parts import AtLeast, Need
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.simulation.report import YEAR, Report

TWO_BASKETS = 2
FEW_REACH = Fraction(1, 100)
LITTLE_BACK = Fraction(1, 200)
MANY_RULES = 9
RARELY = YEAR

FIRST_TIER_LOW, TIER_RARE, LOW_RATE = "first-tier-low", "tier-rare", "low-rate"
COMPLICATED, RARE_VISITS, NOBODY_KNOWN, NO_VALUE = "complicated", "rare-visits", "nobody-known", "no-value"
NEVER_OFTEN = "never-often"


@dataclass(frozen=True)
class Warned:
    """Something to think about. `params` hold whole numbers, exact fractions and codes."""

    code: str
    params: Mapping[str, int | str | Fraction]


@dataclass(frozen=True)
class Complexity:
    """How much a member has to know: rules of all kinds, and the words of the earning rules on the card."""

    rules: int
    words: int

    @property
    def too_much(self) -> bool:
        """Whether nobody can explain it at a till."""
        return self.rules >= MANY_RULES


def complexity(programme: Programme) -> Complexity:
    """Counts what a programme asks its members to know."""
    rules = len(programme.earn) + len(programme.multipliers) + len(programme.deals) + len(programme.conversions)
    said = rule_sentences(programme).get(programme.languages[0], "")
    return Complexity(rules, len(said.split()))


def warnings(programme: Programme, found: Report) -> tuple[Warned, ...]:
    """Everything that the figures and the draft say against it."""
    return (*_of_tiers(programme, found), *_of_money(found), *_of_visits(programme, found), *of_draft(programme))


def of_draft(programme: Programme) -> tuple[Warned, ...]:
    """What the draft alone says against itself."""
    counted = complexity(programme)
    if not counted.too_much:
        return ()
    return (Warned(COMPLICATED, {"rules": counted.rules, "words": counted.words, "limit": MANY_RULES}),)


def first_tier_low(programme: Programme, mean_minor: Fraction, units: Fraction | None) -> Warned | None:
    """Says so when the first tier above everyone's is reached by less than two average baskets. `units` is what an
    average purchase earns of the currency that tiers count in; where it is not known, thresholds are not judged."""
    ladder = programme.ladder
    first = None if ladder is None else next((one for one in ladder.levels[1:] if not one.invitation), None)
    if ladder is None or first is None:
        return None
    spend = None if first.needs is None else spend_needed(first.needs)
    if spend is not None:
        if spend >= TWO_BASKETS * mean_minor:
            return None
        return Warned(FIRST_TIER_LOW, {"tier": first.code, "spend_minor": spend, "mean_minor": mean_minor})
    if first.needs is not None or units is None or first.threshold >= TWO_BASKETS * units:
        return None
    params: dict[str, int | str | Fraction]
    params = {"tier": first.code, "threshold": first.threshold, "units": units, "mean_minor": mean_minor}
    return Warned(FIRST_TIER_LOW, params)


def spend_needed(need: Need) -> int | None:
    """What has to be spent where spending alone is asked for; None where anything else counts too."""
    return need.value if isinstance(need, AtLeast) and need.metric == "spend" else None


def _of_tiers(programme: Programme, found: Report) -> Iterator[Warned]:
    if found.baskets.mean_minor is not None:
        low = first_tier_low(programme, found.baskets.mean_minor, found.tier_units)
        if low is not None:
            yield low
    for tier in found.tiers[1:]:
        if found.members and Fraction(tier.reached, found.members) < FEW_REACH:
            yield Warned(TIER_RARE, {"tier": tier.code, "reached": tier.reached, "members": found.members})


def _of_money(found: Report) -> Iterator[Warned]:
    if not found.members:
        yield Warned(NOBODY_KNOWN, {"purchases": found.unknown_purchases})
    if found.rate is not None and found.rate < LITTLE_BACK:
        params: dict[str, int | str | Fraction] = {"rate": found.rate}
        if found.median_year_minor is not None:
            params["median_year_minor"] = found.median_year_minor
        yield Warned(LOW_RATE, params)
    if found.members and found.habit != "never" and 2 * found.never.members > found.members:
        yield Warned(NEVER_OFTEN, {"never": found.never.members, "members": found.members})
    for code in found.unvalued:
        yield Warned(NO_VALUE, {"reward": code})


def _of_visits(programme: Programme, found: Report) -> Iterator[Warned]:
    """Frequency is not what a customer of mattresses can give."""
    rule = next((one.id for one in programme.earn if isinstance(one.way, Visit)), None)
    if rule is None:
        return
    if found.interval_days is not None and found.interval_days > RARELY:
        yield Warned(RARE_VISITS, {"rule": rule, "interval_days": found.interval_days})
    elif found.interval_days is None and found.members and found.days > RARELY:
        yield Warned(RARE_VISITS, {"rule": rule})
