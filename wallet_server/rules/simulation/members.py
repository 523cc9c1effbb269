"""Owns one member of a simulation: each purchase in turn, with what it uses, earns and reaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.rules import deals
from wallet_server.rules.baskets import NOTHING, Basket, Line, State
from wallet_server.rules.deals import Taken
from wallet_server.rules.simulation.climbing import Climb
from wallet_server.rules.simulation.customers import Purchase, gaps
from wallet_server.rules.simulation.engine import (
    MOST_TAKEN,
    Engine,
    Gain,
    Voucher,
    Way,
    is_money,
    lasts,
    voucher_of,
)
from wallet_server.rules.simulation.purses import Purse, month_of
from wallet_server.rules.simulation.tally import DEALS, REWARDS, UNITS, VOUCHERS, MemberEnd, Tally


def play(engine: Engine, tally: Tally, customer: str, purchases: Sequence[Purchase], until: datetime) -> None:
    """Replays one customer's purchases (in order of time, at least one) and counts them into the tally; what still runs
    out up to `until` runs out."""
    member = _Member(engine, tally)
    for purchase in purchases:
        member.visit(purchase)
    tally.gaps.update(gaps(purchases))
    tally.members.append(member.end(customer, until))


def pass_by(tally: Tally, purchases: Sequence[Purchase]) -> None:
    """Counts purchases of which nobody knows whose they are."""
    for purchase in purchases:
        total = sum([line[3] for line in purchase.lines])
        _seen(tally, purchase, total)
        tally.unknown_minor += total
        tally.unknown_purchases += 1


def _seen(tally: Tally, purchase: Purchase, total: int) -> None:
    at = purchase.at
    if tally.first is None or at < tally.first:
        tally.first = at
    if tally.last is None or at > tally.last:
        tally.last = at
    tally.lines += len(purchase.lines)
    tally.turnover[month_of(at)] += total
    if total < 0:
        tally.returns += 1
    else:
        tally.purchases += 1
        tally.baskets[total] += 1


class _Member:
    """What one member holds and has had while the purchases go by."""

    def __init__(self, engine: Engine, tally: Tally) -> None:
        self.engine, self.tally = engine, tally
        self.purses = {one.code: Purse(tally.flows_of(one.code)) for one in engine.programme.currencies}
        self.expiring = [self.purses[code] for code in engine.expiring]
        self.gains = [(gain, self.purses[gain.currency]) for gain in engine.gains]
        self.visits: dict[str, datetime] = {}
        self.given: dict[str, int] = {}
        self.ends: dict[str, datetime | None] = {}
        self.limits: dict[str, tuple[datetime | None, int]] = {}
        self.vouchers: list[Voucher] = []
        self.spends = engine.habit != "never" and bool(engine.ways or engine.pays or engine.conversions)
        self.first: datetime | None = None
        self.sales = self.turnover = self.had = self.gifts = 0
        self.tier = 0 if engine.ladders.codes else -1
        self.best = self.tier
        self.climb: Climb | None = None

    # ---------------------------------------------------------------------- a purchase

    def visit(self, purchase: Purchase) -> None:
        """Replays one purchase, or goods that come back."""
        total = 0
        for line in purchase.lines:
            total += line[3]
        _seen(self.tally, purchase, total)
        self.turnover += total
        at, month = purchase.at, month_of(purchase.at)
        if self.first is None:
            self._begin(at, month)
        for purse in self.expiring:
            purse.expire(at)
        if total < 0:
            self._give_back(purchase, month)
        else:
            self._buy(purchase, total, month)
        if self.climb is not None:
            self.climb.bought(at, total)
        if self.tier >= 0:
            self._rise(at)

    def _begin(self, at: datetime, month: int) -> None:
        self.first = at
        ladders = self.engine.ladders
        if ladders.ladder is not None and not ladders.simple:
            self.climb = Climb(ladders, ladders.ladder, self.engine.zone, at)
        welcome = self.engine.welcome
        if welcome is not None:
            ends = lasts(self.engine.welcome_months, at)
            self.purses[welcome.currency].earn(welcome.units, month, ends, None)
        if self.engine.programme.welcome_coupon is not None:
            self._make(voucher_of(self.engine.programme.welcome_coupon, at))

    def _buy(self, purchase: Purchase, total: int, month: int) -> None:
        engine, at = self.engine, purchase.at
        state = self._state(at)
        lines, used, off = purchase.lines, False, 0
        if engine.deals:
            lines, total = self._deal(purchase, state, total, month)
        if self.spends and total > 0:
            used, off = self._use(at, total, month)
        if off:
            lines = _less(lines, min(off, total))
        units = engine.rater.units(Basket(lines, at, engine.zone, purchase.store, used), state)
        for (gain, purse), earned in zip(self.gains, units, strict=True):
            if earned:
                self._earn(gain, purse, earned, at, month)
        self.sales += 1
        if engine.conversions:
            self._convert(at, month)

    def _state(self, at: datetime) -> State:
        engine = self.engine
        needs = engine.rater.needs
        for rule, span in engine.caps:
            if rule not in self.ends or ((ends := self.ends[rule]) is not None and at >= ends):
                self.ends[rule] = engine.window(span, at)
                self.given[rule] = 0
        tenure = (at.date() - self.first.date()).days if needs.tenure and self.first is not None else 0
        tier = engine.ladders.codes[self.tier] if self.tier >= 0 else None
        return State(tier, self.visits or NOTHING, self.given, frozenset(), tenure, self.sales)

    def _earn(self, gain: Gain, purse: Purse, units: int, at: datetime, month: int) -> None:
        if gain.counts_visits:
            self.visits[gain.rule] = at
        if gain.rule in self.engine.capped:
            self.given[gain.rule] += units
        if self.climb is not None:
            self.climb.earned(at, gain.currency, units)
        until = None if gain.pending is None else at + gain.pending
        purse.earn(units, month, lasts(gain.months, at), until)

    def _deal(self, purchase: Purchase, state: State, total: int, month: int) -> tuple[Sequence[Line], int]:
        engine = self.engine
        dealt = engine.deals.apply(Basket(purchase.lines, purchase.at, engine.zone, purchase.store), state)
        if not dealt.deals:
            return purchase.lines, total
        off = sum(sum(taken.off.values()) for taken in dealt.deals)
        self._give(DEALS, off, month)
        return deals.net_lines(purchase.lines, dealt.deals), total - off

    # ---------------------------------------------------------------------- what is used

    def _use(self, at: datetime, total: int, month: int) -> tuple[bool, int]:
        """What this purchase uses: whether a voucher or a reward was, and what that takes off the basket."""
        off = self._use_voucher(at, total, month) if self.vouchers else 0
        used = off > 0
        if self.engine.ways:
            taken, less = self._take(at, total - off, month)
            used, off = used or taken, off + less
        for code, rate in self.engine.pays:
            units = min(self.purses[code].spendable(at), (total - off) * rate.denominator // rate.numerator)
            if units > 0:
                self.purses[code].spend(units, month)
                self._give(UNITS, self.engine.money(code, units), month)
                self.gifts += 1
        return used, off

    def _use_voucher(self, at: datetime, total: int, month: int) -> int:
        kept = [one for one in self.vouchers if one.ends is None or at < one.ends]
        self.tally.vouchers_lost += len(self.vouchers) - len(kept)
        self.vouchers = kept
        found = next((one for one in kept if one.good(at, total)), None)
        if found is None:
            return 0
        kept.remove(found)
        off = found.off(total)
        self._give(VOUCHERS, off, month)
        self.tally.vouchers_used += 1
        self.gifts += 1
        return off

    def _take(self, at: datetime, total: int, month: int) -> tuple[bool, int]:
        taken, off = 0, 0
        can = {code: self.purses[code].spendable(at) for code in {way.currency for way in self.engine.ways}}
        while taken < MOST_TAKEN:
            way = self._wanted(at, can, total - off)
            if way is None:
                break
            can[way.currency] -= way.units
            self.purses[way.currency].spend(way.units, month)
            taken += 1
            off += self._have(way, at, total - off, month)
            if not is_money(way):
                break
        return taken > 0, off

    def _wanted(self, at: datetime, can: dict[str, int], total: int) -> Way | None:
        engine = self.engine
        for way in engine.ways:
            have = can[way.currency]
            enough = have >= way.units and (engine.habit == "soon" or have >= engine.dearest)
            fits = way.reward.kind != "amount" or way.value <= total
            if enough and fits and self._allowed(way, at):
                return way
        return None

    def _allowed(self, way: Way, at: datetime) -> bool:
        limit = way.reward.limit
        if limit is None:
            return True
        ends, count = self.limits.get(way.reward.code, (at, 0))
        return count < limit.count or (ends is not None and at >= ends)

    def _have(self, way: Way, at: datetime, total: int, month: int) -> int:
        """Gives a reward; what it takes off the basket."""
        if way.reward.limit is not None:
            ends, count = self.limits.get(way.reward.code, (at, 0))
            if ends is not None and at >= ends:
                ends, count = self.engine.window(way.reward.limit.window, at), 0
            self.limits[way.reward.code] = ends, count + 1
        self.tally.rewards[way.reward.code] += 1
        self.gifts += 1
        if way.voucher is not None:
            self._make(voucher_of(way.voucher, at))
            return 0
        value = way.value if way.percent is None else total * way.percent // 100
        self._give(REWARDS, value, month)
        return value if way.reward.kind in ("amount", "percent") else 0

    def _give(self, kind: str, minor: int, month: int) -> None:
        self.had += minor
        self.tally.given[kind][month] += minor

    def _make(self, voucher: Voucher) -> None:
        self.vouchers.append(voucher)
        self.tally.vouchers_made += 1

    def _convert(self, at: datetime, month: int) -> None:
        for one in self.engine.conversions:
            purse = self.purses[one.currency]
            while purse.spendable(at) >= one.units:
                purse.spend(one.units, month)
                self._make(voucher_of(one.voucher, at))

    # ---------------------------------------------------------------------- what comes back, and the end

    def _give_back(self, purchase: Purchase, month: int) -> None:
        engine = self.engine
        mirror = [
            Line(sku, category, abs(quantity), -amount, -tax, excluded)
            for sku, category, quantity, amount, tax, excluded in purchase.lines
        ]
        basket = Basket(mirror, purchase.at, engine.zone, purchase.store)
        units = engine.rater.units(basket, self._state(purchase.at))
        for rule, (_, purse), earned in zip(engine.rater.rules, self.gains, units, strict=True):
            if earned and not engine.stays(rule):
                taken = purse.take_back(earned, month, owed=engine.owed)
                if self.climb is not None:
                    self.climb.earned(purchase.at, rule.currency, -taken)

    def _rise(self, at: datetime) -> None:
        if self.climb is not None:
            self.tier = self.climb.look(at, self.purses)
        else:
            ladders = self.engine.ladders
            self.tier = ladders.of_balance(self.purses[ladders.currency].balance)
        self.best = max(self.best, self.tier)

    def end(self, customer: str, until: datetime) -> MemberEnd:
        """What stands at the end."""
        for purse in self.expiring:
            purse.expire(until)
        if self.tier >= 0:
            self._rise(until)
        good = [one for one in self.vouchers if one.ends is None or until < one.ends]
        self.tally.vouchers_lost += len(self.vouchers) - len(good)
        held = sum(self.engine.money(code, max(0, purse.balance)) for code, purse in self.purses.items())
        held += sum(one.value for one in good)
        return MemberEnd(customer, self.turnover, self.sales, self.had, held, self.gifts, self.tier, self.best)


def _less(lines: Sequence[Line], off: int) -> Sequence[Line]:
    """The lines when so much is taken off the basket: in proportion, as the till parts it."""
    shares = {number: line.amount_minor for number, line in enumerate(lines, 1) if line.amount_minor > 0}
    whole = sum(shares.values())
    parts = deals.parted(min(off, whole), shares)
    return deals.net_lines(lines, [Taken("", {n: part for n, part in parts.items() if part}, {})])
