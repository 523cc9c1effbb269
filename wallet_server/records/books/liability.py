"""Owns the books of an account as of a moment: the trial balance, and the flows that the liability is told from.

A moment is one of the books (`recorded_at`): what had been written down by then, whatever day it was about. An entry
that is about an earlier day (`effective_at`: a sale that reached us late) belongs to the day on which it was recorded,
so that no figure that was once read, or closed, changes afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import NotFound
from wallet_server.records.books import book_days
from wallet_server.records.database import Tx
from wallet_server.records.schema import currencies, merchants, participations, programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.books.booked import POSTINGS, Flow


@dataclass(frozen=True)
class Ledger:
    """A programme with its currencies (key to code) and the merchants that ever took part (key to public id, name)."""

    programme_id: int
    public_id: str
    name: str
    currencies: dict[int, str]
    merchants: dict[int, tuple[str, str]]

    def merchant(self, public_id: str) -> int | None:
        """The key of a merchant that takes part."""
        return next((key for key, (one, _) in self.merchants.items() if one == public_id), None)


@dataclass(frozen=True)
class TrialLine:
    """The sum of one kind of account (`owner`: member or merchant; `purpose`) of one currency of one programme."""

    programme: str
    currency: str
    owner: str
    purpose: str
    amount: int

    @property
    def debit(self) -> int:
        return max(0, -self.amount)

    @property
    def credit(self) -> int:
        """What is owed stands on this side."""
        return max(0, self.amount)


def ledgers(tx: Tx, scope: Scope) -> list[Ledger]:
    """The programmes of the caller's account, oldest first."""
    rows = tx.execute(
        sa.select(programmes.c.id, programmes.c.public_id, programmes.c.name)
        .where(programmes.c.account_id == scope.account_id)
        .order_by(programmes.c.id)
    ).all()
    return [Ledger(r.id, r.public_id, r.name, _currencies(tx, r.id), _merchants(tx, r.id)) for r in rows]


def _currencies(tx: Tx, programme_id: int) -> dict[int, str]:
    query = sa.select(currencies.c.id, currencies.c.code).where(currencies.c.programme_id == programme_id)
    return {r.id: r.code for r in tx.execute(query.order_by(currencies.c.id))}


def _merchants(tx: Tx, programme_id: int) -> dict[int, tuple[str, str]]:
    query = (
        sa.select(merchants.c.id, merchants.c.public_id, merchants.c.name)
        .join(participations, participations.c.merchant_id == merchants.c.id)
        .where(participations.c.programme_id == programme_id)
        .order_by(merchants.c.id)
    )
    return {r.id: (r.public_id, r.name) for r in tx.execute(query)}


def known_merchant(books: Sequence[Ledger], public_id: str | None) -> None:
    """Raises `NotFound` for a merchant that takes part in none of these."""
    if public_id is not None and all(one.merchant(public_id) is None for one in books):
        raise NotFound("There is no such merchant.", field="merchant")


def of_merchant(ledger: Ledger, flows: Iterable[Flow], public_id: str | None) -> list[Flow]:
    """Those of one merchant; all, where none is named."""
    if public_id is None:
        return list(flows)
    key = ledger.merchant(public_id)
    return [one for one in flows if one.merchant_id == key]


def trial_balance(ledger: Ledger, flows: Iterable[Flow]) -> list[TrialLine]:
    """Every kind of account that ever moved, one line each; the lines of a currency add up to zero."""
    sums: dict[tuple[int, str], int] = defaultdict(int)
    for one in flows:
        if one.book == POSTINGS and one.currency_id is not None:
            sums[one.currency_id, one.side] += one.amount
    lines = []
    for (currency, side), amount in sorted(sums.items()):
        owner, _, purpose = side.partition(":")
        lines.append(TrialLine(ledger.public_id, ledger.currencies[currency], owner, purpose, amount))
    return lines


def flows(tx: Tx, ledger: Ledger, until: datetime, *, trusting: bool = True) -> list[Flow]:
    """All that was in the books of a programme then; without `trusting` from the entries alone, sums left aside."""
    read = book_days.flows if trusting else book_days.recount
    return read(tx, ledger.programme_id, until)
