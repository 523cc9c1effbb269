"""Owns the rows of pairing: one-time invitations of a device to a till, and the devices that were paired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import api_keys, merchants, pairings, stores, tills
from wallet_server.records.scope import Scope

MOST_TILLS = 500
MOST_DEVICES = 1000


@dataclass(frozen=True)
class TillRow:
    """A till of an open store."""

    id: int
    public_id: str
    name: str
    store: str
    store_public_id: str


@dataclass(frozen=True)
class DeviceRow:
    """A paired device, by the public id of its key. `used_at` is when it was last heard of, to the minute."""

    public_id: str
    till: str
    name: str
    paired_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class PairingRow:
    """An invitation; `key_*` and `device` tell of the key that was made with it, once it was used."""

    id: int
    public_id: str
    account_id: int
    merchant_id: int
    merchant: str
    till_id: int
    till: str
    store: str
    expires_at: datetime
    used_at: datetime | None
    staff_id: int | None
    key_public_id: str | None
    key_sha256: bytes | None
    key_live: bool
    device: str | None


_TILLS = (
    sa.select(tills, stores.c.name.label("store"), stores.c.public_id.label("store_public_id"))
    .join(stores, stores.c.id == tills.c.store_id)
    .where(stores.c.merchant_id == b("merchant_id"), stores.c.closed_at.is_(None))
    .order_by(stores.c.id, tills.c.id)
    .limit(MOST_TILLS)
)


def tills_of(tx: Tx, scope: Scope) -> list[TillRow]:
    """The tills of the merchant's open stores, store by store, the oldest first."""
    return [_till(r) for r in tx.execute(_TILLS, {"merchant_id": scope.merchant_id})]


def till_in(tx: Tx, scope: Scope, public_id: str) -> TillRow:
    """One of the merchant's tills. Raises `NotFound`."""
    row = tx.execute(_TILLS.where(tills.c.public_id == public_id), {"merchant_id": scope.merchant_id}).first()
    if row is None:
        raise NotFound("There is no such till.", field="till")
    return _till(row)


def _till(r: sa.Row) -> TillRow:  # type: ignore[type-arg]
    return TillRow(r.id, r.public_id, r.name, r.store, r.store_public_id)


_DEVICES = (
    sa.select(api_keys, tills.c.public_id.label("till"))
    .join(tills, tills.c.id == api_keys.c.till_id)
    .where(api_keys.c.merchant_id == b("merchant_id"), api_keys.c.name.is_not(None), api_keys.c.revoked_at.is_(None))
    .order_by(api_keys.c.id.desc())
    .limit(MOST_DEVICES)
)


def devices_of(tx: Tx, scope: Scope) -> list[DeviceRow]:
    """The merchant's paired devices, the newest first."""
    return [_device(r) for r in tx.execute(_DEVICES, {"merchant_id": scope.merchant_id})]


def device_in(tx: Tx, scope: Scope, public_id: str) -> DeviceRow:
    """One of the merchant's paired devices. Raises `NotFound`."""
    found = tx.execute(_DEVICES.where(api_keys.c.public_id == public_id), {"merchant_id": scope.merchant_id}).first()
    if found is None:
        raise NotFound("There is no such device.")
    return _device(found)


def _device(r: sa.Row) -> DeviceRow:  # type: ignore[type-arg]
    return DeviceRow(r.public_id, r.till, r.name, r.created_at, r.used_at)


def add(
    tx: Tx,
    public_id: str,
    scope: Scope,
    till_id: int,
    staff_id: int | None,
    secret_sha256: bytes,
    at: datetime,
    expires_at: datetime,
) -> None:
    tx.execute(
        sa.insert(pairings).values(
            public_id=public_id,
            merchant_id=scope.merchant_id,
            till_id=till_id,
            staff_id=staff_id,
            secret_sha256=secret_sha256,
            created_at=at,
            expires_at=expires_at,
        )
    )


def forget(tx: Tx, scope: Scope, before: datetime) -> None:
    """Delete the merchant's invitations that ran out unused before then."""
    tx.execute(
        sa.delete(pairings).where(
            pairings.c.merchant_id == scope.merchant_id, pairings.c.used_at.is_(None), pairings.c.expires_at < before
        )
    )


def drop_made_by(tx: Tx, staff_id: int) -> None:
    """Delete the unused invitations that this person made."""
    tx.execute(sa.delete(pairings).where(pairings.c.staff_id == staff_id, pairings.c.used_at.is_(None)))


_WHOLE = (
    sa.select(
        pairings,
        merchants.c.account_id,
        merchants.c.name.label("merchant"),
        tills.c.name.label("till"),
        stores.c.name.label("store"),
        api_keys.c.public_id.label("key_public_id"),
        api_keys.c.secret_sha256.label("key_sha256"),
        api_keys.c.revoked_at.label("key_revoked_at"),
        api_keys.c.name.label("device"),
    )
    .join(merchants, merchants.c.id == pairings.c.merchant_id)
    .join(tills, tills.c.id == pairings.c.till_id)
    .join(stores, stores.c.id == tills.c.store_id)
    .outerjoin(api_keys, api_keys.c.id == pairings.c.api_key_id)
)
_BY_SECRET = _WHOLE.where(pairings.c.secret_sha256 == b("secret"))
_IN_SCOPE = _WHOLE.where(pairings.c.public_id == b("public_id"), pairings.c.merchant_id == b("merchant_id"))


def by_secret(tx: Tx, secret_sha256: bytes) -> PairingRow | None:
    """The invitation of this secret, whoever it belongs to: this is how a device gets its scope."""
    row = tx.execute(_BY_SECRET, {"secret": secret_sha256}).first()
    return _pairing(row) if row else None


def pairing_in(tx: Tx, scope: Scope, public_id: str) -> PairingRow:
    """One of the merchant's invitations. Raises `NotFound`."""
    row = tx.execute(_IN_SCOPE, {"public_id": public_id, "merchant_id": scope.merchant_id}).first()
    if row is None:
        raise NotFound("There is no such invitation.")
    return _pairing(row)


def _pairing(r: sa.Row) -> PairingRow:  # type: ignore[type-arg]
    return PairingRow(
        id=r.id,
        public_id=r.public_id,
        account_id=r.account_id,
        merchant_id=r.merchant_id,
        merchant=r.merchant,
        till_id=r.till_id,
        till=r.till,
        store=r.store,
        expires_at=r.expires_at,
        used_at=r.used_at,
        staff_id=r.staff_id,
        key_public_id=r.key_public_id,
        key_sha256=bytes(r.key_sha256) if r.key_sha256 is not None else None,
        key_live=r.key_public_id is not None and r.key_revoked_at is None,
        device=r.device,
    )


_CLAIM = sa.update(pairings).where(pairings.c.id == b("pairing"), pairings.c.used_at.is_(None)).values(used_at=b("at"))
_HOLD = sa.update(pairings).where(pairings.c.id == b("pairing")).values(api_key_id=b("api_key"))


def claim(tx: Tx, pairing_id: int, at: datetime) -> bool:
    """Use the invitation up; False when somebody else was first."""
    return tx.execute(_CLAIM, {"pairing": pairing_id, "at": at}).rowcount == 1


def hold(tx: Tx, pairing_id: int, api_key_id: int) -> None:
    """Note which key was made with it."""
    tx.execute(_HOLD, {"pairing": pairing_id, "api_key": api_key_id})
