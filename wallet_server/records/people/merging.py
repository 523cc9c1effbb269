"""Owns what two members who become one bring along: lots with their dates, what waits and what is put aside, passes,
codes, coupons, addresses. The caller holds both members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import AVAILABLE, MAX_BALANCE, MEMBER, MERGE, Booking, Purse
from wallet_server.records.schema import (
    balances,
    card_import_rows,
    card_returns,
    codes,
    coupons,
    currencies,
    gesture_complaints,
    goodwill_notes,
    holds,
    identities,
    ledger_accounts,
    letters,
    lots,
    member_merges,
    member_standing,
    members,
    merged_members,
    one_time_codes,
    passes,
    pending_awards,
    ratings,
    tickets,
    unclaimed_sales,
)

_OWN: tuple[sa.Table, ...] = (
    *(codes, passes, coupons, holds, card_returns, ratings, tickets, goodwill_notes, gesture_complaints),
    *(letters, card_import_rows, unclaimed_sales),
)
"""Tables whose rows are the kept member's from now on; those that are never changed stay under the merged one."""
_ALONE = ("first_name", "name", "address")
"""Of these a member has one."""


@dataclass(frozen=True)
class Merge:
    """Two members who became one."""

    public_id: str
    kept: str
    merged: str
    reason: str
    staff_id: int | None
    at: datetime


def of_merged(tx: Tx, merged_id: int) -> int | None:
    """Into whom a member was merged."""
    return tx.execute(sa.select(member_merges.c.kept_id).where(member_merges.c.merged_id == merged_id)).scalar()


def add(
    tx: Tx,
    public_id: str,
    programme_id: int,
    kept_id: int,
    merged_id: int,
    reason: str,
    staff_id: int | None,
    at: datetime,
) -> None:
    """Write down that they are one; whoever was merged into the merged one before comes along."""
    row = {"programme_id": programme_id, "kept_id": kept_id, "merged_id": merged_id, "reason": reason}
    tx.execute(sa.insert(member_merges).values(public_id=public_id, staff_id=staff_id, at=at, **row))
    tx.execute(sa.update(merged_members).where(merged_members.c.kept_id == merged_id).values(kept_id=kept_id))
    tx.execute(sa.insert(merged_members).values(merged_id=merged_id, kept_id=kept_id))


def of_member(tx: Tx, member_id: int) -> list[Merge]:
    """Who was merged into this member, the newest first."""
    kept, merged = members.alias("kept"), members.alias("merged")
    query = (
        sa.select(member_merges, kept.c.public_id.label("kept"), merged.c.public_id.label("merged"))
        .join(kept, kept.c.id == member_merges.c.kept_id)
        .join(merged, merged.c.id == member_merges.c.merged_id)
        .join(merged_members, merged_members.c.merged_id == member_merges.c.merged_id)
        .where(merged_members.c.kept_id == member_id)
        .order_by(member_merges.c.id.desc())
    )
    return [Merge(r.public_id, r.kept, r.merged, r.reason, r.staff_id, r.at) for r in tx.execute(query)]


_ACCOUNTS = (
    sa.select(
        ledger_accounts.c.id,
        ledger_accounts.c.currency_id,
        ledger_accounts.c.purpose,
        currencies.c.code,
        balances.c.amount,
    )
    .join(balances, balances.c.account_id == ledger_accounts.c.id)
    .join(currencies, currencies.c.id == ledger_accounts.c.currency_id)
    .where(ledger_accounts.c.owner_kind == MEMBER, ledger_accounts.c.owner_id == sa.bindparam("member"))
    .order_by(ledger_accounts.c.id)
)


def bring_units(tx: Tx, said: Callable[[], Booking], kept_id: int, merged_id: int) -> dict[str, int]:
    """Move every unit that the merged member has or owes, or is to have, with the lots that hold them: currency to
    what could be spent of it.

    `said` gives the words of each entry. The lots stay what they are (who gave them, when, until when), on another
    account; an entry for each account says so. Raises `Conflict` (`balance-too-large`).
    """
    programme_id = said().programme_id
    ledger.open_all_purses(tx, programme_id, kept_id)
    mine = ledger.purses(tx, kept_id)
    moved: dict[str, int] = {}
    for r in tx.execute(_ACCOUNTS, {"member": merged_id}).all():
        into = mine[r.code]
        if r.purpose != AVAILABLE:
            into = ledger.aside(tx, programme_id, kept_id, into, r.purpose)
        if into.amount + r.amount > MAX_BALANCE:
            raise Conflict(f"This account cannot hold that many {r.code}.", code="balance-too-large")
        if r.amount:
            ledger.move(tx, said(), MERGE, into, Purse(r.id, r.currency_id, r.code, r.amount), r.amount)
        for table in (lots, pending_awards, holds):
            tx.execute(sa.update(table).where(table.c.account_id == r.id).values(account_id=into.account_id))
        if r.purpose == AVAILABLE:
            moved[r.code] = r.amount
    return moved


def bring_belongings(tx: Tx, kept_id: int, merged_id: int) -> None:
    """Passes and codes go on working for the one who is kept, whose coupons, addresses and words they are now."""
    for table in _OWN:
        tx.execute(sa.update(table).where(table.c.member_id == merged_id).values(member_id=kept_id))
    tx.execute(sa.delete(one_time_codes).where(one_time_codes.c.member_id == merged_id))
    have = sa.select(identities.c.kind).where(identities.c.member_id == kept_id)
    known = set(tx.execute(have).scalars())
    twice = [kind for kind in _ALONE if kind in known]
    mine = identities.c.member_id == merged_id
    tx.execute(sa.delete(identities).where(mine, identities.c.kind.in_(twice)))
    tx.execute(sa.update(identities).where(mine).values(member_id=kept_id))
    tx.execute(sa.delete(member_standing).where(member_standing.c.member_id == merged_id))


def bring_dates(tx: Tx, kept_id: int, merged_id: int) -> None:
    """A customer since the earlier of both days; the birthday that is known."""
    rows = {r.id: r for r in tx.execute(sa.select(members).where(members.c.id.in_([kept_id, merged_id])))}
    kept, merged = rows[kept_id], rows[merged_id]
    since = min(kept.customer_since or kept.joined_at, merged.customer_since or merged.joined_at)
    values = {"customer_since": since} if since < (kept.customer_since or kept.joined_at) else {}
    birthday = kept.birthday or merged.birthday
    home = kept.home_store_id or merged.home_store_id
    tx.execute(
        sa.update(members).where(members.c.id == kept_id).values(birthday=birthday, home_store_id=home, **values)
    )
    tx.execute(sa.update(members).where(members.c.id == merged_id).values(birthday=None))
