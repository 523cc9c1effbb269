"""Owns the ring job: phones that were left to be told later are told, thousands in a breath.

What such a job needs is one statement for the whole batch, and so is what it notes, as long as there is nothing to be
said of a card but that its phones took the push. Every other card goes the way of a refresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import refresh
from wallet_server.records import jobs, limits
from wallet_server.records.jobs import Lease
from wallet_server.records.passes import devices, rings
from wallet_server.records.passes.rings import Owing
from wallet_server.records.passes.rung import Rung, mark_rung
from wallet_server.records.prepared import planned_once
from wallet_server.wallets.port import Handle, Report, Shown, Stale


def ring(ctx: Context, leases: Sequence[Lease]) -> None:
    """Work a batch of ring jobs, whose keys are pass keys; settles every lease."""
    now = ctx.now()
    by_pass = {int(lease.key): lease for lease in leases}
    with ctx.look() as tx:
        planned_once(tx)
        closed = limits.open_circuits(tx, now)
        plain = [
            one
            for one in rings.owing(tx, list(by_pass))
            if not closed or f"{one.wallet}:{one.credential_set_id}" not in closed
        ]
    rung = {one.pass_id for one in plain}
    others = [lease for key, lease in by_pass.items() if key not in rung]
    if others:
        refresh.refresh(ctx, others)
    if plain:
        _ring(ctx, by_pass, plain, now)


def _ring(ctx: Context, by_pass: Mapping[int, Lease], plain: Sequence[Owing], now: datetime) -> None:
    reports: dict[int, Report] = {}
    for name in sorted({one.wallet for one in plain}):
        stale = [_stale(one) for one in plain if one.wallet == name]
        reports |= {report.ref: report for report in ctx.wallets[name].refresh(stale, now)}
    noted: list[Rung] = []
    sets: set[int] = set()
    rest: list[Owing] = []
    told = 0
    for one in plain:
        report = reports[one.pass_id]
        if isinstance(report.verdict, Shown) and len(report.told) == len(one.devices):
            told += len(report.told)
            sets.add(one.credential_set_id)
            noted.append(Rung(one.pass_id, one.number, one.rung, report.remote_state, now))
        else:
            rest.append(one)
    if noted:
        ctx.tally.add("pushes:told", told)
        with ctx.change() as tx:
            planned_once(tx)
            devices.note_told(tx, sets, now)
            mark_rung(tx, noted)
            jobs.settle(tx, [by_pass[one.pass_id] for one in noted])
    if rest:
        refresh.conclude(ctx, [by_pass[key] for key in sorted(one.pass_id for one in rest)], rest, reports, now)


def _stale(one: Owing) -> Stale:
    handles = tuple([Handle._make(device) for device in one.devices])
    return Stale(one.pass_id, one.credential_set_id, one.pass_type, handles, one.remote_state)
