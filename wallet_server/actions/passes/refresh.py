"""Owns the refresh job: publish stale cards, then, with no transaction open, tell the phones, then settle.

A vendor's rest holds back the ringing alone: the phones that have to wait are left to a job of kind `ring`, worked by
the same lines, and further changes are published meanwhile. A phone whose token was refused holds back nobody: its card
counts as told, and it is tried again with the card's next change, or by such a job at a pace of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards, pushed, unlinking
from wallet_server.actions.passes.cards import Ready
from wallet_server.records import jobs, limits
from wallet_server.records.clocks import shifted
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease, Put, Rest
from wallet_server.records.passes import devices, passes, rings, soonest
from wallet_server.records.passes.devices import DeviceRow
from wallet_server.records.passes.rings import Held, Owing
from wallet_server.records.passes.rung import Rung, begin_anew, mark_rung, overtaken, unheard
from wallet_server.records.prepared import planned_once
from wallet_server.records.purse.coupons import COUPON
from wallet_server.wallets.port import Handle, Later, Refused, Report, Shown, Stale

RING = rings.RING
REFUSED_REST = timedelta(minutes=15)
UNHEARD, MOST_UNHEARD, UNHEARD_SLICE = timedelta(minutes=15), 5_000, 250
"""How long before a start a version was told of that phones may have come for in vain, how many of them at most, and
how many in one transaction, so that no till waits for it."""
DOUBTED_REST = timedelta(hours=1), timedelta(hours=6)
"""Least and most between two tries of a phone whose token was refused; between the two, as long as it has been so."""


@dataclass(frozen=True)
class Tally:
    """What a batch did, for the metrics."""

    published: int
    told: int
    postponed: int


def refresh(ctx: Context, leases: Sequence[Lease]) -> Tally:
    """Work a batch of refresh or of ring jobs (not of both) whose keys are pass keys; settles every lease.

    Level-triggered: run twice it does no harm, and whatever was put meanwhile runs again.
    """
    now = ctx.now()
    by_pass = {int(lease.key): lease for lease in leases}
    with ctx.change() as tx:
        planned_once(tx)
        ready = _published(ctx, tx, sorted(by_pass))
        plan = _plan(ctx, tx, by_pass, ready, now)
    reports = _tell(ctx, plan, now)
    ctx.tally.add_all(_outcomes(plan, reports))
    return _conclude(ctx, by_pass, ready, plan, reports, now)


def _published(ctx: Context, tx: Tx, pass_ids: Sequence[int]) -> list[Ready]:
    """Publish each card by the time of its account; when it is to be looked at again is said in everybody's."""
    groups = ctx.times.groups(tx, pass_ids)
    if len(groups) > 1:
        # All of them before the first counter of tags, as whoever publishes holds them.
        passes.hold_published(tx, [row.id for row in passes.lock_passes(tx, pass_ids)])
    ready: list[Ready] = []
    for offset, ids in groups:
        with shifted(offset):
            found = cards.publish(ctx, tx, ids, ctx.now())
        ready += [replace(r, again=None if r.again is None else r.again - offset) for r in found]
    return ready


def conclude(
    ctx: Context, leases: Sequence[Lease], owing: Sequence[Owing], reports: Mapping[int, Report], rung_at: datetime
) -> Tally:
    """Settle these ring jobs by what the phones of their cards answered when they were rung elsewhere, of the versions
    that were owing then."""
    by_pass = {int(lease.key): lease for lease in leases}
    of_then = {one.pass_id: one for one in owing}
    with ctx.look() as tx:
        ready = [
            replace(r, publication=replace(r.publication, number=one.number, rung=one.rung))
            for r in cards.published(tx, sorted(by_pass))
            if (one := of_then.get(r.row.id)) is not None
        ]
        plan = _Plan(ready, [], devices.holders(tx, [r.row.id for r in ready]), ready, {})
    reports = {r.row.id: reports[r.row.id] for r in ready}
    ctx.tally.add_all(_outcomes(plan, reports))
    return _conclude(ctx, by_pass, ready, plan, reports, rung_at)


