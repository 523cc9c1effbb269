"""Owns the replay of one customer after another through a draft: what they earn, spend, let run out, and reach.

Everything that a sale earns and every deal is computed by the rules of the till. What members do with what they earn is
an assumption, told with the figures: they show the card at each purchase, and

- `soon`: use the oldest voucher that is good for the basket, and take the reward that is worth most of those they can
  afford, as soon as they come back with enough for any;
- `save`: wait until they can afford the dearest reward;
- `never`: spend nothing, so that all of it is owed.

Units that no reward asks for, but that are worth money, pay at the till. Nothing that is earned by a purchase is spent
in it. Goods that come back on a receipt of their own take back what they would earn today: a file does not say which
purchase they are from. Stamps of visits stay. The stock of rewards has no limit here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal, NamedTuple

from wallet_server.rules.baskets import occasions
from wallet_server.rules.baskets.deals import Deals
from wallet_server.rules.baskets.rating import Rater
from wallet_server.rules.books import liability
from wallet_server.rules.programme.program import EarnRule, Programme, Visit
from wallet_server.rules.programme.program_parts import Promise, Reward, Span
from wallet_server.rules.simulation.climbing import Ladders

Habit = Literal["soon", "save", "never"]
HABITS: tuple[Habit, ...] = ("soon", "save", "never")
MOST_TAKEN = 20
"""Rewards of money that one purchase takes at most."""
_AS_MONEY = ("amount", "refund", "voucher")


class Gain(NamedTuple):
    """What a rule that sales earn by gives: of which currency, from when on; `noted` where later sales have
    to know of it, because it counts visits or has a cap; `plain` where it counts at once and for ever."""

    rule: str
    currency: str
    pending: timedelta | None
    counts_visits: bool
    capped: bool
    noted: bool
    plain: bool


class Way(NamedTuple):
    """A reward that can be had; `value` is what it gives in minor units, `percent` of the basket instead. `as_money`:
    one purchase can take it more than once; `most_off`: it takes its value off the basket, which has to be as much."""

    reward: Reward
    currency: str
    units: int
    value: int
    percent: int | None
    voucher: Promise | None
    as_money: bool
    most_off: bool

    @property
    def rate(self) -> Fraction:
        """What a unit gives by it."""
        value = self.value if self.voucher is None else self.voucher.value_minor or 0
        return Fraction(value, self.units)


class Engine:
    """One version of a programme and one habit, made ready once. It keeps nothing of any member."""

    def __init__(self, programme: Programme, habit: Habit = "soon", zone: str = "UTC") -> None:
        self.programme, self.habit, self.zone = programme, habit, zone
        self.rater = Rater(programme)
        self.deals = Deals(programme)
        self.units, self.flat = self.rater.units, self.rater.flat
        self.dealing, self.spends = bool(self.deals), habit != "never"
        needs = self.rater.needs
        self.caps: tuple[tuple[str, Span], ...] = needs.caps
        self.steady = not (needs.caps or needs.tenure or needs.sales or programme.deals)
        self.gains: tuple[Gain, ...] = tuple(self._gain(rule.id, rule.currency) for rule in self.rater.rules)
        self.worth = {
            one.code: found.rate for one in programme.currencies if (found := liability.worth(programme, one))
        }
        self.expiring = tuple(one.code for one in programme.currencies if one.expires_after_months is not None)
        spendable = {one.code for one in programme.currencies if one.spendable}
        known = [self._way(one) for one in programme.rewards if one.cost.currency in spendable]
        self.ways: tuple[Way, ...] = tuple(sorted(known, key=lambda way: (-way.rate, way.units)))
        self.conversions = programme.conversions
        taken = {way.currency for way in known} | {one.currency for one in programme.conversions}
        self.pays = tuple((code, rate) for code, rate in self.worth.items() if code not in taken and rate > 0)
        self.owed = programme.refunds.negative == "debt"
        welcome = programme.welcome
        self.welcome = welcome
        self.dearest = max((way.units for way in known), default=0)
        least = [(way.currency, self.dearest if habit == "save" else way.units) for way in known]
        least += [(code, 1) for code, _ in self.pays]
        self.cheapest = () if habit == "never" else tuple(sorted(dict(sorted(least, reverse=True)).items()))
        self.ladders = Ladders(programme)

    def _gain(self, rule: str, code: str) -> Gain:
        needs = self.rater.needs
        currency = self.programme.currency(code)
        pending = timedelta(days=currency.pending_days) if currency.pending_days else None
        visits = rule in needs.visit_rules
        capped = any(rule == one for one, _ in needs.caps)
        plain = currency.expires_after_months is None and pending is None
        return Gain(rule, code, pending, visits, capped, visits or capped, plain)

    def _way(self, reward: Reward) -> Way:
        value = reward.value_minor
        if value is None:
            rate = self.worth.get(reward.cost.currency)
            value = 0 if rate is None or reward.percent else reward.cost.units * rate.numerator // rate.denominator
        percent = reward.percent if reward.kind == "percent" else None
        voucher = reward.voucher if reward.kind == "voucher" else None
        as_money, most_off = reward.kind in _AS_MONEY, reward.kind == "amount"
        return Way(reward, reward.cost.currency, reward.cost.units, value, percent, voucher, as_money, most_off)

    @staticmethod
    def stays(rule: EarnRule) -> bool:
        """Whether goods that come back leave what this rule gave."""
        return isinstance(rule.way, Visit)

    def unvalued(self) -> tuple[str, ...]:
        """Codes of rewards of which nothing says what they are worth: they are counted as costing nothing."""
        return tuple(way.reward.code for way in self.ways if not way.value and not way.percent and not way.voucher)

    def money(self, code: str, units: int) -> int:
        """What units are worth in minor units, rounded down; 0 where nothing says."""
        rate = self.worth.get(code)
        return 0 if rate is None else units * rate.numerator // rate.denominator

    def window(self, span: Span, at: datetime) -> datetime | None:
        """Until when the window of a cap or limit lasts; None for ever."""
        if span == "sale":
            return at + timedelta.resolution
        bounds = occasions.window(span, at, self.zone)
        return None if bounds is None else bounds[1]


class Voucher(NamedTuple):
    """A voucher in a member's hands."""

    ends: datetime | None
    value: int
    percent: int | None
    minimum: int

    def off(self, payable: int) -> int:
        """About what it takes off a bill of which so much is payable: exactly, where nothing else takes something."""
        return min(payable, self.value) if self.percent is None else (payable * self.percent + 50) // 100


def voucher_of(promise: Promise, at: datetime) -> Voucher:
    """The voucher that a promise makes now."""
    ends = None if promise.valid_days is None else at + timedelta(days=promise.valid_days)
    return Voucher(ends, promise.value_minor or 0, promise.percent, promise.minimum_minor)
