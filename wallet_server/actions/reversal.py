"""Owns undoing at the counter: a sale, whatever it booked, and a redemption. Each is undone once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from wallet_server.actions import cards, hooks, standing
from wallet_server.actions.bookings import counter_booking, facts_of
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Facts, asked, once
from wallet_server.errors import Conflict
from wallet_server.records import correcting, ledger, members, sales
from wallet_server.records.database import Tx
from wallet_server.records.ledger import Posted
from wallet_server.records.sales import EntryRow
from wallet_server.records.scope import Scope

UNDO = timedelta(minutes=2)
"""How long a paired device may take a redemption back: the minute that its page shows, and as much for the network."""


def reverse_sale(ctx: Context, scope: Scope, sale: str, key: str | None) -> tuple[Facts, bool]:
    """Undo everything a sale booked, by further entries that name what they reverse. A sale that booked nothing is
    noted as reversed, so that no figure counts it.

    Points already spent leave the balance below zero; the next awards repay it. Points that have expired since are
    not taken a second time. Raises `Conflict` (`already-reversed`) and `NotFound`.
    """

    def find(tx: Tx) -> tuple[int, list[EntryRow]]:
        row = sales.sale_in(tx, scope, sale)
        # Before the note is made: whoever comes second waits for the member and then finds it.
        members.lock_member(tx, row.member_id)
        if not sales.note_reversal(tx, row.id, scope.till_id, ctx.now()):
            raise Conflict("This was already reversed.", code="already-reversed")
        return row.member_id, [e for e in sales.entries_of_sale(tx, row.id) if e.kind == ledger.EARN]

    return _reverse(ctx, scope, sale, "reverse.sale", find, key)


def reverse_entry(ctx: Context, scope: Scope, entry: str, key: str | None) -> tuple[Facts, bool]:
    """Undo one redemption; a paired device may do so for two minutes (`UNDO`), any other key for good.

    Raises `Conflict` (`already-reversed`, `not-reversible`, `undo-over`) and `NotFound`.
    """

    def find(tx: Tx) -> tuple[int, list[EntryRow]]:
        row = sales.entry_in(tx, scope, entry)
        if row.kind != ledger.BURN:
            raise Conflict("Only a redemption can be reversed by itself; reverse the sale.", code="not-reversible")
        if scope.device and ctx.now() - row.effective_at > UNDO:
            raise Conflict("A device takes a reward back for two minutes; these are over.", code="undo-over")
        return row.member_id, [row]

    return _reverse(ctx, scope, entry, "reverse.redeem", find, key)


def _reverse(
    ctx: Context,
    scope: Scope,
    subject: str,
    reason: str,
    find: Callable[[Tx], tuple[int, Sequence[EntryRow]]],
    key: str | None,
) -> tuple[Facts, bool]:
    now = ctx.now()
    wish = asked(scope, reason, {"subject": subject}, key, f"{reason}:{subject}")

    def act(tx: Tx) -> Facts:
        member_id, entries = find(tx)
        member = members.members_by_id(tx, [member_id])[member_id]
        programme = ctx.programme(tx, member.version_id)
        tier = members.lock_member(tx, member.id)
        posted: list[Posted] = []
        for entry in entries:
            purse = ledger.purses(tx, member.id)[entry.currency]
            booking = counter_booking(scope, member, entry.rule_id, reason, entry.receipt or "", tier, now)
            booking = replace(booking, sale_id=entry.sale_id)
            posted += correcting.reverse(tx, booking, purse, entry.id, lambda: new_id("ent"))
        after = standing.settle_tier(ctx, tx, programme, member.id, tier, posted)
        if posted:
            # A correction is silent: nobody's phone rings for it.
            cards.changed(tx, member.id, (), now)
        balances = {p.code: p.amount for p in ledger.purses(tx, member.id).values()}
        facts = facts_of(member, subject, posted, tier, after, balances, now)
        if reason == "reverse.sale":
            hooks.tell(ctx, tx, hooks.REFUNDED, member.programme_id, scope.merchant_id, now, facts)
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer
