"""Owns PINs and shifts as rows: who has which PIN, and who stands at which till until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Database, Tx
from wallet_server.records.operating.glance import Glance
from wallet_server.records.schema import api_keys, cashier_pins, shifts, staff
from wallet_server.records.scope import Scope

MOST_CASHIERS = 500


@dataclass(frozen=True)
class CashierRow:
    """Somebody who may stand at a till, and the PIN (sealed; None where there is none yet). `first` where somebody else
    chose it."""

    id: int
    public_id: str
    name: str
    role: str
    pin_cipher: str | None
    first: bool
    changed_at: datetime | None


@dataclass(frozen=True)
class ShiftRow:
    """A live shift with who stands there, whatever has become of them since."""

    public_id: str
    secret_sha256: bytes
    key: str
    staff_id: int
    staff: str
    name: str
    role: str
    merchant_id: int
    expires_at: datetime
    ended: bool
    disabled: bool


_PEOPLE = (
    sa.select(
        staff.c.id,
        staff.c.public_id,
        staff.c.name,
        staff.c.role,
        cashier_pins.c.pin_cipher,
        cashier_pins.c.first,
        cashier_pins.c.changed_at,
    )
    .select_from(staff.outerjoin(cashier_pins, cashier_pins.c.staff_id == staff.c.id))
    .where(
        staff.c.merchant_id == b("merchant"),
        staff.c.disabled_at.is_(None),
        staff.c.role.in_(b("roles", expanding=True)),
    )
    .order_by(staff.c.name, staff.c.id)
    .limit(MOST_CASHIERS)
)


def people(tx: Tx, scope: Scope, roles: Sequence[str]) -> list[CashierRow]:
    """Those of the merchant's people who have one of these roles, by name."""
    rows = tx.execute(_PEOPLE, {"merchant": scope.merchant_id, "roles": list(roles)})
    return [CashierRow(r.id, r.public_id, r.name, r.role, r.pin_cipher, bool(r.first), r.changed_at) for r in rows]


def person(tx: Tx, scope: Scope, public_id: str) -> CashierRow | None:
    """One of the merchant's people, whatever their role and whether they still work here; without their PIN."""
    query = sa.select(staff.c.id, staff.c.public_id, staff.c.name, staff.c.role)
    r = tx.execute(query.where(staff.c.public_id == public_id, staff.c.merchant_id == scope.merchant_id)).first()
    return None if r is None else CashierRow(r.id, r.public_id, r.name, r.role, None, False, None)


def set_pin(tx: Tx, staff_id: int, cipher: str, at: datetime, *, first: bool) -> None:
    """Put a PIN in the place of the old one."""
    make = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(cashier_pins)
    row = {"pin_cipher": cipher, "first": first, "changed_at": at}
    statement = make.values(staff_id=staff_id, **row)
    tx.execute(statement.on_conflict_do_update(index_elements=["staff_id"], set_=row))


def drop_pin(tx: Tx, staff_id: int) -> None:
    """There is none any more."""
    tx.execute(sa.delete(cashier_pins).where(cashier_pins.c.staff_id == staff_id))


def add(
    tx: Tx, public_id: str, staff_id: int, scope: Scope, secret_sha256: bytes, began_at: datetime, expires_at: datetime
) -> None:
    """A shift at the till whose key calls; whoever stood there before stands there no more."""
    end_at(tx, scope, began_at)
    key = sa.select(api_keys.c.id).where(api_keys.c.public_id == scope.key_id).scalar_subquery()
    row = {"public_id": public_id, "staff_id": staff_id, "api_key_id": key, "secret_sha256": secret_sha256}
    tx.execute(sa.insert(shifts).values(**row, began_at=began_at, expires_at=expires_at))


def end_at(tx: Tx, scope: Scope, at: datetime) -> int:
    """End whatever shift runs with the caller's key; returns how many did."""
    key = sa.select(api_keys.c.id).where(api_keys.c.public_id == scope.key_id).scalar_subquery()
    running = sa.update(shifts).where(shifts.c.api_key_id == key, shifts.c.ended_at.is_(None))
    return tx.execute(running.values(ended_at=at)).rowcount


def end_of(tx: Tx, staff_id: int, at: datetime) -> None:
    """End a person's shifts, wherever."""
    running = sa.update(shifts).where(shifts.c.staff_id == staff_id, shifts.c.ended_at.is_(None))
    tx.execute(running.values(ended_at=at))


def forget(tx: Tx, before: datetime) -> int:
    """Delete shifts that were over before then; returns how many."""
    return tx.execute(sa.delete(shifts).where(shifts.c.expires_at < before)).rowcount


_SHIFT = Glance(
    sa.select(
        shifts.c.public_id,
        shifts.c.secret_sha256,
        api_keys.c.public_id.label("key"),
        staff.c.id,
        staff.c.public_id.label("staff"),
        staff.c.name,
        staff.c.role,
        staff.c.merchant_id,
        shifts.c.expires_at,
        shifts.c.ended_at,
        staff.c.disabled_at,
    )
    .join(api_keys, api_keys.c.id == shifts.c.api_key_id)
    .join(staff, staff.c.id == shifts.c.staff_id)
    .where(shifts.c.public_id == b("public_id"))
)


def shift(database: Database, public_id: str) -> ShiftRow | None:
    """The shift of this id, whoever asks."""
    row = _SHIFT.first(database, public_id=public_id)
    if row is None:
        return None
    name, secret, key, staff_id, person, called, role, merchant, expires_at, ended, disabled = row
    over, out = ended is not None, disabled is not None
    return ShiftRow(name, bytes(secret), key, staff_id, person, called, role, merchant, expires_at, over, out)
