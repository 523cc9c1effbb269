"""Owns taking more than a member has, where it is gone already: what is missing is owed, or borne by the merchant.

The caller holds the member's lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.purse import ledger
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.purse.ledger import BURN, FORGIVE, REDEEMED, WRITTEN_OFF, Booking, Posted, Purse
from wallet_server.records.schema import balances, currencies, ledger_entries, lots


@dataclass(frozen=True)
class Debt:
    """What a burn leaves owed: the lot, and how much."""

    lot: int
    owed: int


def burn(tx: Tx, booking: Booking, purse: Purse, amount: int) -> tuple[Posted, Debt | None]:
    """Take `amount` (> 0) whatever there is: (the entry, the debt that it leaves, None where it leaves none)."""
    if amount <= 0:
        raise ValueError("a burn is positive")
    takes, missing = lot_book.plan(tx, purse.account_id, amount, booking.effective_at)
    contra = ledger.contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, REDEEMED)
    posted = ledger.post(tx, booking, BURN, purse, -amount, contra)
    lot_book.take(tx, posted.entry_id, takes)
    if not missing:
        return posted, None
    owed = lot_book.new_lot(purse.account_id, posted.entry_id, -missing, booking.effective_at, None)
    return posted, Debt(lot_book.open_lots(tx, [owed])[posted.entry_id], missing)


def forgive(tx: Tx, booking: Booking, purse: Purse, debt: Debt, public_id: str, reason: str) -> Posted:
    """The merchant gives the member what one burn left owed."""
    said = replace(booking, public_id=public_id, reason=reason)
    contra = ledger.contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, WRITTEN_OFF)
    posted = ledger.post(tx, said, FORGIVE, purse, debt.owed, contra)
    lot_book.take(tx, posted.entry_id, [(debt.lot, -debt.owed)])
    return posted


@dataclass(frozen=True)
class Owing:
    """A debt of a member, and the entry that left it: at which merchant, under which rule and version."""

    debt: Debt
    purse: Purse
    entry: str
    merchant_id: int
    programme_version_id: int
    rule_id: str


_OWING = (
    sa.select(
        lots.c.id,
        lots.c.remaining,
        lots.c.account_id,
        balances.c.amount,
        balances.c.currency_id,
        currencies.c.code,
        ledger_entries.c.public_id,
        ledger_entries.c.merchant_id,
        ledger_entries.c.programme_version_id,
        ledger_entries.c.rule_id,
    )
    .select_from(balances)
    .join(lots, lots.c.account_id == balances.c.account_id)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .join(ledger_entries, ledger_entries.c.id == lots.c.entry_id)
    .where(balances.c.member_id == b("member"), lot_book.DEBT)
    .order_by(lots.c.id)
)


def owing(tx: Tx, member_id: int) -> list[Owing]:
    """Everything that a member owes."""
    return [
        Owing(
            Debt(r.id, -r.remaining),
            Purse(r.account_id, r.currency_id, r.code, r.amount),
            r.public_id,
            r.merchant_id,
            r.programme_version_id,
            r.rule_id,
        )
        for r in tx.execute(_OWING, {"member": member_id})
    ]
