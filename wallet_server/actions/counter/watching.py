"""Owns looking over the tills: what looks odd today and in the days before, and that it is noted in the journal once.

While somebody has a shift the shop is looked over every few minutes, by a job that the shift sets off; nothing of it
is in the way of a sale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.context import Context
from wallet_server.actions.outbox import Lease
from wallet_server.actions.staff.person import Person
from wallet_server.errors import Invalid
from wallet_server.records import jobs, overview
from wallet_server.records.counter import watch
from wallet_server.records.counter.watch import CashierSum, GivenLine, Noted
from wallet_server.records.database import Tx
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.baskets.occasions import local, window
from wallet_server.rules.counter import watching as rules

__all__ = ["GivenLine", "Odd", "Overseen", "choose", "look", "oversee", "own_gestures", "set_off", "today"]
LOOK = "watch"
EVERY = timedelta(minutes=5)
DAYS = 7
MOST_LINES = 50
WATCH = "watch"
"""Who noted it, in the book of deeds."""
_REFUNDS = ("refund", "reverse.sale", "reverse.redeem")
_TRIP: Mapping[str, str] = {"sell": rules.EARNED, "redeem": rules.BURNED, "hold.capture": rules.BURNED}


@dataclass(frozen=True)
class Odd:
    """A pattern of one day, about a cashier (`who`) or about a member (a public id): `found` so many, where it is told
    from `allowed` on."""

    pattern: str
    day: date
    who: str | None
    member: str | None
    found: int
    allowed: int


@dataclass(frozen=True)
class Overseen:
    """What looks odd in the last days, the newest first; what was given and refused lately, and by whom this week."""

    odd: tuple[Odd, ...]
    limits: Mapping[str, int]
    given: tuple[GivenLine, ...]
    sums: tuple[CashierSum, ...]
    zone: str


def oversee(ctx: Context, scope: Scope) -> Overseen:
    """The last days of the shop's tills."""
    now = ctx.now()
    with ctx.look() as tx:
        zone = _zone(tx, scope)
        limits = rules.limits(watch.kept_limits(tx, scope))
        today = local(now, zone).date()
        odd = [one for back in range(DAYS) for one in _of_day(tx, scope, today - timedelta(days=back), zone, limits)]
        week = window("week", now, zone)
        sums = watch.sums_of_cashiers(tx, scope, week) if week else []
        return Overseen(
            tuple(_named(tx, odd)), limits, tuple(watch.given_lately(tx, scope, MOST_LINES)), tuple(sums), zone
        )


def today(ctx: Context, scope: Scope) -> int:
    """How much looks odd today."""
    with ctx.look() as tx:
        zone = _zone(tx, scope)
        limits = rules.limits(watch.kept_limits(tx, scope))
        return len(_of_day(tx, scope, local(ctx.now(), zone).date(), zone, limits))


def own_gestures(ctx: Context, person: Person) -> int:
    """How many gestures somebody made this week and did not take back."""
    with ctx.look() as tx:
        week = window("week", ctx.now(), _zone(tx, person.scope))
        made = {} if week is None else watch.gestures_of_cashiers(tx, person.scope, week, 1)
    return made.get(person.staff_id, 0)


def _zone(tx: Tx, scope: Scope) -> str:
    return scope.zone if scope.zone != "UTC" else next(iter(overview.zones(tx, scope)), "UTC")


