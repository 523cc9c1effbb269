"""Owns looking at members' standings when nothing of theirs happens: in the night, and when a version is published.

A tier that is lost by it is lost without a sound; one that is reached is told, in the night when the quiet hours end.
Members are looked at in slices, each its own transaction, which also puts the job of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.passes import stale
from wallet_server.actions.purse import standing
from wallet_server.errors import WalletError
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put
from wallet_server.records.people import members
from wallet_server.records.programme import drafts, programmes
from wallet_server.records.purse import metrics
from wallet_server.records.purse import standing as standings
from wallet_server.records.purse.standing import Due
from wallet_server.rules.announcing.announcing import AnnouncePolicy, Limits, Wait, decide
from wallet_server.rules.programme.program import Ladder, Programme
from wallet_server.rules.tiers import standing as rules
from wallet_server.rules.tiers.metrics import Person, moves_by_itself, needed
from wallet_server.rules.tiers.standing import Standing
from wallet_server.rules.tiers.tiers import level_for, rank

REVIEW = "tiers"
DUE, PROGRAMMES, MEMBERS, MEMBER = "due", "programmes", "members", "member"
"""The kind of the job and its keys: `due:microseconds:member`, whose standing is to be looked at; `programmes:after`,
those in which tiers move by nothing but time; `members:programme:after`, all of one of them; `member:key`, one whose
gift ends."""
SLICE, PROGRAMME_SLICE = 200, 50
_BEGUN = datetime(1970, 1, 1, tzinfo=UTC)
_UNREADABLE = (WalletError, ValueError, LookupError, TypeError, AttributeError)
_log = structlog.get_logger("tiers")


@dataclass(frozen=True)
class Moved:
    """Whose tier became a higher one, and whose standing became another without that."""

    risen: Sequence[int]
    others: Sequence[int]


def begin(ctx: Context) -> list[Put]:
    """The jobs of tonight's looks."""
    return [Put(REVIEW, key, jobs.BULK, ctx.now()) for key in (f"{DUE}:0:0", f"{PROGRAMMES}:0")]


def look_at(member_id: int, at: datetime) -> Put:
    """The job that looks at one member then."""
    return Put(REVIEW, f"{MEMBER}:{member_id}", jobs.SERVICE, at)


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """One slice of each of these walks."""
    for lease in leases:
        what, _, place = lease.key.partition(":")
        with ctx.change() as tx:
            if what == DUE:
                following = _due(ctx, tx, place)
            elif what == MEMBER:
                following = _member(ctx, tx, int(place))
            elif what == MEMBERS:
                following = _members(ctx, tx, place)
            else:
                following = _programmes(ctx, tx, place)
            jobs.settle(tx, [lease])
            jobs.put(tx, [Put(REVIEW, key, jobs.BULK, ctx.now()) for key in following])
    ctx.ring()


def _due(ctx: Context, tx: Tx, place: str) -> list[str]:
    micros, _, after = place.partition(":")
    found = standings.due(tx, ctx.now(), Due(int(after), _BEGUN + timedelta(microseconds=int(micros))), SLICE)
    by_version: dict[int, list[int]] = {}
    for key, member in members.members_by_id(tx, [one.member_id for one in found]).items():
        by_version.setdefault(member.version_id, []).append(key)
    for version_id, ids in sorted(by_version.items()):
        programme = _readable(ctx, tx, version_id)
        if programme is not None:
            with ctx.times.of_member(tx, ids[0]):
                tell(ctx, tx, programme, settle_many(ctx, tx, programme, sorted(ids)), ids)
    last = found[-1] if len(found) == SLICE else None
    return [] if last is None else [f"{DUE}:{jobs.micros(last.due_at)}:{last.member_id}"]


def _member(ctx: Context, tx: Tx, key: int) -> list[str]:
    programme = _readable(ctx, tx, members.members_by_id(tx, [key])[key].version_id)
    if programme is not None:
        with ctx.times.of_member(tx, key):
            tell(ctx, tx, programme, settle_many(ctx, tx, programme, [key]), [key])
    return []


def _programmes(ctx: Context, tx: Tx, place: str) -> list[str]:
    ids = [key for key in standings.programmes_published(tx) if key > int(place)][:PROGRAMME_SLICE]
    following = []
    for key in ids:
        programme = _readable(ctx, tx, programmes.programme_by_id(tx, key).version_id)
        if programme is not None and programme.ladder is not None and moves_by_itself(programme.ladder):
            following.append(f"{MEMBERS}:{key}:0")
    return following + ([f"{PROGRAMMES}:{ids[-1]}"] if len(ids) == PROGRAMME_SLICE else [])


def restless(ctx: Context, tx: Tx, account_id: int) -> int:
    """How many members of this account there are whose tiers each night matters to, as they move by nothing but
    time."""
    count = 0
    for key in programmes.of_account(tx, account_id):
        row = programmes.programme_by_id(tx, key)
        programme = _readable(ctx, tx, row.version_id) if row.version_id else None
        if programme is not None and programme.ladder is not None and moves_by_itself(programme.ladder):
            count += drafts.span(tx, key).count
    return count


def _members(ctx: Context, tx: Tx, place: str) -> list[str]:
    programme_id, _, after = place.partition(":")
    last = look(ctx, tx, int(programme_id), int(after))
    return [] if last is None else [f"{MEMBERS}:{programme_id}:{last}"]


def look(ctx: Context, tx: Tx, programme_id: int, after: int) -> int | None:
    """Look at the standings of a slice of a programme's members, by the time of its account; the last of them where
    there may be more."""
    row = programmes.programme_by_id(tx, programme_id)
    programme = _readable(ctx, tx, row.version_id)
    ids = members.next_members(tx, programme_id, after, SLICE) if programme is not None else []
    if programme is not None and ids:
        with ctx.times.of_account(tx, row.account_id):
            tell(ctx, tx, programme, settle_many(ctx, tx, programme, ids), ids)
    return ids[-1] if len(ids) == SLICE else None


def _readable(ctx: Context, tx: Tx, version_id: int) -> Programme | None:
    try:
        return ctx.programme(tx, version_id)
    except _UNREADABLE as fault:
        _log.error("tiers not looked at", version=version_id, why=f"{type(fault).__name__}: {fault}"[:300])
        return None


def settle_many(ctx: Context, tx: Tx, programme: Programme, member_ids: Sequence[int]) -> Moved:
    """Look at the standings of these members, at most a slice of them. Those that change are held, in the order of
    their keys, and looked at again: a till may have been there meanwhile."""
    ladder = programme.ladder
    if ladder is None or not member_ids:
        return Moved((), ())
    looked = _Looked(ctx, tx, ladder, member_ids)
    changing = [key for key in sorted(looked.tiers) if looked.changes(key)]
    if not changing:
        return Moved((), ())
    held = standings.tiers(tx, changing, hold=True)
    again = metrics.of_people(tx, needed(ladder), {key: looked.people[key] for key in held}, ctx.now())
    stored = standings.of_members(tx, list(held))
    risen: list[int] = []
    others: list[int] = []
    for key, before in held.items():
        deserved = level_for(ladder, again[key]).code
        after = standing.restand(ctx, tx, ladder, key, before, stored.get(key), deserved)
        (risen if rank(ladder, after.level) > rank(ladder, before) else others).append(key)
    return Moved(risen, others)


def resettle(ctx: Context, tx: Tx, programme_id: int, member_ids: Sequence[int]) -> Sequence[int]:
    """Settle the tiers of a slice of members by the version that stands, and hold all their cards; returns those who
    rose."""
    row = programmes.programme_by_id(tx, programme_id)
    programme = _readable(ctx, tx, row.version_id) if member_ids else None
    with ctx.times.of_account(tx, row.account_id):
        risen = () if programme is None else settle_many(ctx, tx, programme, member_ids).risen
    if risen:
        standings.hold_cards(tx, member_ids)
    return risen


class _Looked:
    """What is known of some members before any of them is held."""

    def __init__(self, ctx: Context, tx: Tx, ladder: Ladder, member_ids: Sequence[int]) -> None:
        self._tx, self._ladder, self._now = tx, ladder, ctx.now()
        self.people: Mapping[int, Person] = metrics.people(tx, member_ids)
        self._found = metrics.of_people(tx, needed(ladder), self.people, self._now)
        self._stored = standings.of_members(tx, member_ids)
        self.tiers = standings.tiers(tx, member_ids)

    def changes(self, key: int) -> bool:
        """Whether there is something to write of this one."""
        begun = self._stored.get(key) or rules.beginning(self.tiers[key], self.people[key].since)
        deserved = level_for(self._ladder, self._found[key]).code
        if rules.judged_at(self._ladder, begun, deserved, self._now) is not None:
            return True
        after: Standing = rules.settle(self._ladder, begun, deserved, None, self.people[key], self._now)
        return after != begun


def tell(ctx: Context, tx: Tx, programme: Programme, moved: Moved, looked_at: Sequence[int]) -> None:
    """Make the cards stale of those who moved; who rose is told by an alert, outside the quiet hours."""
    now, told_at = ctx.now(), dict[datetime, list[int]]()
    standings.hold_cards(tx, [*moved.risen, *moved.others])
    zones = metrics.people(tx, moved.risen) if moved.risen else {}
    policy = AnnouncePolicy(Limits(1, 1), programme.announce.quiet)
    for key in moved.risen:
        said = decide(True, True, (), zones[key].zone, now, policy)
        told_at.setdefault(said.until if isinstance(said, Wait) else now, []).append(key)
    for at, ids in sorted(told_at.items()):
        stale.changed_many(tx, ids, ("tier",), at, pushed=ctx.pushed)
    stale.changed_many(tx, moved.others, (), now, pushed=ctx.pushed)
    if moved.risen or moved.others:
        _log.info("tiers looked at", looked_at=len(looked_at), risen=len(moved.risen), others=len(moved.others))
