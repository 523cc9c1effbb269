"""Owns how a member's standing moves: up at once, down when the programme looks at it, and what was given for a while.

What is earned and what is given are kept apart: a tier that was given hides a lower one that was earned, and what is
earned meanwhile is there when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wallet_server.rules.programme.program import Ladder
from wallet_server.rules.tiers.metrics import Person, next_turn
from wallet_server.rules.tiers.tiers import rank

EARNED, GIVEN, TRIAL = "earned", "given", "trial"
AT_ONCE = "at-once"
_JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True)
class Standing:
    """The `level` that a member has, from where and since when.

    `earned` is what their own figures brought; it is looked at again at `review_at`, and where it was found to be no
    longer deserved it is lost at `kept_until` (for `falls_to`, or for what is deserved by then). `given` hides it while
    it is higher, until `given_until` (None: for good).
    """

    level: str | None
    source: str
    since: datetime
    earned: str | None
    earned_since: datetime
    review_at: datetime | None = None
    kept_until: datetime | None = None
    falls_to: str | None = None
    given: str | None = None
    given_source: str | None = None
    given_until: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When it is to be looked at although nothing happens; None: never."""
        return min((x for x in (self.review_at, self.kept_until, self.given_until) if x is not None), default=None)


def beginning(tier: str | None, joined_at: datetime) -> Standing:
    """Of somebody of whom nothing is written: the tier that they have, as earned."""
    return Standing(tier, EARNED, joined_at, tier, joined_at)


def judged_at(ladder: Ladder, standing: Standing, deserved: str, now: datetime) -> datetime | None:
    """As of which instant the figures are to be looked at once more, because a period is over in which the tier was
    kept; None where what is `deserved` now is enough to decide."""
    due = standing.review_at
    if ladder.review.kind == AT_ONCE or due is None or due > now or standing.kept_until is not None:
        return None
    return None if rank(ladder, deserved) >= rank(ladder, standing.earned) else due - _JUST_BEFORE


def settle(
    ladder: Ladder, standing: Standing, deserved: str, judged: str | None, person: Person, now: datetime
) -> Standing:
    """The standing from now on. `deserved` is the level that the figures reach now, `judged` the one that they reached
    as of `judged_at`."""
    own = replace(standing, earned=ladder.levels[0].code) if rank(ladder, standing.earned) < 0 else standing
    if rank(ladder, deserved) >= rank(ladder, own.earned):
        after = _earn(own, deserved, now)
    elif ladder.review.kind == AT_ONCE:
        after = _at_once(ladder, own, deserved, now)
    else:
        after = _reviewed(ladder, own, deserved, judged, now)
    return _shown(ladder, _dated(ladder, own, after, person, now), now)


def give(standing: Standing, level: str | None, source: str, until: datetime | None) -> Standing:
    """The same with a level that is given in place of any before; None takes back what was. To be settled."""
    if level is None:
        return replace(standing, given=None, given_source=None, given_until=None)
    return replace(standing, given=level, given_source=source, given_until=until)


def _earn(own: Standing, level: str, now: datetime) -> Standing:
    since = own.earned_since if level == own.earned else now
    return replace(own, earned=level, earned_since=since, kept_until=None, falls_to=None)


def _at_once(ladder: Ladder, own: Standing, deserved: str, now: datetime) -> Standing:
    grace = ladder.review.grace_days
    if grace and own.kept_until is None:
        return replace(own, kept_until=now + timedelta(days=grace))
    return own if own.kept_until is not None and own.kept_until > now else _earn(own, deserved, now)


def _reviewed(ladder: Ladder, own: Standing, deserved: str, judged: str | None, now: datetime) -> Standing:
    if own.kept_until is not None:
        return own if own.kept_until > now else _earn(own, _higher(ladder, deserved, own.falls_to), now)
    if judged is None or own.review_at is None or rank(ladder, judged) >= rank(ladder, own.earned):
        return own
    until = own.review_at + timedelta(days=ladder.review.grace_days)
    if until > now:
        return replace(own, kept_until=until, falls_to=judged)
    return _earn(own, _higher(ladder, deserved, judged), now)


def _higher(ladder: Ladder, one: str, other: str | None) -> str:
    return other if other is not None and rank(ladder, other) > rank(ladder, one) else one


def _dated(ladder: Ladder, before: Standing, after: Standing, person: Person, now: datetime) -> Standing:
    """With the next day on which it is looked at; what everybody has is not."""
    review = ladder.review
    if review.kind == AT_ONCE or rank(ladder, after.earned) <= 0:
        return replace(after, review_at=None)
    due = after.review_at
    if due is not None and due > now and after.earned == before.earned:
        return after
    if review.kind != "days":
        return replace(after, review_at=next_turn(review.kind, now, person))
    passed = (now - after.earned_since) // timedelta(days=review.days) + 1
    return replace(after, review_at=after.earned_since + passed * timedelta(days=review.days))


def _shown(ladder: Ladder, after: Standing, now: datetime) -> Standing:
    given = after
    if after.given is not None and after.given_until is not None and after.given_until <= now:
        given = give(after, None, "", None)
    hides = rank(ladder, given.given) > rank(ladder, given.earned)
    level, source = (given.given, given.given_source or GIVEN) if hides else (given.earned, EARNED)
    since = given.since if level == given.level and source == given.source else now
    return replace(given, level=level, source=source, since=since)
