"""Owns saying yes at the till: a cashier gives this member something small within a budget, and takes it back within a
minute.

A budget is counted while the cashier's turn and the programme's are held, so that two tills do not both give the last
of it. What a budget had no room for is noted with the cashier's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import cashiers, prompting, rotating
from wallet_server.actions.counter.bookings import counter_booking, facts_of
from wallet_server.actions.counter.dated import undated
from wallet_server.actions.counter.scanning import held_member
from wallet_server.actions.counter.till import at_till
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, goodwill, standing, vouchers
from wallet_server.actions.staff.roles import GESTURE
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.counter import correcting, given_gestures, sales
from wallet_server.records.counter.given_gestures import NewGesture
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import ledger
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.counter import codes
from wallet_server.rules.programme.gesture_parts import Gesture
from wallet_server.rules.programme.program import Programme

UNDO = timedelta(seconds=60)
SLACK = timedelta(seconds=5)
"""How much longer than the page shows, for the network."""
PREFIX, REASON = "gst", "reverse.goodwill"


@dataclass(frozen=True)
class Wanted:
    """A gesture at the till: `reason` is one of those that the document names (None: its first), `reference` the till's
    own number for it, once a business day, `complaint` the merchant's own reference."""

    code: str
    gesture: str
    reference: str
    reason: str | None = None
    complaint: str | None = None


def give(ctx: Context, scope: Scope, wanted: Wanted, key: str | None) -> tuple[Facts, bool]:
    """Give it: (what was booked, whether this is a replay). Raises `Forbidden` (`needs-till`, `cashier-needed`,
    `not-your-role`), `Invalid` (`unknown-gesture`, `unknown-reason`) and `Conflict` (`gesture-not-now`,
    `budget-spent`)."""
    at_till(scope)
    cashiers.demand(scope, GESTURE)
    now = ctx.now()
    name, echoes = undated(scope, "gesture", wanted.reference, now)
    said = {**vars(wanted), "code": codes.stem(rotating.bare(wanted.code))}
    wish = asked(scope, "gesture", said, key, name, echoes=echoes)
    whom: list[MemberRow] = []

    def act(tx: Tx) -> Facts:
        member = held_member(ctx, tx, scope, wanted.code)
        whom[:] = [member]
        return _give(ctx, tx, scope, member, wanted, now)

    try:
        answer = once(ctx, wish, act)
    except Conflict as refusal:
        if refusal.code == "budget-spent":
            _note_refusal(ctx, scope, whom[0], wanted.gesture, str(refusal.facts["budget"]), now)
        raise
    if answer[1]:
        _still_stands(ctx, scope, answer[0]["id"])
    ctx.ring()
    return answer


def _still_stands(ctx: Context, scope: Scope, gesture: str) -> None:
    """The first answer is no longer true when the gesture was taken back."""
    with ctx.look() as tx:
        if given_gestures.in_shop(tx, scope, gesture).undone:
            sentence = "This gesture was taken back since; make it under a new number to give it again."
            raise Conflict(sentence, code="gesture-undone")


def _note_refusal(ctx: Context, scope: Scope, member: MemberRow, gesture: str, budget: str, now: datetime) -> None:
    with ctx.change() as tx:
        given_gestures.refuse(tx, scope, (member.programme_id, member.id), gesture, budget, now)
        deeds.add(tx, scope, deeds.GESTURE_REFUSED, now, about=member.public_id, detail=f"{gesture}, {budget}")


def _give(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, wanted: Wanted, now: datetime) -> Facts:
    programme = ctx.programme(tx, member.version_id)
    gesture = programme.gesture(wanted.gesture)
    if gesture is None:
        raise Invalid(
            f"This programme has no gesture called {wanted.gesture}.", code="unknown-gesture", field="gesture"
        )
    reason = gesture.reason(wanted.reason)
    if reason is None:
        known = ", ".join(one.id for one in gesture.reasons)
        raise Invalid(f"This gesture knows the reasons {known}.", code="unknown-reason", field="reason")
    cashier = cashiers.demand(scope, GESTURE)
    spent = prompting.first_spent(tx, gesture, programme, cashier, member, now, scope.zone)
    if not prompting.demand_fit(tx, scope, gesture, member, programme, now):
        raise Conflict("This gesture is not for this member just now.", code="gesture-not-now", field="gesture")
    if spent is not None:
        raise Conflict(
            "There is nothing left of this budget; ask an owner of the shop.",
            code="budget-spent",
            facts={"budget": spent.budget.name},
        )
    public_id = new_id(PREFIX)
    facts = _book(ctx, tx, scope, member, programme, gesture, reason.id, public_id, now)
    about = facts["id"] if facts["id"] != public_id else None
    units = gesture.units.units if gesture.units else 0
    new = NewGesture(
        public_id=public_id,
        programme_id=member.programme_id,
        merchant_id=scope.merchant_id,
        till_id=scope.till_id,
        staff_id=cashier.staff_id,
        member_id=member.id,
        programme_version_id=member.version_id,
        gesture=gesture.id,
        kind=gesture.kind,
        reason=reason.id,
        units=units,
        cost_minor=gesture.cost_minor,
        about=about,
        at=now,
    )
    given_gestures.add(tx, new, wanted.complaint)
    facts |= {"id": public_id, "gesture": gesture.id, "gesture_reason": reason.id}
    hooks.tell(ctx, tx, hooks.GOODWILL, member.programme_id, scope.merchant_id, now, facts | {"code": reason.id})
    deeds.add(tx, scope, deeds.GOODWILL, now, about=member.public_id, detail=f"{gesture.id}, {reason.id}")
    return facts


