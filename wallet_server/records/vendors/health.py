"""Owns what the doctor reads of a vendor's set: the classes that were given, the newest cards, and what was noted."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import ACTIVE
from wallet_server.records.schema import (
    members,
    participations,
    pass_holdings,
    passes,
    programme_wallets,
    publications,
)
from wallet_server.records.scope import Scope

MOST = 100


@dataclass(frozen=True)
class GivenClass:
    """A class as the vendor took it, and what had to be left out."""

    remote_state: str | None
    note: str | None


def classes_of(tx: Tx, set_id: int) -> list[GivenClass]:
    """The newest classes of a set."""
    table = programme_wallets.c
    query = sa.select(table.remote_state, table.note).where(table.credential_set_id == set_id)
    return [GivenClass(*r) for r in tx.execute(query.order_by(table.published_at.desc()).limit(MOST))]


def newest_given(tx: Tx, set_id: int, most: int) -> list[str]:
    """What the vendor last took of the newest good pass of a set, and of those of the same member."""
    good = sa.and_(passes.c.credential_set_id == set_id, passes.c.state == ACTIVE)
    query = sa.select(passes.c.member_id, publications.c.remote_state)
    query = query.join(publications, publications.c.pass_id == passes.c.id)
    query = query.where(good, publications.c.remote_state.is_not(None)).order_by(passes.c.id.desc())
    newest = tx.execute(query.limit(1)).first()
    if newest is None:
        return []
    return [r.remote_state for r in tx.execute(query.where(passes.c.member_id == newest.member_id).limit(most))]


LOOKED_AT = 20


def notes_to(tx: Tx, scope: Scope) -> list[str]:
    """Different sentences that were noted of the classes of the merchant's programmes and of their newest good passes
    there."""
    own = sa.select(participations.c.programme_id).where(
        participations.c.merchant_id == scope.merchant_id, participations.c.left_at.is_(None)
    )
    classes = sa.select(programme_wallets.c.note).where(
        programme_wallets.c.programme_id.in_(own), programme_wallets.c.note.is_not(None)
    )
    newest = (
        sa.select(pass_holdings.c.note)
        .join(passes, passes.c.id == pass_holdings.c.pass_id)
        .join(members, members.c.id == passes.c.member_id)
        .where(passes.c.state == ACTIVE, members.c.programme_id.in_(own))
        .order_by(passes.c.id.desc())
        .limit(LOOKED_AT)
    )
    found = {*tx.execute(classes).scalars(), *tx.execute(newest).scalars()}
    return sorted(one for one in found if one)


def notes_of(tx: Tx, set_id: int) -> list[str]:
    """Different sentences that were noted of the good passes of a set; those that some card still has."""
    query = (
        sa.select(pass_holdings.c.note)
        .join(passes, passes.c.id == pass_holdings.c.pass_id)
        .where(passes.c.credential_set_id == set_id, passes.c.state == ACTIVE, pass_holdings.c.note.is_not(None))
        .distinct()
        .limit(10)
    )
    return list(tx.execute(query).scalars())