def _conclude(
    ctx: Context,
    by_pass: Mapping[int, Lease],
    ready: Sequence[Ready],
    plan: _Plan,
    reports: Mapping[int, Report],
    now: datetime,
) -> Tally:
    for r in plan.owed:
        report = reports.get(r.row.id)
        if report is not None and isinstance(report.verdict, Later):
            plan.waits[report.ref] = (ctx.now() + timedelta(seconds=report.verdict.seconds), report.verdict.why)
        elif report is not None and isinstance(report.verdict, Refused):
            plan.waits[report.ref] = (ctx.now() + REFUSED_REST, report.verdict.why)
    _settle(ctx, by_pass, ready, plan, reports, now)
    told = sum(r.row.id in reports and r.row.id not in plan.waits for r in plan.owed)
    return Tally(len(plan.owed), told, len(plan.waits))


@dataclass(frozen=True)
class _Plan:
    """Whom to ring: the cards that owe their phones a version; those that owe none and are here for their doubted
    phones alone; the devices meant, by pass key; the cards to ring just now; the owed ones that have to wait: pass key
    to (until when, why); and what those need that are pushed to a vendor."""

    owed: Sequence[Ready]
    doubted: Sequence[Ready]
    holders: Mapping[int, Sequence[DeviceRow]]
    ringing: Sequence[Ready]
    waits: dict[int, tuple[datetime, str]]
    pushed: pushed.Load = field(default_factory=pushed.Load)


def _plan(ctx: Context, tx: Tx, by_pass: Mapping[int, Lease], ready: Sequence[Ready], now: datetime) -> _Plan:
    owed = [r for r in ready if r.publication.rung < r.publication.number]
    rung = [r for r in ready if r.publication.rung >= r.publication.number and by_pass[r.row.id].kind == RING]
    holders: dict[int, list[DeviceRow]] = (
        devices.holders(tx, [r.row.id for r in (*owed, *rung)]) if owed or rung else {}
    )
    for r in rung:
        holders[r.row.id] = [d for d in holders.get(r.row.id, ()) if d.suspected]
    doubted = [r for r in rung if holders[r.row.id]]
    # A card that is pushed has a holder in its vendor.
    held = [r for r in owed if holders.get(r.row.id) or ctx.pushes(r.row.wallet)]
    closed = limits.open_circuits(tx, now) if held or doubted else {}
    changed = [r.row.id for r in held if by_pass[r.row.id].kind != RING]
    resting = rings.resting(tx, changed, now) if changed else {}
    waits = resting | {r.row.id: closed[_circuit(r)] for r in held if _circuit(r) in closed}
    ringing = [r for r in (*held, *doubted) if r.row.id not in waits and _circuit(r) not in closed]
    return _Plan(owed, doubted, holders, ringing, waits, pushed.load(ctx, tx, ringing, now))


def _circuit(ready: Ready) -> str:
    return f"{ready.row.wallet}:{ready.row.credential_set_id}"


def _tell(ctx: Context, plan: _Plan, now: datetime) -> dict[int, Report]:
    reports: dict[int, Report] = {}
    for name in sorted({r.row.wallet for r in plan.ringing}):
        own, wallet = [r for r in plan.ringing if r.row.wallet == name], ctx.wallets[name]
        if wallet.pushes_cards:
            told = pushed.push(ctx, wallet, own, plan.pushed, now)
        else:
            told = wallet.refresh([_stale(r, plan.holders[r.row.id]) for r in own], now)
        for report in told:
            reports[report.ref] = report
    return reports


