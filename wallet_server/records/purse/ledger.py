"""Owns the books: entries whose postings sum to zero, lots that each award opens, and the members' balances.

The caller holds the member's row lock (on SQLite the one writer's lock), so balances and lots may be read and then
written. Balances are kept for members only; every other account is summed, because a contra balance would be one
row that serialises all tills. A debt is a lot with a negative remainder, so that the sum of the lots is always the
balance. What is left of a lot when it runs out goes to the breakage of the merchant that gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import Conflict
from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.prepared import Prepared
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.schema import balances, currencies, ledger_accounts, ledger_entries, ledger_postings, lots

EARN, BURN, REVERSE, EXPIRE = "earn", "burn", "reverse", "expire"
CONFIRM, HOLD, RELEASE, FORGIVE, MERGE = "confirm", "hold", "release", "forgive", "merge"
MOVES = (CONFIRM, HOLD, RELEASE, MERGE)  # between accounts of one member, who has as many as before
MEMBER, MERCHANT = "member", "merchant"
AVAILABLE, PENDING, HELD = "available", "pending", "held"
ISSUED, REDEEMED, BREAKAGE, WRITTEN_OFF = "issued", "redeemed", "breakage", "written_off"
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
    0 while it is only foreseen; `version_id` the key of the programme version that it was booked under."""

    entry_id: int
    public_id: str
    currency: str
    amount: int
    balance: int
    rule_id: str
    reason: str
    params: Mapping[str, Any]
    version_id: int


# Beside a lot that has expired, a balance of zero or more may hide a debt: so the debts themselves are looked for.
_OWING = sa.exists().where(lots.c.account_id == ledger_accounts.c.id, lot_book.DEBT)
_ISSUED = ledger_accounts.alias("merchants_own")

_EVERY_PURSE = (
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
    .where(ledger_accounts.c.purpose == sa.literal_column("'available'"))
)
_ADD_ENTRY = Prepared(
    sa.insert(ledger_entries).returning(ledger_entries.c.id), [c.name for c in ledger_entries.c if c.name != "id"]
)
_ADD_POSTING = Prepared(sa.insert(ledger_postings), [c.name for c in ledger_postings.c])
_BY = sa.update(balances).where(balances.c.account_id == b("account")).values(amount=balances.c.amount + b("by"))
_MOVE, _MOVED = Prepared(_BY), Prepared(_BY.returning(balances.c.amount))


def purses_query(member_id: Any) -> sa.Select[Any]:
    """What `purses_found` reads, with the merchant's key as the parameter `merchant_id`."""
    return _EVERY_PURSE.where(balances.c.member_id == member_id)


_PURSES = Prepared(purses_query(b("member_id")))


def purses(tx: Tx, member_id: int, merchant_id: int | None = None) -> dict[str, Purse]:
    """The member's accounts of what can be spent, by currency code, and what this merchant's awards come from where it
    is open already."""
    return purses_found(_PURSES.rows(tx, {"member_id": member_id, "merchant_id": merchant_id}))


def purses_found(rows: Sequence[Any]) -> dict[str, Purse]:
    """The same of the rows of a `purses_query`."""
    return {r.code: Purse(r.id, r.currency_id, r.code, r.amount, bool(r.owing), r.issued) for r in rows}


_AMOUNTS = Prepared(
    lambda dialect: (
        sa.select(balances.c.member_id, currencies.c.code, ledger_accounts.c.purpose, balances.c.amount)
        .join(currencies, currencies.c.id == balances.c.currency_id)
        .join(ledger_accounts, ledger_accounts.c.id == balances.c.account_id)
        .where(among(dialect, balances.c.member_id))
    )
)


