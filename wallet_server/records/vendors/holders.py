"""Owns how far the look at a vendor's list of holders has come, and what is noted of the passes on a page of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    credential_sets,
    holder_walks,
    pass_holdings,
    passes,
    programme_wallets,
    programmes,
)


@dataclass(frozen=True)
class Walk:
    """Where a walk goes on (None: it is through, or has not begun), since when, over how many passes it has come, and
    how many were noted otherwise."""

    place: str | None
    at: datetime
    looked_at: int
    mended: int


def walk_of(tx: Tx, set_id: int) -> Walk | None:
    """The latest walk of a set."""
    r = tx.execute(sa.select(holder_walks).where(holder_walks.c.credential_set_id == set_id)).first()
    return None if r is None else Walk(r.place, r.at, r.looked_at, r.mended)


def keep(tx: Tx, set_id: int, walk: Walk) -> None:
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(holder_walks)
    said = vars(walk)
    tx.execute(
        insert.values(credential_set_id=set_id, **said).on_conflict_do_update(
            index_elements=["credential_set_id"], set_=said
        )
    )


def sets(tx: Tx, wallets: Sequence[str]) -> list[int]:
    """The sets in use of these wallets."""
    query = sa.select(credential_sets.c.id).where(
        credential_sets.c.wallet.in_(list(wallets)), credential_sets.c.retired_at.is_(None)
    )
    return list(tx.execute(query.order_by(credential_sets.c.id)).scalars())


def programmes_of(tx: Tx, set_id: int) -> list[str]:
    """The public ids of the programmes whose cards this set has issued."""
    query = (
        sa.select(programmes.c.public_id)
        .join(programme_wallets, programme_wallets.c.programme_id == programmes.c.id)
        .where(programme_wallets.c.credential_set_id == set_id)
        .distinct()
    )
    return sorted(tx.execute(query).scalars())


def noted_otherwise(tx: Tx, set_id: int, held: Mapping[str, bool], asked_at: datetime) -> dict[int, bool]:
    """Of these passes (serial number to whether somebody holds it, as of `asked_at`) those of which something else is
    noted: pass key to what is so, in the order in which members are locked. What was said since is newer."""
    rows = tx.execute(
        sa.select(passes.c.id, passes.c.serial, pass_holdings.c.has_users, pass_holdings.c.said_at)
        .outerjoin(pass_holdings, pass_holdings.c.pass_id == passes.c.id)
        .where(passes.c.credential_set_id == set_id, passes.c.serial.in_(list(held)))
        .order_by(passes.c.member_id, passes.c.id)
    )
    return {
        r.id: held[r.serial]
        for r in rows
        if bool(r.has_users) is not held[r.serial] and (r.said_at is None or r.said_at < asked_at)
    }
