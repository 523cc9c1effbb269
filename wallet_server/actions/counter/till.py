"""Owns the counter: look up a card (by `looking`), sell, redeem, reverse (by `reversal`). Every write happens once,
however often it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from wallet_server.actions import keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import checkout, rotating
from wallet_server.actions.counter.bookings import (
    awards_of,
    by_rule,
    counter_booking,
    facts_of,
    held_back,
    numbers_of,
)
from wallet_server.actions.counter.checkout import Desk, Uses
from wallet_server.actions.counter.dated import business_day, near, undated
from wallet_server.actions.counter.looking import Holder, look_up
from wallet_server.actions.counter.refunds import reverse_sale
from wallet_server.actions.counter.reversal import reverse_entry
from wallet_server.actions.counter.scanning import Proof, held_member, holder_of, noted, tried
from wallet_server.actions.once import Asked, Facts, asked, once
from wallet_server.actions.passes import cards, reissuing
from wallet_server.actions.purse import catalogue, conversions, gathering, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict, Forbidden, Invalid
from wallet_server.records import jobs
from wallet_server.records.counter import sales, takings
from wallet_server.records.counter.sales import NewSale, SaleLine
from wallet_server.records.counter.takings import Stale
from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import ledger, rewards
from wallet_server.records.purse.ledger import Booking
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Basket, Line
from wallet_server.rules.counter import codes
from wallet_server.rules.programme.program import Programme

__all__ = ["Holder", "Redeemed", "SaleLine", "Sold", "look_up", "redeem", "reverse_entry", "reverse_sale", "sell"]
MAX_AHEAD = timedelta(minutes=10)
MAX_BEHIND = timedelta(days=31)


@dataclass(frozen=True)
class Sold:
    """A sale as the till sends it; without lines, `amount_minor` alone is one line."""

    code: str
    receipt: str
    amount_minor: int
    lines: tuple[SaleLine, ...]
    money: str
    occurred_at: datetime | None = None
    business_day: date | None = None
    uses: Uses = Uses()
    proof: Proof | None = None


def at_till(scope: Scope) -> tuple[int, int]:
    """The keys of till and store that the caller's key speaks for. Raises `Forbidden` (`needs-till`)."""
    if scope.till_id is None or scope.store_id is None:
        raise Forbidden("This needs the key of a till; a merchant's key cannot sell.", code="needs-till")
    return scope.till_id, scope.store_id


def ask_to_sell(scope: Scope, sold: Sold, key: str | None, now: datetime) -> Asked:
    """Name a sale by its key and by till, business day and receipt number."""
    day = business_day(scope, sold.business_day, sold.occurred_at or now)
    dated = sold.occurred_at is not None or sold.business_day is not None
    body = {
        "code": codes.stem(rotating.bare(sold.code)),
        "receipt": sold.receipt,
        "amount_minor": sold.amount_minor,
        "money": sold.money,
        "lines": [vars(line) for line in sold.lines],
        "occurred_at": sold.occurred_at.isoformat() if sold.occurred_at else None,
        "business_day": sold.business_day.isoformat() if sold.business_day else None,
        **sold.uses.said(),
    }
    name = f"sale:{day.isoformat()}:{sold.receipt}"
    echoes = [] if dated else undated(scope, "sale", sold.receipt, now)[1]
    dated = sold.occurred_at is not None
    return asked(scope, "sell", body, key, name, dated=dated, echoes=echoes, new=not echoes)


def sell(ctx: Context, scope: Scope, sold: Sold, key: str | None, *, recalled: bool = False) -> tuple[Facts, bool]:
    """Count a sale: (what was booked, whether this is a replay).

    Stores the sale as sold, awards what the programme's rules give, moves the tier, and leaves the refresh of the
    cards as a job, all in one transaction. Raises `Conflict`: `key-reused` when the receipt stands for another sale,
    `sale-undone` when this very one was taken back since; and `keys.KeyChanged`, for a scope that was `recalled`, when
    its key is not good any more, or when this is a replay: what was answered before is told to a key that was looked
    at.
    """
    at_till(scope)
    now = ctx.now()
    plausible(scope, sold, now)
    proof = tried(ctx, scope, sold.code, sold.proof)

    def act(tx: Tx) -> Facts:
        if recalled:
            keys.demand_good(tx, scope, ctx.clock())
        # What is spent is spent now: a number of the past is good for earning alone.
        scanned_at = None if sold.uses.spends else sold.occurred_at
        spends = sold.uses.spends
        member = held_member(ctx, tx, scope, sold.code, spends=spends, proof=proof, sold_at=scanned_at)
        return count(ctx, tx, scope, member, sold, member.version_id, now, member.purses)

    answer = once(ctx, ask_to_sell(scope, sold, key, now), act)
    if answer[1] and recalled:
        raise keys.KeyChanged
    if answer[1]:
        _still_counts(ctx, answer[0]["id"])
    ctx.ring()
    return answer