def _of_day(tx: Tx, scope: Scope, day: date, zone: str, limits: Mapping[str, int]) -> list[Noted]:
    """What looks odd of one day of the shop."""
    span = window("day", datetime.combine(day, time(12), ZoneInfo(zone)), zone)
    if span is None:
        return []
    found: list[Noted] = []
    scans = watch.sales_of_members(tx, scope, day, limits[rules.SCANS])
    found += [_of_member(rules.SCANS, day, key, many, limits) for key, many in scans.items()]
    counts: tuple[tuple[str, Callable[[int], dict[int, int]]], ...] = (
        (rules.GESTURES, lambda least: watch.gestures_of_cashiers(tx, scope, span, least)),
        (rules.REFUNDS, lambda least: watch.deeds_of_cashiers(tx, scope, span, _REFUNDS, least)),
        (rules.REFUSALS, lambda least: watch.refusals_of_cashiers(tx, scope, span, least)),
    )
    for pattern, count in counts:
        many_of = count(limits[pattern])
        found += [_of_cashier(pattern, day, key, many, limits) for key, many in sorted(many_of.items())]
    trips = rules.round_trips(watch.deeds_for_members(tx, scope, span, _TRIP), limits[rules.MINUTES])
    least = limits[rules.ROUND_TRIPS]
    found += [
        _of_cashier(rules.ROUND_TRIPS, day, key, many, limits) for key, many in sorted(trips.items()) if many >= least
    ]
    return found


def _of_member(pattern: str, day: date, key: int, many: int, limits: Mapping[str, int]) -> Noted:
    return Noted(pattern, f"member:{key}", day, None, key, many, limits[pattern])


def _of_cashier(pattern: str, day: date, key: int, many: int, limits: Mapping[str, int]) -> Noted:
    return Noted(pattern, f"cashier:{key}", day, key, None, many, limits[pattern])


def _named(tx: Tx, odd: Sequence[Noted]) -> list[Odd]:
    people = watch.names(tx, [one.staff_id for one in odd if one.staff_id is not None])
    public = watch.public_ids(tx, [one.member_id for one in odd if one.member_id is not None])
    return [
        Odd(
            one.pattern,
            one.day,
            None if one.staff_id is None else people.get(one.staff_id),
            None if one.member_id is None else public.get(one.member_id),
            one.found,
            one.allowed,
        )
        for one in odd
    ]


def choose(ctx: Context, person: Person, typed: Mapping[str, str]) -> None:
    """Choose from how many on something is told; what is left out stays as the product has it. Raises `Invalid`
    (`bad-limit`)."""
    chosen = {}
    for name in rules.PLAIN:
        text = typed.get(name, "").strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and rules.LEAST <= int(text[:5]) <= rules.MOST):
            sentence = f"Write a whole number from {rules.LEAST} to {rules.MOST}."
            raise Invalid(sentence, code="bad-limit", field=name)
        chosen[name] = int(text)
    with ctx.change() as tx:
        watch.keep_limits(tx, person.scope, chosen, ctx.now())
        said = ", ".join(f"{name} {value}" for name, value in chosen.items())
        deeds.add(tx, person.scope, deeds.LIMITS, ctx.now(), detail=said)


# ---------------------------------------------------------------------- by itself


def set_off(tx: Tx, merchant_id: int, now: datetime) -> None:
    """Look the shop over from now on, while anybody stands at a till."""
    jobs.put(tx, [jobs.Put(LOOK, str(merchant_id), jobs.SERVICE, now + EVERY)])


def look(ctx: Context, leases: Sequence[Lease]) -> None:
    """Note what looks odd in each of these shops, once a day each; and look again while somebody has a shift."""
    for lease in leases:
        merchant_id, now = int(lease.key), ctx.now()
        with ctx.change() as tx:
            scope = watch.scope_of(tx, merchant_id)
            zone = _zone(tx, scope)
            limits = rules.limits(watch.kept_limits(tx, scope))
            for one in _of_day(tx, scope, local(now, zone).date(), zone, limits):
                if watch.note(tx, merchant_id, one, now):
                    _tell(tx, merchant_id, one, now)
            again = watch.somebody_stands(tx, merchant_id, now)
            jobs.settle(tx, [lease], {lease.id: jobs.Again(now + EVERY, jobs.SERVICE)} if again else None)


def _tell(tx: Tx, merchant_id: int, one: Noted, now: datetime) -> None:
    about = None if one.member_id is None else watch.public_ids(tx, [one.member_id]).get(one.member_id)
    detail = f"{one.pattern}:{one.found}"
    deeds.add_by(tx, merchant_id, WATCH, deeds.ANOMALY, now, whom=one.staff_id, about=about, detail=detail)
