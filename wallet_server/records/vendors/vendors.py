"""Owns what vendors to whom cards are pushed were given of a programme, and what they said of its passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import ACTIVE, CARD
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    accounts,
    callback_nonces,
    coupon_passes,
    coupons,
    credential_sets,
    members,
    pass_holdings,
    passes,
    programme_wallets,
    programmes,
)


@dataclass(frozen=True)
class Issuer:
    """A set of credentials that can issue cards of a programme; `issuer` is its name at the vendor, `account` who
    stands behind the programme."""

    credential_set_id: int
    public_id: str
    issuer: str
    account: str


_ISSUER = (
    sa.select(credential_sets.c.id, credential_sets.c.public_id, credential_sets.c.pass_type, accounts.c.name)
    .select_from(
        programmes.join(accounts, accounts.c.id == programmes.c.account_id)
        .join(
            credential_sets,
            sa.and_(
                credential_sets.c.wallet == b("wallet"),
                credential_sets.c.retired_at.is_(None),
                sa.or_(credential_sets.c.account_id.is_(None), credential_sets.c.account_id == programmes.c.account_id),
            ),
        )
        .outerjoin(
            programme_wallets,
            sa.and_(
                programme_wallets.c.programme_id == programmes.c.id,
                programme_wallets.c.credential_set_id == credential_sets.c.id,
                programme_wallets.c.subject == CARD,
            ),
        )
    )
    .where(programmes.c.id == b("programme"))
    .order_by(
        sa.case((programme_wallets.c.chosen_at.is_(None), 1), else_=0),
        programme_wallets.c.chosen_at.desc(),
        sa.case((credential_sets.c.account_id.is_(None), 1), else_=0),
        credential_sets.c.id.desc(),
    )
    .limit(1)
)


def issuer_of(tx: Tx, programme_id: int, wallet: str) -> Issuer | None:
    """Who issues the programme's new cards in this wallet: the set that was chosen last, else its account's newest,
    else the platform's newest; None where there is none."""
    r = tx.execute(_ISSUER, {"programme": programme_id, "wallet": wallet}).first()
    return None if r is None else Issuer(r.id, r.public_id, r.pass_type, r.name)


def account_of(tx: Tx, programme_id: int) -> str:
    """The name of the account that a programme belongs to."""
    query = sa.select(accounts.c.name).join(programmes, programmes.c.account_id == accounts.c.id)
    return str(tx.execute(query.where(programmes.c.id == programme_id)).scalar_one())


def choose(tx: Tx, programme_id: int, credential_set_id: int, wallet: str, at: datetime) -> None:
    """New cards of this programme in this wallet are of this set from now on."""
    _put(tx, ClassKey(programme_id, credential_set_id, CARD), {"wallet": wallet, "chosen_at": at})


@dataclass(frozen=True, order=True)
class ClassKey:
    """What cards have in common at a vendor: of a programme, issued by a set, `subject` a card's or a coupon's."""

    programme_id: int
    credential_set_id: int
    subject: str


@dataclass(frozen=True)
class Class:
    """What a vendor was given of a programme: the version it has taken, the state it was left in, and a note for the
    merchant about what had to be left out."""

    version_id: int | None
    remote_state: str | None
    note: str | None


_CLASS = sa.select(programme_wallets).where(
    programme_wallets.c.programme_id == b("programme"),
    programme_wallets.c.credential_set_id == b("issued_by"),
    programme_wallets.c.subject == b("what"),
)


def class_of(tx: Tx, key: ClassKey) -> Class:
    named = {"programme": key.programme_id, "issued_by": key.credential_set_id, "what": key.subject}
    r = tx.execute(_CLASS, named).first()
    return Class(None, None, None) if r is None else Class(r.programme_version_id, r.remote_state, r.note)


def keep_class(tx: Tx, key: ClassKey, wallet: str, given: Class, at: datetime) -> None:
    """The vendor has taken this much of the programme."""
    said = {
        "wallet": wallet,
        "programme_version_id": given.version_id,
        "remote_state": given.remote_state,
        "note": None if given.note is None else given.note[:500],
        "published_at": at,
    }
    _put(tx, key, said)


def forget_classes(tx: Tx) -> None:
    """Which versions vendors have taken is not known any more: every class is to be looked at and brought up to date.
    What they were left with stays known to the doctor."""
    tx.execute(sa.update(programme_wallets).values(programme_version_id=None))


def _put(tx: Tx, key: ClassKey, said: Mapping[str, Any]) -> None:
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(programme_wallets)
    tx.execute(insert.values(**vars(key), **said).on_conflict_do_update(index_elements=list(vars(key)), set_=said))


_CARD_OF = (
    sa.select(passes.c.id)
    .where(
        passes.c.member_id == b("member"),
        passes.c.wallet == b("wallet"),
        passes.c.kind == CARD,
        passes.c.state == ACTIVE,
    )
    .order_by(passes.c.id.desc())
    .limit(1)
)


def card_of(tx: Tx, member_id: int, wallet: str) -> int | None:
    """The key of a member's good card in this wallet, the newest."""
    return tx.execute(_CARD_OF, {"member": member_id, "wallet": wallet}).scalar()


