"""Owns passes (issued copies), their codes, what was published of them, and the update tags that devices ask by.

Locks: a change holds the member, then bumps passes in the order of their keys; publishing locks passes in the order
of their keys, then their publications in the same order (all of them before it changes any), then the tag counter of
the pass type. Nobody waits the other way round.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.clocks import here
from wallet_server.records.database import Tx
from wallet_server.records.jobs import micros
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import codes, passes, publications, tag_counters

ACTIVE, RETIRED = "active", "retired"
CARD = "card"
"""The kind of a member's card; a coupon is the other (`records.purse.coupons`)."""
PASS_CODE = "pass"  # noqa: S105 - a kind, not a secret
"""The kind of the code on a member's card."""


@dataclass(frozen=True)
class PassRow:
    """An issued copy. `version` counts changes; `loud` is the mask of facets whose change may alert."""

    id: int
    public_id: str
    member_id: int
    wallet: str
    credential_set_id: int
    pass_type: str
    serial: str
    token_cipher: str
    token_sha256: bytes
    state: str
    version: int
    loud: int
    quiet_until: datetime | None
    kind: str = CARD


@dataclass(frozen=True)
class Publication:
    """What is served of a pass: the neutral card as JSON, its one alerting facet, the facets that it shows, and the
    issue of its code; `seen` and its like are of the newest version that a phone is known to have."""

    pass_id: int
    number: int
    of_version: int
    card: str
    fingerprint: str
    programme_version_id: int
    alert: str | None
    points: int
    tier: str | None
    news: str | None
    seen: int
    seen_points: int
    seen_tier: str | None
    seen_news: str | None
    unseen_since: datetime
    last_modified: datetime
    published_at: datetime
    tag: int | None
    tagged: int
    rung: int
    remote_state: str | None
    seen_at: datetime | None = None
    pushed_at: datetime | None = None
    pushes_since: datetime | None = None
    pushes: int = 0
    issue: int = 0
    seen_issue: int = 0


@dataclass(frozen=True)
class CodeRow:
    """The newest code of a pass; `cipher` opens to its text, `valid_to` is when the card ends, if it does."""

    pass_id: int
    cipher: str
    key_id: str
    issue: int
    valid_to: datetime | None = None


def add_pass(
    tx: Tx,
    public_id: str,
    member_id: int,
    wallet: str,
    credential_set_id: int,
    pass_type: str,
    serial: str,
    token_cipher: str,
    token_sha256: bytes,
    at: datetime,
    kind: str = CARD,
) -> int:
    row = {
        "public_id": public_id,
        "member_id": member_id,
        "wallet": wallet,
        "kind": kind,
        "credential_set_id": credential_set_id,
        "pass_type": pass_type,
        "serial": serial,
        "token_cipher": token_cipher,
        "token_sha256": token_sha256,
        "state": ACTIVE,
        "created_at": at,
    }
    return int(tx.execute(sa.insert(passes).returning(passes.c.id), row).scalar_one())


def add_code(
    tx: Tx,
    pass_id: int,
    member_id: int,
    lookup: bytes,
    cipher: str,
    key_id: str,
    issue: int,
    at: datetime,
    kind: str = PASS_CODE,
    short: bytes | None = None,
) -> None:
    """The first code of a pass; `short` is what its short form is found by."""
    row = {"pass_id": pass_id, "member_id": member_id, "lookup": lookup, "short": short, "cipher": cipher}
    tx.execute(sa.insert(codes).values(kind=kind, key_id=key_id, issue=issue, valid_from=at, **row))


_CODES = Prepared(
    lambda dialect: (
        sa.select(codes.c.pass_id, codes.c.cipher, codes.c.key_id, codes.c.issue, codes.c.valid_to)
        .where(among(dialect, codes.c.pass_id), codes.c.superseded_at.is_(None))
        .order_by(codes.c.issue)
    )
)


def newest_codes(tx: Tx, pass_ids: Sequence[int]) -> dict[int, CodeRow]:
    """Pass key to the code that its card shows."""
    return {row[0]: CodeRow(*row) for row in _CODES.plain(tx, {"ids": list(pass_ids)})}


def lookup_hash(text: str) -> bytes:
    """SHA-256 under which a code's row is found."""
    return hashlib.sha256(text.encode()).digest()


_ROW = sa.select(passes)
_BY_SERIAL = _ROW.where(passes.c.pass_type == b("pass_type"), passes.c.serial == b("serial"))
_BY_PUBLIC = _ROW.where(passes.c.public_id == b("public_id"))


def _pass(r: Any) -> PassRow:
    return PassRow(
        r.id,
        r.public_id,
        r.member_id,
        r.wallet,
        r.credential_set_id,
        r.pass_type,
        r.serial,
        r.token_cipher,
        bytes(r.token_sha256),
        r.state,
        r.version,
        r.loud,
        r.quiet_until,
        r.kind,
    )


