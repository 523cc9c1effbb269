"""Owns the issues of a card's code: the next one, and whether somebody is known to have a newer one than that which was
scanned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import codes, passes, publications


@dataclass(frozen=True)
class IssueRow:
    """The newest issue of a pass's code: its text is sealed for the pass of this serial number."""

    pass_id: int
    member_id: int
    serial: str
    cipher: str
    kind: str
    issue: int
    valid_to: datetime | None


_NEWEST = (
    sa.select(
        codes.c.pass_id,
        codes.c.member_id,
        passes.c.serial,
        codes.c.cipher,
        codes.c.kind,
        codes.c.issue,
        codes.c.valid_to,
    )
    .join(passes, passes.c.id == codes.c.pass_id)
    .where(codes.c.pass_id == b("of_pass"))
    .order_by(codes.c.issue.desc())
    .limit(1)
)


def newest(tx: Tx, pass_id: int) -> IssueRow:
    """What the pass shows, or will once its phone has fetched it."""
    return IssueRow(*tx.execute(_NEWEST, {"of_pass": pass_id}).one())


def add_next(
    tx: Tx, row: IssueRow, lookup: bytes, short: bytes, cipher: str, key_id: str, at: datetime, till_id: int | None
) -> None:
    """One issue more, in the place of this one, which spent at this till and goes on saying who somebody is. The member
    is held."""
    older = sa.and_(codes.c.pass_id == row.pass_id, codes.c.superseded_at.is_(None))
    tx.execute(sa.update(codes).where(older).values(superseded_at=at, superseded_till=till_id))
    tx.execute(
        sa.insert(codes).values(
            pass_id=row.pass_id,
            member_id=row.member_id,
            lookup=lookup,
            short=short,
            cipher=cipher,
            kind=row.kind,
            key_id=key_id,
            issue=row.issue + 1,
            valid_from=at,
            valid_to=row.valid_to,
        )
    )


def mark_shown(tx: Tx, code_id: int, at: datetime) -> None:
    """A till saw this issue."""
    tx.execute(sa.update(codes).where(codes.c.id == code_id, codes.c.shown_at.is_(None)).values(shown_at=at))


_own = codes.alias("own")
_SAME = (
    sa.select(sa.func.coalesce(_own.c.same_upto, _own.c.issue))
    .where(_own.c.pass_id == b("of_pass"), _own.c.issue == b("issue"))
    .scalar_subquery()
)
_SHOWN = sa.exists().where(codes.c.pass_id == b("of_pass"), codes.c.issue > _SAME, codes.c.shown_at.is_not(None))
_FETCHED = sa.exists().where(publications.c.pass_id == b("of_pass"), publications.c.seen_issue > _SAME)
_IN_HAND = sa.exists().where(
    codes.c.pass_id == b("of_pass"),
    codes.c.issue == b("issue"),
    codes.c.superseded_till == b("till"),
    codes.c.superseded_at >= b("since"),
)
_NEWER_IS_OUT = sa.select(sa.and_(sa.or_(_SHOWN, _FETCHED), ~_IN_HAND))


def newer_is_out(tx: Tx, pass_id: int, issue: int, till_id: int | None, since: datetime) -> bool:
    """Whether somebody is known to have a newer issue than this, and not known to be whoever shows this one: a phone
    fetched it, or a till saw it. Not so while the till that this issue last spent at, since then, has it in hand: one
    visit may spend twice."""
    given = {"of_pass": pass_id, "issue": issue, "till": till_id, "since": since}
    return bool(tx.execute(_NEWER_IS_OUT, given).scalar())


_OUT = sa.select(
    sa.select(sa.func.max(codes.c.issue))
    .where(codes.c.pass_id == b("of_pass"), codes.c.shown_at.is_not(None))
    .scalar_subquery(),
    sa.select(publications.c.seen_issue).where(publications.c.pass_id == b("of_pass")).scalar_subquery(),
)


def mark_proven(tx: Tx, pass_id: int, code_id: int) -> None:
    """Whoever shows this issue has proved who they are: the newer ones that are out by now are theirs, too, and speak
    against it no more. One that comes out later does."""
    out = max((issue for issue in tx.execute(_OUT, {"of_pass": pass_id}).one() if issue is not None), default=None)
    if out is not None:
        tx.execute(sa.update(codes).where(codes.c.id == code_id, codes.c.issue < out).values(same_upto=out))


def same_upto(tx: Tx, code_id: int) -> int:
    """The newest issue that is known to be of whoever shows this one; 0 where nobody proved that."""
    return tx.execute(sa.select(codes.c.same_upto).where(codes.c.id == code_id)).scalar() or 0


def short_is_taken(tx: Tx, short: bytes) -> bool:
    """Whether the short form of some code is found by this already."""
    return tx.execute(sa.select(codes.c.id).where(codes.c.short == short)).first() is not None


def limit(tx: Tx, pass_id: int, until: datetime | None) -> None:
    """The codes of this pass are good until then; None: without an end."""
    tx.execute(sa.update(codes).where(codes.c.pass_id == pass_id).values(valid_to=until))


def revoke(tx: Tx, pass_id: int, at: datetime) -> None:
    """The codes of this pass are good for nothing from now on, and say so."""
    tx.execute(sa.update(codes).where(codes.c.pass_id == pass_id, codes.c.revoked_at.is_(None)).values(revoked_at=at))
