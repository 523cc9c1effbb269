"""Owns units that are put aside for something: opened, used in whole or in part, given back. The member is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import Conflict, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.purse import ledger
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.purse.ledger import BURN, HELD, HOLD, REDEEMED, RELEASE, Booking, Posted, Purse
from wallet_server.records.schema import currencies, holds, lots, members, programmes
from wallet_server.records.scope import Scope

OPEN, CAPTURED, RELEASED, EXPIRED = "open", "captured", "released", "expired"


@dataclass(frozen=True)
class HoldRow:
    """Units put aside, as they stand."""

    id: int
    public_id: str
    programme_id: int
    member_id: int
    merchant_id: int
    currency: str
    account_id: int
    entry_id: int
    reference: str
    amount: int
    captured: int
    state: str
    opened_at: datetime
    expires_at: datetime


_ROWS = sa.select(holds, currencies.c.code).join(currencies, currencies.c.id == holds.c.currency_id)


def _row(r: sa.Row) -> HoldRow:  # type: ignore[type-arg]
    return HoldRow(
        r.id,
        r.public_id,
        r.programme_id,
        r.member_id,
        r.merchant_id,
        r.code,
        r.account_id,
        r.entry_id,
        r.reference,
        r.amount,
        r.captured,
        r.state,
        r.opened_at,
        r.expires_at,
    )


def hold_in(tx: Tx, scope: Scope, public_id: str) -> HoldRow:
    """One that the caller's merchant opened. Raises `NotFound`."""
    query = _ROWS.where(holds.c.public_id == public_id, holds.c.merchant_id == scope.merchant_id)
    found = tx.execute(query).first()
    if found is None:
        raise NotFound("There is no such reservation.", field="hold")
    return _row(found)


def hold_by_id(tx: Tx, key: int) -> HoldRow | None:
    """One by its key; None where it is gone."""
    found = tx.execute(_ROWS.where(holds.c.id == key)).first()
    return None if found is None else _row(found)


def open_hold(
    tx: Tx, booking: Booking, purse: Purse, amount: int, public_id: str, expires_at: datetime
) -> tuple[int, Posted]:
    """Put units aside from the lots that expire first: (key of the hold, entry). Raises `Conflict` (`not-enough`)
    rather than more than there is."""
    takes = ledger.spendable(tx, purse, amount, booking.effective_at)
    aside = ledger.aside(tx, booking.programme_id, booking.member_id, purse, HELD)
    posted = ledger.move(tx, booking, HOLD, purse, aside, -amount)
    lot_book.take(tx, posted.entry_id, takes)
    # What is put aside does not run out: what is given back has its own day again.
    held = lot_book.new_lot(aside.account_id, posted.entry_id, amount, booking.effective_at, None)
    lot_book.open_lots(tx, [held])
    row: Mapping[str, Any] = {
        "public_id": public_id,
        "programme_id": booking.programme_id,
        "member_id": booking.member_id,
        "merchant_id": booking.merchant_id,
        "store_id": booking.store_id,
        "till_id": booking.till_id,
        "currency_id": purse.currency_id,
        "account_id": aside.account_id,
        "entry_id": posted.entry_id,
        "reference": booking.receipt,
        "amount": amount,
        "state": OPEN,
        "opened_at": booking.recorded_at,
        "expires_at": expires_at,
    }
    return int(tx.execute(sa.insert(holds).values(row).returning(holds.c.id)).scalar_one()), posted


_LOT = sa.select(lots.c.id).where(lots.c.entry_id == b("entry"), lots.c.account_id == b("account"))


def capture(tx: Tx, booking: Booking, hold: HoldRow, purse: Purse, amount: int) -> Posted:
    """Use `amount` (> 0) of an open hold, from those of its lots that expire first. Raises `Conflict`
    (`more-than-held`)."""
    if not 0 < amount <= hold.amount:
        raise Conflict(
            f"{hold.amount} {hold.currency} are put aside, not {amount}.",
            code="more-than-held",
            field="amount",
            facts={"held": hold.amount, "asked": amount},
        )
    aside = _aside(hold, purse)
    contra = ledger.contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, REDEEMED)
    posted = ledger.post(tx, booking, BURN, aside, -amount, contra)
    lot_book.take(tx, posted.entry_id, [(_lot(tx, hold), amount)])
    return posted


def give_back(tx: Tx, booking: Booking, hold: HoldRow, purse: Purse, captured: int) -> Posted | None:
    """Give what was not captured of an open hold back to the lots that it was taken from; None where nothing is
    left."""
    rest = hold.amount - captured
    if not rest:
        return None
    posted = ledger.move(tx, booking, RELEASE, purse, _aside(hold, purse), rest)
    lot_book.take(tx, posted.entry_id, [(_lot(tx, hold), rest)])
    back = lot_book.share(lot_book.taken_by(tx, hold.entry_id), captured, rest)
    lot_book.put_back(tx, posted.entry_id, purse.account_id, back, booking.recorded_at)
    return posted


def _aside(hold: HoldRow, purse: Purse) -> Purse:
    return Purse(hold.account_id, purse.currency_id, purse.code, 0, owing=False)


def _lot(tx: Tx, hold: HoldRow) -> int:
    return int(tx.execute(_LOT, {"entry": hold.entry_id, "account": hold.account_id}).scalar_one())


def close(tx: Tx, hold: HoldRow, state: str, captured: int, at: datetime) -> None:
    """It is over."""
    values = {"state": state, "captured": captured, "closed_at": at}
    tx.execute(sa.update(holds).where(holds.c.id == hold.id).values(values))


_LAPSED = (
    _ROWS.join(members, members.c.id == holds.c.member_id)
    # Written out, not bound: else neither database would use the partial index.
    .where(holds.c.state == sa.literal_column("'open'"), holds.c.expires_at <= b("at"), members.c.left_at.is_(None))
    .order_by(holds.c.expires_at, holds.c.id)
    .limit(b("most"))
)


def lapsed(tx: Tx, at: datetime, most: int, account_id: int | None = None) -> list[HoldRow]:
    """Up to `most` open holds whose time is over, of one account if it is named; read without a lock."""
    query = _LAPSED
    if account_id is not None:
        own = sa.select(programmes.c.id).where(programmes.c.account_id == account_id)
        query = query.where(holds.c.programme_id.in_(own))
    return [_row(r) for r in tx.execute(query, {"at": at, "most": most})]
