"""Owns the ring job: phones that were left to be told later are told, thousands in a breath.

What such a job needs is one statement for the whole batch, and so is what it notes, as long as there is nothing to be
said of a card but that its phones took the push. Every other card goes the way of a refresh, so many in a transaction
as a batch has: a few statements for each of thousands would keep a till waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from wallet_server.actions.context import Context
from wallet_server.actions.passes import refresh
from wallet_server.records import jobs, limits
from wallet_server.records.jobs import Lease
from wallet_server.records.passes import devices, rings
from wallet_server.records.passes.rings import Owing
from wallet_server.records.passes.rung import Rung, mark_rung
from wallet_server.records.prepared import planned_once
from wallet_server.wallets.port import Handle, Report, Shown, Stale

T = TypeVar("T")
PORTION = 1_000
"""So many cards are noted as told in one transaction, as soon as that many are."""


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
    ringing = {one.pass_id: one for one in plain}
    others = [lease for key, lease in by_pass.items() if key not in ringing]
    for few in _slices(ctx, others):
        refresh.refresh(ctx, few)
    if plain:
        _ring(ctx, by_pass, ringing, now)


def _ring(ctx: Context, by_pass: Mapping[int, Lease], ringing: Mapping[int, Owing], now: datetime) -> None:
    noted: list[Rung] = []
    rest: dict[int, Report] = {}
    for name in sorted({one.wallet for one in ringing.values()}):
        stale = [_stale(one) for one in ringing.values() if one.wallet == name]
        for report in ctx.wallets[name].refresh(stale, now):
            one = ringing[report.ref]
            if len(report.told) == len(one.devices) and isinstance(report.verdict, Shown):
                noted.append(Rung(report.ref, one.number, one.rung, report.remote_state, now))
                if len(noted) == PORTION:
                    _note(ctx, by_pass, ringing, noted, now)
                    noted = []
            else:
                rest[report.ref] = report
    if noted:
        _note(ctx, by_pass, ringing, noted, now)
    for keys in _slices(ctx, sorted(rest)):
        own = {key: rest[key] for key in keys}
        refresh.conclude(ctx, [by_pass[key] for key in keys], [ringing[key] for key in keys], own, now)


def _note(
    ctx: Context, by_pass: Mapping[int, Lease], ringing: Mapping[int, Owing], noted: Sequence[Rung], now: datetime
) -> None:
    """These cards' phones took their push: so much is done, whatever becomes of the others, which are on their way."""
    rung = [ringing[one.pass_id] for one in noted]
    ctx.tally.add("pushes:told", sum([len(one.devices) for one in rung]))
    with ctx.change() as tx:
        planned_once(tx)
        devices.note_told(tx, {one.credential_set_id for one in rung}, now)
        mark_rung(tx, noted)
        jobs.settle(tx, [by_pass[one.pass_id] for one in noted])


def _slices(ctx: Context, whole: Sequence[T]) -> Iterator[Sequence[T]]:
    size = ctx.settings.batch_size
    return (whole[first : first + size] for first in range(0, len(whole), size))


def _stale(one: Owing) -> Stale:
    held = one.devices
    handles = (Handle._make(held[0]),) if len(held) == 1 else tuple([Handle._make(device) for device in held])
    return Stale(one.pass_id, one.credential_set_id, one.pass_type, handles, one.remote_state)
