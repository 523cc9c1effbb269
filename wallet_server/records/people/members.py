"""Owns members: who joined which programme, what they consented to, and what may be erased of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import kept_for, one_named
from wallet_server.records.prepared import Prepared, together
from wallet_server.records.purse import ledger
from wallet_server.records.schema import (
    codes,
    consents,
    identities,
    members,
    participations,
    passes,
    programme_versions,
    programmes,
)
from wallet_server.records.scope import Scope

LEFT = "This member has left the programme."
PROMOTIONS = "promotions"
"""The purpose under which announcements are sent."""


CURRENT, OLDER, REPLACED, EXPIRED, REVOKED, GONE = "current", "older", "replaced", "expired", "revoked", "gone"
"""How the code of a card stands: the newest issue of a card that is good; an earlier one of it; that of a card in whose
place there is another; of one whose time is over; of one that was cancelled; of somebody who left."""


@dataclass(frozen=True)
class CodeState:
    """A code that was scanned: its row, the pass that shows it (None for plastic), its issue and the key that signed
    it, how it stands, and whether a till saw this issue before."""

    id: int
    pass_id: int | None
    kind: str
    issue: int
    key_id: str
    standing: str
    shown: bool


@dataclass(frozen=True)
class MemberRow:
    """A member, the programme and its current version. `code` is what was scanned, `code_current` is false for anything
    but the newest issue of a card that is good, `coupon_pass` the pass whose code it was where that is a coupon's;
    `purses` are those of a member who was found by a code and held, as they stood then (`ledger.purses`)."""

    id: int
    public_id: str
    programme_id: int
    programme_public_id: str
    version_id: int
    version: int
    tier: str | None
    language: str
    home_store_id: int | None
    joined_at: datetime
    code_current: bool = True
    coupon_pass: int | None = None
    code: CodeState | None = None
    purses: Mapping[str, ledger.Purse] | None = field(default=None, compare=False)


_COLUMNS = (
    members.c.id,
    members.c.public_id,
    members.c.programme_id,
    programmes.c.public_id.label("programme_public_id"),
    programme_versions.c.id.label("version_id"),
    programme_versions.c.number.label("version"),
    members.c.tier,
    members.c.language,
    members.c.home_store_id,
    members.c.joined_at,
)


def _from_members(source: sa.FromClause) -> sa.Join:
    return source.join(programmes, programmes.c.id == members.c.programme_id).join(
        programme_versions,
        sa.and_(
            programme_versions.c.programme_id == programmes.c.id,
            programme_versions.c.number == programmes.c.current_version,
        ),
    )


_TAKES_PART = sa.and_(
    participations.c.programme_id == members.c.programme_id,
    participations.c.merchant_id == b("merchant_id"),
    participations.c.left_at.is_(None),
)
_BY_CODE = (
    sa.select(
        *_COLUMNS,
        codes.c.id.label("code_id"),
        codes.c.valid_to,
        codes.c.revoked_at,
        codes.c.superseded_at,
        codes.c.shown_at,
        codes.c.issue,
        codes.c.key_id,
        codes.c.kind.label("code_kind"),
        codes.c.pass_id,
        passes.c.state.label("pass_state"),
        members.c.left_at,
    )
    .select_from(
        _from_members(codes.join(members, members.c.id == codes.c.member_id))
        .join(participations, _TAKES_PART)
        .outerjoin(passes, passes.c.id == codes.c.pass_id)
    )
    # A code of recovery opens a card, and is none.
    .where(codes.c.kind != "recovery")
)
_LOOKUP, _SHORT = codes.c.lookup == b("lookup"), codes.c.short == b("lookup")
_HELD = _BY_CODE.with_for_update(of=members, key_share=True)
_FIND = {
    (False, False): Prepared(_BY_CODE.where(_LOOKUP)),
    (False, True): Prepared(_HELD.where(_LOOKUP)),
    (True, False): Prepared(_BY_CODE.where(_SHORT)),
    (True, True): Prepared(_HELD.where(_SHORT)),
}
# Sent with the other, and done after it: what stands on them is read when the member is held.
_WHOSE = sa.select(codes.c.member_id).where(codes.c.kind != "recovery")
_PURSES = {
    short: Prepared(ledger.purses_query(_WHOSE.where(by).scalar_subquery()))
    for short, by in ((False, _LOOKUP), (True, _SHORT))
}
_BY_PUBLIC = (
    sa.select(*_COLUMNS)
    .select_from(_from_members(members).join(participations, _TAKES_PART))
    .where(members.c.id == one_named(b("public_id")))
)
_LOCK = Prepared(
    # No key update: rows elsewhere may go on naming this member (a walk that notes whom it told) while a till holds it.
    sa.select(members.c.tier, members.c.left_at).where(members.c.id == b("id")).with_for_update(key_share=True)
)  # SQLite ignores FOR UPDATE: there the whole database is locked for writing


def add_member(
    tx: Tx, public_id: str, programme_id: int, home_store_id: int | None, language: str, tier: str | None, at: datetime
) -> int:
    row = {
        "public_id": public_id,
        "programme_id": programme_id,
        "home_store_id": home_store_id,
        "language": language,
        "tier": tier,
        "joined_at": at,
    }
    return int(tx.execute(sa.insert(members).returning(members.c.id), row).scalar_one())


@dataclass(frozen=True)
class CodeKey:
    """What a code's row is found by; `short` where that is of its short form."""

    lookup: bytes
    short: bool = False


