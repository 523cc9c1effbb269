"""Owns the devices of tills without a network: which key each signs with, and how much of what it did is here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import api_keys, offline_devices, tills
from wallet_server.records.scope import Scope

MOST_DEVICES = 2000


@dataclass(frozen=True)
class DeviceRow:
    """A device that signs. `live` is false once the key that it calls under was ended."""

    id: int
    public_id: str
    account_id: int
    merchant_id: int
    till: str
    api_key: str
    public_key: bytes
    next_sequence: int
    horizon_at: datetime
    heard_at: datetime
    floor_at: datetime | None
    skew_ms: int
    replaced: bool
    live: bool


_DEVICE = (
    sa.select(
        offline_devices,
        tills.c.public_id.label("till"),
        api_keys.c.revoked_at,
        api_keys.c.expires_at.label("key_expires_at"),
    )
    .join(tills, tills.c.id == offline_devices.c.till_id)
    .join(api_keys, api_keys.c.public_id == offline_devices.c.api_key)
)


def _device(r: sa.Row, now: datetime) -> DeviceRow:  # type: ignore[type-arg]
    return DeviceRow(
        r.id,
        r.public_id,
        r.account_id,
        r.merchant_id,
        r.till,
        r.api_key,
        bytes(r.public_key),
        r.next_sequence,
        r.horizon_at,
        r.heard_at,
        r.floor_at,
        r.skew_ms,
        r.replaced_at is not None,
        r.revoked_at is None and (r.key_expires_at is None or r.key_expires_at > now),
    )


def device_of(tx: Tx, scope: Scope, now: datetime, *, hold: bool = False) -> DeviceRow | None:
    """The device that signs for the caller's key; None where none was registered. Held, if asked, until the end of the
    transaction."""
    query = _DEVICE.where(offline_devices.c.api_key == scope.key_id, offline_devices.c.replaced_at.is_(None))
    if hold and tx.dialect.name != "sqlite":
        query = query.with_for_update(of=offline_devices)
    found = tx.execute(query).first()
    return None if found is None else _device(found, now)


def device_by_id(tx: Tx, key: int, now: datetime) -> DeviceRow:
    return _device(tx.execute(_DEVICE.where(offline_devices.c.id == key)).one(), now)


def earlier_device(tx: Tx, scope: Scope, public_id: str, now: datetime) -> DeviceRow | None:
    """A device of the caller's till that signs no more, since another key or another pairing is in its place."""
    query = _DEVICE.where(offline_devices.c.public_id == public_id, offline_devices.c.till_id == scope.till_id)
    found = tx.execute(query).first()
    row = None if found is None else _device(found, now)
    return row if row is not None and (row.replaced or not row.live) else None


def is_known(tx: Tx, public_id: str) -> bool:
    """Whether there is a device of this name, whoever's."""
    return (
        tx.execute(sa.select(offline_devices.c.id).where(offline_devices.c.public_id == public_id)).first() is not None
    )


def register(
    tx: Tx,
    public_id: str,
    scope: Scope,
    public_key: bytes,
    now: datetime,
    next_sequence: int = 1,
    horizon: datetime | None = None,
) -> None:
    """From now on what comes under the caller's key is signed by this key. One that it had before is replaced; one that
    it goes back to is the same device again. A new one begins with this number, and brings nothing from before the
    `horizon` (now)."""
    own = offline_devices.c.api_key == scope.key_id
    others = sa.and_(own, offline_devices.c.public_key != public_key, offline_devices.c.replaced_at.is_(None))
    tx.execute(sa.update(offline_devices).where(others).values(replaced_at=now))
    row = {
        "public_id": public_id,
        "account_id": scope.account_id,
        "merchant_id": scope.merchant_id,
        "till_id": scope.till_id,
        "api_key": scope.key_id,
        "public_key": public_key,
        "registered_at": now,
        "next_sequence": next_sequence,
        "horizon_at": horizon or now,
        "heard_at": now,
    }
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    again = {"replaced_at": None}
    tx.execute(
        make(offline_devices).values(row).on_conflict_do_update(index_elements=["api_key", "public_key"], set_=again)
    )


def devices_to_wait_for(
    tx: Tx, account_id: int, since: datetime, more: Collection[int], now: datetime
) -> list[DeviceRow]:
    """The account's devices that had brought everything since then, and these."""
    known = sa.and_(offline_devices.c.horizon_at > since, offline_devices.c.replaced_at.is_(None))
    wanted = sa.or_(known, offline_devices.c.id.in_(list(more)))
    query = _DEVICE.where(offline_devices.c.account_id == account_id, wanted).order_by(offline_devices.c.id)
    return [_device(r, now) for r in tx.execute(query.limit(MOST_DEVICES))]


def heard(
    tx: Tx, device: DeviceRow, now: datetime, skew: timedelta, next_sequence: int, horizon: datetime | None
) -> None:
    """The device was heard of; `horizon` where it had brought everything by then."""
    values: dict[str, Any] = {"heard_at": now, "next_sequence": next_sequence}
    values["skew_ms"] = skew // timedelta(milliseconds=1)
    if horizon is not None:
        values["horizon_at"] = horizon
    tx.execute(sa.update(offline_devices).where(offline_devices.c.id == device.id).values(values))