def _outcomes(plan: _Plan, reports: Mapping[int, Report]) -> dict[str, int]:
    """How many phones took their push, were gone, were doubted, or were put off with their card."""
    told = sum(len(report.told) for report in reports.values())
    gone = sum(len(report.dead) for report in reports.values())
    doubted = sum(len(report.suspect) + len(report.accused) for report in reports.values())
    meant = {r.row.id: len(plan.holders.get(r.row.id, ())) for r in plan.ringing}
    left = {ref: meant[ref] - len(one.told) - len(one.dead) for ref, one in reports.items() if ref in meant}
    refused = sum(left[ref] for ref, one in reports.items() if ref in left and isinstance(one.verdict, Refused))
    later = sum(left[ref] for ref, one in reports.items() if ref in left and isinstance(one.verdict, Later))
    counts = {"told": told, "gone": gone, "doubted": doubted, "refused": refused, "later": later}
    return {f"pushes:{outcome}": count for outcome, count in counts.items()}


def _stale(ready: Ready, held_by: Sequence[DeviceRow]) -> Stale:
    handles = tuple(Handle(d.id, d.push_kind, d.push_token, d.registered_at, d.suspected) for d in held_by)
    row = ready.row
    return Stale(row.id, row.credential_set_id, row.pass_type, handles, ready.publication.remote_state)


def ring_unheard(ctx: Context) -> int:
    """Ring once more the phones that were told of a version shortly before now and have not fetched it; called when a
    worker starts. Whoever came while the service was away has been turned off, and a phone that was turned off a few
    times does not come again by itself. Under a fresh tag, so that a phone whose download was not noted before the end
    comes, too: a message may wait for that note. Returns how many cards that are."""
    now = ctx.now()
    with ctx.look() as tx:
        missed = sorted(unheard(tx, now - UNHEARD, MOST_UNHEARD))
    for begin in range(0, len(missed), UNHEARD_SLICE):
        keys = missed[begin : begin + UNHEARD_SLICE]
        with ctx.change() as tx:
            for key in keys:
                passes.ring_again(tx, key, new_tag=True)
            # At the pace of mass changes: a stop in the middle of one leaves thousands.
            jobs.put(tx, [Put(RING, str(key), jobs.BULK, now) for key in keys])
    return len(missed)


def raise_alarm(ctx: Context, credential_set: int, kind: str, sentence: str) -> None:
    """A batch was stopped because a setting must be wrong: rest this credential set, and tell the operator why."""
    now = ctx.now()
    with ctx.change() as tx:
        limits.open_circuit(tx, f"apple:{credential_set}", now + REFUSED_REST, f"{kind}: {sentence}", now)


def _settle(
    ctx: Context,
    by_pass: Mapping[int, Lease],
    ready: Sequence[Ready],
    plan: _Plan,
    reports: Mapping[int, Report],
    rung_at: datetime,
) -> None:
    told = [
        Rung(
            r.row.id,
            r.publication.number,
            r.publication.rung,
            reports[r.row.id].remote_state if r.row.id in reports else r.publication.remote_state,
            rung_at if r.row.id in reports and reports[r.row.id].told else None,
        )
        for r in plan.owed
        if r.row.id not in plan.waits
    ]
    told += [
        Rung(r.row.id, r.publication.rung, r.publication.rung, report.remote_state, None)
        for r in plan.owed
        if r.row.id in plan.waits
        and (report := reports.get(r.row.id)) is not None
        and report.remote_state != r.publication.remote_state
        and r.row.id in plan.pushed.copies
    ]
    with ctx.change() as tx:
        planned_once(tx)
        now = ctx.now()
        forgotten = _heed(tx, plan, reports, rung_at, now)
        called = plan.pushed.copies.keys() & reports.keys()
        anew = overtaken(tx, {r.row.id: r.publication.rung for r in plan.owed if r.row.id in called})
        # Devices before what is noted of their passes, as a registration locks them.
        mark_rung(tx, told)
        pushed.note(tx, plan.owed, plan.pushed, reports, now)
        unlinking.came(tx, _come(plan, reports), now)
        begin_anew(tx, anew)
        _end(tx, by_pass, ready, plan, _tries(plan, reports, forgotten, now), anew, now)


def _come(plan: _Plan, reports: Mapping[int, Report]) -> list[int]:
    """The coupons (pass keys) that their vendor had not before."""
    return [
        r.row.id
        for r in plan.owed
        if r.row.kind == COUPON
        and r.row.id in plan.pushed.copies
        and r.publication.remote_state is None
        and r.row.state == passes.ACTIVE
        and (report := reports.get(r.row.id)) is not None
        and isinstance(report.verdict, Shown)
    ]


