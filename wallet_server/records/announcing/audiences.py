"""Owns the walk over the members of an announcement's audience: what decides whether each of them hears it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.people.members import PROMOTIONS
from wallet_server.records.schema import announcement_members, announcements, consents, members, passes, stores


@dataclass(frozen=True)
class Reached:
    """What a walk over the members needs to decide whether one hears an announcement; `words_at` are the moments of
    those that were for this member alone."""

    member_id: int
    consented: bool
    reachable: bool
    zone: str
    sent_at: tuple[datetime, ...]
    words_at: tuple[datetime, ...]


def walk(
    tx: Tx,
    programme_id: int,
    tier: str | None,
    after: int,
    most: int,
    since: datetime,
    zone: str,
    only: Sequence[int] | None = None,
) -> list[Reached]:
    """Up to `most` members by key (of `only`, if given), with their consent, whether they have a live card, and what
    they were sent since. `zone` is for members without a home store."""
    query = (
        sa.select(members.c.id, stores.c.zone)
        .outerjoin(stores, stores.c.id == members.c.home_store_id)
        .where(members.c.programme_id == programme_id, members.c.id > after, members.c.left_at.is_(None))
        .order_by(members.c.id)
        .limit(most)
    )
    if tier is not None:
        query = query.where(members.c.tier == tier)
    if only is not None:
        query = query.where(members.c.id.in_(list(only)))
    found = tx.execute(query).all()
    ids = [r.id for r in found]
    granted = _consented(tx, ids)
    live = set(
        tx.execute(
            sa.select(passes.c.member_id)
            .where(passes.c.member_id.in_(ids), passes.c.state == "active", passes.c.kind == "card")
            .distinct()
        ).scalars()
    )
    sent, words = _heard(tx, ids, since)
    return [
        Reached(r.id, r.id in granted, r.id in live, r.zone or zone, tuple(sent[r.id]), tuple(words[r.id]))
        for r in found
    ]


def _heard(tx: Tx, ids: Sequence[int], since: datetime) -> tuple[dict[int, list[datetime]], dict[int, list[datetime]]]:
    """Member to when it was shown announcements, and to when words for itself alone."""
    sent: dict[int, list[datetime]] = {key: [] for key in ids}
    words: dict[int, list[datetime]] = {key: [] for key in ids}
    heard, said = announcement_members.c, announcements.c
    query = (
        sa.select(heard.member_id, heard.decided_at, said.audience_member_id)
        .join(announcements, said.id == heard.announcement_id)
        .where(heard.member_id.in_(ids), heard.decided_at > since, heard.outcome == "shown")
    )
    for r in tx.execute(query):
        (sent if r.audience_member_id is None else words)[r.member_id].append(r.decided_at)
    return sent, words


def _consented(tx: Tx, ids: Sequence[int]) -> set[int]:
    last = (
        sa.select(sa.func.max(consents.c.id))
        .where(consents.c.member_id.in_(ids), consents.c.purpose == PROMOTIONS)
        .group_by(consents.c.member_id)
    )
    return set(
        tx.execute(
            sa.select(consents.c.member_id).where(consents.c.id.in_(last), consents.c.granted.is_(True))
        ).scalars()
    )
