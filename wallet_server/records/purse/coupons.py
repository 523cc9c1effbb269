"""Owns coupons: what was promised to whom, which passes show it, and the events that say what became of it.

Whoever changes a coupon holds its member. An event is written once and never changed; the coupon's own row says how its
last one left it. A further event of the same number is refused by the database, whoever asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import NotFound
from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import ACTIVE
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    coupon_events,
    coupon_passes,
    coupons,
    passes,
    programme_versions,
    programmes,
    stores,
    tills,
)
from wallet_server.records.scope import Scope
from wallet_server.records.vendors.credentials import APPLE

COUPON = "coupon"
"""The kind of the passes and codes of coupons."""
PAGE = 100
"""Coupons of a member that are read at once."""
_NEWER_THAN_ALL = 2**62


@dataclass(frozen=True)
class CouponRow:
    """A coupon as its last event left it; `pass_id` is the newest of the files that show it; copies in other
    wallets stand beside it (`elsewhere`). `promise` names which of its version's promises it is, see
    `rules.counter.coupons.promise_of`; `entry` is the public id of the entry whose units it was made of."""

    id: int
    public_id: str
    programme_id: int
    member_id: int
    version_id: int
    source: str
    money: str
    value_minor: int | None
    state: str
    issued_at: datetime
    valid_to: datetime | None
    used_at: datetime | None
    over_at: datetime | None
    pass_id: int
    promise: str | None = None
    entry: str | None = None


@dataclass(frozen=True)
class NewCoupon:
    """A coupon about to be given; `issuer_id` is the merchant that owes it from then on, wherever it is used."""

    public_id: str
    programme_id: int
    member_id: int
    programme_version_id: int
    source: str
    money: str
    value_minor: int | None
    issued_at: datetime
    valid_to: datetime | None
    issuer_id: int
    promise: str | None = None
    entry: str | None = None


@dataclass(frozen=True)
class Event:
    """What became of a coupon; `value_minor` is by how much it changes what the merchant owes."""

    public_id: str
    kind: str
    value_minor: int
    at: datetime
    merchant_id: int | None = None
    store_id: int | None = None
    till_id: int | None = None
    receipt: str | None = None


@dataclass(frozen=True)
class UseRow:
    """A use of a coupon, by the merchant that it was made at; `last` says that nothing happened to it since."""

    coupon_id: int
    receipt: str | None
    at: datetime
    last: bool


@dataclass(frozen=True)
class HistoryRow:
    """An event of a member's coupon as the caller may know it: the store and till of another merchant are not told.
    `version` is the number of the programme's version that promised it, `source` why it was given."""

    id: str
    kind: str
    at: datetime
    version_id: int
    version: int
    source: str
    own: bool
    store: str | None
    till: str | None
    promise: str | None = None


_NEWEST = (
    # The newest file; of a coupon that was never a file, the newest copy elsewhere.
    sa.select(coupon_passes.c.pass_id)
    .join(passes, passes.c.id == coupon_passes.c.pass_id)
    .where(coupon_passes.c.coupon_id == coupons.c.id)
    .order_by(sa.case((passes.c.wallet == APPLE, 0), else_=1), coupon_passes.c.pass_id.desc())
    .limit(1)
    .correlate(coupons)
    .scalar_subquery()
)
_COUPON = sa.select(coupons, _NEWEST.label("pass_id"))
_BY_ID = _COUPON.where(coupons.c.id == b("id"))
_OF_PASSES = Prepared(
    lambda dialect: (
        sa.select(coupon_passes.c.pass_id.label("shown_by"), coupons, _NEWEST.label("pass_id"))
        .join(coupons, coupons.c.id == coupon_passes.c.coupon_id)
        .where(among(dialect, coupon_passes.c.pass_id))
    )
)
_ISSUED = (
    _COUPON.where(coupons.c.member_id == b("member"), coupons.c.state == "issued", coupons.c.id < b("before"))
    .order_by(coupons.c.id.desc())
    .limit(PAGE)
)
_MADE_OF = _COUPON.where(
    coupons.c.member_id == b("member"), coupons.c.entry.in_(b("entries", expanding=True))
).order_by(coupons.c.id)


def _row(r: sa.Row) -> CouponRow:  # type: ignore[type-arg]
    return CouponRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.member_id,
        r.programme_version_id,
        r.source,
        r.money,
        r.value_minor,
        r.state,
        r.issued_at,
        r.valid_to,
        r.used_at,
        r.over_at,
        r.pass_id,
        r.promise,
        r.entry,
    )