_OFFERS = (
    sa.select(
        passes.c.member_id,
        passes.c.credential_set_id,
        passes.c.serial,
        sa.and_(passes.c.state == ACTIVE, sa.or_(coupons.c.over_at.is_(None), coupons.c.over_at > b("now"))).label(
            "good"
        ),
    )
    .select_from(
        passes.outerjoin(coupon_passes, coupon_passes.c.pass_id == passes.c.id).outerjoin(
            coupons, coupons.c.id == coupon_passes.c.coupon_id
        )
    )
    .where(
        passes.c.member_id.in_(b("ids", expanding=True)),
        passes.c.wallet == b("wallet"),
        passes.c.kind != CARD,
    )
    .order_by(passes.c.id)
)


@dataclass(frozen=True)
class Beside:
    """The serials of what stands beside a card, its member's coupons, and of all that ever stood there."""

    good: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()


def beside(tx: Tx, member_ids: Sequence[int], wallet: str, now: datetime) -> dict[tuple[int, int], Beside]:
    """What stands beside the cards of these members in a wallet, by member key and key of the set."""
    found: dict[tuple[int, int], Beside] = {}
    for r in tx.execute(_OFFERS, {"ids": list(member_ids), "wallet": wallet, "now": now}):
        key = (r.member_id, r.credential_set_id)
        one = found.get(key, Beside())
        good = (*one.good, r.serial) if r.good else one.good
        found[key] = Beside(good, (*one.ever, r.serial))
    return found


_IN_WALLETS = Prepared(
    lambda dialect: sa.select(passes.c.id).where(
        among(dialect, passes.c.id), among(dialect, passes.c.wallet, "wallets")
    )
)


def in_wallets(tx: Tx, pass_ids: Sequence[int], wallets: Sequence[str]) -> list[int]:
    """The keys of those of these passes that are in one of these wallets."""
    return [key for (key,) in _IN_WALLETS.plain(tx, {"ids": list(pass_ids), "wallets": list(wallets)})]


def departed(tx: Tx, member_ids: Sequence[int]) -> list[int]:
    """Those of these members who have left."""
    query = sa.select(members.c.id).where(members.c.id.in_(list(member_ids)), members.c.left_at.is_not(None))
    return list(tx.execute(query).scalars()) if member_ids else []


def put_of(tx: Tx, member_id: int, wallets: Sequence[str]) -> list[int]:
    """The keys of a member's passes in these wallets, those that are over too."""
    query = sa.select(passes.c.id).where(passes.c.member_id == member_id, passes.c.wallet.in_(list(wallets)))
    return list(tx.execute(query.order_by(passes.c.id)).scalars()) if wallets else []


@dataclass(frozen=True)
class Holding:
    """What a vendor said of a pass: when it was saved and removed last, whether anybody has it (None: not said)."""

    saved_at: datetime | None
    removed_at: datetime | None
    has_users: bool | None
    note: str | None

    @property
    def held(self) -> bool:
        """Whether somebody has it, as far as was said."""
        if self.has_users is not None:
            return self.has_users
        return self.saved_at is not None and (self.removed_at is None or self.removed_at < self.saved_at)


_HOLDINGS = sa.select(pass_holdings).where(pass_holdings.c.pass_id.in_(b("ids", expanding=True)))


def holdings(tx: Tx, pass_ids: Sequence[int]) -> dict[int, Holding]:
    """Pass key to what was said of it, where anything was."""
    rows = tx.execute(_HOLDINGS, {"ids": list(pass_ids)})
    return {r.pass_id: Holding(r.saved_at, r.removed_at, r.has_users, r.note) for r in rows}


def say(tx: Tx, pass_id: int, at: datetime, *, held: bool | None = None, note: str | None = None) -> None:
    """What a vendor says of a pass as of now: `held`, whether somebody has it, and the note that stands (None: what was
    said before stays in both)."""
    before = holdings(tx, [pass_id]).get(pass_id)
    said: dict[str, Any] = {"said_at": at}
    if note is not None:
        said["note"] = note[:500] or None
    if held is not None:
        said["has_users"] = held
        if held and not (before and before.held):
            said["saved_at"] = at
        if not held and before is not None and before.held:
            said["removed_at"] = at
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(pass_holdings)
    tx.execute(insert.values(pass_id=pass_id, **said).on_conflict_do_update(index_elements=["pass_id"], set_=said))


def newest(tx: Tx, mark_sha256: str, until: datetime) -> bool:
    """Whether what a vendor says of a pass is not older than what it said before; `mark_sha256` (hex) stands for the
    pass, `until` is the end of this message, after which nobody takes it, nor any older one: so what was said is
    remembered beside the nonces, and thrown away with them."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(callback_nonces)
    said = insert.values(nonce_sha256=mark_sha256, expires_at=until)
    later = said.on_conflict_do_update(
        index_elements=["nonce_sha256"],
        set_={"expires_at": said.excluded.expires_at},
        where=said.excluded.expires_at >= callback_nonces.c.expires_at,
    )
    return tx.execute(later.returning(callback_nonces.c.nonce_sha256)).first() is not None


_HELD = (
    sa.select(passes.c.id)
    .select_from(passes.join(pass_holdings, pass_holdings.c.pass_id == passes.c.id))
    .where(
        passes.c.member_id == b("member"),
        passes.c.kind == CARD,
        passes.c.state == ACTIVE,
        pass_holdings.c.has_users.is_(True),
    )
    .limit(1)
)


def held_by(tx: Tx, member_id: int) -> bool:
    """Whether a vendor says that somebody has this member's card."""
    return tx.execute(_HELD, {"member": member_id}).first() is not None
