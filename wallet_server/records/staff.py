"""Owns the merchant's people as rows: who they are, how they prove it, and how often they failed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import accounts, merchants, staff, stores
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class StaffRow:
    """A person with what their scope is made of. `email` is normalised; `totp_step` is the last step accepted."""

    id: int
    public_id: str
    account_id: int
    merchant_id: int
    merchant: str
    issuer_mark: str
    zone: str
    email: str
    name: str
    role: str
    language: str
    password_hash: str | None
    totp_cipher: str | None
    totp_confirmed_at: datetime | None
    totp_step: int
    failures: int
    locked_until: datetime | None
    created_at: datetime
    disabled_at: datetime | None


_ZONE = (
    sa.select(stores.c.zone)
    .where(stores.c.merchant_id == staff.c.merchant_id, stores.c.closed_at.is_(None))
    .order_by(stores.c.id)
    .limit(1)
    .scalar_subquery()
)
COLUMNS = (
    *(column for column in staff.c if column.name != "id"),
    staff.c.id.label("staff_id"),
    merchants.c.name.label("merchant"),
    accounts.c.issuer_mark,
    sa.func.coalesce(_ZONE, "UTC").label("zone"),
)
"""What `row_of` reads, from `JOINED` or a join with it."""
JOINED = staff.join(merchants, merchants.c.id == staff.c.merchant_id).join(
    accounts, accounts.c.id == staff.c.account_id
)


def row_of(r: sa.Row) -> StaffRow:  # type: ignore[type-arg]
    """A person from `COLUMNS`."""
    return StaffRow(id=r.staff_id, **{name: getattr(r, name) for name in StaffRow.__dataclass_fields__ if name != "id"})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """A new person; returns the key. The address must be free (see `by_email`)."""
    return int(tx.execute(sa.insert(staff).returning(staff.c.id), dict(values)).scalar_one())


def change(tx: Tx, staff_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a person."""
    tx.execute(sa.update(staff).where(staff.c.id == staff_id).values(**values))


_BY_EMAIL = sa.select(*COLUMNS).select_from(JOINED).where(staff.c.email == b("email"))


def by_email(tx: Tx, email: str) -> StaffRow | None:
    """Whoever signs in with this normalised address, of whatever account."""
    found = tx.execute(_BY_EMAIL, {"email": email}).first()
    return None if found is None else row_of(found)


_BY_ID = sa.select(*COLUMNS).select_from(JOINED).where(staff.c.id == b("staff_id"))


def by_id(tx: Tx, staff_id: int) -> StaffRow:
    """A person by key, whoever asks. Raises `NotFound`."""
    found = tx.execute(_BY_ID, {"staff_id": staff_id}).first()
    if found is None:
        raise NotFound("There is no such person.")
    return row_of(found)


_OF = sa.select(*COLUMNS).select_from(JOINED).where(staff.c.merchant_id == b("merchant_id"))


def in_team(tx: Tx, scope: Scope, public_id: str) -> StaffRow:
    """One of the merchant's people. Raises `NotFound`."""
    found = tx.execute(_OF.where(staff.c.public_id == public_id), {"merchant_id": scope.merchant_id}).first()
    if found is None:
        raise NotFound("There is no such person in the team.")
    return row_of(found)
