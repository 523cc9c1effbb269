"""Owns taking back what was booked: a redemption as a whole, an award or what a pot paid in full or in part.

Every entry that takes something of an award, an expiry or a payment back says so in `corrections`; the one that takes
the last of it names it in `reverses_id` besides. The caller holds the member's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.purse import ledger
from wallet_server.records.purse import lots as lot_book
from wallet_server.records.purse.ledger import (
    BURN,
    EARN,
    EXPIRE,
    FORGIVE,
    PENDING,
    REVERSE,
    WRITTEN_OFF,
    Booking,
    Posted,
    Purse,
)
from wallet_server.records.schema import (
    corrections,
    holds,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    lot_allocations,
    lots,
    pending_awards,
)

EXPIRY_UNDONE, FORGIVEN, UNFORGIVEN = "reverse.expire", "forgive.refund", "reverse.forgive"
NewId = Callable[[], str]


@dataclass(frozen=True)
class Taking:
    """What is to be taken back of one award: `amount` (> 0) of entry `award`, on account of which refund, if any."""

    award: int
    amount: int
    refund: int | None = None


def reverse(tx: Tx, booking: Booking, purse: Purse, entry_id: int, new_id: NewId) -> list[Posted]:
    """Undo one entry in full, or what is left of an award, by further entries (with ids from `new_id` but for the last
    of those returned).

    A reversed burn gives back (by the first of them) to the lots it took from, and what was forgiven because of it is
    taken then; of an award see `correct`. Raises `Conflict`
    (`already-reversed`, `not-reversible` for reversals and expiries).
    """
    kind = tx.execute(sa.select(ledger_entries.c.kind).where(ledger_entries.c.id == entry_id)).scalar_one()
    if kind == EXPIRE:
        raise Conflict("What has expired comes back with its sale alone; reverse the sale.", code="not-reversible")
    if kind not in (EARN, BURN):
        raise Conflict("A reversal cannot be reversed; book it anew.", code="not-reversible")
    if kind == EARN:
        left = standing(tx, [entry_id])[entry_id]
        if left:
            return correct(tx, booking, purse, Taking(entry_id, left), new_id)
    elif not tx.execute(sa.select(ledger_entries.c.id).where(ledger_entries.c.reverses_id == entry_id)).scalar():
        posted, back = _give_back(tx, booking, purse, entry_id)
        return [posted, *_take_forgiven(tx, booking, purse, entry_id, back, new_id)]
    raise Conflict("This was already reversed.", code="already-reversed")


_GIVEN = (
    sa.select(ledger_postings.c.entry_id, ledger_postings.c.amount)
    .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
    .where(ledger_postings.c.entry_id.in_(b("ids", expanding=True)), ledger_accounts.c.owner_kind == ledger.MEMBER)
)
_CORRECTED = (
    sa.select(corrections.c.corrects_id, sa.func.sum(corrections.c.amount).label("amount"))
    .where(corrections.c.corrects_id.in_(b("ids", expanding=True)))
    .group_by(corrections.c.corrects_id)
)


def standing(tx: Tx, awards: Sequence[int]) -> dict[int, int]:
    """Of each of these awards (or expiries), what was not taken back yet."""
    stands = {r.entry_id: abs(r.amount) for r in tx.execute(_GIVEN, {"ids": list(awards)})}
    for r in tx.execute(_CORRECTED, {"ids": list(awards)}):
        stands[r.corrects_id] -= int(r.amount)
    return stands


@dataclass(frozen=True)
class _Own:
    """A lot of the award that is taken back."""

    lot_id: int
    account_id: int
    remaining: int


def correct(tx: Tx, booking: Booking, purse: Purse, taking: Taking, new_id: NewId) -> list[Posted]:
    """Take part of an award back: from its own lot; what is missing there from what of it has expired (each expiry
    undone as far as needed by an entry of its own: else it would be taken twice); then from what is on its way to the
    member; then from the other lots; the rest is a debt that the next awards repay (or see `forgive`).

    The last entry has the id of `booking`, the others ids of `new_id`. Raises `Conflict` (`already-reversed`) when
    less than that is left of the award.
    """
    left = standing(tx, [taking.award])[taking.award]
    if not 0 < taking.amount <= left:
        raise Conflict("This was already reversed.", code="already-reversed")
    own = _own_lots(tx, taking.award)
    posted = _undo_expiries(tx, booking, purse, own, taking, new_id)
    if posted:
        own = _own_lots(tx, taking.award)
    from_available, rest = _draw([one for one in own if one.account_id == purse.account_id], taking.amount)
    from_pending, rest = _draw([one for one in own if one.account_id != purse.account_id], rest)
    if rest:
        others = [_Own(r.lot_id, r.account_id, r.remaining) for r in _on_its_way(tx, booking, purse, from_pending)]
        more, rest = _draw(others, rest)
        from_pending += more
    if rest:
        known = {lot for lot, _ in from_available}
        takes, rest = lot_book.plan(tx, purse.account_id, rest, booking.effective_at, apart=known)
        from_available += takes
    last = taking.award if taking.amount == left else None
    if from_pending:
        aside = ledger.aside(tx, booking.programme_id, booking.member_id, purse, PENDING)
        only = not from_available and not rest
        said = booking if only else replace(booking, public_id=new_id())
        taken = _take(tx, said, aside, taking, from_pending, 0, last if only else None)
        posted.append(replace(taken, balance=posted[-1].balance if posted else purse.amount))
        _settle_pending(tx, from_pending)
    if from_available or rest:
        posted.append(_take(tx, booking, purse, taking, from_available, rest, last))
    return posted


_OWN = (
    sa.select(lots.c.id, lots.c.account_id, lots.c.remaining)
    .where(
        lots.c.entry_id.in_(
            sa.union_all(
                sa.select(b("award", type_=sa.BigInteger())),
                sa.select(pending_awards.c.confirmed_id).where(
                    pending_awards.c.entry_id == b("award"), pending_awards.c.confirmed_id.is_not(None)
                ),
            )
        )
    )
    .order_by(lots.c.id)
)


def _own_lots(tx: Tx, award: int) -> list[_Own]:
    return [_Own(r.id, r.account_id, r.remaining) for r in tx.execute(_OWN, {"award": award})]


def _draw(own: Sequence[_Own], amount: int) -> tuple[list[tuple[int, int]], int]:
    takes = []
    for one in own:
        part = min(max(0, one.remaining), amount)
        if part:
            takes.append((one.lot_id, part))
            amount -= part
    return takes, amount


_EXPIRIES = (
    sa.select(ledger_entries.c.id, lot_allocations.c.lot_id)
    .join(lot_allocations, lot_allocations.c.entry_id == ledger_entries.c.id)
    .where(lot_allocations.c.lot_id.in_(b("lots", expanding=True)), ledger_entries.c.kind == EXPIRE)
    .order_by(ledger_entries.c.id)
)


def _undo_expiries(
    tx: Tx, booking: Booking, purse: Purse, own: Sequence[_Own], taking: Taking, new_id: NewId
) -> list[Posted]:
    """Put back of what has expired of an award as much as is about to be taken from there."""
    short = taking.amount - sum(max(0, one.remaining) for one in own)
    if short <= 0:
        return []
    gone = tx.execute(_EXPIRIES, {"lots": [one.lot_id for one in own]}).all()
    left = standing(tx, [r.id for r in gone]) if gone else {}
    posted = []
    for expiry in gone:
        part = min(short, left[expiry.id])
        if part:
            contra = _other_side(tx, expiry.id)
            said = replace(booking, public_id=new_id(), reason=EXPIRY_UNDONE)
            whole = expiry.id if part == left[expiry.id] else None
            posted.append(ledger.post(tx, said, REVERSE, purse, part, contra, whole))
            # Put back only to be taken away with its award: it pays no debt on the way.
            lot_book.take(tx, posted[-1].entry_id, [(expiry.lot_id, -part)])
            _note(tx, posted[-1].entry_id, expiry.id, part, taking.refund)
            short -= part
    return posted


def _other_side(tx: Tx, entry_id: int) -> int:
    """The merchant's account that an entry moved."""
    query = (
        sa.select(ledger_postings.c.account_id)
        .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
        .where(ledger_postings.c.entry_id == entry_id, ledger_accounts.c.owner_kind == ledger.MERCHANT)
    )
    return int(tx.execute(query).scalar_one())