def pass_by_serial(tx: Tx, pass_type: str, serial: str) -> PassRow | None:
    """The pass a device names; the token it presents is what gives access."""
    r = tx.execute(_BY_SERIAL, {"pass_type": pass_type, "serial": serial}).first()
    return None if r is None else _pass(r)


def pass_by_public(tx: Tx, public_id: str) -> PassRow | None:
    """The pass a signed link names; the link's signature is what gives access."""
    r = tx.execute(_BY_PUBLIC, {"public_id": public_id}).first()
    return None if r is None else _pass(r)


def bump_of(member: sa.BindParameter[int], mask: sa.BindParameter[int]) -> Any:
    """The statement of `bump`."""
    mine = sa.and_(passes.c.member_id == member, passes.c.state == ACTIVE, passes.c.kind == CARD)
    held = sa.select(passes.c.id).where(mine).order_by(passes.c.id).with_for_update(key_share=True)
    return (
        sa.update(passes)
        .where(passes.c.id.in_(held.scalar_subquery()))
        .values(version=passes.c.version + 1, loud=passes.c.loud.op("|")(mask))
        .returning(passes.c.id, passes.c.quiet_until)
    )


_BUMP = Prepared(bump_of(b("member"), b("mask")))


def bump(tx: Tx, member_id: int, mask: int) -> list[tuple[int, datetime | None]]:
    """This member's cards (not the coupons) are stale: (pass key, until when further refreshes of it are to wait)."""
    return [(r.id, here(r.quiet_until)) for r in _BUMP.rows(tx, {"member": member_id, "mask": mask})]


def bump_many(tx: Tx, member_ids: Sequence[int], mask: int) -> list[tuple[int, datetime | None, str, int]]:
    """The same for a slice of members, passes locked in the order of their keys. What is told of nobody (`mask` 0: a
    new version, a moved shop) concerns their coupons too. With the wallet and the member's key."""
    kinds = passes.c.kind == CARD if mask else sa.true()
    ids = tx.execute(
        sa.select(passes.c.id)
        .where(passes.c.member_id.in_(member_ids), passes.c.state == ACTIVE, kinds)
        .order_by(passes.c.id)
        .with_for_update(key_share=True)
    ).scalars()
    rows = tx.execute(
        sa.update(passes)
        .where(passes.c.id.in_(list(ids)))
        .values(version=passes.c.version + 1, loud=passes.c.loud.op("|")(mask))
        .returning(passes.c.id, passes.c.quiet_until, passes.c.wallet, passes.c.member_id)
    )
    return [(r.id, here(r.quiet_until), r.wallet, r.member_id) for r in rows]


_BY_ID = Prepared(lambda dialect: _ROW.where(among(dialect, passes.c.id)).order_by(passes.c.id))


def passes_by_id(tx: Tx, pass_ids: Sequence[int]) -> list[PassRow]:
    """These passes, in the order of their keys."""
    return [_pass(r) for r in _BY_ID.rows(tx, {"ids": list(pass_ids)})]


_LOCK = Prepared(
    lambda dialect: _ROW.where(among(dialect, passes.c.id)).order_by(passes.c.id).with_for_update(key_share=True)
)


def lock_passes(tx: Tx, pass_ids: Iterable[int]) -> list[PassRow]:
    """Hold these passes, in the order of their keys, until the end of the transaction."""
    return [_pass(r) for r in _LOCK.rows(tx, {"ids": list(pass_ids)})]


_SET_LOUD = Prepared(
    sa.update(passes).where(passes.c.id == b("of_pass")).values(loud=b("mask"), quiet_until=b("quiet"))
)


def set_loud(tx: Tx, marks: Sequence[tuple[int, int, datetime | None]]) -> None:
    """What may still alert, and until when further refreshes wait: (pass key, mask, time), of passes that are held."""
    if marks:
        _SET_LOUD.many(tx, [{"of_pass": key, "mask": loud, "quiet": quiet} for key, loud, quiet in marks])


_STALE = (
    sa.update(passes)
    .where(passes.c.id == b("of_pass"), passes.c.state == ACTIVE)
    .values(version=passes.c.version + 1)
    .returning(passes.c.id)
)


def stale(tx: Tx, pass_id: int) -> bool:
    """This one pass is stale, without a sound; False when it is over."""
    return tx.execute(_STALE, {"of_pass": pass_id}).scalar() is not None


def retire_pass(tx: Tx, pass_id: int) -> None:
    """This copy is valid no more; its holders are told by a refresh without a sound, whatever was about to ring."""
    gone = {"state": RETIRED, "version": passes.c.version + 1, "loud": 0}
    tx.execute(sa.update(passes).where(passes.c.id == pass_id).values(**gone))


def _publications(dialect: str) -> sa.Select[Any]:
    columns = [publications.c[one.name] for one in fields(Publication)]
    return sa.select(*columns).where(among(dialect, publications.c.pass_id))


_PUBLICATIONS = Prepared(_publications)


def published(tx: Tx, pass_ids: Sequence[int]) -> dict[int, Publication]:
    """Pass key to what is served of it."""
    return {r[0]: Publication(*r) for r in _PUBLICATIONS.plain(tx, {"ids": list(pass_ids)})}


