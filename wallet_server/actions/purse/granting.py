"""Owns tiers that are given, for a while or for good, and what is told of a member's standing and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import stale
from wallet_server.actions.purse import reviewing, standing
from wallet_server.errors import Conflict, Fault, Invalid
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import metrics
from wallet_server.records.purse import standing as standings
from wallet_server.records.purse.standing import Grant
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.occasions import local
from wallet_server.rules.programme.program import Ladder, Level, Programme
from wallet_server.rules.sentences import spoken
from wallet_server.rules.tiers import standing as rules
from wallet_server.rules.tiers.metrics import Measures, Person, missing, need_of, needed, progress, satisfied
from wallet_server.rules.tiers.progress_spoken import Why, lacking, quantity, towards, why
from wallet_server.rules.tiers.standing import Standing
from wallet_server.rules.tiers.tiers import level_after, level_for, rank

MOST_TOLD = 20
"""Lines of what was given that are told."""
LONGEST = timedelta(days=3660)


@dataclass(frozen=True)
class Given:
    """A tier for a member until `until` (None: for good); `trial` says that it is one. `tier` None takes back what was
    given before. `reason` is a short word of the merchant's own."""

    tier: str | None
    until: datetime | None
    trial: bool
    reason: str


def give(ctx: Context, scope: Scope, member: str, given: Given, wish: Asked) -> tuple[Facts, bool]:
    """Give a tier, or take it back. When it ends the member has what they earned. Raises `Conflict` (`no-tiers`) and
    `Invalid` (`unknown-tier`, or faults)."""

    def act(tx: Tx) -> Facts:
        row = members.member_by_public(tx, scope, member)
        before = members.lock_member(tx, row.id)
        programme, now = ctx.programme(tx, row.version_id), ctx.now()
        ladder = _ladder(programme)
        _check(ladder, given, now)
        source = rules.TRIAL if given.trial else rules.GIVEN
        standings.add_grant(tx, _grant(row, scope, given, source, now))
        found = metrics.of_members(tx, needed(ladder), [row.id], now)[row.id]
        person = metrics.people(tx, [row.id])[row.id]
        stored = standings.of_members(tx, [row.id]).get(row.id) or rules.beginning(before, person.since)
        stored = rules.give(stored, given.tier, source, given.until)
        if given.until is not None:
            jobs.put(tx, [reviewing.look_at(row.id, given.until)])
        deserved = level_for(ladder, found).code
        after = standing.restand(ctx, tx, ladder, row.id, before, stored, deserved, changed=True)
        if after.level != before:
            stale.changed(tx, row.id, standing.loud(programme, (), before, after.level), now)
        return {
            "member": row.public_id,
            "tier_before": before,
            "tier": after.level,
            "source": after.source,
            "until": _text(after.given_until if after.source != rules.EARNED else None),
        }

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _ladder(programme: Programme) -> Ladder:
    if programme.ladder is None:
        raise Conflict("This programme has no tiers.", code="no-tiers")
    return programme.ladder


def _check(ladder: Ladder, given: Given, now: datetime) -> None:
    if given.tier is not None and rank(ladder, given.tier) < 1:
        above = ", ".join(level.code for level in ladder.levels[1:]) or "none"
        raise Invalid(f"A tier that can be given is one of: {above}.", code="unknown-tier", field="tier")
    faults = []
    if given.until is not None and not now < given.until <= now + LONGEST:
        faults.append(Fault("until", "It must end in the future, within ten years."))
    if given.trial and (given.until is None or given.tier is None):
        faults.append(Fault("until", "Say until when the trial lasts."))
    if faults:
        raise Invalid("The tier cannot be given.", faults=faults)


def _grant(row: MemberRow, scope: Scope, given: Given, source: str, now: datetime) -> Grant:
    return Grant(
        new_id("grant"),
        row.programme_id,
        row.id,
        scope.merchant_id,
        given.tier,
        source,
        now,
        given.until,
        scope.principal,
        given.reason,
        now,
    )


