"""Owns how an announcement was received: for whom it rang, who took it silently, who has not taken it, and why.

Told from the decision of the walk, from what phones fetched (noted when they did), and for the others from what is
published of their card at this moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wallet_server.records.announcing.announcements import RECALLED, SHOWN, AnnouncementRow
from wallet_server.records.announcing.class_messages import ASKING, GOING
from wallet_server.records.database import Tx
from wallet_server.records.passes.devices import APNS
from wallet_server.records.schema import (
    announcement_members,
    announcements,
    class_messages,
    devices,
    members,
    pass_holdings,
    passes,
    publications,
    registrations,
)
from wallet_server.records.scope import Scope

RANG, SILENT = "rang", "silent"
NO_PHONE, SENDING, UNANSWERED, UNRINGABLE = "no-phone", "sending", "unanswered", "unringable"
TAKEN_BACK, OVER, REPLACED = "recalled", "over", "replaced"


@dataclass(frozen=True)
class Received:
    """One member's standing to an announcement; `fetched_at` is when a phone of theirs first took it."""

    member_id: int
    public_id: str
    decided_at: datetime
    fetched_at: datetime | None


_COMING, _SILENT, _RANG = 1, 2, 3
_EVERYBODY = sa.case(
    (
        sa.and_(class_messages.c.alerted.is_(True), pass_holdings.c.saved_at <= class_messages.c.at),
        _RANG,
    ),
    (class_messages.c.alerted.is_not(None), _SILENT),
    (class_messages.c.state.in_((ASKING, GOING)), _COMING),
    else_=0,
)
"""How a message to everybody came to the holder of a card; whoever saved the card later finds it there."""


def _standing(row: AnnouncementRow, now: datetime) -> sa.Select[tuple[int, str]]:
    """Member key, standing, and when, of everybody for whom this announcement was decided."""
    am = announcement_members.c
    held = _held(sa.select(am.member_id).where(am.announcement_id == row.id))
    shows = publications.c.news == row.public_id
    told = sa.and_(shows, publications.c.rung >= publications.c.number)
    cards = (
        sa.select(
            passes.c.member_id,
            sa.func.max(sa.case((held.c.pass_id.is_not(None), 1), else_=0)).label("phone"),
            sa.func.max(sa.func.coalesce(held.c.ringable, 0)).label("ringable"),
            sa.func.max(sa.case((told, 1), else_=0)).label("told"),
            sa.func.max(_EVERYBODY).label("everybody"),
        )
        .join(publications, publications.c.pass_id == passes.c.id)
        .outerjoin(held, held.c.pass_id == passes.c.id)
        .outerjoin(pass_holdings, pass_holdings.c.pass_id == passes.c.id)
        .outerjoin(
            class_messages,
            sa.and_(
                class_messages.c.announcement_id == row.id,
                class_messages.c.credential_set_id == passes.c.credential_set_id,
                pass_holdings.c.has_users.is_(True),
            ),
        )
        .join(announcement_members, am.member_id == passes.c.member_id)
        .where(am.announcement_id == row.id, passes.c.state == "active", passes.c.kind == "card")
        .group_by(passes.c.member_id)
        .subquery()
    )
    ended = TAKEN_BACK if row.state == RECALLED else OVER if row.ends_at <= now else None
    later = announcement_members.alias("later")
    replaced = (
        sa.exists()
        .where(later.c.member_id == am.member_id, later.c.outcome == SHOWN, later.c.decided_at > am.decided_at)
        .correlate(announcement_members)
    )
    unshown = sa.case((am.why.is_(None), am.outcome), else_=am.outcome + ":" + am.why)
    if ended is not None:
        unshown = sa.case((am.outcome == "waiting", f"waiting:{ended}"), else_=unshown)
    steps = [
        (am.outcome != SHOWN, unshown),
        (sa.and_(am.fetched_at.is_not(None), am.alerted.is_(True)), RANG),
        (am.fetched_at.is_not(None), SILENT),
        (cards.c.everybody == _RANG, RANG),
        (cards.c.everybody == _SILENT, SILENT),
        (sa.func.coalesce(cards.c.phone, 0) == 0, NO_PHONE),
        *([(sa.true(), ended)] if ended is not None else []),
        (cards.c.everybody == _COMING, SENDING),
        (replaced, REPLACED),
        (cards.c.ringable == 0, UNRINGABLE),
        (cards.c.told == 1, UNANSWERED),
    ]
    return (
        sa.select(am.member_id, sa.case(*steps, else_=SENDING).label("standing"), am.decided_at, am.fetched_at)
        .outerjoin(cards, cards.c.member_id == am.member_id)
        .where(am.announcement_id == row.id)
    )


