"""Owns the quote: what a basket would come to, earn and use, before it is sold. Nothing is changed by it; that one more
piece was offered is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from wallet_server.actions.context import Context
from wallet_server.actions.counter import checkout, rotating
from wallet_server.actions.counter.checkout import Desk, Uses
from wallet_server.actions.counter.dated import business_day
from wallet_server.actions.counter.scanning import demand_in_place, holder_of, in_place
from wallet_server.actions.counter.till import at_till, lines_of
from wallet_server.actions.purse import catalogue, gathering, vouchers
from wallet_server.actions.purse.catalogue import Left
from wallet_server.actions.purse.vouchers import Usable
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.counter.sales import SaleLine
from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger, rewards
from wallet_server.records.purse.ledger import Purse
from wallet_server.records.purse.rewards import HintDay
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Award, Basket
from wallet_server.rules.baskets.bills import Bill
from wallet_server.rules.baskets.deals import Hint
from wallet_server.rules.counter import scans
from wallet_server.rules.programme.program import Programme


@dataclass(frozen=True)
class Wanted:
    """A basket at the till, and what is to be used with it."""

    code: str
    lines: tuple[SaleLine, ...]
    money: str
    uses: Uses


@dataclass(frozen=True)
class Quote:
    """What the basket comes to. `discounts` by line (counted from 1), by what (`deal:ID` ...); `earns` is foreseen by
    the rules as they stand; `balances` what the member has before it."""

    member: str
    programme: Programme
    version: int
    tier: str | None
    amount_minor: int
    to_pay_minor: int
    pot_minor: int
    discounts: Sequence[tuple[int, str, int]]
    earns: Sequence[Award]
    hints: Sequence[Hint]
    balances: Mapping[str, int]
    left: Mapping[str, Left]
    vouchers: Sequence[Usable] = field(default_factory=tuple)


def quote(ctx: Context, scope: Scope, wanted: Wanted) -> Quote:
    """Price a basket for whoever holds this card. Raises what selling it would raise for what it uses."""
    till_id, _ = at_till(scope)
    now = ctx.now()
    with ctx.change() if _leaves_a_trace(wanted) else ctx.look() as tx:
        member = holder_of(ctx, tx, scope, wanted.code)
        if member.coupon_pass is not None:
            raise Conflict("This is the code of a coupon; scan the card.", code="coupon-code", field="code")
        if wanted.uses.spends:
            demand_in_place(member)
        found = _priced(ctx, tx, scope, member, wanted, now)
    if found.hints:
        given = {hint.deal: hint.given for hint in found.hints}
        with ctx.change() as tx:
            day = business_day(scope, None, now)
            rewards.offer(tx, member.programme_id, till_id, member.id, given, day, now)
    return found


def _leaves_a_trace(wanted: Wanted) -> bool:
    """Whether reading the codes writes something: a number that changes is taken when it is looked at (the sale that
    follows names the member's code anew), and one that may be a guess is counted, also when it is to be a voucher's."""
    read = (wanted.code, *(text for text in wanted.uses.vouchers if not text.startswith("cou_")))
    return any(rotating.rotates(text) or scans.guessable(text) for text in read)


def _priced(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, wanted: Wanted, now: datetime) -> Quote:
    rater = ctx.rater(tx, member.version_id)
    programme = rater.programme
    if wanted.money != programme.money.iso:
        raise Invalid(f"This programme counts in {programme.money.iso}.", code="wrong-currency", field="currency")
    basket = Basket(lines_of(wanted.lines), now, scope.zone, scope.store)
    state = gathering.state_of(tx, checkout.needs(programme, wanted.uses, rater.needs), member, now, scope.zone)
    nothing = {one.code: Purse(0, 0, one.code, 0) for one in programme.currencies}
    purses = nothing | ledger.purses(tx, member.id, scope.merchant_id)
    desk = Desk(ctx, tx, scope, member, programme, lambda text: holder_of(ctx, tx, scope, text))
    bill = checkout.Checkout(desk, wanted.uses)
    bill.price(basket, state, purses, "", now)
    return Quote(
        member=member.public_id,
        programme=programme,
        version=member.version,
        tier=member.tier,
        amount_minor=sum(line.amount_minor for line in basket.lines),
        to_pay_minor=bill.amount_minor - bill.pot_minor,
        pot_minor=bill.pot_minor,
        discounts=[(n, one.deal, off) for one in bill.bill.taken for n, off in sorted(one.off.items())],
        earns=rater.rate(bill.basket, state).awards,
        hints=bill.hints,
        balances={code: purse.amount for code, purse in purses.items()},
        left=catalogue.left(tx, programme, member.programme_id, member.id, now, scope.zone),
        vouchers=_usable(ctx, tx, member.id, bill.bill, now) if in_place(member) else (),
    )


def _usable(ctx: Context, tx: Tx, member_id: int, bill: Bill, now: datetime) -> list[Usable]:
    found = vouchers.usable(ctx, tx, member_id, now)
    return [replace(one, fits=bill.after_deals >= one.promise.minimum_minor) for one in found]


def hints(ctx: Context, scope: Scope, programme: str, since: date) -> Sequence[HintDay]:
    """How often one more piece was offered and taken, by deal and day. Raises `NotFound` for a stranger's programme."""
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, programme)
        return rewards.hint_days(tx, row.id, since)