def _on_its_way(tx: Tx, booking: Booking, purse: Purse, taken: Sequence[tuple[int, int]]) -> Sequence[sa.Row]:  # type: ignore[type-arg]
    """The member's other awards of this currency that wait, the last to come first."""
    query = (
        sa.select(lots.c.id.label("lot_id"), lots.c.account_id, lots.c.remaining)
        .select_from(pending_awards)
        .join(lots, lots.c.id == pending_awards.c.lot_id)
        .join(ledger_accounts, ledger_accounts.c.id == pending_awards.c.account_id)
        .where(
            ledger_accounts.c.owner_kind == ledger.MEMBER,
            ledger_accounts.c.owner_id == booking.member_id,
            ledger_accounts.c.currency_id == purse.currency_id,
            pending_awards.c.state == lot_book.WAITING,
            lots.c.id.not_in([lot for lot, _ in taken]),
        )
        .order_by(pending_awards.c.matures_at.desc(), lots.c.id.desc())
        .limit(lot_book.MAX_LOTS)
    )
    return tx.execute(query).all()


def _settle_pending(tx: Tx, taken: Sequence[tuple[int, int]]) -> None:
    """What has nothing left to confirm waits no more."""
    empty = sa.select(lots.c.id).where(lots.c.id.in_([lot for lot, _ in taken]), lots.c.remaining == 0)
    tx.execute(
        sa.update(pending_awards)
        .where(pending_awards.c.lot_id.in_(empty), pending_awards.c.state == lot_book.WAITING)
        .values(state=lot_book.TAKEN)
    )


