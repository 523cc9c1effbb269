"""Owns taking more than a member has, where it is gone already: what is missing is owed, or borne by the merchant.

The caller holds the member's lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wallet_server.records.database import Tx
from wallet_server.records.purse import ledger
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.purse.ledger import BURN, FORGIVE, REDEEMED, WRITTEN_OFF, Booking, Posted, Purse


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
