"""Owns drafts: the form of a programme's card as it was last typed, one for each programme, revision by revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import drafts, members, participations, programmes, sales, staff
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class DraftRow:
    """What stands in the form; `by` is the name of who saved it last."""

    form: dict[str, str]
    revision: int
    changed_at: datetime
    by: str | None


_DRAFT = (
    sa.select(drafts.c.form, drafts.c.revision, drafts.c.changed_at, staff.c.name.label("by"))
    .select_from(
        drafts.join(programmes, programmes.c.id == drafts.c.programme_id)
        .join(participations, participations.c.programme_id == programmes.c.id)
        .outerjoin(staff, staff.c.id == drafts.c.staff_id)
    )
    .where(
        drafts.c.programme_id == b("programme_id"),
        programmes.c.account_id == b("account_id"),
        participations.c.merchant_id == b("merchant_id"),
        participations.c.left_at.is_(None),
    )
)


def draft(tx: Tx, scope: Scope, programme_id: int) -> DraftRow | None:
    """The draft of a programme in this caller's scope, if there is one."""
    r = tx.execute(
        _DRAFT,
        {"programme_id": programme_id, "account_id": scope.account_id, "merchant_id": scope.merchant_id},
    ).first()
    return None if r is None else DraftRow(dict(r.form), r.revision, r.changed_at, r.by)


def save(
    tx: Tx, programme_id: int, form: Mapping[str, str], after: int, staff_id: int | None, at: datetime
) -> int | None:
    """Put a form in the place of revision `after` (0: of none), and return its own revision; None when another one
    stands there. The programme must be known to be in the caller's scope."""
    row = {"form": dict(form), "changed_at": at, "staff_id": staff_id}
    if after == 0:
        insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(drafts)
        statement = insert.values(programme_id=programme_id, revision=1, **row).on_conflict_do_nothing()
        made = tx.execute(statement.returning(drafts.c.revision)).scalar()
    else:
        made = tx.execute(
            sa.update(drafts)
            .where(drafts.c.programme_id == programme_id, drafts.c.revision == after)
            .values(revision=after + 1, **row)
            .returning(drafts.c.revision)
        ).scalar()
    return None if made is None else int(made)


_MEMBERS = (
    sa.select(sa.func.count())
    .select_from(members)
    .where(members.c.programme_id == b("programme_id"), members.c.left_at.is_(None))
)


def count_members(tx: Tx, programme_id: int) -> int:
    """How many members have a card that a new version would change."""
    return int(tx.execute(_MEMBERS, {"programme_id": programme_id}).scalar_one())


@dataclass(frozen=True)
class Span:
    """How many members of a programme there are who stay, and the least and the greatest of their keys."""

    count: int
    least: int
    greatest: int


def span(tx: Tx, programme_id: int) -> Span:
    """Of a programme; zeros where it has nobody."""
    key = members.c.id
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.min(key), 0), sa.func.coalesce(sa.func.max(key), 0)
    ).where(members.c.programme_id == programme_id, members.c.left_at.is_(None))
    return Span(*map(int, tx.execute(query).one()))


def mean_basket(tx: Tx, programme_id: int, since: datetime) -> tuple[int, Fraction]:
    """How many sales of more than nothing were counted for members of a programme since then, and what one came to on
    average, in minor units; 0 where there was none."""
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sales.c.amount_minor), 0))
        .select_from(sales.join(members, members.c.id == sales.c.member_id))
        .where(members.c.programme_id == programme_id, sales.c.recorded_at >= since, sales.c.amount_minor > 0)
    )
    count, total = map(int, tx.execute(query).one())
    return count, Fraction(total, count) if count else Fraction(0)