def _held(member_ids: Any) -> sa.Subquery:
    """Which passes of these members (keys, or a query of them) somebody holds, and whether that can be rung: in a phone
    that registered, or with a vendor that says so (it rings by itself)."""
    registered = (
        sa.select(registrations.c.pass_id, sa.case((devices.c.push_kind == APNS, 1), else_=0).label("rings"))
        .join(devices, devices.c.id == registrations.c.device_id)
        .join(passes, passes.c.id == registrations.c.pass_id)
        .where(passes.c.member_id.in_(member_ids))
    )
    saved = (
        sa.select(pass_holdings.c.pass_id, sa.literal(1).label("rings"))
        .join(passes, passes.c.id == pass_holdings.c.pass_id)
        .where(passes.c.member_id.in_(member_ids), pass_holdings.c.has_users.is_(True))
    )
    each = sa.union_all(registered, saved).subquery()
    return sa.select(each.c.pass_id, sa.func.max(each.c.rings).label("ringable")).group_by(each.c.pass_id).subquery()


def standings(tx: Tx, row: AnnouncementRow, now: datetime) -> dict[str, int]:
    """Standing to how many members."""
    each = _standing(row, now).subquery()
    rows = tx.execute(sa.select(each.c.standing, sa.func.count().label("n")).group_by(each.c.standing))
    return {r.standing: r.n for r in rows}


def received(tx: Tx, row: AnnouncementRow, standing: str, after: int, most: int, now: datetime) -> list[Received]:
    """Members of one standing, by key."""
    each = _standing(row, now).subquery()
    rows = tx.execute(
        sa.select(each.c.member_id, members.c.public_id, each.c.decided_at, each.c.fetched_at)
        .join(members, members.c.id == each.c.member_id)
        .where(each.c.standing == standing, each.c.member_id > after)
        .order_by(each.c.member_id)
        .limit(most)
    )
    return [Received(r.member_id, r.public_id, r.decided_at, r.fetched_at) for r in rows]


def in_phones(tx: Tx, member_ids: Sequence[int]) -> dict[int, bool]:
    """Of these members those who have a live card in a phone, and whether one of their phones can be rung."""
    held = _held(list(member_ids))
    rows = tx.execute(
        sa.select(passes.c.member_id, sa.func.max(held.c.ringable).label("ringable"))
        .join(held, held.c.pass_id == passes.c.id)
        .where(passes.c.state == "active", passes.c.kind == "card")
        .group_by(passes.c.member_id)
    )
    return {r.member_id: bool(r.ringable) for r in rows}


def audience(tx: Tx, row: AnnouncementRow) -> int:
    """How many members the walk will ask in all."""
    query = sa.select(sa.func.count()).where(members.c.programme_id == row.programme_id, members.c.left_at.is_(None))
    if row.audience_member_id is not None:
        query = query.where(members.c.id == row.audience_member_id)
    if row.audience_tier is not None:
        query = query.where(members.c.tier == row.audience_tier)
    return int(tx.execute(query).scalar_one())


def results(tx: Tx, scope: Scope, announcement_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Announcement key to (asked, shown, fetched), of the merchant's own."""
    am = announcement_members.c
    rows = tx.execute(
        sa.select(
            am.announcement_id,
            sa.func.count().label("asked"),
            sa.func.sum(sa.case((am.outcome == SHOWN, 1), else_=0)).label("shown"),
            sa.func.count(am.fetched_at).label("fetched"),
        )
        .join(announcements, announcements.c.id == am.announcement_id)
        .where(am.announcement_id.in_(list(announcement_ids)), announcements.c.merchant_id == scope.merchant_id)
        .group_by(am.announcement_id)
    )
    found = {r.announcement_id: (r.asked, int(r.shown), r.fetched) for r in rows}
    for key, more in _told_together(tx, announcement_ids).items():
        if key in found:
            asked, shown, fetched = found[key]
            found[key] = asked, shown, fetched + more
    return found


def _told_together(tx: Tx, announcement_ids: Sequence[int]) -> dict[int, int]:
    """Announcement key to how many of those who are shown it hold a card that got it with everybody's."""
    am = announcement_members.c
    rows = tx.execute(
        sa.select(am.announcement_id, sa.func.count(sa.distinct(am.member_id)))
        .select_from(class_messages)
        .join(announcement_members, am.announcement_id == class_messages.c.announcement_id)
        .join(
            passes,
            sa.and_(
                passes.c.member_id == am.member_id, passes.c.credential_set_id == class_messages.c.credential_set_id
            ),
        )
        .join(pass_holdings, pass_holdings.c.pass_id == passes.c.id)
        .where(
            class_messages.c.announcement_id.in_(list(announcement_ids)),
            class_messages.c.alerted.is_not(None),
            pass_holdings.c.has_users.is_(True),
            am.outcome == SHOWN,
            am.fetched_at.is_(None),
        )
        .group_by(am.announcement_id)
    )
    return {int(key): int(many) for key, many in rows}
