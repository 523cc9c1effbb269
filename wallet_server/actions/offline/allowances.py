"""Owns how much a till may burn without a network: reserved while it has one, for a time, and given back at its end.

What all tills of a programme may burn so is never more than the programme's `allowance_units`: what one reserved stays
reserved until it has brought everything that it did in that time, or can bring nothing any more.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.till import at_till, spendable_currency
from wallet_server.errors import Conflict
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Put
from wallet_server.records.offline import allowances, queues, till_devices
from wallet_server.records.offline.allowances import AllowanceRow
from wallet_server.records.offline.till_devices import DeviceRow
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.programme.program_parts import OfflinePolicy

LONGEST_SILENCE = timedelta(days=31)
"""What a till did longer ago than this is not counted any more (`till.MAX_BEHIND`), so that nothing stays reserved."""
SLICE = 200
APPLY = "offline"
"""The kind of the job that looks at an account, whose key is its own (`actions.offline.applying`)."""


def device_in(tx: Tx, scope: Scope, now: datetime, *, hold: bool = False) -> DeviceRow:
    """The device that signs for the caller. Raises `Conflict` (`no-device`)."""
    row = till_devices.device_of(tx, scope, now, hold=hold)
    if row is None:
        raise Conflict("This till has registered no key to sign with; register one first.", code="no-device")
    return row


def policies(ctx: Context, tx: Tx, scope: Scope) -> dict[str, dict[str, Any]]:
    """Programme to what a till may promise in it without a network."""
    rows = [row for row in programmes.programmes_of(tx, scope) if row.version_id]
    return {row.public_id: asdict(ctx.programme(tx, row.version_id).offline) for row in rows}


def window(ctx: Context, tx: Tx, account_id: int) -> timedelta:
    """How long a device may be silent before others do not wait for it: the longest of the account's programmes."""
    rows = [programmes.programme_by_id(tx, key) for key in programmes.of_account(tx, account_id)]
    minutes = [ctx.programme(tx, row.version_id).offline.window_minutes for row in rows if row.version_id]
    return timedelta(minutes=max(minutes, default=OfflinePolicy().window_minutes))


def reserve(ctx: Context, scope: Scope, programme: str, units: int) -> dict[str, Any]:
    """Let the caller's device burn `units` without a network from now on, for as long as the programme's window. Who
    has some already has this much instead, until later. Raises `Conflict` (`no-device`, `no-offline-burns`,
    `allowance-spent` with what is `available`, `not-spendable`) and `NotFound`."""
    at_till(scope)
    now = ctx.now()
    with ctx.change() as tx:
        queues.hold_account(tx, scope.account_id)
        device = device_in(tx, scope, now)
        row = programmes.programme_in(tx, scope, programme)
        document = ctx.programme(tx, row.version_id)
        policy, currency = document.offline, spendable_currency(document, None)
        if not policy.burn_units_per_card or not policy.allowance_units:
            raise Conflict("This programme lets no till burn anything without a network.", code="no-offline-burns")
        stands = allowances.of_device(tx, device.id)
        same = next((one for one in stands if one.programme_id == row.id), None)
        if any(one is not same for one in stands):
            sentence = "This till has reserved in another programme; give that back first."
            raise Conflict(sentence, code="allowance-elsewhere")
        free = policy.allowance_units - allowances.at_stake(tx, row.id, same.id if same else None)
        if units > free:
            sentence = f"All tills together may burn {policy.allowance_units}; {max(0, free)} are left to reserve."
            facts: dict[str, str | int] = {"available": max(0, free), "asked": units}
            raise Conflict(sentence, code="allowance-spent", facts=facts)
        ends = now + timedelta(minutes=policy.window_minutes)
        if same is None:
            allowances.add(tx, new_id("alw"), row.id, device.id, currency, units, now, ends)
        else:
            allowances.renew(tx, same.id, allowances.burned(tx, same.id) + units, now, ends)
        jobs.put(tx, [Put(APPLY, str(scope.account_id), jobs.SERVICE, ends)])
        return next(_told(tx, one) for one in allowances.of_device(tx, device.id))


def give_back(ctx: Context, scope: Scope) -> None:
    """End what the caller's device has reserved; done once, it is done. What it burned must be here by then. Raises
    `Conflict` (`no-device`, `events-waiting`)."""
    at_till(scope)
    now = ctx.now()
    with ctx.change() as tx:
        queues.hold_account(tx, scope.account_id)
        device = device_in(tx, scope, now)
        if allowances.waits(tx, device.id):
            sentence = "What this till brought is still being counted; give back in a moment."
            raise Conflict(sentence, code="events-waiting")
        for one in allowances.of_device(tx, device.id):
            allowances.close(tx, one.id, now)


def standing(ctx: Context, tx: Tx, device: DeviceRow) -> dict[str, Any] | None:
    """What a device may burn now, as the till is told; None where it is nothing."""
    row = next((one for one in allowances.of_device(tx, device.id) if one.ends_at > ctx.now()), None)
    return None if row is None else _told(tx, row)


def _told(tx: Tx, row: AllowanceRow) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "programme": row.programme,
        "currency": row.currency,
        "amount": row.amount,
        "left": max(0, row.amount - allowances.burned(tx, row.id)),
        "until": row.ends_at.isoformat(),
    }


def close_over(tx: Tx, account_id: int, now: datetime) -> None:
    """Give back what is left of those whose time is over and whose device has brought everything since, or can bring
    nothing any more."""
    queues.hold_account(tx, account_id)
    for one in allowances.over(tx, account_id, now, SLICE):
        device = till_devices.device_by_id(tx, one.device_id, now)
        if _is_done(tx, one, device, now):
            allowances.close(tx, one.id, now)


def _is_done(tx: Tx, one: AllowanceRow, device: DeviceRow, now: datetime) -> bool:
    if not device.live or device.replaced or now > one.ends_at + LONGEST_SILENCE:
        return True
    return device.horizon_at >= one.ends_at and not allowances.waits(tx, device.id)
