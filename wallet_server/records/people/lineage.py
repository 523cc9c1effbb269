"""Owns which members are one: whoever was merged stands for somebody no more, and what was booked for them counts for
the one who was kept. What was booked is never changed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import members, merged_members, sales


def line_of(member: Any) -> sa.CompoundSelect[Any]:
    """The keys under which a member's own and joined history stands, for an IN; `member` is a key or a parameter."""
    own = sa.select(sa.literal(member) if isinstance(member, int) else member)
    return own.union_all(sa.select(merged_members.c.merged_id).where(merged_members.c.kept_id == member))


def one_of(member: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Who stands for this member by now: themselves, unless they were merged."""
    kept = sa.select(merged_members.c.kept_id).where(merged_members.c.merged_id == member)
    return sa.func.coalesce(kept.correlate_except(merged_members).scalar_subquery(), member)


def one_named(public_id: sa.BindParameter[Any]) -> sa.ScalarSelect[Any]:
    """The key of who stands for the member of this name: whoever was merged is asked for under either."""
    named = members.alias("named")
    return sa.select(one_of(named.c.id)).where(named.c.public_id == public_id).correlate(None).scalar_subquery()


def kept_for(tx: Tx, member_id: int) -> int:
    """The same for one key."""
    query = sa.select(merged_members.c.kept_id).where(merged_members.c.merged_id == member_id)
    return int(tx.execute(query).scalar() or member_id)


def merged_into(tx: Tx, member_id: int) -> list[int]:
    """The keys of the members who were merged into this one."""
    query = sa.select(merged_members.c.merged_id).where(merged_members.c.kept_id == member_id)
    return list(tx.execute(query.order_by(merged_members.c.merged_id)).scalars())


SALE_MEMBER = one_of(sales.c.member_id)
"""Who a sale counts for."""
