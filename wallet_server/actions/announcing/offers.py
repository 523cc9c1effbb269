"""Owns announcing: a dry run that counts, an explicit confirmation, a walk in slices that a recall stops.

Nobody hears an announcement who has not opted in; nobody hears one in the quiet hours of their store's zone, nor more
often than the programme allows (once a day and three times a week unless it says otherwise). A word for one member has
a day of its own, and counts in the week. Who must wait is asked again when their time comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.announcing import everybody
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.errors import Conflict, Fault, Invalid, NotFound
from wallet_server.records import jobs, parties
from wallet_server.records.announcing import announcements, audiences, reception
from wallet_server.records.announcing.announcements import AnnouncementRow
from wallet_server.records.announcing.audiences import Reached
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.announcing import announcing
from wallet_server.rules.characters import CANNOT_BE_SHOWN, UNSHOWABLE, blank
from wallet_server.rules.programme.program import Programme

WALK, WAITERS, UNSAY = "announce", "announce-waiting", "announce-recall"
SLICE = 200
"""Members whom one transaction of a walk reaches: on SQLite, whoever sells waits as long as it lasts."""
LOOK_BACK = timedelta(days=8)
MAX_TEXT = 300
MAX_DAYS = 90


@dataclass(frozen=True)
class Announcement:
    """What to say (language to text), to whom (a tier, one member by public id, or all), and until when it stays on
    the card. `@prénom` or `@firstname` in a text becomes each member's own first name."""

    texts: Mapping[str, str]
    tier: str | None
    ends_at: datetime
    member: str | None = None


@dataclass(frozen=True)
class Foretold:
    """A dry run: outcome (with its reason) to how many members; and what the cards that are pushed will take."""

    tally: Mapping[str, int]
    through: everybody.Through | None


def draft(ctx: Context, scope: Scope, programme: str, wanted: Announcement, wish: Asked) -> tuple[Facts, bool]:
    """Write an announcement down; nobody hears it before it is confirmed. Raises `Invalid` with every fault."""

    def act(tx: Tx) -> Facts:
        row = programmes.programme_in(tx, scope, programme)
        _check(ctx.programme(tx, row.version_id), wanted, ctx.now())
        one = None if wanted.member is None else _member_of(tx, scope, row.id, wanted.member)
        public_id = new_id("ann")
        announcements.add(
            tx, public_id, row.id, scope.merchant_id, wanted.texts, wanted.tier, one, wanted.ends_at, ctx.now()
        )
        return {"announcement": public_id}

    return once(ctx, wish, act)


def _member_of(tx: Tx, scope: Scope, programme_id: int, public_id: str) -> int:
    found = members.member_by_public(tx, scope, public_id)
    if found.programme_id != programme_id:
        raise NotFound("There is no such member in this programme.", field="member")
    return found.id


def _check(programme: Programme, wanted: Announcement, now: datetime) -> None:
    faults = []
    if programme.languages[0] not in wanted.texts:
        faults.append(Fault("texts", f"Write the text in {programme.languages[0]}, the programme's first language."))
    for language, text in wanted.texts.items():
        if language not in programme.languages:
            faults.append(Fault(f"texts.{language}", f"This programme speaks {', '.join(programme.languages)}."))
        if blank(text) or len(text) > MAX_TEXT:
            faults.append(Fault(f"texts.{language}", f"Write from 1 to {MAX_TEXT} characters."))
        if UNSHOWABLE.search(text):
            faults.append(Fault(f"texts.{language}", CANNOT_BE_SHOWN))
    tiers = [level.code for level in programme.ladder.levels] if programme.ladder else []
    if wanted.tier is not None and wanted.tier not in tiers:
        faults.append(Fault("tier", f"This programme's tiers are {', '.join(tiers) or 'none'}."))
    if not now < wanted.ends_at <= now + timedelta(days=MAX_DAYS):
        faults.append(Fault("ends_at", f"It must end in the future, within {MAX_DAYS} days."))
    if faults:
        raise Invalid("The announcement cannot be saved.", faults=faults)


def count(ctx: Context, scope: Scope, public_id: str) -> dict[str, int]:
    """The dry run: how many would be shown it now, would wait (and why), or be left out (and why)."""
    told = foretold(ctx, scope, public_id)
    shown = told.pop(reception.NO_PHONE, 0) + told.pop(reception.UNRINGABLE, 0)
    return told | {"shown": told["shown"] + shown}


def foretold(ctx: Context, scope: Scope, public_id: str) -> dict[str, int]:
    """The dry run as a person reads it before sending; see `foretell`."""
    return dict(foretell(ctx, scope, public_id).tally)


def foretell(ctx: Context, scope: Scope, public_id: str) -> Foretold:
    """The dry run: `shown` are those whose phone would be told; who has the card in no phone, or in one that cannot be
    rung, sees the text without being told, and is counted as such. And how long it will take where cards are pushed."""
    with ctx.look() as tx:
        row = announcements.announcement_in(tx, scope, public_id)
        programme, zone = _of(ctx, tx, row)
        load = everybody.Load(ctx, row)
    tally: Counter[str] = Counter()
    after = 0
    while True:
        with ctx.look() as tx:
            now = ctx.now()
            reached = _reached(tx, row, after, zone, now)
            phones = reception.in_phones(tx, [one.member_id for one in reached])
            shown = [one.member_id for one in reached if _decide(one, row, programme, now)[0] == announcements.SHOWN]
            load.add(tx, shown, now)
        for one in reached:
            outcome, why, _ = _decide(one, row, programme, now)
            if outcome != announcements.SHOWN:
                tally[f"{outcome}:{why}"] += 1
            elif one.member_id in phones:
                tally["shown" if phones[one.member_id] else reception.UNRINGABLE] += 1
            else:
                tally[reception.NO_PHONE] += 1
        if len(reached) < SLICE:
            together = not any(code.startswith(("waiting", "skipped")) for code in tally)
            with ctx.look() as tx:
                return Foretold({"shown": 0, **tally}, load.through(tx, together=together))
        after = reached[-1].member_id


def _of(ctx: Context, tx: Tx, row: AnnouncementRow) -> tuple[Programme, str]:
    programme = programmes.programme_by_id(tx, row.programme_id)
    stores = parties.stores_of_programme(tx, row.programme_id)
    own = [s for s in stores if s.merchant_id == row.merchant_id] or stores
    return ctx.programme(tx, programme.version_id), own[0].zone if own else "UTC"


def _reached(
    tx: Tx, row: AnnouncementRow, after: int, zone: str, now: datetime, only: Sequence[int] | None = None
) -> list[Reached]:
    if row.audience_member_id is not None:
        only = [row.audience_member_id]
    return audiences.walk(tx, row.programme_id, row.audience_tier, after, SLICE, now - LOOK_BACK, zone, only)


def _decide(
    one: Reached, row: AnnouncementRow, programme: Programme, now: datetime
) -> tuple[str, str | None, datetime | None]:
    word = row.audience_member_id is not None
    verdict = announcing.decide(
        one.consented, one.reachable, one.sent_at, one.zone, now, programme.announce, one.words_at, word=word
    )
    if isinstance(verdict, announcing.Send):
        return announcements.SHOWN, None, None
    if isinstance(verdict, announcing.Wait):
        return announcements.WAITING, verdict.why, verdict.until
    return announcements.SKIPPED, verdict.why, None


def confirm(ctx: Context, scope: Scope, public_id: str, wish: Asked) -> tuple[Facts, bool]:
    """Send it. Raises `Conflict` (`already-confirmed`, `announcement-over`)."""
    with ctx.look() as tx:
        issuers = everybody.issuers(ctx, tx, announcements.announcement_in(tx, scope, public_id))

    def act(tx: Tx) -> Facts:
        row = announcements.announcement_in(tx, scope, public_id, lock=True)
        if row.state != announcements.DRAFT:
            raise Conflict("This announcement was confirmed or recalled before.", code="already-confirmed")
        if row.ends_at <= ctx.now():
            raise Conflict("This announcement has ended already; write a new one.", code="announcement-over")
        announcements.set_state(tx, row.id, announcements.CONFIRMED, ctx.now())
        deeds.add(tx, scope, deeds.SENT, ctx.now(), about=public_id)
        everybody.begin(ctx, tx, row, issuers)
        jobs.put(tx, [jobs.Put(WALK, str(row.id), jobs.BULK, ctx.now())])
        return {"announcement": public_id, "state": announcements.CONFIRMED}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def recall(ctx: Context, scope: Scope, public_id: str, wish: Asked) -> tuple[Facts, bool]:
    """Take it back: the walk stops, and cards that show it lose it without a sound."""

    def act(tx: Tx) -> Facts:
        row = announcements.announcement_in(tx, scope, public_id, lock=True)
        announcements.set_state(tx, row.id, announcements.RECALLED, ctx.now())
        if row.state in (announcements.CONFIRMED, announcements.DONE):
            deeds.add(tx, scope, deeds.RECALLED, ctx.now(), about=public_id)
        everybody.recall(ctx, tx, row)
        jobs.put(tx, [jobs.Put(UNSAY, f"{row.id}:0", jobs.BULK, ctx.now())])
        return {"announcement": public_id, "state": announcements.RECALLED}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def status(ctx: Context, scope: Scope, public_id: str) -> dict[str, object]:
    """Where it stands and what was decided for whom."""
    with ctx.look() as tx:
        row = announcements.announcement_in(tx, scope, public_id)
        tally = announcements.tally(tx, row.id)
    return _facts(row) | {"members": tally}


def _facts(row: AnnouncementRow) -> dict[str, object]:
    return {
        "announcement": row.public_id,
        "texts": dict(row.texts),
        "tier": row.audience_tier,
        "state": row.state,
        "created_at": row.created_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
    }


def listed(ctx: Context, scope: Scope) -> list[dict[str, object]]:
    """The merchant's newest announcements."""
    with ctx.look() as tx:
        return [_facts(row) for row in announcements.announcements_of(tx, scope)]


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """One slice of the walk over the members for each lease; a crash resumes after the last committed slice."""
    for lease in leases:
        with ctx.change() as tx:
            row = announcements.lock(tx, int(lease.key))
            again = None
            if row.state == announcements.CONFIRMED:
                programmes.lock_programme(tx, row.programme_id)
                programme, zone = _of(ctx, tx, row)
                # Nobody is told what is over, and it uses up nobody's one a day.
                over = row.ends_at <= ctx.now()
                reached = [] if over else _reached(tx, row, row.walked_to, zone, ctx.now())
                _carry_out(ctx, tx, row, reached, programme)
                if len(reached) == SLICE:
                    announcements.set_walked(tx, row.id, reached[-1].member_id)
                    again = {lease.id: Again(ctx.now(), lease.lane)}
                else:
                    announcements.set_state(tx, row.id, announcements.DONE, ctx.now())
                    everybody.decide(ctx, tx, row)
            jobs.settle(tx, [lease], again)
    ctx.ring()


def _carry_out(ctx: Context, tx: Tx, row: AnnouncementRow, reached: Sequence[Reached], programme: Programme) -> None:
    now = ctx.now()
    verdicts = {one.member_id: _decide(one, row, programme, now) for one in reached}
    announcements.decide(tx, row.id, [(m, outcome, why) for m, (outcome, why, _) in verdicts.items()], now)
    shown = [m for m, v in verdicts.items() if v[0] == announcements.SHOWN]
    cards.changed_many(tx, shown, ["news"], now, pushed=ctx.pushed, ends_at=row.ends_at)
    due = [until for _, _, until in verdicts.values() if until is not None and until < row.ends_at]
    if due:
        jobs.put(tx, [jobs.Put(WAITERS, f"{row.id}:0", jobs.BULK, min(due))])


def ask_waiters(ctx: Context, leases: Sequence[Lease]) -> None:
    """A slice of those who had to wait: is it their time now? Whoever must wait on leaves a job for their time."""
    for lease in leases:
        announcement_id, _, after = lease.key.partition(":")
        with ctx.change() as tx:
            row = announcements.lock(tx, int(announcement_id))
            if row.state in (announcements.CONFIRMED, announcements.DONE) and row.ends_at > ctx.now():
                programmes.lock_programme(tx, row.programme_id)
                ids = announcements.members_with(tx, row.id, announcements.WAITING, int(after), SLICE)
                programme, zone = _of(ctx, tx, row)
                _carry_out(ctx, tx, row, _reached(tx, row, 0, zone, ctx.now(), ids) if ids else [], programme)
                if len(ids) == SLICE:
                    jobs.put(tx, [jobs.Put(WAITERS, f"{row.id}:{ids[-1]}", jobs.BULK, ctx.now())])
                else:
                    everybody.decide(ctx, tx, row)
            jobs.settle(tx, [lease])
    ctx.ring()


def unsay(ctx: Context, leases: Sequence[Lease]) -> None:
    """A slice of the cards that showed a recalled announcement: they are composed anew, silently."""
    for lease in leases:
        announcement_id, _, after = lease.key.partition(":")
        with ctx.change() as tx:
            ids = announcements.members_with(tx, int(announcement_id), announcements.SHOWN, int(after), SLICE)
            cards.changed_many(tx, ids, (), ctx.now(), pushed=ctx.pushed)
            if len(ids) == SLICE:
                jobs.put(tx, [jobs.Put(UNSAY, f"{announcement_id}:{ids[-1]}", jobs.BULK, ctx.now())])
            jobs.settle(tx, [lease])
    ctx.ring()
