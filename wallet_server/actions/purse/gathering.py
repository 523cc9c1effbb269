"""Owns what is looked up of a member before a sale or an event is rated: no more than the programme asks for."""

from __future__ import annotations

from datetime import datetime

from wallet_server.records.counter import visits
from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import given
from wallet_server.rules.baskets.baskets import NOTHING, State
from wallet_server.rules.baskets.occasions import celebrated, local, window
from wallet_server.rules.baskets.rating import Needs
from wallet_server.rules.programme.program_parts import Birthday


def state_of(tx: Tx, needs: Needs, member: MemberRow, at: datetime, zone: str) -> State:
    """What is known of a member, whose row is held, at the moment of a sale or an event; `zone` is the store's."""
    visited = NOTHING
    if needs.visit_span:
        visited = visits.nearest(tx, member.id, needs.visit_rules, at, needs.visit_span)
    return State(
        tier=member.tier,
        visits=visited,
        given={rule: given.within(tx, member.id, rule, window(span, at, zone)) for rule, span in needs.caps},
        celebrates=celebrates(tx, member.id, at, zone) if needs.birthday else frozenset(),
        tenure_days=(local(at, zone).date() - local(member.joined_at, zone).date()).days if needs.tenure else 0,
        sales=given.sales(tx, member.id) if needs.sales else 0,
    )


def celebrates(tx: Tx, member_id: int, at: datetime, zone: str) -> frozenset[Birthday]:
    """The spans around a member's birthday that this day of the store is in; none where no birthday was told."""
    told = given.birthday(tx, member_id)
    month_and_day = None if told is None else (int(told[:2]), int(told[3:]))
    return celebrated(month_and_day, local(at, zone).date())
