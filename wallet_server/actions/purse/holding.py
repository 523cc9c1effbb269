"""Owns units that are put aside: authorised, used in whole or in part, given back, and over when their time is.

A reservation is used once: what it does not use of it is given back with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import rotating
from wallet_server.actions.counter.bookings import by_rule, counter_booking, facts_of
from wallet_server.actions.counter.dated import undated
from wallet_server.actions.counter.scanning import Proof, held_member, noted, tried
from wallet_server.actions.counter.till import at_till, purses_of, spendable_currency
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.passes import cards, reissuing
from wallet_server.actions.purse import conversions, standing
from wallet_server.actions.purse.conversions import Made
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import holds, ledger
from wallet_server.records.purse.holds import HoldRow
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes

LAPSE = "hold"
"""The kind of the job that ends a reservation at its time; its key is that of the reservation."""
SLICE = 100
RULE = "hold"
OPENED, USED, GIVEN_BACK, LAPSED = "hold.open", "burn.hold", "release.hold", "release.expired"


@dataclass(frozen=True)
class Wanted:
    """What is to be put aside, under the till's own number for it, for so many minutes (None: as long as the programme
    allows)."""

    code: str
    currency: str | None
    amount: int
    reference: str
    minutes: int | None = None
    proof: Proof | None = None


def authorise(ctx: Context, scope: Scope, wanted: Wanted, key: str | None) -> tuple[Facts, bool]:
    """Put units aside: nobody else spends them meanwhile. Raises as `scanning.held_member` does for what spends,
    `Conflict` (`not-enough`, `not-spendable`) and `Invalid` (`unknown-currency`)."""
    at_till(scope)
    now = ctx.now()
    body = {**vars(wanted), "code": codes.stem(rotating.bare(wanted.code))}
    del body["proof"]
    name, echoes = undated(scope, "hold", wanted.reference, now)
    wish = asked(scope, "hold", body, key, name, echoes=echoes)
    proof = tried(ctx, scope, wanted.code, wanted.proof)

    def act(tx: Tx) -> Facts:
        member = held_member(ctx, tx, scope, wanted.code, spends=True, proof=proof)
        programme = ctx.programme(tx, member.version_id)
        with by_rule(member, RULE):
            currency = spendable_currency(programme, wanted.currency)
        purse = purses_of(tx, member, programme, scope.merchant_id)[currency]
        minutes = min(wanted.minutes or programme.hold_minutes, programme.hold_minutes)
        ends = now + timedelta(minutes=minutes)
        public_id = new_id("hld")
        booking = counter_booking(scope, member, RULE, OPENED, wanted.reference, member.tier, now)
        booking = replace(booking, params={**booking.params, "hold": public_id, **noted(wanted.proof)})
        with by_rule(member, RULE):
            hold_id, posted = holds.open_hold(tx, booking, purse, wanted.amount, public_id, ends)
        reissuing.follow(ctx, tx, scope, member, now)
        # A row of its own, so that no till waits for another.
        jobs.put(tx, [Put(LAPSE, str(hold_id), jobs.SERVICE, ends)])
        hold = holds.hold_in(tx, scope, public_id)
        return _told(ctx, tx, member, hold, [posted], [posted], booking)

    answer = once(ctx, wish, act)
    if answer[1]:
        _still_open(ctx, scope, answer[0]["id"], now)
    ctx.ring()
    return answer


def _still_open(ctx: Context, scope: Scope, hold: str, now: datetime) -> None:
    """The first answer is no longer true once what was put aside was used or given back."""
    with ctx.look() as tx:
        _demand_open(holds.hold_in(tx, scope, hold), now)


def capture(ctx: Context, scope: Scope, hold: str, amount: int | None, key: str | None) -> tuple[Facts, bool]:
    """Use what was put aside, or `amount` of it; the rest is given back. Raises `Conflict` (`hold-over`,
    `more-than-held`) and `NotFound`."""
    now = ctx.now()
    wish = asked(scope, "hold.capture", {"subject": hold, "amount": amount}, key, f"hold.capture:{hold}")

    def act(tx: Tx) -> Facts:
        row, member = _open(tx, scope, hold, now)
        purse = ledger.purses(tx, member.id)[row.currency]
        booking = _booking(scope, member, row, USED, now)
        with by_rule(member, RULE):
            used = holds.capture(tx, booking, row, purse, row.amount if amount is None else amount)
        captured = -used.amount
        rest = replace(booking, public_id=new_id("ent"), reason=GIVEN_BACK)
        back = holds.give_back(tx, rest, row, purse, captured)
        holds.close(tx, row, holds.CAPTURED, captured, now)
        after = back.balance if back else purse.amount
        posted = [replace(used, balance=after), *([back] if back else ())]
        facts = _told(ctx, tx, member, holds.hold_in(tx, scope, hold), posted, [back] if back else [], rest)
        hooks.tell(ctx, tx, hooks.REDEEMED, member.programme_id, scope.merchant_id, now, facts)
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def release(ctx: Context, scope: Scope, hold: str, key: str | None) -> tuple[Facts, bool]:
    """Give back what was put aside. Raises `Conflict` (`hold-over`) and `NotFound`."""
    now = ctx.now()
    wish = asked(scope, "hold.release", {"subject": hold}, key, f"hold.release:{hold}")

    def act(tx: Tx) -> Facts:
        row, member = _open(tx, scope, hold, now)
        booking = _booking(scope, member, row, GIVEN_BACK, now)
        posted = _give_back(tx, row, booking, holds.RELEASED)
        return _told(ctx, tx, member, holds.hold_in(tx, scope, hold), posted, posted, booking)

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _open(tx: Tx, scope: Scope, hold: str, now: datetime) -> tuple[HoldRow, MemberRow]:
    member_id = holds.hold_in(tx, scope, hold).member_id
    members.lock_member(tx, member_id)
    row, member = holds.hold_in(tx, scope, hold), members.members_by_id(tx, [member_id])[member_id]
    with by_rule(member, RULE):
        _demand_open(row, now)
    return row, member


def _demand_open(row: HoldRow, now: datetime) -> None:
    if row.state != holds.OPEN or row.expires_at <= now:
        over = holds.EXPIRED if row.state == holds.OPEN else row.state
        raise Conflict("This reservation is over.", code="hold-over", field="hold", facts={"state": over})


def _booking(scope: Scope, member: MemberRow, hold: HoldRow, reason: str, now: datetime) -> Booking:
    booking = counter_booking(scope, member, RULE, reason, hold.reference, member.tier, now)
    return replace(booking, params={**booking.params, "hold": hold.public_id})


def _give_back(tx: Tx, hold: HoldRow, booking: Booking, state: str) -> list[Posted]:
    purse = ledger.purses(tx, hold.member_id)[hold.currency]
    back = holds.give_back(tx, booking, hold, purse, 0)
    holds.close(tx, hold, state, 0, booking.recorded_at)
    return [back] if back else []


def _told(
    ctx: Context,
    tx: Tx,
    member: MemberRow,
    hold: HoldRow,
    posted: Sequence[Posted],
    moved: Sequence[Posted],
    like: Booking,
) -> Facts:
    """The cards show what `moved` the balance, a tier that rests on it is looked at, and what came back may be enough
    for a voucher, made under a booking `like` this one."""
    programme, now = ctx.programme(tx, member.version_id), like.recorded_at
    balances = {p.code: p.amount for p in ledger.purses(tx, member.id).values()}
    made = Made()
    if hold.state != holds.OPEN and moved:
        made = conversions.settle(ctx, tx, programme, member.version_id, like, balances)
    tier = standing.settle_tier(ctx, tx, programme, member.id, member.tier, [*moved, *made.posted])
    loud = standing.loud(programme, moved, member.tier, tier) if hold.state == holds.OPEN else ()
    cards.changed(tx, member.id, loud, now)
    made.ring(tx, member.id, now)
    entries, after, more = made.told(posted, balances, {"hold": _shown(hold)})
    return facts_of(member, hold.public_id, entries, member.tier, tier, after, now, **more)


def _shown(hold: HoldRow) -> dict[str, Any]:
    return {
        "currency": hold.currency,
        "amount": hold.amount,
        "captured": hold.captured,
        "state": hold.state,
        "reference": hold.reference,
        "expires_at": hold.expires_at.isoformat(),
    }


def lapse(ctx: Context, leases: Sequence[Lease]) -> None:
    """End these reservations, where they are open still and their time is over. Whoever left has nothing to be given
    back to."""
    for lease in leases:
        with ctx.change() as tx:
            hold = holds.hold_by_id(tx, int(lease.key))
            if hold is not None and members.left_at(tx, hold.member_id) is None:
                with ctx.times.of_member(tx, hold.member_id):
                    _end(ctx, tx, [hold], ctx.now())
            jobs.settle(tx, [lease])
    ctx.ring()


def lapse_due(ctx: Context, tx: Tx, now: datetime, most: int = SLICE, account_id: int | None = None) -> bool:
    """End up to `most` reservations whose time is over, of one account if it is named; whether there may be more."""
    found = holds.lapsed(tx, now, most, account_id)
    _end(ctx, tx, found, now)
    return len(found) == most


def _end(ctx: Context, tx: Tx, found: Sequence[HoldRow], now: datetime) -> None:
    tiers = {key: members.lock_member(tx, key) for key in sorted({one.member_id for one in found})}
    rows = members.members_by_id(tx, list(tiers))
    for one in found:
        hold = holds.hold_by_id(tx, one.id)
        if hold is None or hold.state != holds.OPEN or hold.expires_at > now:
            continue
        member = rows[hold.member_id]
        booking = Booking(
            public_id=new_id("ent"),
            programme_id=hold.programme_id,
            member_id=hold.member_id,
            merchant_id=hold.merchant_id,
            programme_version_id=member.version_id,
            rule_id=RULE,
            reason=LAPSED,
            params={"hold": hold.public_id},
            state={"tier": tiers[hold.member_id]},
            effective_at=hold.expires_at,
            recorded_at=now,
        )
        posted, programme = _give_back(tx, hold, booking, holds.EXPIRED), ctx.programme(tx, member.version_id)
        balances = {one.currency: one.balance for one in posted}
        made = conversions.settle(ctx, tx, programme, member.version_id, booking, balances)
        standing.settle_tier(ctx, tx, programme, member.id, tiers[member.id], [*posted, *made.posted])
    cards.changed_many(tx, sorted(tiers), (), now, pushed=ctx.pushed)
