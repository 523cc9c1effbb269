"""Owns what this cashier may give this member now: which gestures fit, and what is left of their budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from wallet_server.actions.purse.gathering import celebrates
from wallet_server.records.counter import given_gestures
from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import given
from wallet_server.records.scope import Cashier, Scope
from wallet_server.rules.baskets.occasions import window
from wallet_server.rules.conditions import conditions
from wallet_server.rules.counter import gestures
from wallet_server.rules.counter.gestures import Asked, Place, Used
from wallet_server.rules.programme.gesture_parts import Budget, Gesture
from wallet_server.rules.programme.program import Programme


@dataclass(frozen=True)
class Offered:
    """A gesture that may be offered; `left` is how many times more this cashier may give it now, None: as often as
    wanted."""

    gesture: Gesture
    left: int | None


@dataclass(frozen=True)
class Spent:
    """A budget that has no room."""

    budget: Budget


def offered(tx: Tx, scope: Scope, member: MemberRow, programme: Programme, now: datetime) -> tuple[Offered, ...]:
    """What the cashier at the caller's till may give this member now, in the order of the document."""
    cashier = scope.cashier
    if cashier is None or not programme.gestures or "gesture" not in cashier.may:
        return ()
    asked = _asked(tx, scope, member, programme, now)
    found = []
    for one in programme.gestures:
        if not suits(tx, one, asked, member, now):
            continue
        room = [left for _, left in _room(tx, one, programme, cashier, member, now, scope.zone)]
        bounded = [left for left in room if left is not None]
        if not bounded or min(bounded) > 0:
            found.append(Offered(one, min(bounded) if bounded else None))
    return tuple(found)


def demand_fit(tx: Tx, scope: Scope, gesture: Gesture, member: MemberRow, programme: Programme, now: datetime) -> bool:
    """Whether the gesture is for this member now, whatever is left of budgets."""
    return suits(tx, gesture, _asked(tx, scope, member, programme, now), member, now)


def first_spent(
    tx: Tx, gesture: Gesture, programme: Programme, cashier: Cashier, member: MemberRow, now: datetime, zone: str
) -> Spent | None:
    """The first budget that has no room for one more; the member is held, and from here on so is everything else that
    the budgets count."""
    given_gestures.take_turn(tx, "cashier", cashier.staff_id)
    given_gestures.take_turn(tx, "programme", member.programme_id)
    room = _room(tx, gesture, programme, cashier, member, now, zone)
    return next((Spent(budget) for budget, left in room if left is not None and left < 1), None)


def suits(tx: Tx, gesture: Gesture, asked: Asked, member: MemberRow, now: datetime) -> bool:
    """Whether a gesture fits what is known of a member; one after an event, once for each event."""
    if not gestures.fits(gesture, asked):
        return False
    if gesture.after is None:
        return True
    name, days = gesture.after
    event = given_gestures.last_event(tx, member.id, name, now - timedelta(days=days))
    if event is None:
        return False
    last = given_gestures.last_gesture(tx, member.id, gesture.id)
    return last is None or last < event


def _room(
    tx: Tx, gesture: Gesture, programme: Programme, cashier: Cashier, member: MemberRow, now: datetime, zone: str
) -> Iterator[tuple[Budget, int | None]]:
    owners = {"cashier": cashier.staff_id, "member": member.id, "programme": member.programme_id}
    for own, budgets in ((gesture.id, gesture.budgets), (None, programme.gesture_budgets)):
        for budget in budgets:
            span = window(budget.window, now, zone)
            whose = budget.whose
            used = given_gestures.used(tx, whose, owners[whose], member.programme_id, span, own)
            yield budget, gestures.left(budget, Used(*used), gesture)


def _asked(tx: Tx, scope: Scope, member: MemberRow, programme: Programme, now: datetime) -> Asked:
    """What the conditions of the programme's gestures ask, and no more."""
    asks: set[str] = set()
    for one in programme.gestures:
        asks |= _asks(one.when) if one.when else frozenset()
    zone = scope.zone
    facts = gestures.member_facts(
        member.tier,
        member.joined_at,
        given.sales(tx, member.id) if "member.visits" in asks else 0,
        celebrates(tx, member.id, now, zone) if any(ask.startswith("member.birthday") for ask in asks) else frozenset(),
        given_gestures.last_sale(tx, member.id) if "member.days_since_visit" in asks else None,
        given_gestures.last_gesture(tx, member.id) if "member.days_since_gesture" in asks else None,
        now,
        zone,
    )
    return Asked(facts, gestures.moment(now, zone), Place(scope.store, zone))


@lru_cache(maxsize=1000)
def _asks(text: str) -> frozenset[str]:
    return conditions.read(text, conditions.GESTURE).asks
