"""Owns what tills may burn without a network: reserved for one device until a time, and what was burned of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.schema import (
    currencies,
    offline_allowances,
    offline_burns,
    offline_devices,
    offline_events,
    offline_fates,
    programmes,
)

_ROW = offline_allowances.c


@dataclass(frozen=True)
class AllowanceRow:
    """What one device may burn without a network; it is over once `closed_at` is set."""

    id: int
    public_id: str
    programme_id: int
    programme: str
    device_id: int
    currency: str
    amount: int
    opened_at: datetime
    ends_at: datetime
    closed_at: datetime | None


_ALLOWANCE = (
    sa.select(offline_allowances, programmes.c.public_id.label("programme"), currencies.c.code.label("currency"))
    .join(programmes, programmes.c.id == _ROW.programme_id)
    .join(currencies, currencies.c.id == _ROW.currency_id)
)
_STANDS = _ROW.closed_at.is_(None)


def _allowance(r: sa.Row) -> AllowanceRow:  # type: ignore[type-arg]
    return AllowanceRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.programme,
        r.device_id,
        r.currency,
        r.amount,
        r.opened_at,
        r.ends_at,
        r.closed_at,
    )


def add(
    tx: Tx, public_id: str, programme_id: int, device_id: int, currency: str, amount: int, at: datetime, ends: datetime
) -> None:
    """Reserve; the caller holds the account."""
    of_programme = sa.and_(currencies.c.programme_id == programme_id, currencies.c.code == currency)
    row = {
        "public_id": public_id,
        "programme_id": programme_id,
        "device_id": device_id,
        "currency_id": sa.select(currencies.c.id).where(of_programme).scalar_subquery(),
        "amount": amount,
        "opened_at": at,
        "ends_at": ends,
    }
    tx.execute(sa.insert(offline_allowances).values(row))


def renew(tx: Tx, key: int, amount: int, at: datetime, ends: datetime) -> None:
    """The same one again, of this amount and until then; for each card it counts anew."""
    values = {"amount": amount, "opened_at": at, "ends_at": ends}
    tx.execute(sa.update(offline_allowances).where(_ROW.id == key).values(values))


def close(tx: Tx, key: int, at: datetime) -> None:
    """It is over: what was not burned of it can be reserved again."""
    tx.execute(sa.update(offline_allowances).where(_ROW.id == key, _STANDS).values(closed_at=at))


def of_device(tx: Tx, device_id: int) -> list[AllowanceRow]:
    """Those of a device that stand, the newest first; their time may be over."""
    query = _ALLOWANCE.where(_ROW.device_id == device_id, _STANDS).order_by(_ROW.id.desc())
    return [_allowance(r) for r in tx.execute(query)]


def by_public(tx: Tx, device_id: int, public_id: str) -> AllowanceRow | None:
    """One of this device's, whether it stands or not."""
    found = tx.execute(_ALLOWANCE.where(_ROW.public_id == public_id, _ROW.device_id == device_id)).first()
    return None if found is None else _allowance(found)


_BURNED = sa.func.coalesce(sa.func.sum(offline_burns.c.amount), 0)


def at_stake(tx: Tx, programme_id: int, but: int | None = None) -> int:
    """What all devices together may still burn of what they have reserved, but for one of the reservations."""
    standing = sa.and_(_ROW.programme_id == programme_id, _STANDS, _ROW.id != (but or 0))
    reserved = sa.select(sa.func.coalesce(sa.func.sum(_ROW.amount), 0)).where(standing)
    gone = sa.select(_BURNED).join(offline_allowances, _ROW.id == offline_burns.c.allowance_id).where(standing)
    return int(tx.execute(reserved).scalar_one()) - int(tx.execute(gone).scalar_one())


def burned(tx: Tx, key: int) -> int:
    """What was burned of one."""
    return int(tx.execute(sa.select(_BURNED).where(offline_burns.c.allowance_id == key)).scalar_one())


def burned_for(tx: Tx, key: int, member_id: int, since: datetime) -> int:
    """What was burned of one for a member since then, and for those who were merged into them."""
    query = sa.select(_BURNED).join(offline_events, offline_events.c.id == offline_burns.c.event_id)
    own = sa.and_(offline_burns.c.allowance_id == key, offline_burns.c.member_id.in_(line_of(member_id)))
    return int(tx.execute(query.where(own, offline_events.c.at >= since)).scalar_one())


def note_burn(tx: Tx, event_id: int, key: int, member_id: int, amount: int) -> None:
    row = {"event_id": event_id, "allowance_id": key, "member_id": member_id, "amount": amount}
    tx.execute(sa.insert(offline_burns).values(row))


def waits(tx: Tx, device_id: int) -> bool:
    """Whether anything that this device brought waits to be applied."""
    query = (
        sa.select(offline_fates.c.id)
        .join(offline_events, offline_events.c.id == offline_fates.c.event_id)
        .where(offline_fates.c.state == sa.literal_column("'waiting'"), offline_events.c.device_id == device_id)
    )
    return tx.execute(query.limit(1)).first() is not None


def over(tx: Tx, account_id: int, now: datetime, most: int) -> list[AllowanceRow]:
    """Those of an account whose time is over and that stand."""
    query = (
        _ALLOWANCE.join(offline_devices, offline_devices.c.id == _ROW.device_id)
        .where(offline_devices.c.account_id == account_id, _STANDS, _ROW.ends_at <= now)
        .order_by(_ROW.id)
    )
    return [_allowance(r) for r in tx.execute(query.limit(most))]


def accounts_over(tx: Tx, now: datetime, most: int) -> list[int]:
    """Accounts with some whose time is over and that stand."""
    query = (
        sa.select(offline_devices.c.account_id)
        .join(offline_allowances, _ROW.device_id == offline_devices.c.id)
        .where(_STANDS, _ROW.ends_at <= now)
    )
    return list(tx.execute(query.distinct().limit(most)).scalars())
