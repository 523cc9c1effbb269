"""Owns announcements: what was said, to whom, how far the walk has come, and what a card shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import announcement_members, announcements
from wallet_server.records.scope import Scope

DRAFT, CONFIRMED, DONE, RECALLED = "draft", "confirmed", "done", "recalled"
SHOWN, WAITING, SKIPPED = "shown", "waiting", "skipped"


@dataclass(frozen=True)
class AnnouncementRow:
    """An announcement; `walked_to` is the member up to whom the walk has come."""

    id: int
    public_id: str
    programme_id: int
    merchant_id: int
    texts: Mapping[str, str]
    audience_tier: str | None
    audience_member_id: int | None
    state: str
    created_at: datetime
    confirmed_at: datetime | None
    ends_at: datetime
    walked_to: int


@dataclass(frozen=True)
class NewsRow:
    """What a member's card shows: the announcement's public id, its texts, when it ends, and since when it is shown."""

    public_id: str
    texts: Mapping[str, str]
    ends_at: datetime
    since: datetime


def add(
    tx: Tx,
    public_id: str,
    programme_id: int,
    merchant_id: int,
    texts: Mapping[str, str],
    audience_tier: str | None,
    audience_member_id: int | None,
    ends_at: datetime,
    at: datetime,
) -> int:
    row = {
        "public_id": public_id,
        "programme_id": programme_id,
        "merchant_id": merchant_id,
        "texts": dict(texts),
        "audience_tier": audience_tier,
        "audience_member_id": audience_member_id,
        "state": DRAFT,
        "created_at": at,
        "ends_at": ends_at,
    }
    return int(tx.execute(sa.insert(announcements).returning(announcements.c.id), row).scalar_one())


def _row(r: sa.Row) -> AnnouncementRow:  # type: ignore[type-arg]
    return AnnouncementRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.merchant_id,
        r.texts,
        r.audience_tier,
        r.audience_member_id,
        r.state,
        r.created_at,
        r.confirmed_at,
        r.ends_at,
        r.walked_to,
    )


def announcement_in(tx: Tx, scope: Scope, public_id: str, *, lock: bool = False) -> AnnouncementRow:
    """One of the merchant's announcements, held until the end of the transaction if asked. Raises `NotFound`."""
    query = sa.select(announcements).where(
        announcements.c.public_id == public_id, announcements.c.merchant_id == scope.merchant_id
    )
    r = tx.execute(query.with_for_update() if lock else query).first()
    if r is None:
        raise NotFound("There is no such announcement.", field="announcement")
    return _row(r)


def announcements_of(tx: Tx, scope: Scope, most: int = 50) -> list[AnnouncementRow]:
    """The merchant's newest announcements."""
    rows = tx.execute(
        sa.select(announcements)
        .where(announcements.c.merchant_id == scope.merchant_id)
        .order_by(announcements.c.id.desc())
        .limit(most)
    )
    return [_row(r) for r in rows]


def announcement(tx: Tx, announcement_id: int) -> AnnouncementRow:
    """An announcement by its key."""
    return _row(tx.execute(sa.select(announcements).where(announcements.c.id == announcement_id)).one())


def lock(tx: Tx, announcement_id: int) -> AnnouncementRow:
    """Hold an announcement until the end of the transaction: the walk and a recall take turns."""
    return _row(
        tx.execute(sa.select(announcements).where(announcements.c.id == announcement_id).with_for_update()).one()
    )


def set_state(tx: Tx, announcement_id: int, state: str, at: datetime) -> None:
    column = {CONFIRMED: "confirmed_at", RECALLED: "recalled_at", DONE: "walked_at"}[state]
    tx.execute(
        sa.update(announcements).where(announcements.c.id == announcement_id).values(**{"state": state, column: at})
    )


def set_walked(tx: Tx, announcement_id: int, member_id: int) -> None:
    tx.execute(sa.update(announcements).where(announcements.c.id == announcement_id).values(walked_to=member_id))


def decide(tx: Tx, announcement_id: int, rows: Sequence[tuple[int, str, str | None]], at: datetime) -> None:
    """Record (member, outcome, why); a decision that stands is replaced (a waiting member is shown later)."""
    if not rows:
        return
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    insert = make(announcement_members)
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["announcement_id", "member_id"],
            set_={name: insert.excluded[name] for name in ("outcome", "why", "decided_at")},
        ),
        [
            {"announcement_id": announcement_id, "member_id": m, "outcome": outcome, "why": why, "decided_at": at}
            for m, outcome, why in rows
        ],
    )