# --- what is told --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Member:
    """All that a telling of one member's standing rests on."""

    programme: Programme
    ladder: Ladder
    person: Person
    standing: Standing
    found: Measures
    language: str

    @property
    def level(self) -> Level:
        return self.ladder.level(self.standing.level) or level_for(self.ladder, self.found)


def standing_of(ctx: Context, scope: Scope, public_id: str, language: str | None) -> Facts:
    """A member's tier and why, the figures, what is missing for the next one, and what was given. Sentences are in the
    language asked for, else the member's. Raises `NotFound`, `Conflict` (`no-tiers`)."""
    with ctx.look() as tx:
        row = members.member_by_public(tx, scope, public_id)
        programme = ctx.programme(tx, row.version_id)
        ladder = _ladder(programme)
        person = metrics.people(tx, [row.id])[row.id]
        found = metrics.of_people(tx, needed(ladder), {row.id: person}, ctx.now())[row.id]
        stored = standings.of_members(tx, [row.id]).get(row.id) or rules.beginning(row.tier, person.since)
        grants = standings.grants_of(tx, row.id, MOST_TOLD)
    tongue = spoken(language or row.language)
    one = _Member(programme, ladder, person, stored, found, tongue if tongue in programme.languages else row.language)
    return {
        "member": row.public_id,
        "tier": one.level.code,
        "tier_name": one.level.names.get(one.language),
        "source": stored.source,
        "since": _text(stored.since),
        "until": _text(stored.given_until if stored.source != rules.EARNED else None),
        "earned": stored.earned,
        "review_at": _text(stored.review_at),
        "kept_until": _text(stored.kept_until),
        "why": _why(one),
        "metrics": [
            {"metric": metric, "window": _window(reach), "value": found.get((metric, reach), 0)}
            for metric, reach in needed(ladder)
        ],
        "next": _next(one),
        "given": [_told(grant) for grant in grants],
    }


def _why(one: _Member) -> str:
    level, stands, ladder = one.level, one.standing, one.ladder
    reached = () if rank(ladder, level.code) < 1 else satisfied(need_of(ladder, level), one.found)
    kind: Why = "earned"
    end = None
    if stands.source in (rules.GIVEN, rules.TRIAL):
        kind, end = "trial" if stands.source == rules.TRIAL else "given", stands.given_until
    elif rank(ladder, level.code) < 1:
        kind = "everyone"
    elif not reached:
        kind, end = "kept", stands.kept_until or stands.review_at
    last = None if end is None else (local(end - standing.MOMENT, one.person.zone)).date()
    return why(kind, level.names[one.language], reached, last, one.programme, one.language)


def _next(one: _Member) -> Mapping[str, Any] | None:
    level = level_after(one.ladder, one.level)
    if level is None:
        return None
    need = need_of(one.ladder, level)
    lacks = missing(need, one.found)
    return {
        "tier": level.code,
        "tier_name": level.names[one.language],
        "percent": int(progress(need, one.found) * 100),
        "missing": [
            {"metric": x.metric, "amount": x.units, "text": quantity(x, one.programme, one.language)} for x in lacks
        ],
        "reward": None if level.reward is None else level.reward[one.language],
        "sentence": towards(level.names[one.language], lacks, one.programme, one.language),
        "lacking": lacking(lacks, one.programme, one.language),
    }


def _window(reach: Any) -> str:
    if not reach.count:
        return str(reach.kind)
    return f"rolling-{reach.count}-{reach.kind.removeprefix('rolling-')}"


def _told(grant: Grant) -> Mapping[str, Any]:
    return {
        "id": grant.public_id,
        "tier": grant.level,
        "source": grant.source,
        "reason": grant.reason,
        "given_at": _text(grant.recorded_at),
        "until": _text(grant.ends_at),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