def add(tx: Tx, new: NewCoupon, pass_id: int, event: Event) -> int:
    """A coupon, the pass that shows it and its first event; its key."""
    row = {**vars(new), "state": event.kind}
    coupon_id = int(tx.execute(sa.insert(coupons).returning(coupons.c.id), row).scalar_one())
    show(tx, coupon_id, pass_id)
    _write(tx, coupon_id, event)
    return coupon_id


def show(tx: Tx, coupon_id: int, pass_id: int) -> None:
    """This pass shows the coupon from now on, in the place of those before it."""
    tx.execute(sa.insert(coupon_passes).values(pass_id=pass_id, coupon_id=coupon_id))


_ELSEWHERE = (
    sa.select(passes.c.id, passes.c.wallet)
    .join(coupon_passes, coupon_passes.c.pass_id == passes.c.id)
    .where(coupon_passes.c.coupon_id == b("coupon"), passes.c.wallet != APPLE, passes.c.state == ACTIVE)
    .order_by(passes.c.id)
)


def elsewhere(tx: Tx, coupon_id: int) -> dict[int, str]:
    """The good passes that show a coupon beside its file: pass key to wallet."""
    return {r.id: r.wallet for r in tx.execute(_ELSEWHERE, {"coupon": coupon_id})}


def change(
    tx: Tx, coupon_id: int, event: Event, state: str, used_at: datetime | None = None, over_at: datetime | None = None
) -> None:
    """What became of a coupon whose member the caller holds."""
    _write(tx, coupon_id, event)
    values = {"state": state, "used_at": used_at, "over_at": over_at}
    tx.execute(sa.update(coupons).where(coupons.c.id == coupon_id).values(**values))


def _write(tx: Tx, coupon_id: int, event: Event) -> None:
    so_far = sa.select(sa.func.coalesce(sa.func.max(coupon_events.c.number), 0)).where(
        coupon_events.c.coupon_id == coupon_id
    )
    values = {**vars(event), "coupon_id": coupon_id, "number": so_far.scalar_subquery() + 1}
    tx.execute(sa.insert(coupon_events).values(**values))


def by_id(tx: Tx, coupon_id: int) -> CouponRow:
    """The coupon of this key."""
    return _row(tx.execute(_BY_ID, {"id": coupon_id}).one())


def of_passes(tx: Tx, pass_ids: Sequence[int]) -> dict[int, CouponRow]:
    """Pass key to the coupon that it shows, or showed before another took its place."""
    return {r.shown_by: _row(r) for r in _OF_PASSES.rows(tx, {"ids": list(pass_ids)})} if pass_ids else {}


def issued(tx: Tx, member_id: int) -> Iterator[CouponRow]:
    """What a member was given and nobody used, cancelled or noted as run out, the newest first, read by pages: whoever
    needs but the first of them takes no more. May be changed while it is read."""
    before = _NEWER_THAN_ALL
    while page := [_row(r) for r in tx.execute(_ISSUED, {"member": member_id, "before": before})]:
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].id


def made_of(tx: Tx, member_id: int, entries: Collection[str]) -> list[CouponRow]:
    """A member's coupons that were made of these few entries (public ids), whatever became of them, oldest first."""
    if not entries:
        return []
    return [_row(r) for r in tx.execute(_MADE_OF, {"member": member_id, "entries": list(entries)})]


_STANDING = Prepared(
    lambda dialect: (
        sa.select(
            coupons.c.member_id,
            coupons.c.programme_version_id,
            coupons.c.promise,
            coupons.c.valid_to,
            sa.func.count().label("many"),
        )
        .where(
            among(dialect, coupons.c.member_id, "members"),
            coupons.c.state == "issued",
            coupons.c.promise.is_not(None),
            sa.or_(coupons.c.valid_to.is_(None), coupons.c.valid_to >= b("since")),
        )
        .group_by(coupons.c.member_id, coupons.c.programme_version_id, coupons.c.promise, coupons.c.valid_to)
        .order_by(coupons.c.member_id, coupons.c.valid_to.asc().nulls_last(), coupons.c.programme_version_id)
    )
)


@dataclass(frozen=True)
class Standing:
    """How many equal vouchers a member can use: of the same promise, good until the same moment."""

    version_id: int
    promise: str
    valid_to: datetime | None
    many: int


