"""Owns what the pass doctor reads of a card: copies, phones, jobs, certificate, consents, news, lines of phones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.jobs import claimable, instant
from wallet_server.records.passes.passes import ACTIVE, CARD
from wallet_server.records.schema import (
    announcement_members,
    announcements,
    consents,
    coupon_events,
    coupons,
    credential_sets,
    departures,
    devices,
    jobs,
    ledger_entries,
    member_standing,
    members,
    passes,
    phone_logs,
    programme_versions,
    registrations,
    stores,
)


@dataclass(frozen=True)
class Copy:
    """One issued copy of a member's card, as far as the doctor asks."""

    id: int
    public_id: str
    serial: str
    pass_type: str
    credential_set_id: int
    wallet: str
    state: str
    created_at: datetime
    version: int
    loud: int
    quiet_until: datetime | None


@dataclass(frozen=True)
class Holder:
    """A device that holds a copy."""

    library_id: str
    push_kind: str
    since: datetime
    suspect_at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """A job that waits for a copy."""

    due_at: datetime
    rest_until: datetime | None
    leased_until: datetime | None
    dead: bool
    why: str


@dataclass(frozen=True)
class Whose:
    """The member, the language they joined in, whether they left, and whether their home store has closed."""

    id: int
    public_id: str
    programme_id: int
    language: str
    left_at: datetime | None
    home_closed: bool


@dataclass(frozen=True)
class Heard:
    """What was decided for a member of an announcement."""

    public_id: str
    texts: Mapping[str, str]
    decided_at: datetime
    outcome: str
    why: str | None
    ends_at: datetime
    recalled_at: datetime | None


def whose(tx: Tx, member_id: int) -> Whose:
    """The member of this key."""
    m = members.c
    r = tx.execute(
        sa.select(m.id, m.public_id, m.programme_id, m.language, m.left_at, stores.c.closed_at)
        .outerjoin(stores, stores.c.id == members.c.home_store_id)
        .where(members.c.id == member_id)
    ).one()
    return Whose(r.id, r.public_id, r.programme_id, r.language, r.left_at, r.closed_at is not None)


def member_behind(tx: Tx, public_id: str) -> int:
    """The key of the member that a member's or a pass's public id names, whoever's it is: for the operator alone.
    Raises `NotFound`."""
    if public_id.startswith("pass_"):
        found = tx.execute(sa.select(passes.c.member_id).where(passes.c.public_id == public_id)).scalar()
    else:
        found = tx.execute(sa.select(members.c.id).where(members.c.public_id == public_id)).scalar()
    if found is None:
        raise NotFound(f"There is no member and no pass {public_id}.", field="card")
    return int(found)


def copies(tx: Tx, member_id: int, most: int) -> list[Copy]:
    """The member's copies, the valid ones before the others, cards before coupons, the newest first."""
    rows = tx.execute(
        sa.select(passes)
        .where(passes.c.member_id == member_id)
        .order_by(
            sa.case((passes.c.state == ACTIVE, 0), else_=1),
            sa.case((passes.c.kind == CARD, 0), else_=1),
            passes.c.id.desc(),
        )
        .limit(most)
    )
    names = Copy.__dataclass_fields__
    return [Copy(**{name: getattr(r, name) for name in names}) for r in rows]


def holders(tx: Tx, pass_id: int) -> list[Holder]:
    """The devices that hold it, by the time since when they do."""
    rows = tx.execute(
        sa.select(devices.c.library_id, devices.c.push_kind, registrations.c.registered_at, devices.c.suspect_at)
        .join(registrations, registrations.c.device_id == devices.c.id)
        .where(registrations.c.pass_id == pass_id)
        .order_by(registrations.c.registered_at)
    )
    return [Holder(*r) for r in rows]


def departure(tx: Tx, pass_id: int) -> tuple[datetime, str] | None:
    """When and why a device last ceased to hold it."""
    r = tx.execute(sa.select(departures.c.at, departures.c.why).where(departures.c.pass_id == pass_id)).first()
    return None if r is None else (r.at, r.why)


def waiting(tx: Tx, pass_id: int) -> dict[str, Waiting]:
    """Kind of job to the one that waits for it."""
    rows = tx.execute(sa.select(jobs).where(jobs.c.kind.in_(("refresh", "ring")), jobs.c.key == str(pass_id)))
    return {
        r.kind: Waiting(
            claimable(r),
            instant(r.rest_until) if r.rest_until else None,
            instant(r.leased_until) if r.leased_until else None,
            r.dead_at is not None,
            r.last_error or "",
        )
        for r in rows
    }