def _still_counts(ctx: Context, sale: str) -> None:
    """The first answer is no longer true when the sale was taken back: the customer would leave with nothing."""
    with ctx.look() as tx:
        if sales.is_taken_back(tx, sale):
            sentence = "This sale was taken back since; send it under a new receipt number to count it again."
            raise Conflict(sentence, code="sale-undone")


def count(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    member: MemberRow,
    sold: Sold,
    version_id: int,
    now: datetime,
    purses: Mapping[str, ledger.Purse] | None = None,
) -> Facts:
    """Store a sale of a member who is held, by this version of the programme, and award what it gives: what was
    booked. `purses` are the member's, where they were read since. Raises `Invalid` (`wrong-currency`), and as using
    vouchers, rewards and a pot does."""
    (till_id, _), spends, occurred = at_till(scope), sold.uses.spends, sold.occurred_at or now
    rater = ctx.rater(tx, version_id)
    programme, current = rater.programme, ctx.programme(tx, member.version_id)
    if sold.money != programme.money.iso:
        raise Invalid(f"This programme counts in {programme.money.iso}.", code="wrong-currency", field="currency")
    tier, purses = member.tier, purses_of(tx, member, programme, scope.merchant_id, purses)
    basket = Basket(lines_of(sold.lines), occurred, scope.zone, scope.store)
    needs = checkout.needs(programme, sold.uses, rater.needs)
    state = gathering.state_of(tx, needs, member, occurred, scope.zone)
    bill = checkout.of(Desk(ctx, tx, scope, member, programme, _find(ctx, tx, scope)), sold.uses)
    if bill is not None:
        bill.price(basket, state, purses, sold.receipt, now)
        basket, purses = bill.basket, bill.purses
    rated = rater.rate(basket, state)
    amount = sold.amount_minor if bill is None else bill.amount_minor
    kept = rater.remember(basket, state, rated) | (bill.kept if bill else {}) | noted(sold.proof)
    new = _new_sale(scope, member, version_id, sold, amount, kept, now)
    posted = ledger.foresee(awards := awards_of(rated.awards, _said(new), purses))
    moved = posted if bill is None else [*bill.posted, *posted]
    balances = {p.code: p.amount for p in purses.values()} | {p.currency: p.balance for p in posted}
    # Who turns units into vouchers is judged once, by what is left after it, as with every other way to earn.
    turning = bool(awards) and conversions.due(current, balances)
    after = tier if turning else standing.by_balance(ctx, tx, current, member.id, tier, moved)
    loud = cards.mask(standing.loud(current, moved, tier, after))
    if spends:
        reissuing.follow(ctx, tx, scope, member, now)
    spend = bill.spend if bill is not None and spends else None
    takings.record(tx, new, sold.lines, awards, Stale(loud, cards.REFRESH, jobs.COUNTER, now), spend)
    versions = numbers_of(tx, member, version_id)
    more = {"receipt": sold.receipt} | ({"counted_before": True} if rater.waits(basket, state, rated) else {})
    more |= held_back(rated, versions.get(version_id, member.version))
    if bill is not None:
        posted = moved
        bill.count_hints(till_id)
        more |= bill.told()
    if turning:
        made = conversions.settle(ctx, tx, current, member.version_id, awards[0].booking, balances)
        posted, balances, more = made.told(posted, balances, more)
        after = standing.by_balance(ctx, tx, current, member.id, tier, posted)
    after = standing.after_sale(ctx, tx, current, member.id, after, earned=bool(awards))
    if turning or "vouchers" in more:
        told = standing.loud(current, posted, tier, after)
        cards.changed(tx, member.id, [*told, "news"] if "vouchers" in more else told, now)
    facts = facts_of(member, new.public_id, posted, tier, after, balances, now, versions, **more)
    said = {"amount_minor": new.amount_minor, "currency": new.money, "occurred_at": occurred.isoformat()}
    hooks.tell(ctx, tx, hooks.COUNTED, member.programme_id, scope.merchant_id, now, lambda: facts | said)
    return facts


