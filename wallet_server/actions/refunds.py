"""Owns goods that come back: a refund by line or by amount, and the reversal of a sale, which is all that is left.

A refund rates its own sale anew, by the version and the state that were stored with it, over the lines that are left,
and posts for each rule the difference to what the sale's awards came to. Later sales are not rated anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wallet_server.actions import cards, hooks, standing
from wallet_server.actions.bookings import counter_booking, facts_of
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.dated import undated
from wallet_server.actions.once import Facts, asked, once
from wallet_server.errors import Conflict
from wallet_server.records import correcting, ledger, members, pending, refunds, sales
from wallet_server.records.correcting import Taking
from wallet_server.records.database import Tx
from wallet_server.records.ledger import Booking, Posted
from wallet_server.records.members import MemberRow
from wallet_server.records.refunds import NewRefund, SoldAs
from wallet_server.records.scope import Scope
from wallet_server.rules import rating, refunding
from wallet_server.rules.baskets import Award
from wallet_server.rules.metrics import measured
from wallet_server.rules.refunding import Part, Wish

REFUND, MORE, REVERSE = "reverse.refund", "earn.refund", "reverse.sale"


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
        row = sales.sale_in(tx, scope, returned.sale)
        tier = members.lock_member(tx, row.member_id)
        sold = refunds.sold_as(tx, row.id)
        if sold.reversed:
            raise Conflict("This was already reversed.", code="already-reversed")
        rest = refunding.left(refunding.paid(sold.lines, sold.state), sold.came_back)
        if returned.amount_minor is None:
            parts = refunding.of_lines(rest, returned.lines)
        else:
            parts = refunding.of_amount(rest, returned.amount_minor)
        return _book(ctx, tx, scope, sold, parts, tier, _Words(REFUND, returned.reference, None, now))

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
        row = sales.sale_in(tx, scope, sale)
        # Before the note is made: whoever comes second waits for the member and then finds it.
        tier = members.lock_member(tx, row.member_id)
        sold = refunds.sold_as(tx, row.id)
        if sold.reversed:
            raise Conflict("This was already reversed.", code="already-reversed")
        rest = refunding.left(refunding.paid(sold.lines, sold.state), sold.came_back)
        return _book(ctx, tx, scope, sold, refunding.of_all(rest), tier, _Words(REVERSE, row.receipt, sale, now))

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


@dataclass(frozen=True)
class _Words:
    """How the entries of a refund speak: their reason, the till's number, and what the answer is about (None: the
    refund itself)."""

    reason: str
    reference: str
    subject: str | None
    now: datetime


def _book(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    sold: SoldAs,
    parts: Sequence[Part],
    tier: str | None,
    words: _Words,
) -> Facts:
    """Store what comes back of a sale whose member is locked, and take back what it had earned."""
    now, reference = words.now, words.reference
    member = members.members_by_id(tx, [sold.member_id])[sold.member_id]
    rest = refunding.left(refunding.paid(sold.lines, sold.state), (*sold.came_back, *parts))
    new = _new_refund(scope, sold, parts, reference, now)
    refund_id = refunds.add(tx, new, parts)
    whole = not any(rest.values())
    if whole:
        sales.note_reversal(tx, sold.id, scope.till_id, now)
    params = {"receipt": reference, "refund": new.public_id, "refund_minor": new.amount_minor}
    booking = replace(
        counter_booking(scope, member, "", words.reason, reference, tier, now),
        params=params if words.reason == REFUND else {"receipt": reference},
        sale_id=sold.id,
        programme_version_id=sold.version_id,
    )
    posted = _settle(ctx, tx, sold, refund_id, () if whole else _rated(ctx, tx, sold, rest), member, booking)
    programme = ctx.programme(tx, member.version_id)
    after = standing.settle_tier(ctx, tx, programme, member.id, tier, posted)
    if posted or (programme.ladder and measured(programme.ladder)):
        # A correction is silent: nobody's phone rings for it.
        cards.changed(tx, member.id, (), now)
    balances = {p.code: p.amount for p in ledger.purses(tx, member.id).values()}
    more = {} if words.subject else _told(sold, new, parts, rest)
    facts = facts_of(member, words.subject or new.public_id, posted, tier, after, balances, now, **more)
    said = _told(sold, new, parts, rest)
    hooks.tell(ctx, tx, hooks.REFUNDED, member.programme_id, scope.merchant_id, now, lambda: facts | said)
    return facts


def _new_refund(scope: Scope, sold: SoldAs, parts: Sequence[Part], reference: str, now: datetime) -> NewRefund:
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
        amount_minor=sum(part.amount_minor for part in parts),
        money=sold.money,
    )


def _told(sold: SoldAs, new: NewRefund, parts: Sequence[Part], rest: dict[int, Part]) -> Facts:
    return {
        "sale": sold.public_id,
        "reference": new.reference,
        "amount_minor": new.amount_minor,
        "left_minor": sum(part.amount_minor for part in rest.values()),
        "lines": [vars(part) for part in parts],
    }


def _rated(ctx: Context, tx: Tx, sold: SoldAs, rest: dict[int, Part]) -> tuple[Award, ...]:
    """What is left of a sale earns, by what was known when it was made."""
    basket, state = rating.recall(sold.state, refunding.net_lines(sold.lines, rest), sold.occurred_at)
    return ctx.rater(tx, sold.version_id).rate(basket, state).awards


def _settle(
    ctx: Context,
    tx: Tx,
    sold: SoldAs,
    refund_id: int,
    rated: Sequence[Award],
    member: MemberRow,
    booking: Booking,
) -> list[Posted]:
    """Post for each rule the difference to what the sale's awards come to by now: the newest are taken back first."""
    due = {award.rule_id: award for award in rated}
    given = refunds.given(tx, sold.id)
    have: dict[str, int] = {}
    for one in given:
        have[one.rule_id] = have.get(one.rule_id, 0) + one.left
    forgiving = ctx.programme(tx, sold.version_id).refunds.negative == "zero"
    posted: list[Posted] = []
    owed = {rule: left - (due[rule].amount if rule in due else 0) for rule, left in have.items()}
    rules = list(have)
    for one in sorted(given, key=lambda one: (rules.index(one.rule_id), -one.entry_id)):
        part = min(one.left, owed[one.rule_id])
        if part > 0:
            owed[one.rule_id] -= part
            purse = ledger.purses(tx, member.id)[one.currency]
            said = replace(booking, public_id=new_id("ent"), rule_id=one.rule_id)
            taking = Taking(one.entry_id, part, refund_id, forgiving)
            posted += correcting.correct(tx, said, purse, taking, lambda: new_id("ent"))
    more = [award for award in rated if award.amount > have.get(award.rule_id, 0)]
    return posted + _award(tx, more, have, member, replace(booking, reason=MORE, effective_at=sold.occurred_at))


def _award(tx: Tx, more: Sequence[Award], have: Mapping[str, int], member: MemberRow, booking: Booking) -> list[Posted]:
    """What a rule gives more for less: by a condition that holds since, say."""
    if not more:
        return []
    purses = ledger.purses(tx, member.id, booking.merchant_id)
    return ledger.award(
        tx,
        [
            ledger.Award(
                replace(booking, public_id=new_id("ent"), rule_id=award.rule_id),
                purses[award.currency],
                award.amount - have.get(award.rule_id, 0),
                award.expires_at,
                pending.still(award.pending_until, booking.recorded_at),
            )
            for award in more
        ],
    )