def amounts(tx: Tx, member_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Member key to currency code to what can be spent."""
    found: dict[int, dict[str, int]] = {}
    for key, code, purpose, amount in _AMOUNTS.plain(tx, {"ids": list(member_ids)}):
        if purpose == AVAILABLE:
            found.setdefault(key, {})[code] = amount
    return found


def open_purses(tx: Tx, programme_id: int, member_id: int, currency_ids: Sequence[int]) -> None:
    """Open the member's accounts that do not stand yet."""
    have = {p.currency_id for p in purses(tx, member_id).values()}
    for currency_id in currency_ids:
        if currency_id not in have:
            _open(tx, programme_id, member_id, currency_id, AVAILABLE)


def _open(tx: Tx, programme_id: int, member_id: int, currency_id: int, purpose: str) -> int:
    account = _account(tx, programme_id, currency_id, MEMBER, member_id, purpose)
    tx.execute(sa.insert(balances).values(account_id=account, member_id=member_id, currency_id=currency_id, amount=0))
    return account


_ASIDE = (
    sa.select(balances.c.account_id, balances.c.amount)
    .join(ledger_accounts, ledger_accounts.c.id == balances.c.account_id)
    .where(
        balances.c.member_id == b("member_id"),
        balances.c.currency_id == b("currency_id"),
        ledger_accounts.c.purpose == b("purpose"),
    )
)


def aside(tx: Tx, programme_id: int, member_id: int, purse: Purse, purpose: str) -> Purse:
    """The member's account of what is on its way or put aside (`purpose`) of the same currency; it never owes."""
    key = {"member_id": member_id, "currency_id": purse.currency_id, "purpose": purpose}
    row = tx.execute(_ASIDE, key).first()
    account = row.account_id if row else _open(tx, programme_id, member_id, purse.currency_id, purpose)
    return Purse(account, purse.currency_id, purse.code, row.amount if row else 0, False, purse.issued)


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
    """Units (> 0) to give, until when they count, and from when they can be spent where that is not at once."""

    booking: Booking
    purse: Purse
    amount: int
    expires_at: datetime | None
    pending_until: datetime | None = None


def award(tx: Tx, awards: Sequence[Award]) -> list[Posted]:
    """Give what one event earned, in this order: each opens a lot; debts left by reversals are paid out of it first.

    What is pending stands apart (see `pending`) and pays nothing yet. All are of one programme and merchant, to
    one member whose purses were read under its lock. Raises `Conflict` (`balance-too-large`).
    """
    if not awards:
        return []
    foreseen = foresee(awards)
    other = contras(tx, awards)
    into = _receivers(tx, awards)
    legs = [
        Leg(replace(one.booking, params=_said(one)), EARN, purse, one.amount, other[purse.currency_id])
        for one, purse in zip(awards, into, strict=True)
    ]
    ids = write(tx, legs)
    _MOVE.many(tx, [{"account": leg.purse.account_id, "by": leg.amount} for leg in legs])
    posted = [replace(one, entry_id=ids[one.public_id]) for one in foreseen]
    opened = lot_book.open_lots(tx, [_lot(*three) for three in zip(awards, into, posted, strict=True)])
    for one, purse, entry in zip(awards, into, posted, strict=True):
        lot = opened[entry.entry_id]
        if one.pending_until is not None:
            wait = lot_book.Wait(lot, entry.entry_id, purse.account_id, one.amount, one.pending_until, one.expires_at)
            lot_book.let_wait(tx, wait)
        elif purse.owing:
            paid = lot_book.repay(tx, purse.account_id, {lot: one.amount}, one.booking.recorded_at)
            lot_book.take(tx, entry.entry_id, paid)
    return posted


def _lot(one: Award, purse: Purse, entry: Posted) -> dict[str, Any]:
    # What is on its way does not run out: it gets its day once it can be spent.
    gone = one.expires_at if one.pending_until is None else None
    return lot_book.new_lot(purse.account_id, entry.entry_id, one.amount, one.booking.effective_at, gone)


def _receivers(tx: Tx, awards: Sequence[Award]) -> list[Purse]:
    member, programme = awards[0].booking.member_id, awards[0].booking.programme_id
    return [
        one.purse if one.pending_until is None else aside(tx, programme, member, one.purse, PENDING) for one in awards
    ]


def _said(one: Award) -> Mapping[str, Any]:
    params = one.booking.params
    return params if one.pending_until is None else {**params, "pending_until": one.pending_until.isoformat()}


def foresee(awards: Sequence[Award]) -> list[Posted]:
    """What `award` will answer: what is pending changes no balance. Raises `Conflict` (`balance-too-large`)."""
    stands: dict[int, int] = {}
    posted = []
    for one in awards:
        account, said = one.purse.account_id, one.booking
        before = stands.get(account, one.purse.amount)
        after = stands[account] = before + (one.amount if one.pending_until is None else 0)
        if one.amount <= 0:
            raise ValueError("an award is positive")
        if before + one.amount > MAX_BALANCE:
            raise Conflict(f"This account cannot hold that many {one.purse.code}.", code="balance-too-large")
        what = (said.rule_id, said.reason, _said(one), said.programme_version_id)
        posted.append(Posted(0, said.public_id, one.purse.code, one.amount, after, *what))
    return posted


def contras(tx: Tx, awards: Sequence[Award]) -> dict[int, int]:
    """Currency to the merchant's account on the other side of these awards."""
    known = {one.purse.currency_id: one.purse.issued for one in awards}
    booking = awards[0].booking
    return {
        # In the order of the keys, so that two tills that open the same ones do not wait for each other.
        currency: known[currency] or contra_account(tx, booking.programme_id, currency, booking.merchant_id, ISSUED)
        for currency in sorted(known)
    }


def burn(tx: Tx, booking: Booking, purse: Purse, amount: int) -> Posted:
    """Take `amount` (> 0) from the lots that expire first. Raises `Conflict` (`not-enough`) rather than overspend."""
    takes = spendable(tx, purse, amount, booking.effective_at)
    contra = contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, REDEEMED)
    posted = post(tx, booking, BURN, purse, -amount, contra)
    lot_book.take(tx, posted.entry_id, takes)
    return posted


def spendable(tx: Tx, purse: Purse, amount: int, at: datetime) -> list[tuple[int, int]]:
    """From which lots `amount` (> 0) is to be taken. Raises `Conflict` (`not-enough`)."""
    if amount <= 0:
        raise ValueError("a burn is positive")
    takes, rest = lot_book.plan(tx, purse.account_id, amount, at)
    if rest or purse.amount < amount:
        have = min(purse.amount, amount - rest)
        sentence = f"There are not enough {purse.code}: {have} of {amount}."
        raise Conflict(sentence, code="not-enough", facts={"available": have, "asked": amount})
    return takes


_LAPSED = sa.select(lots.c.remaining).where(
    lots.c.id == b("lot"), lots.c.account_id == b("account"), lots.c.remaining > 0, lots.c.expires_at <= b("at")
)


def expire(tx: Tx, booking: Booking, purse: Purse, lot: int) -> Posted | None:
    """Take what is left of a lot that has run out by `recorded_at`; None when nothing is left or it still counts."""
    left = tx.execute(_LAPSED, {"lot": lot, "account": purse.account_id, "at": booking.recorded_at}).scalar()
    if left is None:
        return None
    contra = contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, BREAKAGE)
    posted = post(tx, booking, EXPIRE, purse, -left, contra)
    lot_book.take(tx, posted.entry_id, [(lot, left)])
    return posted


@dataclass(frozen=True)
class Leg:
    """One entry to book: the member's account moves by `amount`, the account on the other side by its opposite."""

    booking: Booking
    kind: str
    purse: Purse
    amount: int
    contra: int
    reverses: int | None = None


def post(
    tx: Tx, booking: Booking, kind: str, purse: Purse, amount: int, contra: int, reverses: int | None = None
) -> Posted:
    """Book one entry; the lots are the caller's. Raises `Conflict` (`balance-too-large`), whatever the way in."""
    said, entry = booking, write(tx, [Leg(booking, kind, purse, amount, contra, reverses)])[booking.public_id]
    after = _MOVED.first(tx, {"account": purse.account_id, "by": amount}).amount
    if amount > 0 and after > MAX_BALANCE:
        raise Conflict(f"This account cannot hold that many {purse.code}.", code="balance-too-large")
    what = (said.rule_id, said.reason, said.params, said.programme_version_id)
    return Posted(entry, said.public_id, purse.code, amount, after, *what)


def move(tx: Tx, booking: Booking, kind: str, purse: Purse, other: Purse, amount: int) -> Posted:
    """Book units into (or, below zero, out of) a purse from another of the same member; the lots are the caller's."""
    posted = post(tx, booking, kind, purse, amount, other.account_id)
    _MOVE.many(tx, [{"account": other.account_id, "by": -amount}])
    return posted


def write(tx: Tx, legs: Sequence[Leg]) -> dict[str, int]:
    """Entries with their postings; the balances are the caller's. Public id to entry."""
    ids = {leg.booking.public_id: _ADD_ENTRY.first(tx, _entry(leg)).id for leg in legs}
    sides = []
    for leg in legs:
        side = {"entry_id": ids[leg.booking.public_id], "currency_id": leg.purse.currency_id}
        sides.append({**side, "account_id": leg.purse.account_id, "amount": leg.amount})
        sides.append({**side, "account_id": leg.contra, "amount": -leg.amount})
    _ADD_POSTING.many(tx, sides)
    return ids


def _entry(leg: Leg) -> dict[str, Any]:
    said = leg.booking
    more = {"kind": leg.kind, "reverses_id": leg.reverses, "params": dict(said.params), "state": dict(said.state)}
    return {**vars(said), **more}