def _take(
    tx: Tx,
    booking: Booking,
    purse: Purse,
    taking: Taking,
    takes: Sequence[tuple[int, int]],
    debt: int,
    reverses: int | None,
) -> Posted:
    amount = sum(part for _, part in takes) + debt
    contra = _other_side(tx, taking.award)
    posted = ledger.post(tx, booking, REVERSE, purse, -amount, contra, reverses)
    lot_book.take(tx, posted.entry_id, takes)
    if debt:
        owed = lot_book.new_lot(purse.account_id, posted.entry_id, -debt, booking.effective_at, None)
        lot_book.open_lots(tx, [owed])
    _note(tx, posted.entry_id, taking.award, amount, taking.refund)
    return posted


def _note(tx: Tx, entry: int, corrects: int, amount: int, refund: int | None) -> None:
    row = {"entry_id": entry, "corrects_id": corrects, "refund_id": refund, "amount": amount}
    tx.execute(sa.insert(corrections).values(row))


_OWED = (
    sa.select(lots.c.id, lots.c.remaining)
    .join(corrections, corrections.c.entry_id == lots.c.entry_id)
    .where(lots.c.account_id == b("account"), lot_book.DEBT, corrections.c.refund_id == b("refund"))
    .order_by(lots.c.id)
)


def forgive(tx: Tx, booking: Booking, purse: Purse, refund: int) -> Posted | None:
    """The merchant gives the member what is still owed on account of a refund; None where nothing is."""
    owed = tx.execute(_OWED, {"account": purse.account_id, "refund": refund}).all()
    if not owed:
        return None
    contra = ledger.contra_account(tx, booking.programme_id, purse.currency_id, booking.merchant_id, WRITTEN_OFF)
    posted = ledger.post(tx, booking, FORGIVE, purse, -sum(r.remaining for r in owed), contra)
    lot_book.take(tx, posted.entry_id, [(r.id, r.remaining) for r in owed])
    return posted


def give_back(tx: Tx, booking: Booking, purse: Purse, taking: Taking, new_id: NewId) -> list[Posted]:
    """Give part of what was spent (by the entry `award`) back to the lots that it was taken from, to those first that
    run out last, as `reverse` does. Raises `Conflict` (`already-reversed`) when less than that is left of it."""
    left = standing(tx, [taking.award])[taking.award]
    if not 0 < taking.amount <= left:
        raise Conflict("This was already reversed.", code="already-reversed")
    whole = taking.award if taking.amount == left else None
    posted = ledger.post(tx, booking, REVERSE, purse, taking.amount, _other_side(tx, taking.award), whole)
    back = lot_book.share(lot_book.taken_by(tx, taking.award), left - taking.amount, taking.amount)
    lot_book.put_back(tx, posted.entry_id, purse.account_id, back, booking.recorded_at)
    _note(tx, posted.entry_id, taking.award, taking.amount, taking.refund)
    return [posted, *_take_forgiven(tx, booking, purse, taking.award, back, new_id)]


