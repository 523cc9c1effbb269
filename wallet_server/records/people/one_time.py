"""Owns one-time codes: what they are for, whom or which address they prove, how often they were tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import one_time_codes as codes


@dataclass(frozen=True)
class CodeRow:
    """A code that may still be used; `address` is sealed."""

    id: int
    public_id: str
    kind: str
    address: str | None
    secret: str


def add(
    tx: Tx,
    public_id: str,
    member_id: int | None,
    purpose: str,
    kind: str,
    address_mark: bytes,
    address: str,
    secret: str,
    at: datetime,
    until: datetime,
) -> None:
    tx.execute(
        sa.insert(codes).values(
            public_id=public_id,
            member_id=member_id,
            purpose=purpose,
            kind=kind,
            address_mark=address_mark,
            address=address,
            secret=secret,
            created_at=at,
            expires_at=until,
        )
    )


_OPEN = (
    sa.select(codes.c.id, codes.c.public_id, codes.c.kind, codes.c.address, codes.c.secret)
    .where(
        codes.c.purpose == b("purpose"),
        codes.c.used_at.is_(None),
        codes.c.expires_at > b("now"),
        codes.c.tries < b("most"),
    )
    .order_by(codes.c.id)
    .with_for_update()
)
_OF_MEMBER = _OPEN.where(codes.c.member_id == b("member"))
_OF_ADDRESS = _OPEN.where(codes.c.member_id.is_(None), codes.c.address_mark == b("mark"))


def of_member(tx: Tx, member_id: int, purpose: str, now: datetime, most_tries: int) -> list[CodeRow]:
    """The member's codes for this that are still good, held."""
    keys = {"member": member_id, "purpose": purpose, "now": now, "most": most_tries}
    return [CodeRow(*r) for r in tx.execute(_OF_MEMBER, keys)]


def of_address(tx: Tx, address_mark: bytes, purpose: str, now: datetime, most_tries: int) -> list[CodeRow]:
    """Those that prove an address alone, held."""
    keys = {"mark": address_mark, "purpose": purpose, "now": now, "most": most_tries}
    return [CodeRow(*r) for r in tx.execute(_OF_ADDRESS, keys)]


_PENDING = (
    sa.select(codes.c.id, codes.c.public_id, codes.c.kind, codes.c.address, codes.c.secret)
    .where(
        codes.c.member_id == b("member"),
        codes.c.purpose == b("purpose"),
        codes.c.used_at.is_(None),
        codes.c.expires_at > b("now"),
    )
    .order_by(codes.c.id.desc())
    .limit(1)
)


def newest(tx: Tx, member_id: int, purpose: str, now: datetime) -> CodeRow | None:
    """The last code of the member for this that may still be typed."""
    r = tx.execute(_PENDING, {"member": member_id, "purpose": purpose, "now": now}).first()
    return None if r is None else CodeRow(*r)


def use(tx: Tx, ids: Sequence[int], at: datetime) -> int:
    """These are over: one of them was typed. Returns how many were not over before."""
    over = sa.update(codes).where(codes.c.id.in_(list(ids)), codes.c.used_at.is_(None))
    return tx.execute(over.values(used_at=at, address=None)).rowcount


def count_try(tx: Tx, ids: Sequence[int]) -> None:
    """Each of these is tried once more."""
    if ids:
        tx.execute(sa.update(codes).where(codes.c.id.in_(list(ids))).values(tries=codes.c.tries + 1))


def forget(tx: Tx, before: datetime) -> int:
    """Delete codes that ran out before then; returns how many."""
    return tx.execute(sa.delete(codes).where(codes.c.expires_at < before)).rowcount


def forget_of(tx: Tx, member_ids: Sequence[int]) -> None:
    """Delete those of members who leave."""
    tx.execute(sa.delete(codes).where(codes.c.member_id.in_(list(member_ids))))
