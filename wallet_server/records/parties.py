"""Owns who takes part: accounts, merchants, stores, tills and the keys that speak for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.among import among
from wallet_server.records.database import Database, Tx
from wallet_server.records.operating.glance import Glance
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    account_clocks,
    accounts,
    api_keys,
    merchants,
    participations,
    stores,
    tills,
)
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class StoreRow:
    """A store; coordinates in degrees (WGS 84), `texts` is what a card says nearby (language to text)."""

    id: int
    public_id: str
    merchant_id: int
    name: str
    zone: str
    latitude: float | None
    longitude: float | None
    texts: Mapping[str, str] | None


@dataclass(frozen=True)
class KeyRow:
    """A key with the scope it speaks for; `live` is false when it was revoked or has expired."""

    secret_sha256: bytes
    live: bool
    scope: Scope


LIVE, TEST = "live", "test"
"""What an account is for: trade, or trying things out, with a clock of its own."""


def add_account(tx: Tx, public_id: str, name: str, issuer_mark: str, at: datetime, mode: str = LIVE) -> int:
    row = {"public_id": public_id, "name": name, "issuer_mark": issuer_mark, "created_at": at, "mode": mode}
    return int(tx.execute(sa.insert(accounts).returning(accounts.c.id), row).scalar_one())


def count_accounts(tx: Tx) -> int:
    """How many accounts this installation has."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one())


def mode_of(tx: Tx, account_id: int) -> str:
    """`LIVE` or `TEST`."""
    return str(tx.execute(sa.select(accounts.c.mode).where(accounts.c.id == account_id)).scalar_one())


def add_merchant(tx: Tx, public_id: str, account_id: int, name: str, at: datetime) -> int:
    row = {"public_id": public_id, "account_id": account_id, "name": name, "created_at": at}
    return int(tx.execute(sa.insert(merchants).returning(merchants.c.id), row).scalar_one())


def add_store(
    tx: Tx,
    public_id: str,
    merchant_id: int,
    name: str,
    zone: str,
    latitude: float | None,
    longitude: float | None,
    texts: Mapping[str, str] | None,
    at: datetime,
) -> int:
    row = {
        "public_id": public_id,
        "merchant_id": merchant_id,
        "name": name,
        "zone": zone,
        "latitude": latitude,
        "longitude": longitude,
        "texts": dict(texts) if texts else None,
        "created_at": at,
    }
    return int(tx.execute(sa.insert(stores).returning(stores.c.id), row).scalar_one())


def change_store(tx: Tx, store_id: int, values: Mapping[str, object]) -> None:
    tx.execute(sa.update(stores).where(stores.c.id == store_id).values(**values))


def stores_of(tx: Tx, scope: Scope) -> list[StoreRow]:
    """The merchant's open stores, oldest first."""
    rows = tx.execute(
        sa.select(stores)
        .where(stores.c.merchant_id == scope.merchant_id, stores.c.closed_at.is_(None))
        .order_by(stores.c.id)
    )
    return [_store(r) for r in rows]


def store_in(tx: Tx, scope: Scope, public_id: str) -> StoreRow:
    """One of the merchant's stores. Raises `NotFound`."""
    row = tx.execute(
        sa.select(stores).where(stores.c.public_id == public_id, stores.c.merchant_id == scope.merchant_id)
    ).first()
    if row is None:
        raise NotFound("There is no such store.", field="store")
    return _store(row)


_PROGRAMME_STORES = Prepared(
    sa.select(stores)
    .join(participations, participations.c.merchant_id == stores.c.merchant_id)
    .where(
        participations.c.programme_id == b("programme_id"),
        participations.c.left_at.is_(None),
        stores.c.closed_at.is_(None),
    )
    .order_by(stores.c.id)
    .limit(10_000)
)


def stores_of_programme(tx: Tx, programme_id: int) -> list[StoreRow]:
    """The open stores of every merchant that takes part."""
    return [_store(r) for r in _PROGRAMME_STORES.rows(tx, {"programme_id": programme_id})]


_BY_ID = Prepared(lambda dialect: sa.select(stores).where(among(dialect, stores.c.id)))


def stores_by_id(tx: Tx, ids: Sequence[int]) -> list[StoreRow]:
    """Stores by key, closed ones too (a member's home store may have closed)."""
    return [_store(r) for r in _BY_ID.rows(tx, {"ids": list(ids)})] if ids else []


def _store(row: Any) -> StoreRow:
    return StoreRow(row.id, row.public_id, row.merchant_id, row.name, row.zone, row.latitude, row.longitude, row.texts)


def add_till(tx: Tx, public_id: str, store_id: int, name: str, at: datetime) -> int:
    row = {"public_id": public_id, "store_id": store_id, "name": name, "created_at": at}
    return int(tx.execute(sa.insert(tills).returning(tills.c.id), row).scalar_one())


def add_key(
    tx: Tx,
    public_id: str,
    account_id: int,
    merchant_id: int,
    till_id: int | None,
    scopes: frozenset[str],
    secret_sha256: bytes,
    at: datetime,
    name: str | None = None,
) -> int:
    """A key; `name` is that of the paired device which holds it."""
    row = {
        "public_id": public_id,
        "account_id": account_id,
        "merchant_id": merchant_id,
        "till_id": till_id,
        "scopes": " ".join(sorted(scopes)),
        "secret_sha256": secret_sha256,
        "created_at": at,
        "name": name,
    }
    return int(tx.execute(sa.insert(api_keys).returning(api_keys.c.id), row).scalar_one())


_USED = sa.update(api_keys).where(api_keys.c.public_id == b("key")).values(used_at=b("at"))


def note_key(tx: Tx, public_id: str, at: datetime) -> None:
    """The key is in use."""
    tx.execute(_USED, {"key": public_id, "at": at})


def end_key(tx: Tx, scope: Scope, public_id: str, at: datetime, *, at_once: bool) -> None:
    """Revoke one of the merchant's keys now, or let it run out at `at` (rotation with an overlap)."""
    done = tx.execute(
        sa.update(api_keys)
        .where(api_keys.c.public_id == public_id, api_keys.c.merchant_id == scope.merchant_id)
        .values(**{"revoked_at" if at_once else "expires_at": at})
    ).rowcount
    if not done:
        raise NotFound("There is no such key.")


_KEY = Glance(
    sa.select(
        api_keys.c.public_id,
        api_keys.c.account_id,
        api_keys.c.merchant_id,
        api_keys.c.till_id,
        api_keys.c.scopes,
        api_keys.c.name,
        api_keys.c.secret_sha256,
        api_keys.c.expires_at,
        api_keys.c.revoked_at,
        tills.c.public_id,
        stores.c.id,
        stores.c.zone,
        stores.c.public_id,
        merchants.c.public_id,
        accounts.c.issuer_mark,
        accounts.c.mode,
        account_clocks.c.offset_seconds,
    )
    .join(accounts, accounts.c.id == api_keys.c.account_id)
    .join(merchants, merchants.c.id == api_keys.c.merchant_id)
    .outerjoin(account_clocks, account_clocks.c.account_id == api_keys.c.account_id)
    .outerjoin(tills, tills.c.id == api_keys.c.till_id)
    .outerjoin(stores, stores.c.id == tills.c.store_id)
    .where(api_keys.c.public_id == b("public_id"))
)


def key(database: Database, public_id: str, now: datetime) -> KeyRow | None:
    """The key of this public id, whoever it belongs to: this is how a caller gets its scope."""
    row = _KEY.first(database, public_id=public_id)
    if row is None:
        return None
    *found, mode, ahead = row
    name_of_key, account, merchant, till_id, scopes, name, secret, ends, revoked, till, *of_store, shop, mark = found
    store_id, zone, store = of_store
    scope = Scope(
        account_id=account,
        merchant_id=merchant,
        principal=till or shop,
        key_id=name_of_key,
        issuer_mark=mark,
        scopes=frozenset(scopes.split()),
        store_id=store_id,
        till_id=till_id,
        zone=zone or "UTC",
        device=name is not None,
        store=store or "",
        mode=mode,
        ahead_seconds=ahead or 0,
    )
    return KeyRow(bytes(secret), revoked is None and (ends is None or ends > now), scope)


class KeyChanged(Exception):
    """A key that was known a moment ago is not good any more."""


_STILL_GOOD = Prepared(
    sa.select(sa.literal_column("1 / COUNT(*)", sa.BigInteger))
    .select_from(api_keys)
    .where(
        api_keys.c.public_id == b("key", type_=sa.Text()),
        api_keys.c.revoked_at.is_(None),
        sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > b("now", type_=api_keys.c.expires_at.type)),
        ~sa.exists().where(account_clocks.c.account_id == api_keys.c.account_id, account_clocks.c.offset_seconds != 0),
    )
)


def demand_good_key(tx: Tx, scope: Scope, now: datetime) -> None:
    """On PostgreSQL: whatever this transaction says next is refused with `KeyChanged`, unless the caller's key is good
    still and its account has everybody's time. The question travels with that, and is answered by an error or not at
    all (it divides by how many keys it finds), so that it costs no message of its own."""
    _STILL_GOOD.leave(tx, {"key": scope.key_id, "now": now}, _changed)


def _changed(fault: psycopg.Error) -> Exception:
    return KeyChanged() if isinstance(fault, psycopg.errors.DivisionByZero) else fault


def principals(scope: Scope) -> tuple[str, str]:
    """The two names under which a write is claimed: the till's own, and the merchant's."""
    return scope.principal, f"merchant:{scope.merchant_id}"
