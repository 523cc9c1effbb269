"""Owns one member of a simulation: each purchase in turn, with what it uses, earns and reaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.baskets.bills import Bill, Off
from wallet_server.rules.simulation.climbing import Climb
from wallet_server.rules.simulation.customers import Purchase, gaps
from wallet_server.rules.simulation.engine import (
    MOST_TAKEN,
    Engine,
    Gain,
    Voucher,
    Way,
    voucher_of,
)
from wallet_server.rules.simulation.purses import Purse, month_of
from wallet_server.rules.simulation.tally import DEALS, REWARDS, UNITS, VOUCHERS, MemberEnd, Tally


def play(engine: Engine, tally: Tally, customer: str, purchases: Sequence[Purchase], until: datetime) -> None:
    """Replays one customer's purchases (in order of time, at least one) and counts them into the tally; what still runs
    out up to `until` runs out."""
    totals = _count(tally, purchases)
    member = _Member(engine, tally, purchases[0].at)
    member.run(purchases, totals)
    tally.gaps.update(gaps(purchases, totals))
    tally.members.append(member.end(customer, until))


def _count(tally: Tally, purchases: Sequence[Purchase]) -> list[int]:
    """What can be counted at once; gives what each purchase comes to."""
    first, last = purchases[0].at, purchases[-1].at
    tally.first = first if tally.first is None else min(first, tally.first)
    tally.last = last if tally.last is None else max(last, tally.last)
    totals = [sum([line[3] for line in lines]) for _, _, lines, _ in purchases]
    bought = [total for total in totals if total >= 0]
    tally.lines += sum([len(lines) for _, _, lines, _ in purchases])
    tally.purchases += len(bought)
    tally.returns += len(totals) - len(bought)
    tally.baskets.update(bought)
    return totals


def pass_by(tally: Tally, purchases: Sequence[Purchase]) -> None:
    """Counts purchases (in order of time) of which nobody knows whose they are."""
    if not purchases:
        return
    for purchase, total in zip(purchases, _count(tally, purchases), strict=True):
        tally.turnover[month_of(purchase.at)] += total
        tally.unknown_minor += total
        tally.unknown_purchases += 1


class _Member:
    """What one member holds and has had while the purchases go by. Written for millions of them: what seldom changes is
    kept from one purchase to the next."""

    def __init__(self, engine: Engine, tally: Tally, first: datetime) -> None:
        self.engine, self.tally, self.first = engine, tally, first
        self.month = month_of(first)
        self.purses = {
            one.code: Purse(tally.flows_of(one.code), self.month, one.expires_after_months)
            for one in engine.programme.currencies
        }
        self.expiring = [self.purses[code] for code in engine.expiring]
        climbs = engine.ladders.ladder is not None and not engine.ladders.simple
        self.gains = [(one, self.purses[one.currency], one.plain, one.noted or climbs) for one in engine.gains]
        self.ways = [(way, self.purses[way.currency]) for way in engine.ways]
        self.cheapest = [(self.purses[code], units) for code, units in engine.cheapest]
        self.flat, self.dealing, self.converts = engine.flat, engine.dealing, bool(engine.conversions)
        self.visits: dict[str, datetime] = {}
        self.given: dict[str, int] = {}
        self.ends: dict[str, datetime | None] = {}
        self.limits: dict[str, tuple[datetime | None, int]] = {}
        self.vouchers: list[Voucher] = []
        self.sales = self.turnover = self.had = self.gifts = 0
        self._start(first)

    def _start(self, first: datetime) -> None:
        engine, ladders = self.engine, self.engine.ladders
        self.tier = self.best = 0 if ladders.codes else -1
        self.ladder_purse = self.purses.get(ladders.currency)
        self.low, self.high = ladders.around(0)
        self.climb: Climb | None = None
        if ladders.ladder is not None and not ladders.simple:
            self.climb = Climb(ladders, ladders.ladder, engine.zone, first)
        self.state: State | None = None
        if engine.welcome is not None:
            self.purses[engine.welcome.currency].earn(engine.welcome.units, first)
        if engine.programme.welcome_coupon is not None:
            self._make(voucher_of(engine.programme.welcome_coupon, first))

    # ---------------------------------------------------------------------- a purchase

    def run(self, purchases: Sequence[Purchase], totals: Sequence[int]) -> None:
        """Replays all purchases, of which each comes to its total; below zero it is goods that come back."""
        expiring, climb, ladder_purse = self.expiring, self.climb, self.ladder_purse
        begun, year, month = 0, self.first.year, self.first.month
        for number, purchase in enumerate(purchases):
            at, total = purchase[0], totals[number]
            if at.month != month or at.year != year:
                year, month = at.year, at.month
                self._turn(month_of(at), sum(totals[begun:number]))
                begun = number
            for purse in expiring:
                if purse.ends <= at:
                    purse.expire(at)
            if climb is not None:
                for night in climb.nights(at):
                    self._rise(night)
            paid = total
            if total < 0:
                self._give_back(purchase)
            else:
                paid = self._buy(purchase, at, total)
            if climb is not None:
                climb.bought(at, paid, came_back=total < 0)
                self._rise(at)
            elif ladder_purse is not None and not self.low <= ladder_purse.balance < self.high:
                self._rise(at)
        self._turn(self.month, sum(totals[begun:]))

    def _turn(self, month: int, bought_minor: int) -> None:
        """A new month begins; so much was bought in the one before."""
        self.tally.turnover[self.month] += bought_minor
        self.turnover += bought_minor
        self.month = month
        for purse in self.purses.values():
            purse.begin(month)

    def _buy(self, purchase: Purchase, at: datetime, total: int) -> int:
        """A purchase that comes to so much; what is paid for it."""
        uses = bool(self.vouchers)
        for purse, least in self.cheapest:
            if purse.balance >= least:
                uses = True
        paid = total
        earned: Sequence[int] | None = None
        if not uses and not self.dealing:
            earned = self.flat(purchase[2], total, at, self.visits)
        if earned is None:
            paid, earned = self._pay(purchase, at, total, uses)
        for units, (gain, purse, plain, noted) in zip(earned, self.gains, strict=True):
            if units:
                if noted:
                    self._note(gain, units, at)
                if plain:
                    purse.balance += units
                else:
                    purse.earn(units, at, None if gain.pending is None else at + gain.pending)
        self.sales += 1
        if self.converts:
            self._convert(at)
        return paid

    def _pay(self, purchase: Purchase, at: datetime, total: int, uses: bool) -> tuple[int, Sequence[int]]:
        """What is paid for a purchase that may use something, and what each rule gives for it."""
        engine, lines, state = self.engine, purchase.lines, self.state or self._state(at)
        bill = self._dealt(purchase, state) if engine.dealing else None
        used, paid = False, total
        if uses and total > 0 and engine.spends:
            bill = bill or Bill(engine.programme, lines)
            used = self._use(at, bill)
        if bill is not None:
            paid = bill.amount_minor
        # How what was taken off is parted over the lines matters only where these are not all alike.
        if (bill is None or paid > 0) and (earned := engine.flat(lines, paid, at, self.visits)):
            return paid, earned
        if bill is not None:
            lines = bill.net()
        return paid, engine.units(Basket(lines, at, engine.zone, purchase.store, used), state)

    def _state(self, at: datetime) -> State:
        """What the rules ask of the member. Kept until the tier changes, where they ask for nothing that goes on."""
        engine = self.engine
        for rule, span in engine.caps:
            if rule not in self.ends or ((ends := self.ends[rule]) is not None and at >= ends):
                self.ends[rule] = engine.window(span, at)
                self.given[rule] = 0
        tier = engine.ladders.codes[self.tier] if self.tier >= 0 else None
        tenure = (at.date() - self.first.date()).days if engine.rater.needs.tenure else 0
        state = State(tier, self.visits, self.given, frozenset(), tenure, self.sales)
        if engine.steady:
            self.state = state
        return state

    def _note(self, gain: Gain, units: int, at: datetime) -> None:
        if gain.counts_visits:
            self.visits[gain.rule] = at
        if gain.capped:
            self.given[gain.rule] += units
        if self.climb is not None:
            self.climb.earned(at, gain.currency, units)

    def _dealt(self, purchase: Purchase, state: State) -> Bill | None:
        engine = self.engine
        dealt = engine.deals.apply(Basket(purchase.lines, purchase.at, engine.zone, purchase.store), state)
        if not dealt.deals:
            return None
        bill = Bill(engine.programme, purchase.lines, dealt.deals)
        self._give(DEALS, sum(sum(taken.off.values()) for taken in bill.taken))
        self.gifts += 1
        return bill

    # ---------------------------------------------------------------------- what is used

    def _use(self, at: datetime, bill: Bill) -> bool:
        """Takes off the bill what this purchase uses, as the till does: rewards, then a voucher; the pot pays the rest.
        Whether a voucher or a reward was used."""
        voucher = self._voucher(at, bill) if self.vouchers else None
        reserved = 0 if voucher is None else voucher.off(bill.payable)
        used = self._take(at, bill, reserved) if self.engine.ways else False
        if voucher is not None:
            used = True
            self._give(VOUCHERS, bill.take(Off(VOUCHERS, voucher.percent, voucher.value)))
        for code, rate in self.engine.pays:
            units = min(self.purses[code].spendable(at), bill.payable * rate.denominator // rate.numerator)
            if units > 0:
                self.purses[code].spend(units)
                self._give(UNITS, self.engine.money(code, units))
                self.gifts += 1
        return used

    def _voucher(self, at: datetime, bill: Bill) -> Voucher | None:
        """The oldest voucher that is good for this basket and takes something off, out of the member's hands."""
        kept = [one for one in self.vouchers if one.ends is None or at < one.ends]
        self.tally.vouchers_lost += len(self.vouchers) - len(kept)
        self.vouchers = kept
        if not bill.payable:
            return None
        found = next((one for one in kept if one.minimum <= bill.after_deals), None)
        if found is None or not found.off(bill.payable):
            return None
        kept.remove(found)
        self.tally.vouchers_used += 1
        self.gifts += 1
        return found

    def _take(self, at: datetime, bill: Bill, reserved: int) -> bool:
        """Rewards, the one that is worth most of those that can be had; whether any."""
        for taken in range(MOST_TAKEN):
            found = self._wanted(at, bill.payable - reserved)
            if found is None:
                return taken > 0
            way, purse = found
            purse.spend(way.units)
            self._have(way, at, bill)
            if not way.as_money:
                return True
        return True

    def _wanted(self, at: datetime, total: int) -> tuple[Way, Purse] | None:
        engine = self.engine
        for way, purse in self.ways:
            least = way.units if engine.habit == "soon" else engine.dearest
            if purse.balance < least or (way.most_off and way.value > total):
                continue
            if purse.spendable(at) >= least and self._allowed(way, at):
                return way, purse
        return None

    def _allowed(self, way: Way, at: datetime) -> bool:
        limit = way.reward.limit
        if limit is None:
            return True
        ends, count = self.limits.get(way.reward.code, (at, 0))
        return count < limit.count or (ends is not None and at >= ends)

    def _have(self, way: Way, at: datetime, bill: Bill) -> None:
        """Gives a reward, which may take something off."""
        if way.reward.limit is not None:
            ends, count = self.limits.get(way.reward.code, (at, 0))
            if ends is not None and at >= ends:
                ends, count = self.engine.window(way.reward.limit.window, at), 0
            self.limits[way.reward.code] = ends, count + 1
        self.tally.rewards[way.reward.code] += 1
        self.gifts += 1
        if way.voucher is not None:
            self._make(voucher_of(way.voucher, at))
        elif way.percent is not None or way.most_off:
            amount = way.value if way.percent is None else None
            self._give(REWARDS, bill.take(Off(way.reward.code, way.percent, amount)))
        else:
            self._give(REWARDS, way.value)

    def _give(self, kind: str, minor: int) -> None:
        self.had += minor
        self.tally.given[kind][self.month] += minor

    def _make(self, voucher: Voucher) -> None:
        self.vouchers.append(voucher)
        self.tally.vouchers_made += 1

    def _convert(self, at: datetime) -> None:
        for one in self.engine.conversions:
            purse = self.purses[one.currency]
            while purse.spendable(at) >= one.units:
                purse.spend(one.units)
                self._make(voucher_of(one.voucher, at))

    # ---------------------------------------------------------------------- what comes back, and the end

    def _give_back(self, purchase: Purchase) -> None:
        engine = self.engine
        mirror = [
            Line(sku, category, abs(quantity), -amount, -tax, excluded)
            for sku, category, quantity, amount, tax, excluded in purchase.lines
        ]
        basket = Basket(mirror, purchase.at, engine.zone, purchase.store)
        units = engine.units(basket, self._state(purchase.at))
        for rule, (_, purse, _, _), earned in zip(engine.rater.rules, self.gains, units, strict=True):
            if earned and not engine.stays(rule):
                taken = purse.take_back(earned, owed=engine.owed)
                if self.climb is not None:
                    self.climb.earned(purchase.at, rule.currency, -taken)

    def _rise(self, at: datetime) -> None:
        ladders = self.engine.ladders
        if self.climb is not None:
            tier = self.climb.look(at, self.purses)
        else:
            value = self.purses[ladders.currency].balance
            tier = ladders.of_balance(value)
            self.low, self.high = ladders.around(value)
        if tier != self.tier:
            self.state, self.tier = None, tier
            self.best = max(self.best, tier)

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
