"""Owns what is noted of a version: when phones were told of it, how often within the hour, and when one had it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.jobs import micros
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import Instant, publications, registrations


class Rung(NamedTuple):
    """Phones were told of version `number`; `before` is `rung` as it stood when their list was read, `remote_state`
    what the vendor last accepted, `pushed_at` (UTC) when a phone was rung; None when there was none to ring."""

    pass_id: int
    number: int
    before: int
    remote_state: str | None
    pushed_at: datetime | None


PUSHES_COUNTED = timedelta(hours=1)
_at, _ago = b("pushed", type_=Instant()), b("hour_ago", type_=Instant())
_anew = sa.or_(publications.c.pushes_since.is_(None), publications.c.pushes_since <= _ago)
_NOTED = (
    sa.update(publications)
    .where(publications.c.rung == b("before"))
    .values(
        rung=b("told"),
        remote_state=b("state"),
        pushed_at=sa.func.coalesce(_at, publications.c.pushed_at),
        pushes=sa.case((_at.is_(None), publications.c.pushes), (_anew, 1), else_=publications.c.pushes + 1),
        pushes_since=sa.case((_at.is_not(None) & _anew, _at), else_=publications.c.pushes_since),
    )
)
_MARK_RUNG = Prepared(lambda dialect: _NOTED.where(among(dialect, publications.c.pass_id)))
_MARK_EACH = Prepared(_NOTED.where(publications.c.pass_id == b("of_pass")))
FEW = 4
"""So many different notes are a statement each; more of them are one statement for each card, in one go."""


_HOLD = Prepared(
    lambda dialect: (
        sa.select(publications.c.pass_id)
        .where(among(dialect, publications.c.pass_id))
        .order_by(publications.c.pass_id)
        .with_for_update(key_share=True)
    )
)


def mark_rung(tx: Tx, rung: Sequence[Rung]) -> None:
    """Note what was told. Where somebody asked to `ring_again` meanwhile, the note is dropped: a phone that came with
    a new push token after the list was read has not been told. In a mass change most cards have the same to note, and
    those are one statement."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for one in sorted(rung, key=operator.itemgetter(0)):
        alike.setdefault(one[1:], []).append(one.pass_id)
    if len(rung) > 1 and tx.dialect.name != "sqlite":
        _HOLD.plain(tx, {"ids": [r.pass_id for r in rung]})
    notes = [(ids, _note(*key)) for key, ids in alike.items()]
    if len(notes) > FEW:
        each = [{"of_pass": key, **note} for ids, note in notes for key in ids]
        _MARK_EACH.many(tx, sorted(each, key=lambda one: one["of_pass"]))
        return
    for ids, note in notes:
        _MARK_RUNG.run(tx, {"ids": ids, **note})


_OVERTAKEN = (
    sa.select(publications.c.pass_id, publications.c.rung)
    .where(publications.c.pass_id.in_(b("ids", expanding=True)))
    .order_by(publications.c.pass_id)
    .with_for_update(key_share=True)
)


def overtaken(tx: Tx, before: Mapping[int, int]) -> list[int]:
    """Those of these passes (pass key to `rung` as it stood before a vendor was called) of which something else was
    noted meanwhile, or was asked to be told again: nobody knows whose call came last. Holds their publications."""
    rows = tx.execute(_OVERTAKEN, {"ids": sorted(before)}) if before else ()
    return [r.pass_id for r in rows if r.rung != before[r.pass_id]]


def begin_anew(tx: Tx, pass_ids: Sequence[int]) -> None:
    """What a vendor holds of these passes is not known any more, and the next refresh is to put it right."""
    # As `passes.ring_again` does: another number each time, always below every version.
    below = sa.case((publications.c.rung > 0, 0), else_=publications.c.rung) - 1
    values = {"rung": below, "remote_state": None}
    if pass_ids:
        tx.execute(sa.update(publications).where(publications.c.pass_id.in_(list(pass_ids))).values(**values))


def _note(number: object, before: object, state: object, pushed_at: object) -> dict[str, Any]:
    ago = pushed_at - PUSHES_COUNTED if isinstance(pushed_at, datetime) else None
    return {"told": number, "before": before, "state": state, "pushed": pushed_at, "hour_ago": ago}


# A tag is the time at which it was handed out, and it is indexed.
_LATELY = (
    sa.select(publications.c.pass_id)
    .where(
        publications.c.tag >= b("since"),
        publications.c.rung >= publications.c.number,
        publications.c.seen < publications.c.number,
        sa.exists().where(registrations.c.pass_id == publications.c.pass_id),
    )
    .order_by(publications.c.tag.desc())
    .limit(b("most"))
)


def unheard(tx: Tx, since: datetime, most: int) -> list[int]:
    """Cards whose phones were told of a version since then and have not been seen to fetch it, the latest first."""
    return [int(key) for key in tx.execute(_LATELY, {"since": micros(since), "most": most}).scalars()]


_SEEN = Prepared(
    sa.update(publications)
    .where(publications.c.pass_id == b("of_pass"), publications.c.number == b("got"), publications.c.seen < b("got"))
    .values(
        seen=b("got"),
        seen_at=b("at"),
        seen_points=publications.c.points,
        seen_tier=publications.c.tier,
        seen_news=publications.c.news,
        seen_issue=publications.c.issue,
    )
)


def mark_seen(tx: Tx, held: Sequence[tuple[int, int]], at: datetime) -> None:
    """Registered phones hold these versions (pass key, number), given in the order of the keys; one that is known, or
    that is no longer served, is passed over."""
    if held:
        _SEEN.many(tx, [{"of_pass": key, "got": number, "at": at} for key, number in held])
