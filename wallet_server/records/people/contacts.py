"""Owns under which addresses members are reached: what they said, and what was proved.

Several members may name one address; once proved it is one member's alone within a programme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import identities, members

REACHED = ("email", "phone")


@dataclass(frozen=True)
class Contact:
    """Something personal that a member said: an address under which they are reached, a name, a postal address. `own`:
    typed by the member on the join page, not by staff."""

    kind: str
    value: str
    verified_at: datetime | None
    own: bool = False


_OF = (
    sa.select(identities.c.kind, identities.c.value, identities.c.verified_at, identities.c.own)
    .where(identities.c.member_id == b("member"))
    .order_by(identities.c.verified_at.is_(None), identities.c.id)
)


def of_member(tx: Tx, member_id: int) -> list[Contact]:
    """Everything that the member said of themselves, what is proved first."""
    return [Contact(*r) for r in tx.execute(_OF, {"member": member_id})]


def proved(tx: Tx, member_id: int) -> list[Contact]:
    """The addresses that were proved, telephone numbers first."""
    found = [one for one in of_member(tx, member_id) if one.verified_at is not None and one.kind in REACHED]
    return sorted(found, key=lambda one: one.kind, reverse=True)


_PROVED = identities.alias("proved")
_WHO = (
    sa.select(identities.c.member_id, identities.c.verified_at)
    .join(members, members.c.id == identities.c.member_id)
    .where(
        identities.c.kind == b("kind"),
        identities.c.value == b("value"),
        members.c.left_at.is_(None),
        sa.or_(
            identities.c.verified_at.is_not(None),
            identities.c.own
            & ~sa.exists().where(
                _PROVED.c.programme_id == identities.c.programme_id,
                _PROVED.c.kind == identities.c.kind,
                _PROVED.c.value == identities.c.value,
                _PROVED.c.verified_at.is_not(None),
            ),
        ),
    )
    .order_by(identities.c.verified_at.is_(None), identities.c.member_id)
    .limit(50)
)


def led_to(tx: Tx, kind: str, value: str) -> dict[int, bool]:
    """Members of the whole installation whose card this address brings back, and whether they proved it, those first.

    Who proved it; and within a programme where nobody did, who typed it themselves when they joined. What staff, a
    system or a file said of a member leads to nobody: one slip of a finger would give the card to a stranger.
    """
    return {r.member_id: r.verified_at is not None for r in tx.execute(_WHO, {"kind": kind, "value": value})}


_OWNER = (
    sa.select(identities.c.member_id)
    .join(members, members.c.id == identities.c.member_id)
    .where(
        identities.c.programme_id == b("programme"),
        identities.c.kind == b("kind"),
        identities.c.value == b("value"),
        identities.c.verified_at.is_not(None),
    )
)


def owner(tx: Tx, programme_id: int, kind: str, value: str) -> int | None:
    """Whose proved address this is within a programme."""
    return tx.execute(_OWNER, {"programme": programme_id, "kind": kind, "value": value}).scalar()


def prove(tx: Tx, programme_id: int, member_id: int, kind: str, value: str, at: datetime) -> bool:
    """The address is this member's: the caller holds the member and saw that it is nobody else's. It takes the place
    of what stood there of this kind. False where another was quicker: then nothing was changed."""
    row = {"programme_id": programme_id, "member_id": member_id, "kind": kind, "value": value, "verified_at": at}
    mine = owner(tx, programme_id, kind, value) == member_id
    if not mine:
        make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
        new = make(identities).values(**row).on_conflict_do_nothing().returning(identities.c.id)
        if tx.execute(new).first() is None:
            return False
    others = sa.and_(identities.c.member_id == member_id, identities.c.kind == kind)
    stays = sa.and_(identities.c.value == value, identities.c.verified_at.is_not(None))
    tx.execute(sa.delete(identities).where(others, sa.not_(stays)))
    return True


def say(tx: Tx, programme_id: int, member_id: int, kind: str, value: str | None) -> None:
    """Note what was said and not proved, in place of what was said before; None forgets it. What was proved stays."""
    mine = sa.and_(identities.c.member_id == member_id, identities.c.kind == kind, identities.c.verified_at.is_(None))
    tx.execute(sa.delete(identities).where(mine))
    if value is not None:
        tx.execute(sa.insert(identities).values(programme_id=programme_id, member_id=member_id, kind=kind, value=value))


def say_first(tx: Tx, programme_id: int, member_id: int, said: Mapping[str, str]) -> None:
    """What is said of a new member, of whom nothing stands yet: value by kind."""
    rows = [{"programme_id": programme_id, "member_id": member_id, "kind": k, "value": v} for k, v in said.items()]
    if rows:
        tx.execute(sa.insert(identities), rows)


def forget(tx: Tx, member_ids: Sequence[int]) -> None:
    """Nothing personal of these members is kept."""
    tx.execute(sa.delete(identities).where(identities.c.member_id.in_(list(member_ids))))


def remove(tx: Tx, member_id: int, kind: str) -> None:
    """The member is not reached in this way any more."""
    tx.execute(sa.delete(identities).where(identities.c.member_id == member_id, identities.c.kind == kind))
