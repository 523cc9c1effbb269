"""Owns goods that come back: a refund by line or by amount, and the reversal of a sale, which is all that is left.

A refund rates its own sale anew, by the version and the state that were stored with it, over the lines that are left,
and posts for each rule the difference to what the sale's awards came to. Later sales are not rated anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.bookings import counter_booking, facts_of, numbers_of
from wallet_server.actions.counter.dated import undated
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, giving_back, standing
from wallet_server.actions.purse.conversions import Made
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records.counter import correcting, refunds, sales
from wallet_server.records.counter.correcting import Taking
from wallet_server.records.counter.refunds import NewRefund, SoldAs
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import ledger, pending
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets import refunding
from wallet_server.rules.baskets.baskets import Award
from wallet_server.rules.baskets.refunding import Back, Sale, Wish
from wallet_server.rules.tiers.metrics import measured

REFUND, MORE, REVERSE, GIVEN_BACK = "reverse.refund", "earn.refund", "reverse.sale", "reverse.redeem"


@dataclass(frozen=True)
class Returned:
    """What the till says came back of a sale, under its own number for it: some lines, or an amount."""

    sale: str
    reference: str
    lines: tuple[Wish, ...] = ()
    amount_minor: int | None = None


def refund(ctx: Context, scope: Scope, returned: Returned, key: str | None) -> tuple[Facts, bool]:
    """Take back what a sale earned with the goods that come back, and no more: (what was booked, whether this is a
    replay). A sale of which nothing is left counts as reversed.

    Raises `Conflict` (`more-than-sold`, `already-reversed`), `Invalid` (`unknown-line`) and `NotFound`.
    """
    now = ctx.now()
    body = {
        "sale": returned.sale,
        "reference": returned.reference,
        "lines": [vars(wish) for wish in returned.lines],
        "amount_minor": returned.amount_minor,
    }
    name, echoes = undated(scope, "refund", returned.reference, now)
    wish = asked(scope, "refund", body, key, name, echoes=echoes)

    def act(tx: Tx) -> Facts:
        case = _case(ctx, tx, scope, returned.sale)
        sold = case.sold
        if returned.amount_minor is None:
            back = refunding.of_lines(case.sale, sold.came_back, sold.held_minor, returned.lines)
        else:
            rest = refunding.left(case.sale, sold.came_back)
            back = refunding.of_amount(rest, sold.held_minor, returned.amount_minor)
        return _book(ctx, tx, scope, case, back, _Words(REFUND, returned.reference, None, now))

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def reverse_sale(ctx: Context, scope: Scope, sale: str, key: str | None) -> tuple[Facts, bool]:
    """Undo everything of a sale that did not come back before, by further entries that name what they take back. A sale
    that booked nothing is noted as reversed, so that no figure counts it.

    Points already spent leave the balance below zero; the next awards repay it. Points that have expired since are
    not taken a second time. Raises `Conflict` (`already-reversed`) and `NotFound`.
    """
    now = ctx.now()
    wish = asked(scope, REVERSE, {"subject": sale}, key, f"{REVERSE}:{sale}")

    def act(tx: Tx) -> Facts:
        case = _case(ctx, tx, scope, sale)
        back = refunding.of_all(refunding.left(case.sale, case.sold.came_back), case.sold.held_minor)
        return _book(ctx, tx, scope, case, back, _Words(REVERSE, case.receipt, sale, now))

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


@dataclass(frozen=True)
class _Case:
    """A sale of which something comes back, its member locked, whose tier is `tier`."""

    sold: SoldAs
    sale: Sale
    receipt: str
    tier: str | None
    member: MemberRow


def _case(ctx: Context, tx: Tx, scope: Scope, sale: str) -> _Case:
    row = sales.sale_in(tx, scope, sale)
    # Whoever comes second waits for the member and then finds what came back.
    tier = members.lock_member(tx, row.member_id)
    sold = refunds.sold_as(tx, row.id)
    if sold.reversed:
        raise Conflict("This was already reversed.", code="already-reversed")
    as_rated = Sale(ctx.programme(tx, sold.version_id), sold.lines, sold.occurred_at, sold.state)
    member = members.members_by_id(tx, [sold.member_id])[sold.member_id]
    return _Case(sold, as_rated, row.receipt, tier, member)


@dataclass(frozen=True)
class _Words:
    """How the entries of a refund speak: their reason, the till's number, and what the answer is about (None: the
    refund itself)."""

    reason: str
    reference: str
    subject: str | None
    now: datetime


def _book(ctx: Context, tx: Tx, scope: Scope, case: _Case, back: Back, words: _Words) -> Facts:
    """Store what comes back of a sale, and take back what it had earned."""
    sold, member, now = case.sold, case.member, words.now
    rest = refunding.left(case.sale, (*sold.came_back, *back.parts))
    new = _new_refund(scope, sold, back, words.reference, now)
    refund_id = refunds.add(tx, new, back.parts)
    params = {"refund": new.public_id, "refund_minor": new.amount_minor} if words.reason == REFUND else {}
    like = replace(
        counter_booking(scope, member, "", words.reason, words.reference, case.tier, now),
        params={"receipt": words.reference, **params},
        sale_id=sold.id,
        programme_version_id=sold.version_id,
    )
    used, giving = sold.state.get("used", ()), replace(like, reason=GIVEN_BACK)
    # What a pot paid is money: whatever a programme keeps, it goes back to where it was paid from.
    held_minor = sold.held_minor - back.amount_minor
    posted = giving_back.to_pot(tx, refund_id, used, back.amount_minor, held_minor, giving)
    pot_minor = sum(one.amount for one in posted if one.reason == GIVEN_BACK)
    returned = giving_back.Returned([], [])
    if not rest:
        sales.note_reversal(tx, sold.id, scope.till_id, now)
        if case.sale.programme.refunds.draws == "give_back":
            returned = giving_back.of_sale(ctx, tx, scope, case.sale, back.amount_minor - pot_minor, giving)
            posted += returned.posted
    rater = ctx.rater(tx, sold.version_id)
    rated = rater.rate(refunding.to_rate(rest, held_minor), rest.state).awards if rest else ()
    posted += _settle(tx, case, refund_id, rated, like)
    programme = ctx.programme(tx, member.version_id)
    balances = {p.code: p.amount for p in ledger.purses(tx, member.id).values()}
    more = Made()
    if any(one.reason == MORE for one in posted):
        more = conversions.settle(ctx, tx, programme, member.version_id, like, balances)
    after = standing.settle_tier(ctx, tx, programme, member.id, case.tier, [*posted, *more.posted])
    if posted or (programme.ladder and measured(programme.ladder)):
        # A correction is silent: nobody's phone rings for it.
        cards.changed(tx, member.id, (), now)
    said = _told(sold, new, back, pot_minor, returned)
    entries, balances, shown = more.told(posted, balances, _money_of(said) if words.subject else said)
    subject, versions = words.subject or new.public_id, numbers_of(tx, member, sold.version_id)
    facts = facts_of(member, subject, entries, case.tier, after, balances, now, versions, **shown)
    hooks.tell(ctx, tx, hooks.REFUNDED, member.programme_id, scope.merchant_id, now, lambda: facts | said)
    return facts


def _new_refund(scope: Scope, sold: SoldAs, back: Back, reference: str, now: datetime) -> NewRefund:
    return NewRefund(
        public_id=new_id("ref"),
        sale_id=sold.id,
        number=sold.times + 1,
        programme_id=sold.programme_id,
        member_id=sold.member_id,
        merchant_id=scope.merchant_id,
        store_id=scope.store_id,
        till_id=scope.till_id,
        reference=reference,
        occurred_at=now,
        recorded_at=now,
        amount_minor=back.amount_minor,
        money=sold.money,
    )


def _told(sold: SoldAs, new: NewRefund, back: Back, pot_minor: int, returned: giving_back.Returned) -> Facts:
    """The money paid out with a reward that is given back comes off what is to be given back, not off what came
    back."""
    return {
        "sale": sold.public_id,
        "reference": new.reference,
        "amount_minor": new.amount_minor - returned.cash_minor,
        "pot_minor": pot_minor,
        "returned": returned.rewards,
        "left_minor": sold.held_minor - new.amount_minor,
        "lines": [vars(part) for part in back.parts],
    }


def _money_of(said: Facts) -> Facts:
    """What a reversal tells of what came back: the money and the rewards, as for goods."""
    return {name: said[name] for name in ("amount_minor", "pot_minor", "returned")}


def _settle(tx: Tx, case: _Case, refund_id: int, rated: Sequence[Award], like: Booking) -> list[Posted]:
    """Post for each rule the difference to what the sale's awards come to by now: the newest are taken back first."""
    due = {award.rule_id: award for award in rated}
    given = refunds.given(tx, case.sold.id)
    have: dict[str, int] = {}
    for one in given:
        have[one.rule_id] = have.get(one.rule_id, 0) + one.left
    posted: list[Posted] = []
    rules = list(have)
    owed = {rule: units - (due[rule].amount if rule in due else 0) for rule, units in have.items()}
    for one in sorted(given, key=lambda one: (rules.index(one.rule_id), -one.entry_id)):
        part = min(one.left, owed[one.rule_id])
        if part > 0:
            owed[one.rule_id] -= part
            purse = ledger.purses(tx, case.member.id)[one.currency]
            said = replace(like, public_id=new_id("ent"), rule_id=one.rule_id)
            posted += correcting.correct(tx, said, purse, Taking(one.entry_id, part, refund_id), _entry_id)
    posted += _settle_debts(tx, case, refund_id, like)
    more = [award for award in rated if award.amount > have.get(award.rule_id, 0)]
    return posted + _award(tx, more, have, replace(like, reason=MORE, effective_at=case.sold.occurred_at))