def standing(tx: Tx, member_ids: Sequence[int], now: datetime) -> dict[int, list[Standing]]:
    """Member key to the vouchers that can be used now, the first to run out first; what was given for joining, which
    has its pass beside the card, is not among them."""
    found: dict[int, list[Standing]] = {}
    given = {"members": list(member_ids), "since": now - timedelta(seconds=1)}
    for key, *one in _STANDING.plain(tx, given):
        found.setdefault(key, []).append(Standing(*one))
    return found


_LATELY = Prepared(
    lambda dialect: (
        sa.select(coupons.c.member_id, coupons.c.public_id)
        .where(
            among(dialect, coupons.c.member_id, "members"),
            coupons.c.state == "issued",
            coupons.c.promise.is_not(None),
            coupons.c.source != "goodwill",
            coupons.c.issued_at > b("since"),
        )
        .order_by(coupons.c.issued_at, coupons.c.id)
    )
)


def given_lately(tx: Tx, member_ids: Sequence[int], since: datetime) -> dict[int, str]:
    """Member key to the last voucher (public id) that was given after `since` and is good; what was given for joining
    or as a gesture is told otherwise."""
    return {row[0]: row[1] for row in _LATELY.plain(tx, {"members": list(member_ids), "since": since})}


def by_public(tx: Tx, public_id: str) -> CouponRow | None:
    """The coupon of this public id."""
    r = tx.execute(_COUPON.where(coupons.c.public_id == public_id)).first()
    return None if r is None else _row(r)


def history(
    tx: Tx, scope: Scope, member_id: int, since: datetime | None, before: datetime | None, most: int
) -> list[HistoryRow]:
    """What became of a member's coupons from `since` on and before `before`, the newest first."""
    row = coupon_events.c
    query = (
        sa.select(
            row.public_id,
            row.kind,
            row.at,
            row.merchant_id,
            coupons.c.programme_version_id,
            coupons.c.promise,
            coupons.c.source,
            programme_versions.c.number.label("version"),
            stores.c.name.label("store"),
            tills.c.name.label("till"),
        )
        .join(coupons, coupons.c.id == row.coupon_id)
        .join(programme_versions, programme_versions.c.id == coupons.c.programme_version_id)
        .outerjoin(stores, stores.c.id == row.store_id)
        .outerjoin(tills, tills.c.id == row.till_id)
        .where(coupons.c.member_id == member_id)
        .order_by(row.id.desc())
        .limit(most)
    )
    if since is not None:
        query = query.where(row.at >= since)
    if before is not None:
        query = query.where(row.at < before)
    found = []
    for r in tx.execute(query):
        own = r.merchant_id in (None, scope.merchant_id)
        place = (r.store, r.till) if own else (None, None)
        found.append(
            HistoryRow(
                r.public_id,
                r.kind,
                r.at,
                r.programme_version_id,
                r.version,
                r.source,
                own,
                place[0],
                place[1],
                r.promise,
            )
        )
    return found


def use_in(tx: Tx, scope: Scope, public_id: str) -> UseRow:
    """A use that was made at the caller's merchant. Raises `NotFound`."""
    later = coupon_events.alias("later")
    since = sa.exists().where(later.c.coupon_id == coupon_events.c.coupon_id, later.c.number > coupon_events.c.number)
    r = tx.execute(
        sa.select(coupon_events, since.label("since")).where(
            coupon_events.c.public_id == public_id,
            coupon_events.c.merchant_id == scope.merchant_id,
            coupon_events.c.kind == "used",
        )
    ).first()
    if r is None:
        raise NotFound("There is no such use of a coupon.", field="use")
    return UseRow(r.coupon_id, r.receipt, r.at, not r.since)


def is_last(tx: Tx, use: str) -> bool:
    """Whether nothing happened to a coupon since this use (public id)."""
    later = coupon_events.alias("later")
    since = sa.exists().where(later.c.coupon_id == coupon_events.c.coupon_id, later.c.number > coupon_events.c.number)
    return tx.execute(sa.select(coupon_events.c.id).where(coupon_events.c.public_id == use, ~since)).first() is not None


def lapsed(tx: Tx, before: datetime, most: int, account_id: int | None = None) -> list[CouponRow]:
    """Coupons whose last instant is before this one and that are not noted as expired, the longest first; of one
    account, if it is named."""
    due = _COUPON.where(coupons.c.state == "issued", coupons.c.valid_to.is_not(None), coupons.c.valid_to < before)
    if account_id is not None:
        due = due.where(
            coupons.c.programme_id.in_(sa.select(programmes.c.id).where(programmes.c.account_id == account_id))
        )
    return [_row(r) for r in tx.execute(due.order_by(coupons.c.valid_to, coupons.c.id).limit(most))]