def member_by_code(
    tx: Tx, scope: Scope, key: CodeKey, now: datetime, *, hold: bool = False, since: datetime | None = None
) -> MemberRow | None:
    """The holder of a card, if the caller's merchant takes part in its programme; if asked, held as by `lock_member`,
    with the tier and the purses that stand then. Whoever calls this looks how the code stands: by now, but that it is
    over only if it was so `since` then (None: now)."""
    values, purses = {"lookup": key.lookup, "merchant_id": scope.merchant_id}, None
    if hold:
        r, purses = _held(tx, key, values)
        if r is not None and r.left_at is not None and kept_for(tx, r.id) != r.id:
            # While this waited, the holder became one with another member, whose code it is now.
            r, purses = _held(tx, key, values)
    else:
        r = _FIND[key.short, False].first(tx, values)
    if r is None:
        return None
    standing = _standing(r, now if since is None else min(since, now), now)
    state = CodeState(r.code_id, r.pass_id, r.code_kind, r.issue, r.key_id, standing, r.shown_at is not None)
    coupon_pass = r.pass_id if r.code_kind == "coupon" else None
    return _member(r, current=standing == CURRENT, code=state, coupon_pass=coupon_pass, purses=purses)


def _held(tx: Tx, key: CodeKey, values: Mapping[str, Any]) -> tuple[Any, dict[str, ledger.Purse]]:
    found, purses = together(tx, (_FIND[key.short, True], values), (_PURSES[key.short], values))
    return (found[0] if found else None), ledger.purses_found(purses)


def _standing(r: Any, since: datetime, now: datetime) -> str:
    if r.left_at is not None:
        return GONE
    if r.revoked_at is not None and (since == now or r.revoked_at <= since):
        return REVOKED
    if r.valid_to is not None and r.valid_to <= since:
        return EXPIRED
    if r.pass_state not in (None, "active"):
        return REPLACED
    return OLDER if r.superseded_at is not None else CURRENT


_PASS_BY_CODE = (
    sa.select(codes.c.pass_id)
    .select_from(codes.join(members, members.c.id == codes.c.member_id).join(participations, _TAKES_PART))
    .where(codes.c.kind != "recovery")
)
_PASS_BY = {False: _PASS_BY_CODE.where(_LOOKUP), True: _PASS_BY_CODE.where(_SHORT)}


def pass_by_code(tx: Tx, scope: Scope, key: CodeKey) -> int | None:
    """The key of the pass that shows this code, if the caller's merchant takes part in its programme."""
    return tx.execute(_PASS_BY[key.short], {"lookup": key.lookup, "merchant_id": scope.merchant_id}).scalar()


def member_by_public(tx: Tx, scope: Scope, public_id: str) -> MemberRow:
    """A member of a programme that the caller's merchant takes part in; of one who was merged, the one who was kept.
    Raises `NotFound`."""
    r = tx.execute(_BY_PUBLIC, {"public_id": public_id, "merchant_id": scope.merchant_id}).first()
    if r is None:
        raise NotFound("There is no such member.", field="member")
    return _member(r)


def _member(
    r: Any,
    *,
    current: bool = True,
    code: CodeState | None = None,
    coupon_pass: int | None = None,
    purses: Mapping[str, ledger.Purse] | None = None,
) -> MemberRow:
    return MemberRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.programme_public_id,
        r.version_id,
        r.version,
        r.tier,
        r.language,
        r.home_store_id,
        r.joined_at,
        current,
        coupon_pass,
        code,
        purses,
    )


