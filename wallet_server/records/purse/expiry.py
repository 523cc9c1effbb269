"""Owns which lots have run out and are not booked off yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.purse.ledger import Purse
from wallet_server.records.schema import Instant, balances, currencies, ledger_entries, lots, members, programmes


@dataclass(frozen=True)
class Lapsed:
    """A lot that has run out, whose it is, and the award that opened it: who gave it, under which rule and version.
    `left`: it had no end, and ended when its member left."""

    lot_id: int
    member_id: int
    purse: Purse
    earned_at: datetime
    expires_at: datetime
    award: str
    left: bool
    programme_id: int
    merchant_id: int
    programme_version_id: int
    rule_id: str


_LAPSED = (
    sa.select(
        lots.c.id,
        lots.c.account_id,
        lots.c.earned_at,
        lots.c.expires_at,
        balances.c.member_id,
        balances.c.amount,
        balances.c.currency_id,
        currencies.c.code,
        ledger_entries.c.public_id,
        ledger_entries.c.programme_id,
        ledger_entries.c.merchant_id,
        ledger_entries.c.programme_version_id,
        ledger_entries.c.rule_id,
        members.c.left_at,
    )
    .select_from(lots)
    .join(balances, balances.c.account_id == lots.c.account_id)
    .join(members, members.c.id == balances.c.member_id)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .join(ledger_entries, ledger_entries.c.id == lots.c.entry_id)
    .where(
        # Written out, not bound: else neither database would use the partial index.
        lots.c.remaining > sa.literal_column("0"),
        lots.c.expires_at <= b("at"),
    )
    .order_by(lots.c.expires_at, lots.c.id)
    .limit(b("most"))
)
_BEYOND = sa.tuple_(lots.c.expires_at, lots.c.id) > sa.tuple_(
    b("gone_at", type_=Instant()), b("after", type_=sa.BigInteger())
)
_LAPSED_AFTER = _LAPSED.where(_BEYOND)
_OWN = ledger_entries.c.programme_id.in_(sa.select(programmes.c.id).where(programmes.c.account_id == b("account")))
_OWN_LAPSED, _OWN_LAPSED_AFTER = _LAPSED.where(_OWN), _LAPSED.where(_OWN, _BEYOND)
_GONE_AT = sa.select(lots.c.expires_at).where(lots.c.id == b("after"))


def lapsed(tx: Tx, at: datetime, most: int, after: int | None = None, account_id: int | None = None) -> list[Lapsed]:
    """Up to `most` lots that have run out by then, the longest gone first; beyond the lot `after`, if one is named, and
    of one account, if that is.

    Read without a lock: what is left of each is looked at again (`ledger.expire`) when its member is held.
    """
    given: dict[str, object] = {"at": at, "most": most, **({} if account_id is None else {"account": account_id})}
    if after is None:
        rows = tx.execute(_LAPSED if account_id is None else _OWN_LAPSED, given)
    else:
        given |= {"after": after, "gone_at": tx.execute(_GONE_AT, {"after": after}).scalar_one()}
        rows = tx.execute(_LAPSED_AFTER if account_id is None else _OWN_LAPSED_AFTER, given)
    return [
        Lapsed(
            lot_id=r.id,
            member_id=r.member_id,
            purse=Purse(r.account_id, r.currency_id, r.code, r.amount),
            earned_at=r.earned_at,
            expires_at=r.expires_at,
            award=r.public_id,
            left=r.expires_at == r.left_at,
            programme_id=r.programme_id,
            merchant_id=r.merchant_id,
            programme_version_id=r.programme_version_id,
            rule_id=r.rule_id,
        )
        for r in rows
    ]


@contextmanager
def apart(tx: Tx) -> Iterator[None]:
    """What is done inside is undone when it raises; what the transaction did before stands, its locks too."""
    with tx.begin_nested():
        yield


@dataclass(frozen=True)
class Unbooked:
    """How many lots of a programme have run out and are not booked off, since when, and one member of whom."""

    programme_id: int
    lots: int
    since: datetime
    member: str


_UNBOOKED = (
    sa.select(
        members.c.programme_id,
        sa.func.count().label("lots"),
        sa.func.min(lots.c.expires_at, type_=Instant()).label("since"),
        sa.func.min(members.c.public_id).label("member"),
    )
    .select_from(lots)
    .join(balances, balances.c.account_id == lots.c.account_id)
    .join(members, members.c.id == balances.c.member_id)
    .where(
        lots.c.remaining > sa.literal_column("0"),
        lots.c.expires_at <= b("at"),
    )
    .group_by(members.c.programme_id)
    .order_by(members.c.programme_id)
)


def unbooked(tx: Tx, at: datetime) -> list[Unbooked]:
    """By programme, what has run out by then and is not booked off."""
    return [Unbooked(r.programme_id, r.lots, r.since, r.member) for r in tx.execute(_UNBOOKED, {"at": at})]
