"""Owns announcements that go to everybody who holds a card of one set at once: for which that may be, and how far.

`asking`: the members are being asked, and nobody is told yet; `going`: one message is on its way; `told`; `cards`: it
goes card by card; `recalled`: taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, micros
from wallet_server.records.passes.passes import ACTIVE, CARD
from wallet_server.records.people.members import PROMOTIONS
from wallet_server.records.schema import (
    announcement_members,
    announcements,
    class_alerts,
    class_messages,
    consents,
    credential_sets,
    jobs,
    members,
    pass_alerts,
    passes,
    publications,
)

ASKING, GOING, TOLD, CARDS, RECALLED = "asking", "going", "told", "cards", "recalled"


@dataclass(frozen=True)
class ClassMessage:
    """How far an announcement has come with one set of credentials, since `at`; `alerted` and `why` once it is told."""

    announcement_id: int
    credential_set_id: int
    state: str
    at: datetime
    alerted: bool | None
    why: str | None


def issuers(tx: Tx, programme_id: int, wallets: Sequence[str]) -> list[int]:
    """The sets of these wallets under which members of a programme have good cards."""
    query = (
        sa.select(credential_sets.c.id)
        .where(
            credential_sets.c.wallet.in_(list(wallets)),
            credential_sets.c.retired_at.is_(None),
            sa.exists().where(
                passes.c.credential_set_id == credential_sets.c.id,
                passes.c.state == ACTIVE,
                passes.c.kind == CARD,
                passes.c.member_id == members.c.id,
                members.c.programme_id == programme_id,
            ),
        )
        .order_by(credential_sets.c.id)
    )
    return list(tx.execute(query).scalars())


def _cards_of(programme_id: int, set_id: int) -> sa.Select[tuple[int]]:
    return (
        sa.select(passes.c.id)
        .join(members, members.c.id == passes.c.member_id)
        .where(
            members.c.programme_id == programme_id,
            members.c.left_at.is_(None),
            passes.c.credential_set_id == set_id,
            passes.c.state == ACTIVE,
            passes.c.kind == CARD,
        )
    )


def anyone_apart(tx: Tx, programme_id: int, set_id: int) -> bool:
    """Whether somebody who has a card of this set has not agreed to announcements, as things stand."""
    newest = (
        sa.select(sa.func.max(consents.c.id))
        .where(consents.c.member_id == members.c.id, consents.c.purpose == PROMOTIONS)
        .correlate(members)
        .scalar_subquery()
    )
    agreed = sa.exists().where(consents.c.id == newest, consents.c.granted.is_(True))
    query = _cards_of(programme_id, set_id).where(~agreed)
    return tx.execute(query.limit(1)).first() is not None


def outcomes(tx: Tx, announcement_id: int, programme_id: int, set_id: int) -> set[str]:
    """What was decided for those who have a card of this set; "" stands for whoever was not asked."""
    am = announcement_members.c
    each = _cards_of(programme_id, set_id).subquery()
    query = (
        sa.select(sa.func.coalesce(am.outcome, ""))
        .select_from(each.join(passes, passes.c.id == each.c.id))
        .outerjoin(
            announcement_members,
            sa.and_(am.member_id == passes.c.member_id, am.announcement_id == announcement_id),
        )
        .distinct()
    )
    return set(tx.execute(query).scalars())


def spent(tx: Tx, programme_id: int, set_id: int, since: datetime, most: int, but: str = "") -> tuple[int, int]:
    """(How many cards of this set there are, how many of those that raised an alert of their own since then have, with
    those to everybody `but` this one, raised `most`)."""
    each = _cards_of(programme_id, set_id).add_columns(passes.c.created_at).subquery()
    many = int(tx.execute(sa.select(sa.func.count()).select_from(each)).scalar_one())
    own = (
        sa.select(each.c.id, each.c.created_at, sa.func.count().label("alerts"))
        .join(pass_alerts, pass_alerts.c.pass_id == each.c.id)
        .where(pass_alerts.c.at > since)
        .group_by(each.c.id, each.c.created_at)
        .subquery()
    )
    shared = (
        sa.select(sa.func.count())
        .select_from(class_alerts)
        .where(
            class_alerts.c.programme_id == programme_id,
            class_alerts.c.credential_set_id == set_id,
            class_alerts.c.what != but[:40],
            class_alerts.c.at > since,
            class_alerts.c.at >= own.c.created_at,
        )
        .correlate(own)
        .scalar_subquery()
    )
    query = sa.select(sa.func.count()).select_from(own).where(own.c.alerts + shared >= most)
    return many, int(tx.execute(query).scalar_one())


def cards_after(tx: Tx, announcement_id: int, set_id: int, outcome: str, after: int, most: int) -> list[int]:
    """Keys of the good cards of this set of whom this was decided, from beyond `after`."""
    am = announcement_members.c
    query = (
        sa.select(passes.c.id)
        .join(announcement_members, am.member_id == passes.c.member_id)
        .where(
            am.announcement_id == announcement_id,
            am.outcome == outcome,
            passes.c.credential_set_id == set_id,
            passes.c.state == ACTIVE,
            passes.c.kind == CARD,
            passes.c.id > after,
        )
        .order_by(passes.c.id)
        .limit(most)
    )
    return list(tx.execute(query).scalars())


def ask(tx: Tx, announcement_id: int, set_ids: Sequence[int], at: datetime) -> None:
    """It may go to everybody of these sets; the members are asked first."""
    rows = [
        {"announcement_id": announcement_id, "credential_set_id": one, "state": ASKING, "at": at} for one in set_ids
    ]
    if rows:
        tx.execute(sa.insert(class_messages), rows)


def move(
    tx: Tx, message: ClassMessage, state: str, at: datetime, *, alerted: bool | None = None, why: str | None = None
) -> bool:
    """It is in another state now; False when it was no longer in the one that it was read in."""
    said = {"state": state, "at": at, "why": None if why is None else why[:500]}
    if alerted is not None:
        said["alerted"] = alerted
    moved = sa.update(class_messages).where(
        class_messages.c.announcement_id == message.announcement_id,
        class_messages.c.credential_set_id == message.credential_set_id,
        class_messages.c.state == message.state,
    )
    return tx.execute(moved.values(**said)).rowcount == 1


_OF = sa.select(class_messages).where(class_messages.c.announcement_id == b("announcement"))


def of(tx: Tx, announcement_id: int) -> list[ClassMessage]:
    """Those of an announcement, by set."""
    rows = tx.execute(_OF.order_by(class_messages.c.credential_set_id), {"announcement": announcement_id})
    return [ClassMessage(**r._mapping) for r in rows]


_APART = (
    sa.select(announcements.c.public_id, class_messages.c.credential_set_id)
    .join(announcements, announcements.c.id == class_messages.c.announcement_id)
    .where(announcements.c.public_id.in_(b("ids", expanding=True)), class_messages.c.state.in_((ASKING, GOING, TOLD)))
)


def apart(tx: Tx, public_ids: Sequence[str]) -> set[tuple[str, int]]:
    """Of these announcements those that do not stand on the cards of a set: (public id, key of the set)."""
    if not public_ids:
        return set()
    return {(r.public_id, r.credential_set_id) for r in tx.execute(_APART, {"ids": sorted(set(public_ids))})}


@dataclass(frozen=True)
class GivenCard:
    """A card that is pushed, and whether it shows news already."""

    pass_id: int
    credential_set_id: int
    shows_news: bool


_GIVEN = (
    sa.select(passes.c.id, passes.c.credential_set_id, publications.c.news.is_not(None))
    .join(publications, publications.c.pass_id == passes.c.id)
    .where(
        passes.c.member_id.in_(b("ids", expanding=True)),
        passes.c.wallet.in_(b("names", expanding=True)),
        passes.c.state == ACTIVE,
        passes.c.kind == CARD,
    )
    .order_by(passes.c.id)
)


def given_cards(tx: Tx, member_ids: Sequence[int], wallets: Sequence[str]) -> list[GivenCard]:
    """The good cards of these members in these wallets."""
    if not member_ids or not wallets:
        return []
    return [GivenCard(*r) for r in tx.execute(_GIVEN, {"ids": list(member_ids), "names": list(wallets)})]


def waiting(tx: Tx, set_id: int, until: datetime) -> int:
    """How many cards of a set wait to be told before then: what waits for a later date is no work yet."""
    ours = sa.select(sa.cast(passes.c.id, sa.String)).where(passes.c.credential_set_id == set_id)
    query = sa.select(sa.func.count(sa.distinct(jobs.c.key))).where(
        jobs.c.kind.in_(("refresh", "ring")), jobs.c.dead_at.is_(None), jobs.c.run_at <= b("soon"), jobs.c.key.in_(ours)
    )
    return int(tx.execute(query, {"soon": micros(until)}).scalar_one())


_own = jobs.alias("own")
_UNDER_WAY = (
    sa.select(jobs.c.id)
    .join(_own, _own.c.id == b("job"))
    .where(
        jobs.c.kind == b("kind"),
        jobs.c.key.like(b("to_set")),
        jobs.c.leased_until > b("now"),
        jobs.c.id.not_in(b("mine", expanding=True)),
        # Each of two who were claimed at once would wait for the other for ever.
        sa.or_(
            jobs.c.leased_until < _own.c.leased_until,
            sa.and_(jobs.c.leased_until == _own.c.leased_until, jobs.c.id < _own.c.id),
        ),
    )
    .limit(1)
)


def under_way(tx: Tx, kind: str, set_id: int, lease: Lease, mine: Sequence[Lease], now: datetime) -> bool:
    """Whether somebody else works a job of this kind for this set just now, and was first to claim it; `mine` are all
    that the caller works."""
    given = {"kind": kind, "to_set": f"%:{set_id}", "now": micros(now), "job": lease.id, "mine": [x.id for x in mine]}
    return tx.execute(_UNDER_WAY, given).first() is not None
