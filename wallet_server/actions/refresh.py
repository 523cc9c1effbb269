"""Owns the refresh job: publish stale cards, then, with no transaction open, tell the phones, then settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions import cards
from wallet_server.actions.cards import Ready
from wallet_server.actions.context import Context
from wallet_server.records import devices, jobs, limits, passes
from wallet_server.records.devices import DeviceRow
from wallet_server.records.jobs import Again, Lease, Rest
from wallet_server.records.passes import Rung
from wallet_server.wallets.port import Handle, Later, Refused, Report, Stale

REFUSED_REST = timedelta(minutes=15)


@dataclass(frozen=True)
class Tally:
    """What a batch did, for the metrics."""

    published: int
    told: int
    postponed: int


def refresh(ctx: Context, leases: Sequence[Lease]) -> Tally:
    """Work a batch of refresh jobs whose keys are pass keys; settles every lease.

    Level-triggered: run twice it does no harm, and whatever was put meanwhile runs again.
    """
    now = ctx.now()
    by_pass = {int(lease.key): lease for lease in leases}
    with ctx.change() as tx:
        ready = cards.publish(ctx, tx, sorted(by_pass), now)
        unrung = [r for r in ready if r.publication.rung < r.publication.number]
        holders = devices.holders(tx, [r.row.id for r in unrung]) if unrung else {}
        closed = limits.open_circuits(tx, now) if holders else {}
    waits = _waits(unrung, closed)
    reports = _tell(ctx, [r for r in unrung if r.row.id in holders and r.row.id not in waits], holders, now)
    for report in reports.values():
        if isinstance(report.verdict, Later):
            waits[report.ref] = (ctx.now() + timedelta(seconds=report.verdict.seconds), report.verdict.why)
        elif isinstance(report.verdict, Refused):
            waits[report.ref] = (ctx.now() + REFUSED_REST, report.verdict.why)
    _settle(ctx, by_pass, ready, unrung, holders, reports, waits, now)
    return Tally(len(unrung), sum(r not in waits for r in reports), len(waits))


def _circuit(ready: Ready) -> str:
    return f"{ready.row.wallet}:{ready.row.credential_set_id}"


def _waits(unrung: Sequence[Ready], closed: Mapping[str, tuple[datetime, str]]) -> dict[int, tuple[datetime, str]]:
    """Passes whose wallet is not to be called just now: pass key to (until when, why)."""
    return {r.row.id: closed[_circuit(r)] for r in unrung if _circuit(r) in closed}


def _tell(
    ctx: Context, ready: Sequence[Ready], holders: Mapping[int, Sequence[DeviceRow]], now: datetime
) -> dict[int, Report]:
    reports: dict[int, Report] = {}
    for name in sorted({r.row.wallet for r in ready}):
        stale = [_stale(r, holders[r.row.id]) for r in ready if r.row.wallet == name]
        for report in ctx.wallets[name].refresh(stale, now):
            reports[report.ref] = report
    return reports


def _stale(ready: Ready, held_by: Sequence[DeviceRow]) -> Stale:
    handles = tuple(Handle(d.id, d.push_kind, d.push_token, d.registered_at) for d in held_by)
    row = ready.row
    return Stale(row.id, row.credential_set_id, row.pass_type, handles, ready.publication.remote_state)


def raise_alarm(ctx: Context, credential_set: int, kind: str, sentence: str) -> None:
    """A batch was stopped because a setting must be wrong: rest this credential set, and tell the operator why."""
    now = ctx.now()
    with ctx.change() as tx:
        limits.open_circuit(tx, f"apple:{credential_set}", now + REFUSED_REST, f"{kind}: {sentence}", now)


def _settle(
    ctx: Context,
    by_pass: Mapping[int, Lease],
    ready: Sequence[Ready],
    unrung: Sequence[Ready],
    holders: Mapping[int, Sequence[DeviceRow]],
    reports: Mapping[int, Report],
    waits: Mapping[int, tuple[datetime, str]],
    now: datetime,
) -> None:
    told = [
        Rung(
            r.row.id,
            r.publication.number,
            r.publication.rung,
            reports[r.row.id].remote_state if r.row.id in reports else r.publication.remote_state,
        )
        for r in unrung
        if r.row.id not in waits
    ]
    dead = sorted({ref for report in reports.values() for ref in report.dead})
    suspect = sorted({ref for report in reports.values() for ref in report.suspect})
    suspected = {d.id for rows in holders.values() for d in rows if d.suspected}
    # What is held back belongs to the change that is being told; what changes by its date can wait its turn.
    again = {
        by_pass[r.row.id].id: Again(r.again, by_pass[r.row.id].lane if r.held else jobs.BULK)
        for r in ready
        if r.again is not None
    }
    rests = {by_pass[key].id: Rest(until, why) for key, (until, why) in waits.items()}
    with ctx.change() as tx:
        if dead:
            devices.forget(tx, dead, registered_before=now)
        if suspect:
            devices.suspect(tx, suspect, now)
        if accepted := suspected - set(suspect) - set(dead):
            devices.trust(tx, sorted(accepted))
        # Devices before what is noted of their passes, as a registration locks them.
        passes.mark_rung(tx, told)
        jobs.settle(tx, list(by_pass.values()), again, rests)
