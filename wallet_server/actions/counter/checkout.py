"""Owns the use of deals, rewards, vouchers and the pot in a sale: what they take off it, and their booking with it.

They take in this order: deals (in that of the programme), rewards that take something off, vouchers, each in the order
in which the till names them; the pot pays what is left, as money does. What a sale used stands in its state, so that it
can be given back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import rotating
from wallet_server.actions.counter.bookings import by_rule, counter_booking
from wallet_server.actions.passes.stale import REFRESH
from wallet_server.actions.purse import catalogue, vouchers
from wallet_server.actions.purse.vouchers import Gift
from wallet_server.errors import Conflict, Invalid
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import coupons, ledger, lots, rewards
from wallet_server.records.purse.coupons import CouponRow
from wallet_server.records.purse.ledger import Booking, Posted, Purse
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets import bills
from wallet_server.rules.baskets.baskets import Basket, State
from wallet_server.rules.baskets.bills import Bill, Off
from wallet_server.rules.baskets.deals import Hint, deals_of
from wallet_server.rules.baskets.rating import Needs
from wallet_server.rules.counter import coupons as coupon_rules
from wallet_server.rules.programme.program import Programme, Reward
from wallet_server.rules.programme.program_parts import BuyGet

MOST_USED = 20
"""Vouchers, and rewards, in one sale."""
HINTS_LAST = timedelta(hours=1)
"""How long after a till was told of a hint a sale to the same member may be its outcome."""
POT, REWARD, VOUCHER = "pot", bills.REWARD, bills.VOUCHER

Find = Callable[[str], MemberRow]
"""Whose code this is, as `scanning.holder_of` tells."""


@dataclass(frozen=True)
class Pot:
    """Money that the member has with the merchant: `amount` of it (None: as much as there is and is needed), of this
    currency (None: the programme's first of kind money)."""

    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Uses:
    """What a sale uses: the programme's deals, vouchers (ids, or the codes on them), rewards (their codes), a pot."""

    deals: bool = False
    vouchers: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ()
    pot: Pot | None = None

    def __bool__(self) -> bool:
        return bool(self.deals or self.vouchers or self.rewards or self.pot)

    @property
    def spends(self) -> bool:
        """Whether it takes something that the member has."""
        return bool(self.vouchers or self.rewards or self.pot)

    def said(self) -> dict[str, Any]:
        """As a request says it: what is not used is left out, and of a code that changes what stays the same."""
        if not self:
            return {}
        pot = None if self.pot is None else vars(self.pot)
        codes = [rotating.bare(one) for one in self.vouchers]
        return {"uses": {"deals": self.deals, "vouchers": codes, "rewards": self.rewards, "pot": pot}}


@dataclass(frozen=True)
class _Burn:
    booking: Booking
    currency: str
    amount: int
    gift: Gift | None = None


@dataclass(frozen=True)
class Desk:
    """Who stands at which till, in whose transaction."""

    ctx: Context
    tx: Tx
    scope: Scope
    member: MemberRow
    programme: Programme
    find: Find


def needs(programme: Programme, uses: Uses, others: Needs) -> Needs:
    """What has to be looked up of the member for this, and for rating besides."""
    return deals_of(programme).needs(others) if uses.deals else others


def of(desk: Desk, uses: Uses) -> Checkout | None:
    """The check-out of a sale that uses something; None for one that does not."""
    return Checkout(desk, uses) if uses else None


def made_by(
    ctx: Context, tx: Tx, member: MemberRow, programme: Programme, code: str | None, paid: Booking
) -> dict[str, Any]:
    """The voucher that a reward makes once it is paid for by this entry, as an answer says it; nothing where there is
    none. It is owed by the merchant at which it was paid."""
    reward = programme.reward(code) if code is not None else None
    if reward is None or reward.voucher is None:
        return {}
    row = programmes.programme_by_id(tx, member.programme_id)
    made, _ = vouchers.give(ctx, tx, row, member.id, _gift(member, reward, paid), paid.recorded_at)
    return {"vouchers": [made.public_id]}


def _gift(member: MemberRow, reward: Reward, paid: Booking) -> Gift:
    promise = f"{coupon_rules.REWARD}:{reward.code}"
    return Gift(coupon_rules.REWARD, promise, member.version_id, paid.merchant_id, paid.public_id)


class Checkout:
    """One basket of a member. Nothing is written before `spend`, for which the member is held.

    `basket` is what is to be rated; `amount_minor` what is to be paid, of which `pot_minor` from the pot; `purses` what
    the member has after it; `posted` what `spend` will book; `kept` what the sale's state is to keep.
    """

    def __init__(self, desk: Desk, uses: Uses) -> None:
        self._ctx, self._tx, self._scope, self._find = desk.ctx, desk.tx, desk.scope, desk.find
        self._member, self._programme, self._uses = desk.member, desk.programme, uses
        self._burns: list[_Burn] = []
        self._taken: list[tuple[CouponRow, str]] = []
        self._wanted: dict[str, tuple[Reward, int]] = {}
        self._lapsed: dict[str, int] = {}
        self.used: list[dict[str, Any]] = []
        self.hints: tuple[Hint, ...] = ()
        self.pot_minor = 0
        self.posted: list[Posted] = []
        self.made: list[str] = []

    def price(self, basket: Basket, state: State, purses: Mapping[str, Purse], receipt: str, now: datetime) -> None:
        """Work it all out. Raises `Conflict` and `Invalid` for what cannot be used."""
        self._receipt, self._now = receipt, now
        self._before, self.purses = purses, dict(purses)
        self._moment = (basket, state)
        programme, uses = self._programme, self._uses
        dealt = deals_of(programme).apply(basket, state) if uses.deals else None
        self.bill = Bill(programme, basket.lines, dealt.deals if dealt else ())
        self.hints = dealt.hints if dealt else ()
        self.given = {one.deal: one.pieces for one in dealt.deals} if dealt else {}
        with by_rule(self._member, rewards.RULE):
            for code in uses.rewards:
                self._reward(catalogue.known(programme, code))
            catalogue.demand(self._tx, self._member.programme_id, self._member.id, self._wanted, now, basket.zone)
        for text in uses.vouchers:
            self._voucher(text)
        if uses.pot is not None:
            with by_rule(self._member, POT):
                self._pot(uses.pot)
        spent = bool(uses.vouchers or uses.rewards)
        self.basket = basket._replace(lines=self.bill.net(), rewards_used=spent)
        self.amount_minor = self.bill.amount_minor

    @property
    def kept(self) -> dict[str, Any]:
        """For the sale's state."""
        deals = {"deals": bills.kept(self.bill.taken)} if self._uses.deals else {}
        own = deals_of(self._programme).remember(*self._moment) if self._uses.deals else {}
        return {**own, **deals, **({"used": self.used} if self.used else {})}

    def told(self) -> dict[str, Any]:
        """For the answer: what came off which line by what, what is left to pay, what was used."""
        discounts = [
            {"line": number, "by": one.deal, "off_minor": part}
            for one in self.bill.taken
            for number, part in sorted(one.off.items())
        ]
        return {
            "discounts": discounts,
            "to_pay_minor": self.amount_minor - self.pot_minor,
            "pot_minor": self.pot_minor,
            "used": self.used,
            **({"vouchers": self.made} if self.made else {}),
        }

    def _take(self, off: Off, used: dict[str, Any]) -> dict[str, Any]:
        """Take this off the bill, and note with what is used how much of which line it was. What would take nothing off
        is not used up for it."""
        if off.percent is None and off.amount_minor is None:
            return used
        total = self.bill.take(off)
        if not total:
            sentence = "Nothing of this basket can be reduced by this: keep it for another time."
            raise Conflict(sentence, code="nothing-off", field=f"{used['kind']}s")
        share = {} if off.percent is None else {"percent": off.percent}
        lines = {str(number): part for number, part in self.bill.taken[-1].off.items()}
        return {**used, **share, "off_minor": total, "lines": lines}

    def _reward(self, reward: Reward) -> None:
        count = self._wanted.get(reward.code, (reward, 0))[1] + 1
        self._wanted[reward.code] = (reward, count)
        booking = self._booking(rewards.RULE, "burn.reward", **catalogue.said(reward))
        gift = _gift(self._member, reward, booking) if reward.voucher is not None else None
        self._burn(booking, reward.cost.currency, reward.cost.units, gift)
        amount = reward.value_minor if reward.kind == "amount" else None
        percent = reward.percent if reward.kind == "percent" else None
        cost = {"currency": reward.cost.currency, "amount": reward.cost.units, "entry": booking.public_id}
        used = {"kind": REWARD, "id": reward.code, **cost}
        self.used.append(self._take(Off(f"{REWARD}:{reward.code}", percent, amount), used))

    def _voucher(self, text: str) -> None:
        coupon = self._coupon(text)
        with vouchers.by_promise(self._tx, self._member, coupon):
            use_id = new_id("use")
            used = self._take(self._off(coupon), {"kind": VOUCHER, "id": coupon.public_id, "use": use_id})
        self._taken.append((coupon, use_id))
        self.used.append(used)

    def _off(self, coupon: CouponRow) -> Off:
        """What a voucher that is good for this basket takes off it."""
        if any(one.id == coupon.id for one, _ in self._taken):
            raise Conflict("This coupon was used already.", code="coupon-used", field="vouchers")
        coupon_rules.demand_good(coupon.state, coupon.valid_to, self._now)
        promise = coupon_rules.promise_of(self._ctx.programme(self._tx, coupon.version_id), coupon.promise)
        off = Off(f"{VOUCHER}:{coupon.public_id}", promise.percent, coupon.value_minor, promise.minimum_minor)
        coupon_rules.demand_enough(off.minimum_minor, self.bill.after_deals, self._programme.money, "vouchers")
        return off

    def _coupon(self, text: str) -> CouponRow:
        if text.startswith("cou_"):
            return vouchers.of_member(self._tx, self._member.id, text)
        found = self._find(text)
        if found.coupon_pass is None:
            raise Conflict("This is no coupon but a card; scan the coupon.", code="not-a-coupon", field="vouchers")
        if found.id != self._member.id:
            raise Conflict("This coupon is another member’s.", code="not-a-coupon", field="vouchers")
        coupon = coupons.of_passes(self._tx, [found.coupon_pass])[found.coupon_pass]
        vouchers.demand_current(self._tx, coupon, found.coupon_pass)
        return coupon

    def _pot(self, pot: Pot) -> None:
        money = self._programme.money
        own = [one for one in self._programme.currencies if one.kind == "money" and one.spendable]
        found = next((one for one in own if pot.currency in (None, one.code)), None)
        if found is None or (found.iso, found.exponent) != (money.iso, money.exponent):
            sentence = "This programme has no such pot of money to pay from."
            raise Invalid(sentence, code="not-a-pot", field="pot")
        most = self.bill.payable
        if pot.amount is not None and pot.amount > most:
            facts: dict[str, str | int] = {"payable_minor": most}
            sentence = "More is to be paid from the pot than the goods come to."
            raise Conflict(sentence, code="pot-too-much", field="pot", facts=facts)
        amount = max(0, min(self._good(found.code), most)) if pot.amount is None else pot.amount
        if not amount:
            return
        booking = self._booking("pot", "burn.pot")
        self._burn(booking, found.code, amount)
        self.pot_minor = amount
        self.used.append({"kind": POT, "id": found.code, "amount": amount, "entry": booking.public_id})

    def _good(self, currency: str) -> int:
        """What there is of a currency by now, without what has run out though nobody booked it yet."""
        if currency not in self._lapsed:
            before = self._before[currency]
            _, self._lapsed[currency] = lots.plan(self._tx, before.account_id, before.amount, self._now)
        return self.purses[currency].amount - self._lapsed[currency]

    def _booking(self, rule: str, reason: str, **params: str | int) -> Booking:
        member = self._member
        made = counter_booking(self._scope, member, rule, reason, self._receipt, member.tier, self._now)
        return replace(made, params={**made.params, **params})

    def _burn(self, booking: Booking, currency: str, amount: int, gift: Gift | None = None) -> None:
        purse, good = self.purses[currency], self._good(currency)
        if good < amount:
            raise _not_enough(purse.code, max(0, good), amount)
        after = purse.amount - amount
        self.purses[currency] = replace(purse, amount=after)
        said = (booking.rule_id, booking.reason, booking.params, booking.programme_version_id)
        self.posted.append(Posted(0, booking.public_id, currency, -amount, after, *said))
        self._burns.append(_Burn(booking, currency, amount, gift))

    def spend(self, sale_id: int) -> Sequence[jobs.Put]:
        """Book what the sale used, once it is stored and before it earns; `purses` then hold what is left. Returns the
        jobs that tell the vouchers' passes. Raises `Conflict` (`out-of-stock`, `not-enough`)."""
        tx, member, now = self._tx, self._member, self._now
        with by_rule(member, rewards.RULE):
            catalogue.take(tx, member.programme_id, self._wanted)
        purses = dict(self._before)
        row = programmes.programme_by_id(tx, member.programme_id) if any(one.gift for one in self._burns) else None
        for one in self._burns:
            purse = purses[one.currency]
            with by_rule(member, one.booking.rule_id):
                ledger.burn(tx, replace(one.booking, sale_id=sale_id), purse, one.amount)
            purses[one.currency] = replace(purse, amount=purse.amount - one.amount)
            if row is not None and one.gift is not None:
                self.made.append(vouchers.give(self._ctx, tx, row, member.id, one.gift, now)[0].public_id)
        if not self._taken:
            return ()
        vouchers.hold(tx, member.id)
        for coupon, use_id in self._taken:
            vouchers.take(tx, self._scope, coupon, use_id, self._receipt, now)
        shown = {key for coupon, _ in self._taken for key in (coupon.pass_id, *coupons.elsewhere(tx, coupon.id))}
        told = [key for key in sorted(shown) if passes.stale(tx, key)]
        return [jobs.Put(REFRESH, str(key), jobs.COUNTER, now) for key in told]

    def count_hints(self, till_id: int) -> None:
        """Count what this till was told of this member's basket, and what of it was taken."""
        if any(isinstance(deal.way, BuyGet) for deal in self._programme.deals):
            since = self._now - HINTS_LAST
            rewards.settle(self._tx, self._member.programme_id, till_id, self._member.id, self.given, since)


def _not_enough(code: str, have: int, asked: int) -> Conflict:
    facts: dict[str, str | int] = {"available": have, "asked": asked}
    return Conflict(f"There are not enough {code}: {have} of {asked}.", code="not-enough", facts=facts)
