"""Owns programmes, their versions, their currencies and which merchants take part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import Conflict, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import (
    accounts,
    coupons,
    credential_sets,
    currencies,
    members,
    participations,
    programme_versions,
    programmes,
    sales,
)
from wallet_server.records.scope import Scope


@dataclass(frozen=True)
class ProgrammeRow:
    """A programme and its current version (`version_id` is 0 before the first was published)."""

    id: int
    public_id: str
    account_id: int
    issuer_mark: str
    name: str
    join_code: str
    credential_set_id: int | None
    version: int
    version_id: int


@dataclass(frozen=True)
class VersionRow:
    """One published version; `document` is canonical JSON."""

    id: int
    programme_id: int
    number: int
    document: str
    published_at: datetime


_PROGRAMME = (
    sa.select(
        programmes,
        accounts.c.issuer_mark,
        sa.func.coalesce(programme_versions.c.id, 0).label("version_id"),
    )
    .join(accounts, accounts.c.id == programmes.c.account_id)
    .outerjoin(
        programme_versions,
        sa.and_(
            programme_versions.c.programme_id == programmes.c.id,
            programme_versions.c.number == programmes.c.current_version,
        ),
    )
)
_BY_ID = _PROGRAMME.where(programmes.c.id == b("id"))
_BY_JOIN_CODE = _PROGRAMME.where(programmes.c.join_code == b("join_code"))
_IN_SCOPE = _PROGRAMME.join(participations, participations.c.programme_id == programmes.c.id).where(
    participations.c.merchant_id == b("merchant_id"),
    participations.c.left_at.is_(None),
    programmes.c.account_id == b("account_id"),
)


def _row(r: sa.Row) -> ProgrammeRow:  # type: ignore[type-arg]
    return ProgrammeRow(
        r.id,
        r.public_id,
        r.account_id,
        r.issuer_mark,
        r.name,
        r.join_code,
        r.credential_set_id,
        r.current_version,
        r.version_id,
    )


def add_programme(
    tx: Tx, public_id: str, account_id: int, name: str, join_code: str, credential_set_id: int | None, at: datetime
) -> int:
    """Raises `Conflict` (`foreign-credentials`) for a credential set of another account."""
    if credential_set_id is not None:
        _refuse_foreign(tx, account_id, credential_set_id)
    row = {
        "public_id": public_id,
        "account_id": account_id,
        "name": name,
        "join_code": join_code,
        "credential_set_id": credential_set_id,
        "created_at": at,
    }
    return int(tx.execute(sa.insert(programmes).returning(programmes.c.id), row).scalar_one())


def _refuse_foreign(tx: Tx, account_id: int, credential_set_id: int) -> None:
    own = sa.or_(credential_sets.c.account_id.is_(None), credential_sets.c.account_id == account_id)
    found = sa.select(credential_sets.c.id).where(credential_sets.c.id == credential_set_id, own)
    if tx.execute(found).first() is None:
        raise Conflict(
            "This certificate belongs to another merchant; a programme uses its own merchant's or the platform's.",
            code="foreign-credentials",
        )


def join_programme(tx: Tx, programme_id: int, merchant_id: int, at: datetime) -> None:
    tx.execute(sa.insert(participations).values(programme_id=programme_id, merchant_id=merchant_id, joined_at=at))


def of_account(tx: Tx, account_id: int) -> list[int]:
    """Keys of the programmes of an account, oldest first."""
    query = sa.select(programmes.c.id).where(programmes.c.account_id == account_id).order_by(programmes.c.id)
    return list(tx.execute(query).scalars())


def programme_by_id(tx: Tx, programme_id: int) -> ProgrammeRow:
    return _row(tx.execute(_BY_ID, {"id": programme_id}).one())


def next_programme(tx: Tx, after: int) -> int | None:
    """The key of the programme after this one, of all accounts; None after the last."""
    return tx.execute(sa.select(sa.func.min(programmes.c.id)).where(programmes.c.id > after)).scalar()


def programme_to_join(tx: Tx, join_code: str) -> ProgrammeRow:
    """The programme behind a public join link. Raises `NotFound`."""
    row = tx.execute(_BY_JOIN_CODE, {"join_code": join_code}).first()
    if row is None:
        raise NotFound("There is no such programme.")
    return _row(row)


def programmes_of(tx: Tx, scope: Scope) -> list[ProgrammeRow]:
    """The programmes that this caller's merchant takes part in, oldest first."""
    rows = tx.execute(
        _IN_SCOPE.order_by(programmes.c.id), {"merchant_id": scope.merchant_id, "account_id": scope.account_id}
    )
    return [_row(r) for r in rows]


def programme_in(tx: Tx, scope: Scope, public_id: str) -> ProgrammeRow:
    """One of them. Raises `NotFound`."""
    row = tx.execute(
        _IN_SCOPE.where(programmes.c.public_id == b("public_id")),
        {"merchant_id": scope.merchant_id, "account_id": scope.account_id, "public_id": public_id},
    ).first()
    if row is None:
        raise NotFound("There is no such programme.", field="programme")
    return _row(row)