_OF = ledger_accounts.alias("of")
_CURRENCY = sa.select(_OF.c.currency_id).where(_OF.c.id == b("account")).scalar_subquery()
_FORGIVEN = (
    sa.select(ledger_entries.c.id)
    .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
    .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
    .where(
        ledger_entries.c.member_id.in_(line_of(b("member"))),
        ledger_entries.c.kind == FORGIVE,
        ledger_entries.c.id > b("burn"),
        ledger_accounts.c.owner_kind == ledger.MEMBER,
        ledger_accounts.c.currency_id == _CURRENCY,
    )
    .order_by(ledger_entries.c.id)
)


def forgiven_since(tx: Tx, member_id: int, purse: Purse, burn: int) -> int:
    """What was forgiven of this currency after a burn (an entry), and not taken again since."""
    key = {"member": member_id, "burn": burn, "account": purse.account_id}
    return sum(standing(tx, list(tx.execute(_FORGIVEN, key).scalars())).values())


_REMAINING = sa.select(lots.c.id, lots.c.account_id, lots.c.remaining).where(lots.c.id.in_(b("ids", expanding=True)))


def _take_forgiven(
    tx: Tx, booking: Booking, purse: Purse, burn: int, back: Mapping[int, int], new_id: NewId
) -> list[Posted]:
    """What was forgiven after a burn was owed because of it: as much of what the burn gives `back` (lot: amount) is not
    the member's."""
    key = {"member": booking.member_id, "burn": burn, "account": purse.account_id}
    forgiven = list(tx.execute(_FORGIVEN, key).scalars())
    stands = standing(tx, forgiven) if forgiven else {}
    posted = []
    for entry in forgiven:
        there = {r.id: r.remaining for r in tx.execute(_REMAINING, {"ids": list(back)})}
        room = [_Own(lot, purse.account_id, min(part, there[lot])) for lot, part in back.items()]
        takes, rest = _draw(room, stands[entry])
        part = stands[entry] - rest
        if part:
            said = replace(booking, public_id=new_id(), reason=UNFORGIVEN)
            whole = None if rest else entry
            posted.append(ledger.post(tx, said, REVERSE, purse, -part, _other_side(tx, entry), whole))
            lot_book.take(tx, posted[-1].entry_id, takes)
            _note(tx, posted[-1].entry_id, entry, part, None)
    return posted


def _give_back(tx: Tx, booking: Booking, purse: Purse, entry_id: int) -> tuple[Posted, dict[int, int]]:
    legs = tx.execute(
        sa.select(ledger_postings.c.account_id, ledger_postings.c.amount).where(ledger_postings.c.entry_id == entry_id)
    ).all()
    contra = _other_side(tx, entry_id)
    spent = next(leg.amount for leg in legs if leg.account_id != contra)
    posted = ledger.post(tx, booking, REVERSE, purse, -spent, contra, entry_id)
    back = drawn(tx, entry_id, -spent)
    owed = _paid_off(tx, posted.entry_id, purse, entry_id, -spent - sum(back.values()), booking.recorded_at)
    lot_book.put_back(tx, posted.entry_id, purse.account_id, back, booking.recorded_at)
    return posted, back | owed


_LEFT_OWED = sa.select(lots.c.id, lots.c.remaining).where(
    lots.c.account_id == b("account"), lots.c.entry_id == b("burn"), lots.c.amount < 0
)


def _paid_off(tx: Tx, entry_id: int, purse: Purse, burn: int, owed: int, at: datetime) -> dict[int, int]:
    """What a burn had left owed is not; what of it was paid meanwhile is the member's again, without an end."""
    if not owed:
        return {}
    debt = tx.execute(_LEFT_OWED, {"account": purse.account_id, "burn": burn}).one()
    lot_book.take(tx, entry_id, [(debt.id, debt.remaining)])
    paid = owed + debt.remaining
    if not paid:
        return {}
    lot = lot_book.open_lots(tx, [lot_book.new_lot(purse.account_id, entry_id, paid, at, None)])[entry_id]
    return {lot: paid}


def drawn(tx: Tx, entry_id: int, amount: int) -> dict[int, int]:
    """From which lots of what can be spent an entry took `amount`: what captured a hold, from those that the hold had
    taken, the first to expire first."""
    rows = lot_book.taken_by(tx, entry_id)
    held = (
        sa.select(holds.c.entry_id)
        .join(lots, sa.and_(lots.c.entry_id == holds.c.entry_id, lots.c.account_id == holds.c.account_id))
        .where(lots.c.id.in_([lot for lot, _ in rows]))
    )
    put_aside = tx.execute(held).scalar()
    return lot_book.share(rows if put_aside is None else lot_book.taken_by(tx, put_aside), 0, amount)