def _entry_id() -> str:
    return new_id("ent")


def _settle_debts(tx: Tx, case: _Case, refund_id: int, like: Booking) -> list[Posted]:
    """What the member owes now is paid by unused vouchers, and then, by the programme, borne by the merchant."""
    policy = case.sale.programme.refunds
    posted = conversions.cover(tx, like) if policy.vouchers == "cancel" else []
    if policy.negative == "zero":
        for purse in ledger.purses(tx, case.member.id).values():
            if purse.owing:
                booking = replace(like, public_id=new_id("ent"), rule_id="refund", reason=correcting.FORGIVEN)
                forgiven = correcting.forgive(tx, booking, purse, refund_id)
                posted += [forgiven] if forgiven else []
    return posted


def _award(tx: Tx, more: Sequence[Award], have: Mapping[str, int], like: Booking) -> list[Posted]:
    """What a rule gives more for less: by a condition that holds since, say."""
    if not more:
        return []
    purses = ledger.purses(tx, like.member_id, like.merchant_id)
    return ledger.award(
        tx,
        [
            ledger.Award(
                replace(like, public_id=new_id("ent"), rule_id=award.rule_id),
                purses[award.currency],
                award.amount - have.get(award.rule_id, 0),
                award.expires_at,
                pending.still(award.pending_until, like.recorded_at),
            )
            for award in more
        ],
    )