def lock_programme(tx: Tx, programme_id: int) -> None:
    """Hold the programme's row until the end of the transaction: versions are published one after the other, and
    announcements are walked one slice at a time, or two of them could reach a member on the same day. Tills go on."""
    tx.execute(sa.select(programmes.c.id).where(programmes.c.id == programme_id).with_for_update(key_share=True))


def publish_version(
    tx: Tx,
    programme_id: int,
    number: int,
    document: str,
    fingerprint: str,
    currency_rows: Iterable[tuple[str, str, str | None, int]],
    at: datetime,
) -> int:
    """Store a version, open the currencies (code, kind, ISO, exponent) it adds, and make it current."""
    version = tx.execute(
        sa.insert(programme_versions).returning(programme_versions.c.id),
        {
            "programme_id": programme_id,
            "number": number,
            "document": document,
            "fingerprint": fingerprint,
            "published_at": at,
        },
    ).scalar_one()
    there = currency_ids(tx, programme_id)
    fresh = [
        {"programme_id": programme_id, "code": code, "kind": kind, "iso": iso, "exponent": exponent}
        for code, kind, iso, exponent in currency_rows
        if code not in there
    ]
    if fresh:
        tx.execute(sa.insert(currencies), fresh)
    tx.execute(sa.update(programmes).where(programmes.c.id == programme_id).values(current_version=number))
    return int(version)


def currency_ids(tx: Tx, programme_id: int) -> dict[str, int]:
    """Currency code to key."""
    rows = tx.execute(sa.select(currencies.c.code, currencies.c.id).where(currencies.c.programme_id == programme_id))
    return {r.code: r.id for r in rows}


_HAS_MONEY = sa.select(
    sa.or_(
        *(
            sa.exists().where(members.c.programme_id == b("programme_id"), table.c.member_id == members.c.id)
            for table in (sales, coupons)
        )
    )
)


def has_money(tx: Tx, programme_id: int) -> bool:
    """Whether anything stands in the programme's money: a sale that was counted, or a voucher that was given."""
    return bool(tx.execute(_HAS_MONEY, {"programme_id": programme_id}).scalar_one())


_VERSION = sa.select(programme_versions).where(programme_versions.c.id == b("id"))


def version(tx: Tx, version_id: int) -> VersionRow:
    """A version by key; versions never change, so callers may keep them."""
    r = tx.execute(_VERSION, {"id": version_id}).one()
    return VersionRow(r.id, r.programme_id, r.number, r.document, r.published_at)


_NUMBERED = (
    sa.select(programme_versions.c.id)
    .join(programmes, programmes.c.id == programme_versions.c.programme_id)
    .where(programmes.c.public_id == b("public_id"), programme_versions.c.number == b("number"))
)


def version_id(tx: Tx, programme: str, number: int) -> int:
    """The key of a version that is known to stand, by the programme's public id and its number."""
    return int(tx.execute(_NUMBERED, {"public_id": programme, "number": number}).scalar_one())


_STOOD = (
    sa.select(programme_versions)
    .where(programme_versions.c.programme_id == b("programme_id"), programme_versions.c.published_at <= b("at"))
    .order_by(programme_versions.c.number.desc())
    .limit(1)
)


def version_at(tx: Tx, programme_id: int, at: datetime) -> VersionRow | None:
    """The version that stood at a time; None before the first."""
    r = tx.execute(_STOOD, {"programme_id": programme_id, "at": at}).first()
    return None if r is None else VersionRow(r.id, r.programme_id, r.number, r.document, r.published_at)


def adopt(tx: Tx, credential_set_id: int, account_id: int | None) -> int:
    """Let a set sign the cards of every programme that has none so far: of its account, or for the platform's (None)
    of all. Returns how many there were."""
    orphans = sa.update(programmes).where(programmes.c.credential_set_id.is_(None))
    if account_id is not None:
        orphans = orphans.where(programmes.c.account_id == account_id)
    taken = tx.execute(orphans.values(credential_set_id=credential_set_id).returning(programmes.c.id))
    return len(taken.scalars().all())


_FIRST_MERCHANT = (
    sa.select(participations.c.merchant_id)
    .where(participations.c.programme_id == b("programme_id"))
    .order_by(participations.c.left_at.is_not(None), participations.c.joined_at, participations.c.merchant_id)
    .limit(1)
)


def first_merchant(tx: Tx, programme_id: int) -> int:
    """The merchant that has taken part for longest: for what the programme gives in nobody's shop."""
    return int(tx.execute(_FIRST_MERCHANT, {"programme_id": programme_id}).scalar_one())


def use_credentials(tx: Tx, programme_id: int, credential_set_id: int) -> None:
    """Raises `Conflict` (`foreign-credentials`) for a set of another account."""
    account_id = tx.execute(sa.select(programmes.c.account_id).where(programmes.c.id == programme_id)).scalar_one()
    _refuse_foreign(tx, account_id, credential_set_id)
    tx.execute(sa.update(programmes).where(programmes.c.id == programme_id).values(credential_set_id=credential_set_id))