_BY_ID = Prepared(
    lambda dialect: sa.select(*_COLUMNS).select_from(_from_members(members)).where(among(dialect, members.c.id))
)


_FIRST_NAMES = Prepared(
    lambda dialect: sa.select(identities.c.member_id, identities.c.value).where(
        among(dialect, identities.c.member_id), identities.c.kind == "first_name"
    )
)


def members_by_id(tx: Tx, ids: Sequence[int]) -> dict[int, MemberRow]:
    """Members by key, for work that the product itself does on its cards."""
    return {r.id: _member(r) for r in _BY_ID.rows(tx, {"ids": list(ids)})}


def first_names(tx: Tx, member_ids: Sequence[int]) -> dict[int, str]:
    """Member key to the first name, for those who gave one."""
    return {row[0]: row[1] for row in _FIRST_NAMES.plain(tx, {"ids": list(member_ids)})}


def set_first_name(tx: Tx, programme_id: int, member_id: int, name: str | None) -> None:
    """How a member wants to be called; None forgets it."""
    mine = sa.and_(identities.c.member_id == member_id, identities.c.kind == "first_name")
    tx.execute(sa.delete(identities).where(mine))
    if name:
        add_contact(tx, programme_id, member_id, "first_name", name)


def lock_member(tx: Tx, member_id: int) -> str | None:
    """Hold the member's row until the end of the transaction and return the tier that stands now.

    The first lock of every change to a member: before passes, before jobs. Raises `NotFound` when the member left.
    """
    row = _LOCK.first(tx, {"id": member_id})
    if row.left_at is not None:
        raise NotFound(LEFT, code="unknown-card")
    return row.tier  # type: ignore[no-any-return]


def hold_all(tx: Tx, member_ids: Iterable[int]) -> tuple[dict[int, str | None], set[int]]:
    """Hold these members in the order of their keys: the tier that each has now, and who of them left."""
    held = {key: _LOCK.first(tx, {"id": key}) for key in sorted(set(member_ids))}
    gone = {key for key, row in held.items() if row.left_at is not None}
    return {key: row.tier for key, row in held.items()}, gone


def hold(tx: Tx, member_id: int) -> None:
    """The same of whoever left, too."""
    _LOCK.first(tx, {"id": member_id})


def left_at(tx: Tx, member_id: int) -> datetime | None:
    """When the member left; None for one who stays."""
    at: datetime | None = tx.execute(sa.select(members.c.left_at).where(members.c.id == member_id)).scalar_one()
    return at


def set_left(tx: Tx, member_id: int, at: datetime) -> None:
    """The member has left; the caller holds the row."""
    tx.execute(sa.update(members).where(members.c.id == member_id).values(left_at=at))


def set_tier(tx: Tx, member_id: int, tier: str | None) -> None:
    tx.execute(sa.update(members).where(members.c.id == member_id).values(tier=tier))


def record_consent(tx: Tx, member_id: int, purpose: str, granted: bool, source: str, at: datetime) -> None:
    """A further line of the record of consent; the last line of a purpose is the one that counts."""
    tx.execute(sa.insert(consents).values(member_id=member_id, purpose=purpose, granted=granted, source=source, at=at))


def consents_of(tx: Tx, member_id: int) -> dict[str, tuple[bool, datetime, str]]:
    """Purpose to (granted, when, source), as it stands."""
    rows = tx.execute(sa.select(consents).where(consents.c.member_id == member_id).order_by(consents.c.id))
    return {r.purpose: (r.granted, r.at, r.source) for r in rows}


def add_contact(tx: Tx, programme_id: int, member_id: int, kind: str, value: str, *, own: bool = False) -> None:
    """Note what a member said that they are reached under (a normalised e-mail address, say); `own`: they typed it
    themselves on the join page.

    Nobody has proved it, so that several members may name the same; only a verified identity is one member's alone.
    """
    row = {"programme_id": programme_id, "member_id": member_id, "kind": kind, "value": value, "own": own}
    tx.execute(sa.insert(identities).values(**row))


def next_members(tx: Tx, programme_id: int, after: int, most: int) -> list[int]:
    """Members of a programme by key, for a walk in slices."""
    query = (
        sa.select(members.c.id)
        .where(members.c.programme_id == programme_id, members.c.id > after, members.c.left_at.is_(None))
        .order_by(members.c.id)
        .limit(most)
    )
    return list(tx.execute(query).scalars())
