"""Owns what only the operator of an installation may see, across all accounts: programmes, whom they speak for,
and phones that are doubted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.programme.programmes import ProgrammeRow, programme_by_id
from wallet_server.records.schema import (
    accounts,
    announcements,
    credential_sets,
    devices,
    merchants,
    participations,
    passes,
    programmes,
    registrations,
)


@dataclass(frozen=True)
class MerchantRow:
    """A merchant with its account, for acting in its name."""

    id: int
    public_id: str
    name: str
    account_id: int
    issuer_mark: str


def all_programmes(tx: Tx) -> list[ProgrammeRow]:
    """Every programme of the installation, oldest first."""
    ids = tx.execute(sa.select(programmes.c.id).order_by(programmes.c.id)).scalars().all()
    return [programme_by_id(tx, key) for key in ids]


def programme(tx: Tx, public_id: str) -> ProgrammeRow:
    """Raises `NotFound`."""
    key = tx.execute(sa.select(programmes.c.id).where(programmes.c.public_id == public_id)).scalar()
    if key is None:
        raise NotFound(f"There is no programme {public_id}.", field="programme")
    return programme_by_id(tx, key)


_MERCHANT = sa.select(
    merchants.c.id, merchants.c.public_id, merchants.c.name, merchants.c.account_id, accounts.c.issuer_mark
).join(accounts, accounts.c.id == merchants.c.account_id)


def _merchant(row: sa.Row | None, what: str) -> MerchantRow:  # type: ignore[type-arg]
    if row is None:
        raise NotFound(f"There is no {what}.")
    return MerchantRow(row.id, row.public_id, row.name, row.account_id, row.issuer_mark)


def merchant(tx: Tx, public_id: str) -> MerchantRow:
    """Raises `NotFound`."""
    return _merchant(tx.execute(_MERCHANT.where(merchants.c.public_id == public_id)).first(), f"merchant {public_id}")


def merchants_in(tx: Tx, programme_id: int) -> list[MerchantRow]:
    """Who takes part in a programme, in the order in which they joined."""
    rows = tx.execute(
        _MERCHANT.join(participations, participations.c.merchant_id == merchants.c.id)
        .where(participations.c.programme_id == programme_id, participations.c.left_at.is_(None))
        .order_by(participations.c.joined_at, merchants.c.id)
    )
    return [_merchant(row, "merchant") for row in rows]


def who_announced(tx: Tx, public_id: str) -> MerchantRow:
    """The merchant in whose name an announcement was made. Raises `NotFound`."""
    query = _MERCHANT.join(announcements, announcements.c.merchant_id == merchants.c.id)
    row = tx.execute(query.where(announcements.c.public_id == public_id)).first()
    return _merchant(row, f"announcement {public_id}")


@dataclass(frozen=True)
class Doubted:
    """Phones whose pushes were refused under a credential set while nothing was told under it since, as far as is
    noted: how many, since when the first, and when anything was last told (None: never)."""

    credential_set_id: int
    phones: int
    since: datetime
    told_at: datetime | None


def doubted(tx: Tx, before: datetime) -> list[Doubted]:
    """The doubts older than `before` (UTC), by credential set."""
    query = (
        sa.select(
            credential_sets.c.id,
            credential_sets.c.told_at,
            sa.func.count(sa.distinct(devices.c.id)).label("phones"),
            sa.func.min(devices.c.suspect_at).label("since"),
        )
        .select_from(devices)
        .join(registrations, registrations.c.device_id == devices.c.id)
        .join(passes, passes.c.id == registrations.c.pass_id)
        .join(credential_sets, credential_sets.c.id == passes.c.credential_set_id)
        .where(
            devices.c.suspect_at < before,
            sa.or_(credential_sets.c.told_at.is_(None), credential_sets.c.told_at < devices.c.suspect_at),
        )
        .group_by(credential_sets.c.id, credential_sets.c.told_at)
        .order_by(credential_sets.c.id)
    )
    return [Doubted(r.id, r.phones, r.since, r.told_at) for r in tx.execute(query)]
