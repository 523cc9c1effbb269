"""Owns events: a merchant's own system reports what a member did that is no sale, and the programme gives for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import scanning, till
from wallet_server.actions.counter.bookings import awards_of, facts_of, held_back
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, gathering, standing
from wallet_server.errors import Conflict, Invalid
from wallet_server.records import parties
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import engagement, ledger
from wallet_server.records.purse.engagement import NewEvent
from wallet_server.records.purse.ledger import Booking
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Rated
from wallet_server.rules.baskets.rating import Rater, Reported
from wallet_server.rules.programme.program import Event, Programme
from wallet_server.rules.tiers.metrics import needed

MAX_BEHIND = timedelta(days=31)
EVENTS = "events:"
"""How tiers name the figure that counts events of a name."""


@dataclass(frozen=True)
class Report:
    """An event as it is reported, of the holder of a card's `code` or of a `member` (public id)."""

    name: str
    code: str | None
    member: str | None
    occurred_at: datetime | None
    fields: Mapping[str, int | str | bool]
    proof: str | None


def report(ctx: Context, scope: Scope, told: Report, wish: Asked) -> tuple[Facts, bool]:
    """Keep an event and award what the programme's rules give for it: (what was booked, whether this is a replay).

    Raises `Invalid` (`unknown-event`, `proof-needed`, `implausible-time`), `NotFound` and `Conflict` (`coupon-code`).
    """
    now = ctx.now()
    occurred = told.occurred_at or now
    if occurred > now + till.MAX_AHEAD or occurred < now - MAX_BEHIND:
        sentence = "The time of the event is in the future or more than 31 days ago."
        raise Invalid(sentence, code="implausible-time", field="occurred_at")

    def act(tx: Tx) -> Facts:
        member = _held(ctx, tx, scope, told)
        rater = ctx.rater(tx, member.version_id)
        _refuse_unknown(rater, told)
        zone = _zone(tx, scope, member)
        needs = rater.event_needs(told.name)
        state = gathering.state_of(tx, needs, member, occurred, zone)
        rated = rater.rate_event(Reported(told.name, told.fields, occurred, zone), state)
        kept = rater.remember_event(told.name, zone, state, rated)
        event = NewEvent(
            public_id=new_id("evn"),
            programme_id=member.programme_id,
            member_id=member.id,
            merchant_id=scope.merchant_id,
            programme_version_id=member.version_id,
            name=told.name,
            occurred_at=occurred,
            recorded_at=now,
            proof=told.proof,
            fields=told.fields,
            state=kept,
        )
        engagement.add_event(tx, event)
        return _booked(ctx, tx, scope, member, rater.programme, event, rated)

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def keep_birthday(ctx: Context, scope: Scope, member: str, birthday: str | None, wish: Asked) -> tuple[Facts, bool]:
    """Keep a member's birthday (MM-DD), or forget it. Raises `NotFound` for a stranger's and for one who left."""

    def act(tx: Tx) -> Facts:
        found = members.member_by_public(tx, scope, member)
        members.lock_member(tx, found.id)
        engagement.set_birthday(tx, found.id, birthday)
        return {"member": member, "birthday": birthday}

    return once(ctx, wish, act)


def _booked(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    member: MemberRow,
    programme: Programme,
    event: NewEvent,
    rated: Rated,
) -> Facts:
    """Award what an event earned, with all that follows from it: vouchers, tier, cards."""
    now = event.recorded_at
    ledger.open_all_purses(tx, member.programme_id, member.id)
    awards = awards_of(rated.awards, _said(scope, event), ledger.purses(tx, member.id, scope.merchant_id))
    posted = ledger.award(tx, awards)
    balances = {purse.code: purse.amount for purse in ledger.purses(tx, member.id).values()}
    more: Mapping[str, Any] = {"event": event.name, **held_back(rated, member.version)}
    if awards:
        made = conversions.settle(ctx, tx, programme, member.version_id, awards[0].booking, balances)
        posted, balances, more = made.told(posted, balances, more)
        made.ring(tx, member.id, now)
    after = standing.settle_tier(ctx, tx, programme, member.id, member.tier, posted)
    cards.changed(tx, member.id, standing.loud(programme, posted, member.tier, after), now)
    return facts_of(member, event.public_id, posted, member.tier, after, balances, now, **more)


def _held(ctx: Context, tx: Tx, scope: Scope, told: Report) -> MemberRow:
    """The member, whose row is held from here on."""
    if told.code is not None:
        member = scanning.holder_of(ctx, tx, scope, told.code, hold=True)
        if member.coupon_pass is not None:
            raise Conflict("This is the code of a coupon; send that of the card.", code="coupon-code", field="code")
        return member
    member = members.member_by_public(tx, scope, told.member or "")
    return replace(member, tier=members.lock_member(tx, member.id))


def _refuse_unknown(rater: Rater, told: Report) -> None:
    known = _known(rater.programme)
    if told.name not in known:
        names = ", ".join(sorted(known)) or "none"
        sentence = f"This programme knows no event {told.name}; it knows {names}. Name it in one of its parts first."
        raise Invalid(sentence, code="unknown-event", field="name")
    if rater.wants_proof(told.name) and not told.proof:
        sentence = "This event counts with a proof alone: send where it can be seen (a link, a number)."
        raise Invalid(sentence, code="proof-needed", field="proof")


def _known(programme: Programme) -> set[str]:
    """The events that rules give for, tiers count, or gestures answer."""
    figures = () if programme.ladder is None else needed(programme.ladder)
    counted = {metric.removeprefix(EVENTS) for metric, _ in figures if metric.startswith(EVENTS)}
    if any(metric == "referrals" for metric, _ in figures):
        counted.add("referral")
    counted |= {one.after[0] for one in programme.gestures if one.after is not None}
    return counted | {rule.way.name for rule in programme.earn if isinstance(rule.way, Event)}


def _zone(tx: Tx, scope: Scope, member: MemberRow) -> str:
    """Of the till's store, else of the member's own; days and birthdays are counted by it."""
    if scope.store_id is not None or member.home_store_id is None:
        return scope.zone
    return parties.stores_by_id(tx, [member.home_store_id])[0].zone


def _said(scope: Scope, event: NewEvent) -> Booking:
    """What every award for this event says."""
    return Booking(
        public_id="",
        programme_id=event.programme_id,
        member_id=event.member_id,
        merchant_id=event.merchant_id,
        store_id=scope.store_id,
        till_id=scope.till_id,
        programme_version_id=event.programme_version_id,
        rule_id="",
        reason="",
        params={"of": event.public_id},
        state=event.state,
        effective_at=event.occurred_at,
        recorded_at=event.recorded_at,
    )