def _find(ctx: Context, tx: Tx, scope: Scope) -> checkout.Find:
    """Whose code is on what is scanned beside the card."""
    return lambda text: holder_of(ctx, tx, scope, text)


def _new_sale(
    scope: Scope,
    member: MemberRow,
    version_id: int,
    sold: Sold,
    amount_minor: int,
    kept: Mapping[str, object],
    now: datetime,
) -> NewSale:
    till_id, store_id = at_till(scope)
    occurred = sold.occurred_at or now
    return NewSale(
        public_id=new_id("sale"),
        programme_id=member.programme_id,
        member_id=member.id,
        merchant_id=scope.merchant_id,
        store_id=store_id,
        till_id=till_id,
        receipt=sold.receipt,
        business_day=business_day(scope, sold.business_day, occurred),
        occurred_at=occurred,
        recorded_at=now,
        money=sold.money,
        amount_minor=amount_minor,
        programme_version_id=version_id,
        state=kept,
    )


def plausible(scope: Scope, sold: Sold, now: datetime) -> None:
    """Raises `Invalid` (`negative-sale`; `implausible-time` of when it was sold, or of the day that it counts to)."""
    occurred = sold.occurred_at or now
    if sold.amount_minor < 0:
        why = "A sale cannot come to less than zero. To take goods back, reverse the sale instead."
        raise Invalid(why, code="negative-sale", field="amount_minor")
    if occurred > now + MAX_AHEAD or occurred < now - MAX_BEHIND:
        sentence = "The time of the sale is in the future or more than 31 days ago; check the till's clock."
        raise Invalid(sentence, code="implausible-time", field="occurred_at")
    if sold.business_day is not None and not near(scope, sold.business_day, occurred):
        sentence = "The business day is more than 2 days from the day of the sale; check the day of the till."
        raise Invalid(sentence, code="implausible-time", field="business_day")


def purses_of(
    tx: Tx,
    member: MemberRow,
    programme: Programme,
    merchant_id: int,
    known: Mapping[str, ledger.Purse] | None = None,
) -> Mapping[str, ledger.Purse]:
    """The member's accounts, of every currency of the programme; `known` where they were read since the member is
    held."""
    purses = ledger.purses(tx, member.id, merchant_id) if known is None else known
    if any(currency.code not in purses for currency in programme.currencies):
        # A newer programme version brought a further currency.
        ledger.open_all_purses(tx, member.programme_id, member.id)
        purses = ledger.purses(tx, member.id, merchant_id)
    return purses


def lines_of(lines: Sequence[SaleLine]) -> list[Line]:
    """The lines of a sale as the rules know them."""
    return [Line(x.sku, x.category, x.quantity_milli, x.amount_minor, x.tax_minor, x.excluded) for x in lines]


def _said(sale: NewSale) -> Booking:
    """What every award for this sale says."""
    return Booking(
        public_id="",
        programme_id=sale.programme_id,
        member_id=sale.member_id,
        merchant_id=sale.merchant_id,
        store_id=sale.store_id,
        till_id=sale.till_id,
        receipt=sale.receipt,
        programme_version_id=sale.programme_version_id,
        rule_id="",
        reason="",
        params={"receipt": sale.receipt},
        state=sale.state,
        effective_at=sale.occurred_at,
        recorded_at=sale.recorded_at,
    )


@dataclass(frozen=True)
class Redeemed:
    """What a member gives at the till: `amount` units of a currency, or the cost of a `reward` of the programme.
    `reference` is the till's own number for it, once a business day."""

    code: str
    currency: str | None
    amount: int
    reference: str
    reward: str | None = None
    proof: Proof | None = None


