"""Owns the job that carries messages to merchants' addresses: sent with no transaction open, then settled one by one.

A message that was sent and not settled (the process was killed) is sent again under the same id: at least once, never
lost. An address that fails rests, ever longer; one that has taken nothing for days, or says that it is gone, is turned
off.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from wallet_server.actions import outbox
from wallet_server.actions.context import Context
from wallet_server.channels.posting import MOST_SECONDS, Answered
from wallet_server.errors import WalletError
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.telling import deliveries, webhooks
from wallet_server.records.telling.deliveries import DEAD, DELIVERED, WAITING, AttemptRow, DeliveryRow
from wallet_server.records.telling.webhooks import EndpointRow
from wallet_server.rules import webhooks as rules

GONE, FAILING, BY_MERCHANT = "gone", "failing", "merchant"
"""Why an address was turned off."""
SLOW_MILLISECONDS = 2_000
BUSY_REST = timedelta(seconds=1)
_log = structlog.get_logger("webhooks")


@dataclass(frozen=True)
class _Parcel:
    """A delivery that is due, and the job that says so."""

    lease: Lease
    row: DeliveryRow


def deliver(ctx: Context, leases: Sequence[Lease]) -> None:
    """Send off what is due, a round for each address; waits for none of them. Every lease is settled by its round, by
    its end at the latest."""
    now = ctx.clock()
    with ctx.look() as tx:
        rows = deliveries.deliveries_by_id(tx, [int(lease.key) for lease in leases])
        endpoints = webhooks.endpoints_by_id(tx, sorted({row.endpoint_id for row in rows.values()}))
    rounds: dict[int, list[_Parcel]] = {}
    over: list[Lease] = []
    for lease in leases:
        row = rows.get(int(lease.key))
        if row is None or row.state != WAITING:
            over.append(lease)
        else:
            rounds.setdefault(row.endpoint_id, []).append(_Parcel(lease, row))
    if over:
        with ctx.change() as tx:
            jobs.settle(tx, over)
    for key, parcels in rounds.items():
        _send_off(ctx, endpoints.get(key), sorted(parcels, key=lambda one: one.row.id), now)


def _send_off(ctx: Context, endpoint: EndpointRow | None, parcels: Sequence[_Parcel], now: datetime) -> None:
    if endpoint is None or not endpoint.enabled:
        with ctx.change() as tx:
            for one in parcels:
                deliveries.bury(tx, one.row, now)
            jobs.settle(tx, [one.lease for one in parcels])
    elif endpoint.rest_until is not None and endpoint.rest_until > now:
        _leave(ctx, parcels, endpoint.rest_until, "the address rests")
    else:
        slow = endpoint.slow or endpoint.failures > 0
        if not ctx.couriers.send_off(endpoint.id, slow, partial(_round, ctx, endpoint, parcels)):
            _leave(ctx, parcels, now + BUSY_REST * (5 if slow else 1), "the address is busy")


def _leave(ctx: Context, parcels: Sequence[_Parcel], until: datetime, why: str) -> None:
    """Later, which is no failure of theirs; a little apart, so that they do not all come at the same moment."""
    with ctx.change() as tx:
        for one in parcels:
            jobs.rest(tx, one.lease, until + BUSY_REST * random.random(), why, failed=False)  # noqa: S311


def _round(ctx: Context, endpoint: EndpointRow, parcels: Sequence[_Parcel]) -> None:
    """One after the other, until the address is to be left alone or the leases near their end."""
    ends = time.monotonic() + ctx.settings.lease_seconds * 0.4
    left = list(parcels)
    try:
        while left and time.monotonic() < ends and not ctx.couriers.stopping:
            going_on = _carry(ctx, endpoint.id, left[0])
            del left[0]
            if not going_on:
                break
        outbox.hand_back(ctx, [one.lease for one in left])
    except Exception as fault:  # noqa: BLE001 - a round must not end without a word; what went wrong is kept with it
        _log.error("round failed", webhook=endpoint.public_id, fault=type(fault).__name__, why=str(fault)[:300])
        _set_aside(ctx, [one.lease for one in left], fault)


def _set_aside(ctx: Context, leases: Sequence[Lease], fault: Exception) -> None:
    try:
        outbox.bury_or_rest(ctx, leases, f"{type(fault).__name__}: {fault}", random.random(), hopeless=False)  # noqa: S311
    except WalletError as away:
        _log.warning("deliveries left to their leases", why=str(away))


def _carry(ctx: Context, endpoint_id: int, one: _Parcel) -> bool:
    """Send one message and note what became of it; False when the address is to be left alone now."""
    at = ctx.clock()
    with ctx.look() as tx:
        endpoint = webhooks.endpoints_by_id(tx, [endpoint_id]).get(endpoint_id)
    if endpoint is None or not endpoint.enabled or (endpoint.rest_until is not None and endpoint.rest_until > at):
        _send_off(ctx, endpoint, [one], at)
        return False
    headers = {
        "User-Agent": "wallet-server",
        **rules.headers(one.row.event, at, one.row.body, secrets_of(ctx, endpoint, at)),
    }
    within = min(MOST_SECONDS, ctx.settings.lease_seconds * 0.5)
    answered = ctx.poster.post(endpoint.url, one.row.body, headers, within)
    return _conclude(ctx, endpoint, one, answered, at)


def secrets_of(ctx: Context, endpoint: EndpointRow, at: datetime) -> list[bytes]:
    """What signs for this address: its secret, and for a while after a change the one before."""
    ciphers = [endpoint.secret_cipher]
    if endpoint.previous_cipher is not None and endpoint.previous_until is not None and endpoint.previous_until > at:
        ciphers.append(endpoint.previous_cipher)
    return [ctx.keyring.open(cipher, f"webhook:{endpoint.public_id}") for cipher in ciphers]


def _conclude(ctx: Context, endpoint: EndpointRow, one: _Parcel, answered: Answered, at: datetime) -> bool:
    attempt = AttemptRow(
        0, at, answered.status, answered.milliseconds, answered.text or None, (answered.fault or "")[:200] or None
    )
    slow = answered.milliseconds > SLOW_MILLISECONDS
    with ctx.change() as tx:
        if answered.taken:
            if endpoint.failures or endpoint.slow != slow:
                well: Mapping[str, object] = {"failures": 0, "failing_since": None, "rest_until": None, "slow": slow}
                webhooks.note_health(tx, endpoint.id, **well)
            deliveries.add_attempt(tx, one.row, attempt, DELIVERED, None)
            jobs.settle(tx, [one.lease])
            return True
        resting = _note_failure(ctx, tx, endpoint.id, one, attempt, answered, slow=slow)
    if resting:
        ctx.listeners.forget()
    return not resting


def _note_failure(
    ctx: Context, tx: Tx, endpoint_id: int, one: _Parcel, attempt: AttemptRow, answered: Answered, *, slow: bool
) -> bool:
    """The message waits for its next try, or has had its last; whether the address is to be left alone."""
    now = ctx.clock()
    endpoint = webhooks.endpoint(tx, endpoint_id, hold=True)
    failures, since = endpoint.failures + 1, endpoint.failing_since or now
    why = GONE if answered.status == 410 else FAILING if now - since >= rules.GIVEN_UP_AFTER else None
    asked = rules.retry_after(answered.retry_after, now) if answered.status in (429, 503) else None
    rest = max(asked or timedelta(0), rules.rest(failures) or timedelta(0))
    webhooks.note_health(
        tx,
        endpoint_id,
        failures=failures,
        failing_since=since,
        rest_until=now + rest if rest else None,
        slow=slow,
    )
    if why is not None and endpoint.enabled:
        webhooks.change_endpoint(tx, endpoint_id, enabled=False, disabled_why=why, disabled_at=now)
        _log.warning("webhook turned off", webhook=endpoint.public_id, why=why)
    pause = None if why is not None else rules.next_try(one.row.tries + 1, random.random(), asked)  # noqa: S311
    if pause is None:
        deliveries.add_attempt(tx, one.row, attempt, DEAD, None)
        jobs.settle(tx, [one.lease])
    else:
        deliveries.add_attempt(tx, one.row, attempt, WAITING, now + pause)
        jobs.settle(tx, [one.lease], {one.lease.id: Again(now + pause, jobs.OUT)})
    return bool(rest) or why is not None