def papers(tx: Tx, credential_set_id: int) -> tuple[datetime, datetime, datetime | None]:
    """Of a certificate: valid from, valid until, and when a phone last took a push under it (to the hour)."""
    c = credential_sets.c
    query = sa.select(c.not_before, c.not_after, c.told_at).where(c.id == credential_set_id)
    r = tx.execute(query).one()
    return r.not_before, r.not_after, r.told_at


def ever_agreed(tx: Tx, member_id: int, purpose: str) -> bool:
    """Whether the member once agreed to this, whatever they said later."""
    query = sa.select(consents.c.id).where(
        consents.c.member_id == member_id, consents.c.purpose == purpose, consents.c.granted.is_(True)
    )
    return tx.execute(query.limit(1)).scalar() is not None


def heard(tx: Tx, member_id: int, most: int) -> list[Heard]:
    """What was last decided for the member of announcements, newest first."""
    am, a = announcement_members.c, announcements.c
    rows = tx.execute(
        sa.select(a.public_id, a.texts, am.decided_at, am.outcome, am.why, a.ends_at, a.recalled_at)
        .join(announcements, a.id == am.announcement_id)
        .where(am.member_id == member_id)
        .order_by(am.decided_at.desc(), a.id.desc())
        .limit(most)
    )
    return [Heard(*r) for r in rows]


def last_booking(tx: Tx, member_id: int) -> tuple[datetime, str] | None:
    """When something was last booked for the member, and of which kind it was."""
    e = ledger_entries.c
    query = sa.select(e.recorded_at, e.kind).where(e.member_id == member_id).order_by(e.id.desc()).limit(1)
    r = tx.execute(query).first()
    return None if r is None else (r.recorded_at, r.kind)


def last_of_vouchers(tx: Tx, member_id: int) -> tuple[datetime, str] | None:
    """When something last became of one of the member's vouchers, which their card lists, and what."""
    e, c = coupon_events.c, coupons.c
    query = sa.select(e.at, e.kind).join(coupons, c.id == e.coupon_id)
    query = query.where(c.member_id == member_id, c.promise.is_not(None))
    r = tx.execute(query.order_by(e.id.desc()).limit(1)).first()
    return None if r is None else (r.at, r.kind)


def tier_since(tx: Tx, member_id: int) -> datetime | None:
    """Since when the member has the tier that they have."""
    return tx.execute(sa.select(member_standing.c.since).where(member_standing.c.member_id == member_id)).scalar()


def version_published_at(tx: Tx, version_id: int) -> datetime:
    """When this version of a programme was published."""
    query = sa.select(programme_versions.c.published_at).where(programme_versions.c.id == version_id)
    at: datetime = tx.execute(query).scalar_one()
    return at


def lines(
    tx: Tx, pass_id: int, serial: str, library_ids: Sequence[str], since: datetime, most: int
) -> list[tuple[datetime, str]]:
    """What phones reported of this copy since then, newest first: joined to it, or naming its serial number or one of
    the devices that hold it. All three are known to its phones alone."""
    names = [serial, *library_ids]
    about = sa.or_(
        phone_logs.c.pass_id == pass_id, *(phone_logs.c.line.contains(name, autoescape=True) for name in names)
    )
    rows = tx.execute(
        sa.select(phone_logs.c.at, phone_logs.c.line)
        .where(phone_logs.c.at > since, about)
        .order_by(phone_logs.c.id.desc())
        .limit(most)
    )
    return [(r.at, r.line) for r in rows]


def serials_among(tx: Tx, words: Collection[str]) -> set[str]:
    """Those of the words that are serial numbers of passes, whoever's."""
    kinds = passes.c.pass_type.in_(sa.select(credential_sets.c.pass_type))
    return set(tx.execute(sa.select(passes.c.serial).where(kinds, passes.c.serial.in_(words))).scalars())


def devices_among(tx: Tx, words: Collection[str]) -> set[str]:
    """Those of the words that name devices, whoever's. Such a name is the device's secret."""
    return set(tx.execute(sa.select(devices.c.library_id).where(devices.c.library_id.in_(words))).scalars())