def members_with(tx: Tx, announcement_id: int, outcome: str, after: int, most: int) -> list[int]:
    """Members by key for whom this was decided."""
    am = announcement_members.c
    return list(
        tx.execute(
            sa.select(am.member_id)
            .where(am.announcement_id == announcement_id, am.outcome == outcome, am.member_id > after)
            .order_by(am.member_id)
            .limit(most)
        ).scalars()
    )


def tally(tx: Tx, announcement_id: int) -> dict[str, int]:
    """Outcome (or `outcome:why`) to how many members."""
    am = announcement_members.c
    rows = tx.execute(
        sa.select(am.outcome, am.why, sa.func.count().label("n"))
        .where(am.announcement_id == announcement_id)
        .group_by(am.outcome, am.why)
    )
    return {r.outcome if r.why is None else f"{r.outcome}:{r.why}": r.n for r in rows}


_NEWS = Prepared(
    lambda dialect: (
        sa.select(
            announcement_members.c.member_id,
            announcement_members.c.decided_at,
            announcements.c.id,
            announcements.c.public_id,
            announcements.c.texts,
            announcements.c.ends_at,
        )
        .join(announcements, announcements.c.id == announcement_members.c.announcement_id)
        .where(
            among(dialect, announcement_members.c.member_id),
            announcement_members.c.outcome == SHOWN,
            announcements.c.state != RECALLED,
            announcements.c.ends_at > b("now"),
        )
        .order_by(announcement_members.c.decided_at, announcements.c.id)
    )
)


_TOLD = (
    sa.select(
        announcements.c.public_id, announcements.c.texts, announcements.c.ends_at, announcement_members.c.decided_at
    )
    .join(announcements, announcements.c.id == announcement_members.c.announcement_id)
    .where(
        announcement_members.c.member_id == b("member"),
        announcement_members.c.decided_at > b("since"),
        announcement_members.c.outcome == SHOWN,
        announcements.c.merchant_id == b("merchant"),
        announcements.c.audience_member_id.is_(None),
        announcements.c.state != RECALLED,
        announcements.c.ends_at > b("now"),
    )
    .order_by(announcements.c.ends_at, announcements.c.id)
    .limit(b("most"))
)
MOST_TOLD = 10


def told(tx: Tx, member_id: int, merchant_id: int, since: datetime, now: datetime) -> list[NewsRow]:
    """What this merchant announced after `since` to a member among others and still stands, what ends first before the
    rest; at most 10. A word for this member alone is between the two."""
    asked = {"member": member_id, "merchant": merchant_id, "since": since, "now": now, "most": MOST_TOLD}
    rows = tx.execute(_TOLD, asked)
    return [NewsRow(r.public_id, r.texts, r.ends_at, r.decided_at) for r in rows]


_FETCHED = (
    sa.update(announcement_members)
    .where(
        announcement_members.c.announcement_id
        == sa.select(announcements.c.id).where(announcements.c.public_id == b("said")).scalar_subquery(),
        announcement_members.c.member_id == b("of_member"),
        announcement_members.c.fetched_at.is_(None),
    )
    .values(fetched_at=b("at"), alerted=b("rang"))
)


def note_fetched(tx: Tx, taken: Sequence[tuple[str, int, bool]], at: datetime) -> None:
    """Phones of these members hold cards that show an announcement: (its public id, member key, whether that version
    rang with it); the first time counts."""
    if taken:
        rows = [{"said": said, "of_member": member, "rang": rang, "at": at} for said, member, rang in taken]
        tx.execute(_FETCHED, rows)


def stands(tx: Tx, public_id: str, now: datetime) -> bool:
    """Whether an announcement is neither recalled nor over."""
    a = announcements.c
    query = sa.select(a.id).where(a.public_id == public_id, a.state != RECALLED, a.ends_at > now)
    return tx.execute(query).scalar() is not None


def texts(tx: Tx, public_id: str) -> Mapping[str, str] | None:
    """What an announcement says, whatever became of it since: a card may still show it."""
    found = tx.execute(sa.select(announcements.c.texts).where(announcements.c.public_id == public_id)).scalar()
    return None if found is None else dict(found)


def news_of(tx: Tx, member_ids: Sequence[int], now: datetime) -> dict[int, NewsRow]:
    """Member key to the latest announcement that stands for it."""
    rows = _NEWS.rows(tx, {"ids": list(member_ids), "now": now})
    return {r.member_id: NewsRow(r.public_id, r.texts, r.ends_at, r.decided_at) for r in rows}
