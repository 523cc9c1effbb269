"""Owns the rows of merchants' addresses that are told what happens: who they are, what they want, how they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.operating import counters
from wallet_server.records.schema import accounts, members, merchants, participations, programmes, webhook_endpoints
from wallet_server.records.schema import counters as counter_table
from wallet_server.records.scope import Scope

CHANGES = "webhook-endpoints"
"""The counter that moves with every change of who listens to what, in the transaction of the change."""
MOST_ENDPOINTS = 20
"""Addresses of one merchant."""


@dataclass(frozen=True)
class EndpointRow:
    """An address, what it wants to be told, and how it has answered of late."""

    id: int
    public_id: str
    merchant_id: int
    url: str
    kinds: tuple[str, ...]
    secret_cipher: str
    previous_cipher: str | None
    previous_until: datetime | None
    enabled: bool
    disabled_why: str | None
    disabled_at: datetime | None
    failures: int
    failing_since: datetime | None
    rest_until: datetime | None
    slow: bool
    created_at: datetime


@dataclass(frozen=True)
class Listener:
    """Who wants to be told what of a programme."""

    programme_id: int
    merchant_id: int
    kinds: frozenset[str]


@dataclass(frozen=True)
class Parties:
    """How the merchant and the programme of an event are called, and whether their account is `live` or a `test`."""

    merchant: str | None
    programme: str | None
    mode: str


def add_endpoint(
    tx: Tx, scope: Scope, public_id: str, url: str, kinds: Sequence[str], cipher: str, at: datetime
) -> None:
    row = {
        "public_id": public_id,
        "merchant_id": scope.merchant_id,
        "url": url,
        "kinds": list(kinds),
        "secret_cipher": cipher,
        "enabled": True,
        "created_at": at,
    }
    tx.execute(sa.insert(webhook_endpoints), row)
    counters.add(tx, {CHANGES: 1})


def change_endpoint(tx: Tx, endpoint_id: int, **values: object) -> None:
    """Set these columns; whoever listens to what is looked at anew."""
    table = webhook_endpoints
    tx.execute(sa.update(table).where(table.c.id == endpoint_id).values(**values))
    counters.add(tx, {CHANGES: 1})


def endpoints_of(tx: Tx, scope: Scope) -> list[EndpointRow]:
    """The merchant's addresses, oldest first."""
    table = webhook_endpoints
    own = (table.c.merchant_id == scope.merchant_id, table.c.deleted_at.is_(None))
    return [_endpoint(r) for r in tx.execute(sa.select(table).where(*own).order_by(table.c.id))]


def endpoint_in(tx: Tx, scope: Scope, public_id: str, *, hold: bool = False) -> EndpointRow:
    """One of the merchant's addresses. Raises `NotFound`."""
    found = next((one for one in endpoints_of(tx, scope) if one.public_id == public_id), None)
    if found is None:
        raise NotFound("There is no such webhook.")
    return endpoint(tx, found.id, hold=True) if hold else found


def endpoint(tx: Tx, endpoint_id: int, *, hold: bool = False) -> EndpointRow:
    """An address by its key; `hold` keeps others from changing it until the end of this transaction."""
    query = sa.select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
    if hold and tx.dialect.name != "sqlite":
        query = query.with_for_update(key_share=True)
    return _endpoint(tx.execute(query).one())


def endpoints_by_id(tx: Tx, ids: Sequence[int]) -> dict[int, EndpointRow]:
    """Addresses by key, but for those that were deleted."""
    table = webhook_endpoints
    rows = tx.execute(sa.select(table).where(table.c.id.in_(list(ids)), table.c.deleted_at.is_(None)))
    return {r.id: _endpoint(r) for r in rows}


def _endpoint(r: Any) -> EndpointRow:
    return EndpointRow(
        r.id,
        r.public_id,
        r.merchant_id,
        r.url,
        tuple(r.kinds),
        r.secret_cipher,
        r.previous_cipher,
        r.previous_until,
        r.enabled,
        r.disabled_why,
        r.disabled_at,
        r.failures,
        r.failing_since,
        r.rest_until,
        r.slow,
        r.created_at,
    )


def note_health(tx: Tx, endpoint_id: int, **values: object) -> None:
    """How an address answers; what it is told stays the same."""
    table = webhook_endpoints
    tx.execute(sa.update(table).where(table.c.id == endpoint_id).values(**values))


# ------------------------------------------------------------------------------------------------ who listens

_CHANGES = sa.select(counter_table.c.total).where(counter_table.c.name == CHANGES)


def changes(tx: Tx) -> int:
    """How often it was changed who listens."""
    return int(tx.execute(_CHANGES).scalar() or 0)


def listeners(tx: Tx) -> list[Listener]:
    """Everybody who wants to be told something, once for each programme."""
    table = webhook_endpoints
    rows = tx.execute(
        sa.select(participations.c.programme_id, table.c.merchant_id, table.c.kinds)
        .join(participations, participations.c.merchant_id == table.c.merchant_id)
        .where(table.c.enabled, table.c.deleted_at.is_(None), participations.c.left_at.is_(None))
    )
    return [Listener(r.programme_id, r.merchant_id, frozenset(r.kinds)) for r in rows]


_MEMBER = sa.select(members.c.public_id, members.c.programme_id).where(members.c.id == b("member_id"))


def member_named(tx: Tx, member_id: int) -> tuple[str, int]:
    """How a member is called, and the key of the programme."""
    row = tx.execute(_MEMBER, {"member_id": member_id}).one()
    return row.public_id, row.programme_id


def parties_of(tx: Tx, programme_id: int | None, merchant_id: int | None) -> Parties:
    """What the body of an event says of whom it concerns."""
    merchant = programme = None
    mode = "live"
    if merchant_id is not None:
        query = sa.select(merchants.c.public_id, accounts.c.mode).join(
            accounts, accounts.c.id == merchants.c.account_id
        )
        merchant, mode = tx.execute(query.where(merchants.c.id == merchant_id)).one()
    if programme_id is not None:
        query = sa.select(programmes.c.public_id, accounts.c.mode).join(
            accounts, accounts.c.id == programmes.c.account_id
        )
        programme, mode = tx.execute(query.where(programmes.c.id == programme_id)).one()
    return Parties(merchant, programme, mode)
