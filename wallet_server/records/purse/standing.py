"""Owns what is written of members' tiers: how they stand, who is to be looked at, and what was given to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import Instant, member_standing, members, passes, programmes, tier_grants
from wallet_server.rules.tiers.standing import Standing

_NAMES = [one.name for one in fields(Standing)]
_OF = sa.select(member_standing).where(member_standing.c.member_id.in_(b("ids", expanding=True)))


def of_members(tx: Tx, member_ids: Sequence[int]) -> dict[int, Standing]:
    """How those stand of whom something is written; the others have what their tier says, as earned."""
    return {
        r.member_id: Standing(**{name: getattr(r, name) for name in _NAMES})
        for r in tx.execute(_OF, {"ids": list(member_ids)})
    }


def _keep(dialect: str) -> sa.Executable:
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    insert = make(member_standing)
    new = {name: insert.excluded[name] for name in (*_NAMES, "due_at")}
    return insert.on_conflict_do_update(index_elements=["member_id"], set_=new)


_KEEP = Prepared(_keep, ["member_id", *_NAMES, "due_at"])


def keep(tx: Tx, member_id: int, standing: Standing) -> None:
    """Write how a member stands, whose row is held."""
    _KEEP.run(tx, {"member_id": member_id, **vars(standing), "due_at": standing.due_at})


@dataclass(frozen=True)
class Due:
    """A member whose standing is to be looked at, and since when."""

    member_id: int
    due_at: datetime


_DUE = (
    sa.select(member_standing.c.member_id, member_standing.c.due_at)
    .join(members, members.c.id == member_standing.c.member_id)
    .where(
        member_standing.c.due_at <= b("at", type_=Instant()),
        sa.tuple_(member_standing.c.due_at, member_standing.c.member_id)
        > sa.tuple_(b("after_at", type_=Instant()), b("after", type_=sa.BigInteger())),
        members.c.left_at.is_(None),
    )
    .order_by(member_standing.c.due_at, member_standing.c.member_id)
    .limit(b("most"))
)


def due(tx: Tx, at: datetime, after: Due, most: int) -> list[Due]:
    """Up to `most` members who are to be looked at by then, the longest due first, beyond `after`."""
    asked = {"at": at, "after_at": after.due_at, "after": after.member_id, "most": most}
    return [Due(r.member_id, r.due_at) for r in tx.execute(_DUE, asked)]


_CURRENT = sa.select(programmes.c.id).where(programmes.c.current_version > 0).order_by(programmes.c.id)


def programmes_published(tx: Tx) -> list[int]:
    """The keys of programmes that members can be in."""
    return list(tx.execute(_CURRENT).scalars())


@dataclass(frozen=True)
class Grant:
    """A tier that was given, or (`level` None) what was given before taken back: from when until when, by whose key,
    and why in a word of the merchant's own."""

    public_id: str
    programme_id: int
    member_id: int
    merchant_id: int
    level: str | None
    source: str
    starts_at: datetime
    ends_at: datetime | None
    principal: str
    reason: str
    recorded_at: datetime


def add_grant(tx: Tx, grant: Grant) -> None:
    """A further line; the last one of a member is the one that counts."""
    tx.execute(sa.insert(tier_grants).values(**vars(grant)))


def grants_of(tx: Tx, member_id: int, most: int) -> list[Grant]:
    """What was given to a member, the latest first."""
    query = (
        sa.select(*(tier_grants.c[one.name] for one in fields(Grant)))
        .where(tier_grants.c.member_id == member_id)
        .order_by(tier_grants.c.id.desc())
        .limit(most)
    )
    return [Grant(**r) for r in tx.execute(query).mappings()]


_TIERS = sa.select(members.c.id, members.c.tier).where(
    members.c.id.in_(b("ids", expanding=True)), members.c.left_at.is_(None)
)
_HELD = _TIERS.order_by(members.c.id).with_for_update(key_share=True)


def tiers(tx: Tx, member_ids: Sequence[int], *, hold: bool = False) -> Mapping[int, str | None]:
    """The tiers of those of these members who have not left; if asked, their rows held, in the order of their keys."""
    return {r.id: r.tier for r in tx.execute(_HELD if hold else _TIERS, {"ids": list(member_ids)})}


_CARDS = (
    sa.select(passes.c.id)
    .where(passes.c.member_id.in_(b("ids", expanding=True)), passes.c.state == "active")
    .order_by(passes.c.id)
    .with_for_update(key_share=True)
)


def hold_cards(tx: Tx, member_ids: Sequence[int]) -> None:
    """Hold these members' passes in the order of their keys, for a walk that makes some stale loudly and then others:
    else it could wait crosswise with another walk."""
    tx.execute(_CARDS, {"ids": list(member_ids)}).all()
