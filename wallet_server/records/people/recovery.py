"""Owns recovery codes: one that is good for each member, found by its hash, sealed for the back of the card; and which
passes a recovery replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import CARD
from wallet_server.records.schema import codes, members, passes

KIND = "recovery"


@dataclass(frozen=True)
class RecoveryRow:
    """A member's code that is good: sealed, and the member's public id, to which the envelope is bound."""

    member_id: int
    member_public_id: str
    programme_id: int
    cipher: str


_GOOD = (
    sa.select(codes.c.member_id, members.c.public_id, members.c.programme_id, codes.c.cipher)
    .join(members, members.c.id == codes.c.member_id)
    .where(codes.c.kind == KIND, codes.c.revoked_at.is_(None), members.c.left_at.is_(None))
)
_OF_MEMBERS = _GOOD.where(codes.c.member_id.in_(b("ids", expanding=True))).order_by(codes.c.issue)
_BY_LOOKUP = _GOOD.where(codes.c.lookup == b("lookup"))


def add_code(tx: Tx, member_id: int, lookup: bytes, cipher: str, key_id: str, at: datetime) -> None:
    """A further code of a member; the caller has ended the one before."""
    earlier = sa.select(sa.func.count()).select_from(codes).where(codes.c.member_id == member_id, codes.c.kind == KIND)
    tx.execute(
        sa.insert(codes).values(
            pass_id=None,
            member_id=member_id,
            lookup=lookup,
            cipher=cipher,
            kind=KIND,
            key_id=key_id,
            issue=earlier.scalar_subquery() + 1,
            valid_from=at,
        )
    )


def codes_of(tx: Tx, member_ids: Sequence[int]) -> dict[int, RecoveryRow]:
    """Member key to the code that is good."""
    return {r.member_id: _row(r) for r in tx.execute(_OF_MEMBERS, {"ids": list(member_ids)})}


def by_lookup(tx: Tx, lookup: bytes) -> RecoveryRow | None:
    """Whose good code this is: the code is what gives access."""
    r = tx.execute(_BY_LOOKUP, {"lookup": lookup}).first()
    return None if r is None else _row(r)


_COPIES = (
    sa.select(passes.c.id).where(passes.c.member_id == b("member"), passes.c.state == "active").order_by(passes.c.id)
)


def copies(tx: Tx, member_id: int) -> list[int]:
    """Keys of the member's passes that are valid, cards and coupons."""
    return list(tx.execute(_COPIES, {"member": member_id}).scalars())


_CARDS = sa.select(passes.c.id).where(
    passes.c.member_id == b("member"), passes.c.state == "active", passes.c.kind == CARD
)


def cards(tx: Tx, member_id: int) -> list[int]:
    """The same of the cards alone, without the coupons."""
    return list(tx.execute(_CARDS, {"member": member_id}).scalars())


def end_codes(tx: Tx, member_id: int, at: datetime) -> None:
    """No code of this member that was ever shown opens anything from now on."""
    tx.execute(
        sa.update(codes)
        .where(codes.c.member_id == member_id, codes.c.kind == KIND, codes.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


def _row(r: sa.Row) -> RecoveryRow:  # type: ignore[type-arg]
    return RecoveryRow(r.member_id, r.public_id, r.programme_id, r.cipher)