_HOLD = Prepared(
    lambda dialect: _publications(dialect).order_by(publications.c.pass_id).with_for_update(key_share=True)
)


def hold_published(tx: Tx, pass_ids: Sequence[int]) -> dict[int, Publication]:
    """The same, each held until the end of the transaction, in the order of the passes' keys: what is taken in, what is
    published and what gets a tag are different sets of one batch, and would else be locked in several passages."""
    return {r[0]: Publication(*r) for r in _HOLD.plain(tx, {"ids": list(pass_ids)})}


def publish_first(tx: Tx, row: Publication) -> None:
    """The first version of a pass, in the transaction that issues it."""
    tx.execute(sa.insert(publications).values(**vars(row)))


_SERVED = (
    "number", "of_version", "card", "fingerprint", "programme_version_id", "alert", "points", "tier", "news", "issue",
    "unseen_since", "last_modified", "published_at",
)  # fmt: skip
_NEW, _OF_VERSION = [f"new_{name}" for name in _SERVED], operator.attrgetter(*_SERVED)
_NEXT = Prepared(
    sa.update(publications)
    .where(publications.c.pass_id == b("of_pass"))
    .values({name: b(new) for name, new in zip(_SERVED, _NEW, strict=True)})
)


def publish_next(tx: Tx, rows: Sequence[Publication]) -> None:
    """Further versions, in place of the ones that were served, in the order of the passes' keys."""
    if rows:
        ordered = sorted(rows, key=lambda one: one.pass_id)
        _NEXT.many(tx, [{"of_pass": r.pass_id, **dict(zip(_NEW, _OF_VERSION(r), strict=True))} for r in ordered])


def taken_in(tx: Tx, pass_id: int, of_version: int) -> None:
    """The change counted `of_version` altered nothing that is shown. One row, held before (`hold_published`)."""
    tx.execute(sa.update(publications).where(publications.c.pass_id == pass_id).values(of_version=of_version))


def _next_tags(dialect: str) -> sa.Insert:
    lite = dialect == "sqlite"
    insert: Any = sqlite.insert if lite else postgresql.insert
    greatest = sa.func.max if lite else sa.func.greatest
    first, more = b("start", type_=sa.BigInteger), b("more", type_=sa.BigInteger)
    return (  # type: ignore[no-any-return]
        insert(tag_counters)
        .values(pass_type=b("type"), last=first + more)
        .on_conflict_do_update(
            index_elements=["pass_type"], set_={"last": greatest(tag_counters.c.last + 1, first) + more}
        )
        .returning(tag_counters.c.last)
    )


_NEXT_TAGS = Prepared(_next_tags)
_TAG = Prepared(
    sa.update(publications)
    .where(publications.c.pass_id == b("of_pass"))
    .values(tag=b("new_tag"), tagged=publications.c.number)
)


def hand_out_tags(tx: Tx, pass_type: str, pass_ids: Sequence[int], now: datetime) -> None:
    """Give these passes fresh update tags, in the order of their keys, under the pass type's lock, held to commit.

    A tag is `max(last + 1, microseconds UTC)`. Because the lock is held until the commit, tags become visible in
    their own order: a device that was answered up to tag T never misses one below T that commits later. Which pass of
    one batch has the lower tag says nothing: they become visible together.
    """
    count = len(pass_ids)
    asked = {"type": pass_type, "start": micros(now), "more": count - 1}
    ((last,),) = _NEXT_TAGS.plain(tx, asked)
    _TAG.many(tx, [{"of_pass": key, "new_tag": last - count + 1 + n} for n, key in enumerate(sorted(pass_ids))])


def newest_tag(tx: Tx, pass_type: str) -> int:
    """The greatest tag handed out for a pass type; 0 before the first."""
    return int(tx.execute(sa.select(tag_counters.c.last).where(tag_counters.c.pass_type == pass_type)).scalar() or 0)


def ring_everybody(tx: Tx) -> None:
    """Every card is to be told of anew under a fresh tag, whatever the phones believe that they hold; and until one has
    asked again, nobody knows what they show. Locks them all, in the order of the passes' keys."""
    below = sa.case((publications.c.rung > 0, 0), else_=publications.c.rung) - 1
    ordered = sa.select(publications.c.pass_id).order_by(publications.c.pass_id).with_for_update(key_share=True)
    held = publications.c.pass_id.in_(ordered.scalar_subquery())
    tx.execute(sa.update(publications).where(held).values(rung=below, tagged=0, seen=0))


def ring_again(tx: Tx, pass_id: int, *, new_tag: bool) -> None:
    """Have the next refresh tell the phones again, under a fresh tag if asked."""
    # Another number each time, always below every version: `mark_rung` tells by it that this was asked meanwhile.
    below = sa.case((publications.c.rung > 0, 0), else_=publications.c.rung) - 1
    values = {"rung": below, "tagged": 0} if new_tag else {"rung": below}
    tx.execute(sa.update(publications).where(publications.c.pass_id == pass_id).values(**values))