def _book(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    member: MemberRow,
    programme: Programme,
    gesture: Gesture,
    reason: str,
    public_id: str,
    now: datetime,
) -> Facts:
    """What of it the books know: units and vouchers. What is handed over at the counter they do not."""
    if gesture.units is not None:
        amount, said = gesture.units, {"code": reason, "gesture": gesture.id}
        return goodwill.book_units(ctx, tx, scope, member, programme, amount.currency, amount.units, said, now)
    if gesture.voucher is not None:
        return goodwill.book_voucher(ctx, tx, scope, member, programme, gesture.voucher, now, public_id)
    cards.changed(tx, member.id, ["news"], now)
    balances = ledger.amounts(tx, [member.id]).get(member.id, {})
    return facts_of(member, public_id, (), member.tier, member.tier, balances, now)


def undo(ctx: Context, scope: Scope, gesture: str, key: str | None) -> tuple[Facts, bool]:
    """Take a gesture back within its minute: its budget has room again. Raises `NotFound`, `Forbidden`
    (`cashier-needed`, `not-your-role`) and `Conflict` (`already-reversed`, `undo-over`, `voucher-used`, and
    `already-spent` where its units, or the voucher that they became, were used)."""
    at_till(scope)
    cashier = cashiers.demand(scope, GESTURE)
    now = ctx.now()
    wish = asked(scope, "undo-gesture", {"gesture": gesture}, key, f"undo-gesture:{gesture}")

    def act(tx: Tx) -> Facts:
        member_id = given_gestures.in_shop(tx, scope, gesture).member_id
        tier = members.lock_member(tx, member_id)
        row = given_gestures.in_shop(tx, scope, gesture)
        if row.undone:
            raise Conflict("This was already reversed.", code="already-reversed")
        if now - row.at > UNDO + SLACK:
            raise Conflict("A gesture is taken back within a minute; it is over.", code="undo-over")
        member = members.members_by_id(tx, [member_id])[member_id]
        programme, after, posted = ctx.programme(tx, member.version_id), tier, []
        if row.units and row.about:
            booking = counter_booking(scope, member, goodwill.RULE, REASON, "", tier, now)
            entry = sales.entry_in(tx, scope, row.about)
            purse = ledger.purses(tx, member.id)[entry.currency]
            posted = correcting.reverse(tx, booking, purse, entry.id, lambda: new_id("ent"))
            posted += conversions.cover(tx, booking)
            # Whoever has less than nothing now used what is being taken back: its budget stays spent.
            left = ledger.purses(tx, member.id)[entry.currency].amount
            if left < min(0, purse.amount):
                raise Conflict("What this gesture gave was spent since.", code="already-spent")
            after = standing.settle_tier(ctx, tx, programme, member.id, tier, posted)
        elif row.about and not vouchers.cancel_made_of(tx, member.id, [gesture], now):
            raise Conflict("The voucher of this gesture was used since.", code="voucher-used")
        given_gestures.undo(tx, row.id, cashier.staff_id, now)
        # A correction is silent: nobody's phone rings for it.
        cards.changed(tx, member.id, (), now)
        deeds.add(tx, scope, deeds.GESTURE_UNDONE, now, about=member.public_id, detail=row.gesture)
        balances = ledger.amounts(tx, [member.id]).get(member.id, {})
        facts = facts_of(member, gesture, posted, tier, after, balances, now, gesture=row.gesture)
        hooks.tell(ctx, tx, hooks.UNGIVEN, member.programme_id, scope.merchant_id, now, facts)
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer
