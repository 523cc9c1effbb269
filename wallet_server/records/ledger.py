"""Owns the books: entries whose postings sum to zero, lots that each award opens, and the members' balances.

The caller holds the member's row lock (on SQLite the one writer's lock), so balances and lots may be read and then
written. Balances are kept for members only; every other account is summed, because a contra balance would be one
row that serialises all tills. A debt left by a reversal is a lot with a negative remainder, so that the sum of the
lots is always the balance. What is left of a lot when it runs out goes to the breakage of the merchant that gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import Conflict
from wallet_server.records import lots as lot_book
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    balances,
    currencies,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    lot_allocations,
    lots,
)

EARN, BURN, REVERSE, EXPIRE = "earn", "burn", "reverse", "expire"
MEMBER, MERCHANT = "member", "merchant"
AVAILABLE, ISSUED, REDEEMED, BREAKAGE = "available", "issued", "redeemed", "breakage"
EXPIRY_UNDONE = "reverse.expire"
MAX_BALANCE = 2**53 - 1
"""Beyond it a JSON number is no longer exact in every language (RFC 8259, 6)."""


@dataclass(frozen=True)
class Booking:
    """Everything an entry says besides its amounts: who, where, under which rule and version, why, and when."""

    public_id: str
    programme_id: int
    member_id: int
    merchant_id: int
    programme_version_id: int
    rule_id: str
    reason: str
    effective_at: datetime
    recorded_at: datetime
    store_id: int | None = None
    till_id: int | None = None
    receipt: str | None = None
    sale_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Purse:
    """A member's account of one currency and what stands on it; `owing` unless it is known that no reversal left a
    debt there; `issued` the merchant's account on the other side of its awards, where that is known."""

    account_id: int
    currency_id: int
    code: str
    amount: int
    owing: bool = True
    issued: int | None = None


@dataclass(frozen=True)
class Posted:
    """An entry as booked: `amount` is what the member's account changed by, `balance` what stands there now; `entry_id`
    0 while it is only foreseen."""

    entry_id: int
    public_id: str
    currency: str
    amount: int
    balance: int
    rule_id: str
    reason: str
    params: Mapping[str, Any]


# Beside a lot that has expired, a balance of zero or more may hide a debt: so the debts themselves are looked for.
_OWING = sa.exists().where(lots.c.account_id == ledger_accounts.c.id, lot_book.OPEN, lots.c.remaining < 0)
_ISSUED = ledger_accounts.alias("merchants_own")
_PURSES = Prepared(
    sa.select(
        ledger_accounts.c.id,
        ledger_accounts.c.currency_id,
        currencies.c.code,
        balances.c.amount,
        _OWING.label("owing"),
        _ISSUED.c.id.label("issued"),
    )
    .join(balances, balances.c.account_id == ledger_accounts.c.id)
    .join(currencies, currencies.c.id == ledger_accounts.c.currency_id)
    .outerjoin(
        _ISSUED,
        sa.and_(
            _ISSUED.c.currency_id == ledger_accounts.c.currency_id,
            _ISSUED.c.owner_kind == MERCHANT,
            _ISSUED.c.owner_id == b("merchant_id"),
            _ISSUED.c.purpose == ISSUED,
        ),
    )
    .where(balances.c.member_id == b("member_id"))
)
_ADD_ENTRY = Prepared(
    sa.insert(ledger_entries).returning(ledger_entries.c.id), [c.name for c in ledger_entries.c if c.name != "id"]
)
_ADD_POSTING = Prepared(sa.insert(ledger_postings), [c.name for c in ledger_postings.c])
_BY = sa.update(balances).where(balances.c.account_id == b("account")).values(amount=balances.c.amount + b("by"))
_MOVE, _MOVED = Prepared(_BY), Prepared(_BY.returning(balances.c.amount))


def purses(tx: Tx, member_id: int, merchant_id: int | None = None) -> dict[str, Purse]:
    """The member's accounts by currency code, and what this merchant's awards come from where it is open already."""
    rows = _PURSES.rows(tx, {"member_id": member_id, "merchant_id": merchant_id})
    return {r.code: Purse(r.id, r.currency_id, r.code, r.amount, bool(r.owing), r.issued) for r in rows}


_AMOUNTS = (
    sa.select(balances.c.member_id, currencies.c.code, balances.c.amount)
    .join(currencies, currencies.c.id == balances.c.currency_id)
    .where(balances.c.member_id.in_(b("ids", expanding=True)))
)


def amounts(tx: Tx, member_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Member key to currency code to balance."""
    found: dict[int, dict[str, int]] = {}
    for r in tx.execute(_AMOUNTS, {"ids": list(member_ids)}):
        found.setdefault(r.member_id, {})[r.code] = r.amount
    return found


def open_purses(tx: Tx, programme_id: int, member_id: int, currency_ids: Sequence[int]) -> None:
    """Open the member's accounts that do not stand yet."""
    have = {p.currency_id for p in purses(tx, member_id).values()}
    for currency_id in currency_ids:
        if currency_id not in have:
            account = _account(tx, programme_id, currency_id, MEMBER, member_id, AVAILABLE)
            tx.execute(
                sa.insert(balances).values(account_id=account, member_id=member_id, currency_id=currency_id, amount=0)
            )


def open_all_purses(tx: Tx, programme_id: int, member_id: int) -> None:
    """Open the member's accounts of every currency that the programme has."""
    ids = tx.execute(sa.select(currencies.c.id).where(currencies.c.programme_id == programme_id)).scalars()
    open_purses(tx, programme_id, member_id, list(ids))


def contra_account(tx: Tx, programme_id: int, currency_id: int, merchant_id: int, purpose: str) -> int:
    """The merchant's account on the other side of a member's, opened when it is first used."""
    return _account(tx, programme_id, currency_id, MERCHANT, merchant_id, purpose)


_ACCOUNT = sa.select(ledger_accounts.c.id).where(
    ledger_accounts.c.currency_id == b("currency_id"),
    ledger_accounts.c.owner_kind == b("owner_kind"),
    ledger_accounts.c.owner_id == b("owner_id"),
    ledger_accounts.c.purpose == b("purpose"),
)


def _account(tx: Tx, programme_id: int, currency_id: int, kind: str, owner: int, purpose: str) -> int:
    key = {"currency_id": currency_id, "owner_kind": kind, "owner_id": owner, "purpose": purpose}
    found = tx.execute(_ACCOUNT, key).scalar()
    if found is None:
        # Two tills may open the same contra account at once: the second waits for the first and finds its row.
        savepoint = tx.begin_nested()
        try:
            row = {"programme_id": programme_id, **key}
            found = tx.execute(sa.insert(ledger_accounts).values(row).returning(ledger_accounts.c.id)).scalar_one()
            savepoint.commit()
        except sa.exc.IntegrityError:
            savepoint.rollback()
            found = tx.execute(_ACCOUNT, key).scalar_one()
    return int(found)


@dataclass(frozen=True)
class Award:
    """Units (> 0) to give, and until when they count."""

    booking: Booking
    purse: Purse
    amount: int
    expires_at: datetime | None


def award(tx: Tx, awards: Sequence[Award]) -> list[Posted]:
    """Give what one event earned, in this order: each opens a lot; debts left by reversals are paid out of it first.

    All are of one programme and merchant, to one member whose purses were read under its lock. A handful of statements
    however many they are. Raises `Conflict` (`balance-too-large`).
    """
    if not awards:
        return []
    foreseen = foresee(awards)
    other = contras(tx, awards)
    legs = [_Leg(one.booking, EARN, one.purse, one.amount, other[one.purse.currency_id]) for one in awards]
    ids = _write(tx, legs)
    _MOVE.many(tx, [{"account": leg.purse.account_id, "by": leg.amount} for leg in legs])
    posted = [replace(one, entry_id=ids[one.public_id]) for one in foreseen]
    opened = lot_book.open_lots(
        tx,
        [
            lot_book.new_lot(one.purse.account_id, entry.entry_id, one.amount, one.booking.effective_at, one.expires_at)
            for one, entry in zip(awards, posted, strict=True)
        ],
    )
    for one, entry in zip(awards, posted, strict=True):
        if one.purse.owing:
            pool = {opened[entry.entry_id]: one.amount}
            lot_book.take(tx, entry.entry_id, lot_book.repay(tx, one.purse.account_id, pool, one.booking.recorded_at))
    return posted


def foresee(awards: Sequence[Award]) -> list[Posted]:
    """What `award` will answer, before anything is written. Raises `Conflict` (`balance-too-large`)."""
    stands: dict[int, int] = {}
    posted = []
    for one in awards:
        account, said = one.purse.account_id, one.booking
        after = stands[account] = stands.get(account, one.purse.amount) + one.amount
        if one.amount <= 0:
            raise ValueError("an award is positive")
        if after > MAX_BALANCE:
            raise Conflict(f"This account cannot hold that many {one.purse.code}.", code="balance-too-large")
        what = (said.rule_id, said.reason, said.params)
        posted.append(Posted(0, said.public_id, one.purse.code, one.amount, after, *what))
    return posted


def contras(tx: Tx, awards: Sequence[Award]) -> dict[int, int]:
    """Currency to the merchant's account on the other side of these awards, opened when it is first used."""
    known = {one.purse.currency_id: one.purse.issued for one in awards}
    booking = awards[0].booking
    return {
        # In the order of the keys, so that two tills that open the same ones do not wait for each other.
        currency: known[currency] or contra_account(tx, booking.programme_id, currency, booking.merchant_id, ISSUED)
        for currency in sorted(known)
    }


def burn(tx: Tx, booking: Booking, purse: Purse, amount: int) -> Posted:
    """Take `amount` (> 0) from the lots that expire first. Raises `Conflict` (`not-enough`) rather than overspend."""
    if amount <= 0:
        raise ValueError("a burn is positive")
    takes, rest = lot_book.plan(tx, purse.account_id, amount, booking.effective_at)
    if rest or purse.amount < amount:
        have = min(purse.amount, amount - rest)
        raise Conflict(
            f"There are not enough {purse.code}: {have} of {amount}.",
            code="not-enough",
            facts={"available": have, "asked": amount},
        )
    contra = contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, REDEEMED)
    posted = _post(tx, booking, BURN, purse, -amount, contra, None)
    lot_book.take(tx, posted.entry_id, takes)
    return posted


_LAPSED = sa.select(lots.c.remaining).where(
    lots.c.id == b("lot"), lots.c.account_id == b("account"), lots.c.remaining > 0, lots.c.expires_at <= b("at")
)


def expire(tx: Tx, booking: Booking, purse: Purse, lot: int) -> Posted | None:
    """Take what is left of a lot that has run out by `recorded_at`; None when nothing is left or it still counts."""
    left = tx.execute(_LAPSED, {"lot": lot, "account": purse.account_id, "at": booking.recorded_at}).scalar()
    if left is None:
        return None
    contra = contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, BREAKAGE)
    posted = _post(tx, booking, EXPIRE, purse, -left, contra, None)
    lot_book.take(tx, posted.entry_id, [(lot, left)])
    return posted


_EXPIRIES = (
    sa.select(ledger_entries.c.id)
    .join(lot_allocations, lot_allocations.c.entry_id == ledger_entries.c.id)
    .join(lots, lots.c.id == lot_allocations.c.lot_id)
    .where(lots.c.entry_id == b("award"), ledger_entries.c.kind == EXPIRE)
    .order_by(ledger_entries.c.id)
)


def reverse(tx: Tx, booking: Booking, purse: Purse, entry_id: int, new_id: Callable[[], str]) -> list[Posted]:
    """Undo one entry in full by a further entry that names it, the last of those returned.

    A reversed award takes back what is left of its own lot, then the others, and leaves a debt for the rest (the
    balance goes below zero and the next awards repay it). What of it has expired is put back first, each expiry undone
    by an entry of its own (with ids from `new_id`): else it would be taken twice. A reversed burn gives back to the
    lots it took from. Raises `Conflict` (`already-reversed`, `not-reversible` for reversals and expiries).
    """
    kind = tx.execute(sa.select(ledger_entries.c.kind).where(ledger_entries.c.id == entry_id)).scalar_one()
    if kind == REVERSE:
        raise Conflict("A reversal cannot be reversed; book it anew.", code="not-reversible")
    if kind == EXPIRE:
        raise Conflict("What has expired comes back with its sale alone; reverse the sale.", code="not-reversible")
    if tx.execute(sa.select(ledger_entries.c.id).where(ledger_entries.c.reverses_id == entry_id)).scalar():
        raise Conflict("This was already reversed.", code="already-reversed")
    expiries = tx.execute(_EXPIRIES, {"award": entry_id}).scalars().all() if kind == EARN else ()
    undone = [
        _undo(tx, replace(booking, public_id=new_id(), reason=EXPIRY_UNDONE), purse, expiry, EXPIRE)
        for expiry in expiries
    ]
    return [*undone, _undo(tx, booking, purse, entry_id, kind)]


def _undo(tx: Tx, booking: Booking, purse: Purse, entry_id: int, kind: str) -> Posted:
    legs = tx.execute(
        sa.select(ledger_postings.c.account_id, ledger_postings.c.amount).where(ledger_postings.c.entry_id == entry_id)
    ).all()
    own = next(leg for leg in legs if leg.account_id == purse.account_id)
    contra = next(leg for leg in legs if leg.account_id != purse.account_id)
    posted = _post(tx, booking, REVERSE, purse, -own.amount, contra.account_id, entry_id)
    if kind == EARN:
        takes, rest = lot_book.plan(tx, purse.account_id, own.amount, booking.effective_at, first=entry_id)
        lot_book.take(tx, posted.entry_id, takes)
        if rest:
            lot_book.open_lots(
                tx, [lot_book.new_lot(purse.account_id, posted.entry_id, -rest, booking.effective_at, None)]
            )
        return posted
    given = tx.execute(
        sa.select(lot_allocations.c.lot_id, lot_allocations.c.amount)
        .where(lot_allocations.c.entry_id == entry_id)
        .order_by(lot_allocations.c.lot_id)
    ).all()
    back = {row.lot_id: row.amount for row in given}
    # What had expired is put back only to be taken away with its award: it pays no debt on the way.
    repaid = dict(lot_book.repay(tx, purse.account_id, back, booking.recorded_at)) if kind == BURN else {}
    net = {lot: repaid.pop(lot, 0) - amount for lot, amount in back.items()}
    lot_book.take(tx, posted.entry_id, [*net.items(), *repaid.items()])
    return posted


@dataclass(frozen=True)
class _Leg:
    """One entry to book: the member's account moves by `amount`, the account on the other side by its opposite."""

    booking: Booking
    kind: str
    purse: Purse
    amount: int
    contra: int
    reverses: int | None = None


def _post(tx: Tx, booking: Booking, kind: str, purse: Purse, amount: int, contra: int, reverses: int | None) -> Posted:
    said, entry = booking, _write(tx, [_Leg(booking, kind, purse, amount, contra, reverses)])[booking.public_id]
    after = _MOVED.first(tx, {"account": purse.account_id, "by": amount}).amount
    return Posted(entry, said.public_id, purse.code, amount, after, said.rule_id, said.reason, said.params)


def _write(tx: Tx, legs: Sequence[_Leg]) -> dict[str, int]:
    """Entries with their postings; the balances are the caller's. Public id to entry."""
    ids = {leg.booking.public_id: _ADD_ENTRY.first(tx, _entry(leg)).id for leg in legs}
    sides = []
    for leg in legs:
        side = {"entry_id": ids[leg.booking.public_id], "currency_id": leg.purse.currency_id}
        sides.append({**side, "account_id": leg.purse.account_id, "amount": leg.amount})
        sides.append({**side, "account_id": leg.contra, "amount": -leg.amount})
    _ADD_POSTING.many(tx, sides)
    return ids


def _entry(leg: _Leg) -> dict[str, Any]:
    booking = leg.booking
    return {
        "public_id": booking.public_id,
        "programme_id": booking.programme_id,
        "member_id": booking.member_id,
        "merchant_id": booking.merchant_id,
        "store_id": booking.store_id,
        "till_id": booking.till_id,
        "receipt": booking.receipt,
        "kind": leg.kind,
        "sale_id": booking.sale_id,
        "reverses_id": leg.reverses,
        "programme_version_id": booking.programme_version_id,
        "rule_id": booking.rule_id,
        "reason": booking.reason,
        "params": dict(booking.params),
        "state": dict(booking.state),
        "effective_at": booking.effective_at,
        "recorded_at": booking.recorded_at,
    }