def ask_to_redeem(scope: Scope, wanted: Redeemed, key: str | None, now: datetime) -> Asked:
    """Name a redemption by its key and by till, day and the till's own number."""
    # What is not said is left out, so that a request of before there were rewards is still the same request.
    said = {"code": codes.stem(rotating.bare(wanted.code)), "proof": None}
    body = {name: value for name, value in (vars(wanted) | said).items() if value is not None or name == "currency"}
    name, echoes = undated(scope, "redeem", wanted.reference, now)
    return asked(scope, "redeem", body, key, name, echoes=echoes)


def redeem(ctx: Context, scope: Scope, wanted: Redeemed, key: str | None) -> tuple[Facts, bool]:
    """Spend points, or get a reward for them; never overspends. Raises as `scanning.held_member` does, `Conflict`
    (`not-enough`, `not-spendable`, `out-of-stock`, `limit-reached`, and `redemption-undone` when this very one was
    reversed since) and `Invalid` (`unknown-reward`, `unknown-currency`)."""
    at_till(scope)
    now = ctx.now()
    wish = ask_to_redeem(scope, wanted, key, now)
    proof = tried(ctx, scope, wanted.code, wanted.proof)

    def act(tx: Tx) -> Facts:
        member = held_member(ctx, tx, scope, wanted.code, spends=True, proof=proof)
        programme = ctx.programme(tx, member.version_id)
        rule = "redeem" if wanted.reward is None else rewards.RULE
        with by_rule(member, rule):
            currency, amount = price_of(programme, wanted)
        tier, purses = member.tier, purses_of(tx, member, programme, scope.merchant_id, member.purses)
        booking = counter_booking(scope, member, rule, "burn.redeem", wanted.reference, tier, now)
        booking = replace(booking, params={**booking.params, **noted(wanted.proof)})
        with by_rule(member, rule):
            if wanted.reward is not None:
                said = catalogue.claim(tx, programme, member.programme_id, member.id, wanted.reward, now, scope.zone)
                booking = replace(booking, reason="burn.reward", params={**booking.params, **said})
            posted = [ledger.burn(tx, booking, purses[currency], amount)]
        made = checkout.made_by(ctx, tx, member, programme, wanted.reward, booking)
        reissuing.follow(ctx, tx, scope, member, now)
        after = standing.settle_tier(ctx, tx, programme, member.id, tier, posted)
        loud = standing.loud(programme, posted, tier, after)
        cards.changed(tx, member.id, [*loud, "news"] if made else loud, now)
        balances = {p.code: p.amount for p in purses.values()} | {currency: posted[0].balance}
        more = made if wanted.reward is None else {"reward": wanted.reward, **made}
        facts = facts_of(member, posted[0].public_id, posted, tier, after, balances, now, **more)
        hooks.tell(ctx, tx, hooks.REDEEMED, member.programme_id, scope.merchant_id, now, facts)
        return facts

    facts, replayed = once(ctx, wish, act)
    if replayed:
        _still_stands(ctx, facts["id"])
    ctx.ring()
    return facts, replayed


def _still_stands(ctx: Context, entry: str) -> None:
    """The first answer is no longer true when what it tells of was undone: nothing would be taken for the reward."""
    with ctx.look() as tx:
        if sales.is_reversed(tx, entry):
            sentence = "This redemption was reversed since; send it under a new number to redeem again."
            raise Conflict(sentence, code="redemption-undone")


def price_of(programme: Programme, wanted: Redeemed) -> tuple[str, int]:
    """Which currency is spent, and how much of it."""
    if wanted.reward is None:
        return spendable_currency(programme, wanted.currency), wanted.amount
    reward = catalogue.known(programme, wanted.reward)
    return reward.cost.currency, reward.cost.units


def spendable_currency(programme: Programme, code: str | None) -> str:
    """The currency that is meant, by default that of the card. Raises `Invalid` (`unknown-currency`) and `Conflict`
    (`not-spendable`)."""
    wanted = code or programme.balance_currency
    currency = next((c for c in programme.currencies if c.code == wanted), None)
    if currency is None:
        raise Invalid(f"This programme has no currency called {wanted}.", code="unknown-currency", field="currency")
    if not currency.spendable:
        raise Conflict(f"{wanted} shows a status and cannot be spent.", code="not-spendable", field="currency")
    return wanted
