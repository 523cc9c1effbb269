"""Owns when a member may be told something: consent, quiet hours of the store's zone, and how often at most.

Windows are rolling: "a day" is the 24 hours, "a week" the 7 x 24 hours before the moment asked about. A calendar day
would allow one message at 23:59 and the next at 00:01.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from wallet_server.errors import Invalid

DAY = timedelta(hours=24)
WEEK = 7 * DAY

LOCK_SCREEN = 178
"""About as many characters as an iPhone's lock screen shows of one notification (four lines); Apple names no number."""

WORDS_PER_DAY = 1
"""Personal words to one member within 24 hours: an answer to somebody is no promotion, and neither waits for the other.
Both count in the week."""

WaitReason = Literal["quiet-hours", "per-day", "per-week"]
SkipReason = Literal["no-consent", "not-reachable", "announcing-off"]


@dataclass(frozen=True)
class Limits:
    """At most so many announcements to one member within 24 hours and within 7 x 24 hours; 0 means none at all."""

    per_day: int
    per_week: int


@dataclass(frozen=True)
class Quiet:
    """Wall-clock hours in which no phone is rung: from `start` (included) to `end` (excluded); may cross midnight."""

    start: time
    end: time

    def covers(self, wall: time) -> bool:
        """Whether this wall-clock time lies in the quiet hours."""
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


@dataclass(frozen=True)
class AnnouncePolicy:
    """What a programme says about announcements; `quiet` None means that any hour will do."""

    limits: Limits
    quiet: Quiet | None


@dataclass(frozen=True)
class Send:
    """Tell the member now."""


@dataclass(frozen=True)
class Wait:
    """Ask again at `until` (UTC), the earliest moment at which nothing known today stands against it."""

    until: datetime
    why: WaitReason


@dataclass(frozen=True)
class Skip:
    """Do not tell this member at all."""

    why: SkipReason


def decide(
    consented: bool,
    reachable: bool,
    sent_at: Sequence[datetime],
    zone: str,
    at: datetime,
    policy: AnnouncePolicy,
    words_at: Sequence[datetime] = (),
    *,
    word: bool = False,
) -> Send | Wait | Skip:
    """Whether one announcement, or with `word` one personal word, may go to one member at `at`.

    `sent_at` are the earlier announcements to this member and `words_at` the earlier words (those of the last seven
    days are enough), `zone` the IANA name of the store's zone. Raises Invalid when there is no such zone, ValueError
    for times without a zone.
    """
    if at.utcoffset() is None:
        raise ValueError("times must carry a zone")
    if not consented:
        return Skip("no-consent")
    if not reachable:
        return Skip("not-reachable")
    if policy.limits.per_day < 1 or policy.limits.per_week < 1:
        return Skip("announcing-off")
    now = at.astimezone(UTC)
    day = _free_at(words_at, WORDS_PER_DAY, DAY) if word else _free_at(sent_at, policy.limits.per_day, DAY)
    week = _free_at((*sent_at, *words_at), policy.limits.per_week, WEEK)
    until = max(now, *(moment for moment in (day, week) if moment is not None), now)
    why: WaitReason = "quiet-hours" if until == now else ("per-week" if until == week else "per-day")
    if policy.quiet is not None:
        until = _leave_quiet(until, policy.quiet, _zone(zone))
    return Send() if until == now else Wait(until, why)


def _free_at(sent_at: Sequence[datetime], limit: int, window: timedelta) -> datetime | None:
    """When the limit next leaves room: a window after the oldest of the `limit` newest announcements."""
    newest = heapq.nlargest(limit, sent_at)
    return newest[-1].astimezone(UTC) + window if len(newest) == limit else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Invalid(f"There is no time zone “{name}”; write one such as Europe/Paris.", field="zone") from None


def _leave_quiet(moment: datetime, quiet: Quiet, zone: ZoneInfo) -> datetime:
    """The first instant from `moment` on whose wall-clock time is not quiet.

    Between two clock changes the wall clock runs evenly, so we step to the end of the quiet hours; when a clock change
    lies on the way we stop there and look again. On the day the clocks go forward quiet hours that end inside the
    missing hour therefore end when that hour is skipped, and not an hour late.
    """
    for _ in range(8):
        wall = moment.astimezone(zone)
        if not quiet.covers(wall.time()):
            return moment
        day = wall.replace(tzinfo=None)
        ahead = datetime.combine(day.date(), quiet.end) - day
        target = moment + (ahead if ahead > timedelta(0) else ahead + DAY)
        if target.astimezone(zone).utcoffset() == wall.utcoffset():
            return target
        moment = _clock_change(moment, target, zone)
    raise ValueError(f"the clocks of {zone} change too often")


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second with the new offset; the two instants have different offsets and lie a day apart."""
    offset = before.astimezone(zone).utcoffset()
    low = int(before.timestamp())
    high = int(after.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