def _heed(tx: Tx, plan: _Plan, reports: Mapping[int, Report], rung_at: datetime, now: datetime) -> set[int]:
    """Take the push service at its word about devices; returns those that were forgotten."""
    set_of = {r.row.id: r.row.credential_set_id for r in plan.ringing}
    taken_now = {set_of[report.ref] for report in reports.values() if report.told}
    refused = {set_of[report.ref] for report in reports.values() if report.suspect}
    taken_at = {**devices.told_at(tx, refused), **dict.fromkeys(taken_now, rung_at)} if refused else {}
    doubted = {d.id for r in plan.ringing for d in plan.holders.get(r.row.id, ()) if d.suspected}
    answers = devices.Answers(
        dead=frozenset(ref for report in reports.values() for ref in report.dead),
        suspect={ref: taken_at.get(set_of[report.ref]) for report in reports.values() for ref in report.suspect},
        accused=frozenset(ref for report in reports.values() for ref in report.accused),
        told=frozenset(doubted.intersection(ref for report in reports.values() for ref in report.told)),
    )
    forgotten = devices.heed(tx, answers, rung_at, now)
    devices.note_told(tx, taken_now, rung_at)
    return forgotten


def _tries(plan: _Plan, reports: Mapping[int, Report], forgotten: set[int], now: datetime) -> dict[int, datetime]:
    """When to try the doubted phones of cards that are done otherwise: pass key to the time (UTC)."""
    tries: dict[int, datetime] = {}
    for r in (*plan.owed, *plan.doubted):
        if r.row.id in plan.waits:
            continue
        report = reports.get(r.row.id)
        refused = {*report.suspect, *report.accused} if report else set()
        settled = {*report.told, *report.dead, *forgotten} if report else forgotten
        since = [
            d.suspect_at or now
            for d in plan.holders.get(r.row.id, ())
            if d.id not in settled and (d.suspected or d.id in refused)
        ]
        if since:
            least, most = DOUBTED_REST
            tries[r.row.id] = now + min(max(now - max(since), least), most)
    return tries


def _end(
    tx: Tx,
    by_pass: Mapping[int, Lease],
    ready: Sequence[Ready],
    plan: _Plan,
    tries: Mapping[int, datetime],
    anew: Sequence[int],
    now: datetime,
) -> None:
    """Settle the jobs in the order in which jobs are locked: refreshes before rings."""
    again: dict[int, Again] = {}
    later: list[Put] = []
    for r in ready:
        if r.again is None:
            continue
        lease = by_pass[r.row.id]
        # What is held back belongs to the change that is being told; what changes by its date can wait its turn.
        lane = soonest.waiting(lease.lane) if r.held else jobs.BULK
        if lease.kind == RING:  # it ends when the phones are rung: what the card wants at its time is a refresh's
            later.append(Put(cards.REFRESH, lease.key, lane, r.again))
        else:
            again[lease.id] = Again(r.again, lane)
    again |= {by_pass[key].id: Again(at, jobs.BULK) for key, at in tries.items() if by_pass[key].kind == RING}
    jobs.put(tx, later)
    rests = {by_pass[key].id: Rest(until, why) for key, (until, why) in plan.waits.items() if by_pass[key].kind == RING}
    jobs.settle(tx, list(by_pass.values()), again, rests)
    # Put rather than given back: the lease may be another's by now. After the settling, which has held all of them in
    # their order.
    jobs.put(tx, [Put(cards.REFRESH, str(key), jobs.SERVICE, now) for key in anew])
    held = [
        Held(key, soonest.waiting(by_pass[key].lane), until, why, by_pass[key].runs_out_at)
        for key, (until, why) in plan.waits.items()
        if by_pass[key].kind != RING
    ]
    rings.hold(tx, held, {key: at for key, at in tries.items() if by_pass[key].kind != RING}, now)
