"""Owns the ledger of alerts that vendors took, of single passes and of whole programmes at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import class_alerts, members, pass_alerts, passes


def spend(tx: Tx, taken: Sequence[tuple[int, str]], at: datetime) -> None:
    """The vendor took an alert of each of these passes: (pass key, the facet or the public id of a message)."""
    if taken:
        rows = [{"pass_id": key, "what": what[:40], "at": at} for key, what in taken]
        tx.execute(sa.insert(pass_alerts), rows)


def spend_class(tx: Tx, programme_id: int, credential_set_id: int, what: str, at: datetime) -> None:
    """One goes to everybody who holds a card of this programme; the same message once more counts once, from then on.
    It is counted before it is sent, so that nobody who rings a card meanwhile overlooks it."""
    same = _same(programme_id, credential_set_id, what)
    if tx.execute(sa.update(class_alerts).where(same).values(at=at)).rowcount == 0:
        row = {"programme_id": programme_id, "credential_set_id": credential_set_id, "what": what[:40], "at": at}
        tx.execute(sa.insert(class_alerts), row)


def unspend_class(tx: Tx, programme_id: int, credential_set_id: int, what: str) -> None:
    """It surely did not go."""
    tx.execute(sa.delete(class_alerts).where(_same(programme_id, credential_set_id, what)))


def class_spent_at(tx: Tx, programme_id: int, credential_set_id: int, what: str) -> datetime | None:
    """When this message to everybody was counted last."""
    query = sa.select(class_alerts.c.at).where(_same(programme_id, credential_set_id, what))
    return tx.execute(query.limit(1)).scalar()


def _same(programme_id: int, credential_set_id: int, what: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        class_alerts.c.programme_id == programme_id,
        class_alerts.c.credential_set_id == credential_set_id,
        class_alerts.c.what == what[:40],
    )


_OWN = sa.select(pass_alerts.c.pass_id, pass_alerts.c.at).where(
    pass_alerts.c.pass_id.in_(b("ids", expanding=True)), pass_alerts.c.at > b("since")
)
_SHARED = (
    sa.select(passes.c.id, class_alerts.c.at)
    .select_from(
        passes.join(members, members.c.id == passes.c.member_id).join(
            class_alerts,
            sa.and_(
                class_alerts.c.programme_id == members.c.programme_id,
                class_alerts.c.credential_set_id == passes.c.credential_set_id,
                class_alerts.c.at >= passes.c.created_at,
            ),
        )
    )
    .where(passes.c.id.in_(b("ids", expanding=True)), class_alerts.c.at > b("since"))
)


def spent(tx: Tx, pass_ids: Sequence[int], since: datetime) -> dict[int, list[datetime]]:
    """When these passes raised alerts since then, those of everybody among them: pass key to times (UTC)."""
    found: dict[int, list[datetime]] = {}
    for query in (_OWN, _SHARED):
        for key, at in tx.execute(query, {"ids": list(pass_ids), "since": since}):
            found.setdefault(int(key), []).append(at)
    return found


def spent_by_class(tx: Tx, programme_id: int, credential_set_id: int, since: datetime, but: str = "") -> list[datetime]:
    """When alerts went to everybody who holds a card of this programme; all `but` this message."""
    query = sa.select(class_alerts.c.at).where(
        class_alerts.c.programme_id == programme_id,
        class_alerts.c.credential_set_id == credential_set_id,
        class_alerts.c.at > since,
        class_alerts.c.what != but[:40],
    )
    return list(tx.execute(query.order_by(class_alerts.c.at)).scalars())


def forget(tx: Tx, before: datetime, most: int) -> int:
    """Throw away up to `most` alerts of single passes that count for nothing any more, and all such of programmes;
    returns how many of the former there were."""
    tx.execute(sa.delete(class_alerts).where(class_alerts.c.at <= before))
    oldest = sa.select(pass_alerts.c.id).where(pass_alerts.c.at <= before).order_by(pass_alerts.c.at).limit(most)
    return tx.execute(sa.delete(pass_alerts).where(pass_alerts.c.id.in_(oldest))).rowcount
