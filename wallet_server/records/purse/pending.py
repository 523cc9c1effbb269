"""Owns units that a member has but cannot spend: what is on its way and what is put aside, and what may be spent by
now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse import ledger
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.purse.ledger import CONFIRM, PENDING, Booking, Posted, Purse
from wallet_server.records.schema import (
    Instant,
    balances,
    currencies,
    ledger_accounts,
    ledger_entries,
    lots,
    members,
    pending_awards,
    programmes,
)


@dataclass(frozen=True)
class Waiting:
    """Units that cannot be spent: `pending` are on their way, the next of them until `next_at`; `held` are put aside
    for something."""

    pending: int = 0
    held: int = 0
    next_at: datetime | None = None


def still(pending_until: datetime | None, now: datetime) -> datetime | None:
    """Until when an award waits, as seen from now: what was sold long ago may be past it."""
    return pending_until if pending_until is not None and pending_until > now else None


_ASIDE = Prepared(
    lambda dialect: (
        sa.select(
            balances.c.member_id,
            currencies.c.code,
            ledger_accounts.c.purpose,
            balances.c.amount,
            sa.select(sa.func.min(pending_awards.c.matures_at, type_=Instant()))
            .where(pending_awards.c.account_id == balances.c.account_id, pending_awards.c.state == lot_book.WAITING)
            .scalar_subquery()
            .label("next_at"),
        )
        .join(currencies, currencies.c.id == balances.c.currency_id)
        .join(ledger_accounts, ledger_accounts.c.id == balances.c.account_id)
        .where(
            among(dialect, balances.c.member_id),
            ledger_accounts.c.purpose != sa.literal_column("'available'"),
            balances.c.amount != 0,
        )
    )
)


def waiting(tx: Tx, member_ids: Sequence[int]) -> dict[int, dict[str, Waiting]]:
    """Member key to currency code to what waits there; whoever has nothing of the kind is missing."""
    found: dict[int, dict[str, Waiting]] = {}
    for r in _ASIDE.rows(tx, {"ids": list(member_ids)}):
        mine = found.setdefault(r.member_id, {})
        known = mine.get(r.code, Waiting())
        if r.purpose == PENDING:
            mine[r.code] = replace(known, pending=r.amount, next_at=r.next_at)
        else:
            mine[r.code] = replace(known, held=r.amount)
    return found


@dataclass(frozen=True)
class Mature:
    """An award whose time has come, whose it is, and the words of the award's own entry."""

    lot_id: int
    entry_id: int
    entry: str
    member_id: int
    pending: Purse
    expires_at: datetime | None
    matures_at: datetime
    earned_at: datetime
    programme_id: int
    merchant_id: int
    programme_version_id: int
    rule_id: str
    sale_id: int | None


_DUE = (
    sa.select(
        pending_awards.c.lot_id,
        pending_awards.c.entry_id,
        pending_awards.c.expires_at,
        pending_awards.c.matures_at,
        lots.c.account_id,
        lots.c.earned_at,
        balances.c.member_id,
        balances.c.amount,
        balances.c.currency_id,
        currencies.c.code,
        ledger_entries.c.public_id,
        ledger_entries.c.programme_id,
        ledger_entries.c.merchant_id,
        ledger_entries.c.programme_version_id,
        ledger_entries.c.rule_id,
        ledger_entries.c.sale_id,
    )
    .select_from(pending_awards)
    .join(lots, lots.c.id == pending_awards.c.lot_id)
    .join(balances, balances.c.account_id == lots.c.account_id)
    .join(members, members.c.id == balances.c.member_id)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .join(ledger_entries, ledger_entries.c.id == pending_awards.c.entry_id)
    .where(
        # Written out, not bound: else neither database would use the partial index.
        pending_awards.c.state == sa.literal_column("'waiting'"),
        pending_awards.c.matures_at <= b("at"),
        members.c.left_at.is_(None),
    )
    .order_by(pending_awards.c.matures_at, pending_awards.c.lot_id)
    .limit(b("most"))
)


def due(
    tx: Tx, at: datetime, most: int, after: tuple[datetime, int] | None = None, account_id: int | None = None
) -> list[Mature]:
    """Up to `most` awards that can be spent from then on or before, the longest ready first; beyond (when, lot)
    `after`, and of one account, where these are named. Read without a lock; see `confirm`."""
    query = _DUE
    if after is not None:
        place = sa.tuple_(sa.literal(after[0], Instant()), sa.literal(after[1]))
        query = query.where(sa.tuple_(pending_awards.c.matures_at, pending_awards.c.lot_id) > place)
    if account_id is not None:
        own = sa.select(programmes.c.id).where(programmes.c.account_id == account_id)
        query = query.where(ledger_entries.c.programme_id.in_(own))
    return [
        Mature(
            lot_id=r.lot_id,
            entry_id=r.entry_id,
            entry=r.public_id,
            member_id=r.member_id,
            pending=Purse(r.account_id, r.currency_id, r.code, r.amount, owing=False),
            expires_at=r.expires_at,
            matures_at=r.matures_at,
            earned_at=r.earned_at,
            programme_id=r.programme_id,
            merchant_id=r.merchant_id,
            programme_version_id=r.programme_version_id,
            rule_id=r.rule_id,
            sale_id=r.sale_id,
        )
        for r in tx.execute(query, {"at": at, "most": most})
    ]


_NEXT = sa.select(sa.func.min(pending_awards.c.matures_at, type_=Instant())).where(
    pending_awards.c.state == sa.literal_column("'waiting'"), pending_awards.c.matures_at > b("at")
)


def next_due(tx: Tx, at: datetime) -> datetime | None:
    """When, after `at`, the next award can be spent."""
    return tx.execute(_NEXT, {"at": at}).scalar()


def confirm(tx: Tx, booking: Booking, one: Mature, purse: Purse) -> Posted | None:
    """Move what is left of an award to what can be spent, from where it first pays what the member owes; None where
    nothing waits any more. The member is locked; `purse` is read under that lock."""
    left = tx.execute(
        sa.select(lots.c.remaining)
        .join(pending_awards, pending_awards.c.lot_id == lots.c.id)
        .where(lots.c.id == one.lot_id, pending_awards.c.state == lot_book.WAITING)
    ).scalar()
    if not left:
        return None
    posted = ledger.move(tx, booking, CONFIRM, purse, one.pending, left)
    lot_book.take(tx, posted.entry_id, [(one.lot_id, left)])
    fresh = lot_book.new_lot(purse.account_id, posted.entry_id, left, one.earned_at, one.expires_at)
    lot = lot_book.open_lots(tx, [fresh])[posted.entry_id]
    lot_book.take(tx, posted.entry_id, lot_book.repay(tx, purse.account_id, {lot: left}, booking.recorded_at))
    tx.execute(
        sa.update(pending_awards)
        .where(pending_awards.c.lot_id == one.lot_id)
        .values(state=lot_book.CONFIRMED, confirmed_id=posted.entry_id)
    )
    return posted
