"""Owns the merchant's people as rows: who they are, and how they prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import accounts, merchants, passkeys, sessions, staff, stores
from wallet_server.records.scope import Scope

MOST_PEOPLE = 500
"""Of one merchant."""


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
    created_at: datetime
    disabled_at: datetime | None
    code_reset_at: datetime | None
    passkeys: int

    @property
    def secured(self) -> bool:
        """Whether a password alone does not let in."""
        return self.totp_confirmed_at is not None or self.passkeys > 0


_ZONE = (
    sa.select(stores.c.zone)
    .where(stores.c.merchant_id == staff.c.merchant_id, stores.c.closed_at.is_(None))
    .order_by(stores.c.id)
    .limit(1)
    .scalar_subquery()
)
_PASSKEYS = sa.select(sa.func.count()).select_from(passkeys).where(passkeys.c.staff_id == staff.c.id).scalar_subquery()
COLUMNS = (
    *(column for column in staff.c if column.name != "id"),
    staff.c.id.label("staff_id"),
    merchants.c.name.label("merchant"),
    accounts.c.issuer_mark,
    sa.func.coalesce(_ZONE, "UTC").label("zone"),
    _PASSKEYS.label("passkeys"),
)
"""What `row_of` reads, from `JOINED` or a join with it."""
JOINED = staff.join(merchants, merchants.c.id == staff.c.merchant_id).join(
    accounts, accounts.c.id == staff.c.account_id
)


_NAMES = [one.name for one in fields(StaffRow) if one.name != "id"]


def row_of(r: sa.Row) -> StaffRow:  # type: ignore[type-arg]
    """A person from `COLUMNS`."""
    return StaffRow(id=r.staff_id, **{name: getattr(r, name) for name in _NAMES})


def add(tx: Tx, values: Mapping[str, object]) -> int | None:
    """A new person; returns the key, or None when somebody has the address already."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(staff).values(**values)
    key = tx.execute(insert.on_conflict_do_nothing(index_elements=["email"]).returning(staff.c.id)).scalar()
    return None if key is None else int(key)


def all_in(tx: Tx, scope: Scope) -> list[tuple[StaffRow, datetime | None]]:
    """The merchant's people with when each was last seen, those who were disabled last."""
    seen = sa.select(sa.func.max(sessions.c.seen_at)).where(sessions.c.staff_id == staff.c.id).scalar_subquery()
    query = sa.select(*COLUMNS, seen.label("last_seen_at")).select_from(JOINED)
    rows = tx.execute(
        query.where(staff.c.merchant_id == scope.merchant_id)
        .order_by(staff.c.disabled_at.is_not(None), staff.c.id)
        .limit(MOST_PEOPLE)
    )
    return [(row_of(r), r.last_seen_at) for r in rows]


def active_owners(tx: Tx, merchant_id: int, role: str) -> list[int]:
    """The keys of the merchant's active people of this role, held until the end of the transaction, so that of two
    owners who demote each other one stays."""
    query = sa.select(staff.c.id).where(
        staff.c.merchant_id == merchant_id, staff.c.role == role, staff.c.disabled_at.is_(None)
    )
    return list(tx.execute(query.order_by(staff.c.id).with_for_update()).scalars())


def take_step(tx: Tx, staff_id: int, step: int) -> bool:
    """Use a time step of the one-time codes; False when it, or a later one, was used before."""
    update = sa.update(staff).where(staff.c.id == staff_id, staff.c.totp_step < step).values(totp_step=step)
    return tx.execute(update).rowcount == 1


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
