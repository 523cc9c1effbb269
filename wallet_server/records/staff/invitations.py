"""Owns one-time links for people: to found, to join a team, to choose a new password, to enter the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import invitations, merchants
from wallet_server.records.scope import Scope

FOUND, JOIN, RESET, RECOVER, ENTER = "found", "join", "reset", "recover", "enter"
"""Found an account; join a team; choose a new password; that, and forget a lost second factor; enter the sandbox."""
RESETTING = (RESET, RECOVER)


@dataclass(frozen=True)
class InvitationRow:
    """A link, what for, and for whom; `account_id` and `merchant_id` are None where it founds them."""

    id: int
    public_id: str
    purpose: str
    account_id: int | None
    merchant_id: int | None
    merchant: str | None
    invited_by: int | None
    staff_id: int | None
    email: str | None
    role: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


_ROW = sa.select(invitations, merchants.c.name.label("merchant")).outerjoin(
    merchants, merchants.c.id == invitations.c.merchant_id
)


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """A new link."""
    tx.execute(sa.insert(invitations).values(**values))


def by_secret(tx: Tx, secret_sha256: bytes) -> InvitationRow | None:
    """The link of this secret, whatever became of it."""
    found = tx.execute(_ROW.where(invitations.c.secret_sha256 == secret_sha256)).first()
    return None if found is None else _row(found)


def _row(r: sa.Row) -> InvitationRow:  # type: ignore[type-arg]
    return InvitationRow(
        r.id,
        r.public_id,
        r.purpose,
        r.account_id,
        r.merchant_id,
        r.merchant,
        r.invited_by,
        r.staff_id,
        r.email,
        r.role,
        r.created_at,
        r.expires_at,
        r.used_at,
        r.revoked_at,
    )


def use(tx: Tx, invitation_id: int, now: datetime) -> bool:
    """Use it up; False when somebody did before, or it was revoked, or is over."""
    found = sa.update(invitations).where(
        invitations.c.id == invitation_id,
        invitations.c.used_at.is_(None),
        invitations.c.revoked_at.is_(None),
        invitations.c.expires_at > now,
    )
    return tx.execute(found.values(used_at=now)).rowcount == 1


def open_in(tx: Tx, scope: Scope, purpose: str, now: datetime) -> list[InvitationRow]:
    """The merchant's links of this purpose that still work, newest first."""
    rows = tx.execute(
        _ROW.where(
            invitations.c.merchant_id == scope.merchant_id,
            invitations.c.purpose == purpose,
            invitations.c.used_at.is_(None),
            invitations.c.revoked_at.is_(None),
            invitations.c.expires_at > now,
        )
        .order_by(invitations.c.id.desc())
        .limit(200)
    )
    return [_row(r) for r in rows]


def revoke(tx: Tx, scope: Scope, public_id: str, at: datetime) -> bool:
    """End one of the merchant's links; False for one that has ended, which stays as it is. Raises `NotFound`."""
    mine = sa.and_(invitations.c.public_id == public_id, invitations.c.merchant_id == scope.merchant_id)
    if tx.execute(sa.select(invitations.c.id).where(mine)).first() is None:
        raise NotFound("There is no such invitation.")
    open_one = sa.and_(mine, invitations.c.used_at.is_(None), invitations.c.revoked_at.is_(None))
    return tx.execute(sa.update(invitations).where(open_one).values(revoked_at=at)).rowcount == 1


def revoke_all(tx: Tx, purpose: str, staff_id: int | None, at: datetime) -> None:
    """End the open links of a purpose that name this person, or nobody."""
    whose = invitations.c.staff_id.is_(None) if staff_id is None else invitations.c.staff_id == staff_id
    found = sa.update(invitations).where(invitations.c.purpose == purpose, whose, invitations.c.used_at.is_(None))
    tx.execute(found.where(invitations.c.revoked_at.is_(None)).values(revoked_at=at))


def revoke_made_by(tx: Tx, staff_id: int, at: datetime) -> None:
    """End the open links that this person made, whatever for."""
    made = sa.update(invitations).where(invitations.c.invited_by == staff_id, invitations.c.used_at.is_(None))
    tx.execute(made.where(invitations.c.revoked_at.is_(None)).values(revoked_at=at))
