"""Owns a merchant's keys as a list: what each may do, when it was last used, and which of two that overlap is to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import api_keys, stores, tills
from wallet_server.records.scope import Scope

MOST_KEYS = 500


@dataclass(frozen=True)
class KeyLine:
    """A key without its secret. `device` is the name of the paired device that holds it; `till` and `store` are names.
    `ends_at` is when it stops working, `successor` the public id of the key that takes its place."""

    public_id: str
    till_id: int | None
    till: str | None
    store: str | None
    scopes: frozenset[str]
    label: str | None
    device: str | None
    created_at: datetime
    used_at: datetime | None
    ends_at: datetime | None
    revoked_at: datetime | None
    successor: str | None


_K = api_keys.c
_LINES = sa.select(
    _K.public_id,
    _K.till_id,
    tills.c.name.label("till"),
    stores.c.name.label("store"),
    _K.scopes,
    _K.label,
    _K.name.label("device"),
    _K.created_at,
    _K.used_at,
    _K.expires_at,
    _K.revoked_at,
    _K.replaced_by,
).select_from(api_keys.outerjoin(tills, tills.c.id == _K.till_id).outerjoin(stores, stores.c.id == tills.c.store_id))


def of_merchant(tx: Tx, scope: Scope, now: datetime) -> list[KeyLine]:
    """The merchant's keys that work, those of its software first, then by till; the newest first."""
    live = sa.and_(_K.revoked_at.is_(None), sa.or_(_K.expires_at.is_(None), _K.expires_at > now))
    rows = tx.execute(
        _LINES.where(_K.merchant_id == scope.merchant_id, live)
        .order_by(_K.till_id.is_not(None), tills.c.name, _K.id.desc())
        .limit(MOST_KEYS)
    )
    return [_line(r) for r in rows]


def one(tx: Tx, scope: Scope, public_id: str) -> KeyLine:
    """One of the merchant's keys, whether it works or not. Raises `NotFound`."""
    found = tx.execute(_LINES.where(_K.public_id == public_id, _K.merchant_id == scope.merchant_id)).first()
    if found is None:
        raise NotFound("There is no such key.")
    return _line(found)


def _line(r: sa.Row) -> KeyLine:  # type: ignore[type-arg]
    return KeyLine(
        r.public_id,
        r.till_id,
        r.till,
        r.store,
        frozenset(r.scopes.split()),
        r.label,
        r.device,
        r.created_at,
        r.used_at,
        r.expires_at,
        r.revoked_at,
        r.replaced_by,
    )


def call(tx: Tx, public_id: str, label: str | None) -> None:
    """What people call a key."""
    tx.execute(sa.update(api_keys).where(_K.public_id == public_id).values(label=label))


def replace(tx: Tx, public_id: str, by: str, until: datetime) -> bool:
    """From `until` on the key `by` works alone; False where this one was replaced or ended already."""
    alone = sa.and_(_K.public_id == public_id, _K.replaced_by.is_(None), _K.revoked_at.is_(None))
    return tx.execute(sa.update(api_keys).where(alone).values(replaced_by=by, expires_at=until)).rowcount == 1
