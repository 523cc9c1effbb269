"""Owns the one-time links by which a shop gives a member the card back: for whom, by whom, until when, whether used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import CARD
from wallet_server.records.schema import card_returns, members, passes, staff
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class ReturnRow:
    """A link: whose card it gives back, and whether it still may."""

    id: int
    member_id: int
    member_left: bool
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class Given:
    """A link as the shop sees it afterwards: when it was made, by whom, and when the member used it, if so."""

    created_at: datetime
    by: str | None
    used_at: datetime | None


def add(
    tx: Tx,
    public_id: str,
    scope: Scope,
    member_id: int,
    staff_id: int | None,
    secret: bytes,
    at: datetime,
    until: datetime,
) -> None:
    """A further link for a member; those before it are over from now on."""
    row = card_returns.c
    earlier = sa.update(card_returns).where(row.member_id == member_id, row.used_at.is_(None), row.expires_at > at)
    tx.execute(earlier.values(expires_at=at))
    tx.execute(
        sa.insert(card_returns).values(
            public_id=public_id,
            merchant_id=scope.merchant_id,
            member_id=member_id,
            staff_id=staff_id,
            secret_sha256=secret,
            created_at=at,
            expires_at=until,
        )
    )


def end_made_by(tx: Tx, staff_id: int, at: datetime) -> None:
    """The unused links that this person made are over from now on."""
    row = card_returns.c
    open_ones = sa.update(card_returns).where(row.staff_id == staff_id, row.used_at.is_(None), row.expires_at > at)
    tx.execute(open_ones.values(expires_at=at))


def by_secret(tx: Tx, secret: bytes) -> ReturnRow | None:
    """The link of this secret, whoever asks: the secret is what gives access."""
    row = card_returns.c
    query = (
        sa.select(row.id, row.member_id, members.c.left_at, row.expires_at, row.used_at)
        .join(members, members.c.id == row.member_id)
        .where(row.secret_sha256 == secret)
    )
    r = tx.execute(query).first()
    return None if r is None else ReturnRow(r.id, r.member_id, r.left_at is not None, r.expires_at, r.used_at)


def use(tx: Tx, key: int, at: datetime) -> bool:
    """Use it up; False when it was used or over."""
    row = card_returns.c
    good = sa.update(card_returns).where(row.id == key, row.used_at.is_(None), row.expires_at > at)
    return tx.execute(good.values(used_at=at).returning(row.id)).scalar() is not None


def of_member(tx: Tx, scope: Scope, member_id: int, most: int) -> list[Given]:
    """The links that this merchant made for a member, newest first."""
    row = card_returns.c
    query = (
        sa.select(row.created_at, staff.c.name, row.used_at)
        .outerjoin(staff, staff.c.id == row.staff_id)
        .where(row.member_id == member_id, row.merchant_id == scope.merchant_id)
        .order_by(row.id.desc())
        .limit(most)
    )
    return [Given(r.created_at, r.name, r.used_at) for r in tx.execute(query)]


def newest_pass(tx: Tx, member_id: int) -> str:
    """The member's newest card (public id), whether it is valid or over."""
    mine = sa.and_(passes.c.member_id == member_id, passes.c.kind == CARD)
    query = sa.select(passes.c.public_id).where(mine).order_by(passes.c.id.desc()).limit(1)
    return str(tx.execute(query).scalar_one())
