"""Owns undoing a redemption at the counter, once; a sale is undone by `actions.counter.refunds`."""

from __future__ import annotations

from dataclasses import replace

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.bookings import UNDO, counter_booking, facts_of
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, giving_back, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records.counter import correcting, sales
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.purse import ledger, rewards
from wallet_server.records.scope import Scope

REASON = "reverse.redeem"


def reverse_entry(ctx: Context, scope: Scope, entry: str, key: str | None) -> tuple[Facts, bool]:
    """Undo one redemption; a paired device may do so for two minutes (`UNDO`), any other key for good.

    Raises `Conflict` (`already-reversed`, `not-reversible`, `undo-over`, `voucher-used`) and `NotFound`.
    """
    now = ctx.now()
    wish = asked(scope, REASON, {"subject": entry}, key, f"{REASON}:{entry}")

    def act(tx: Tx) -> Facts:
        row = sales.entry_in(tx, scope, entry)
        if row.kind != ledger.BURN:
            raise Conflict("Only a redemption can be reversed by itself; reverse the sale.", code="not-reversible")
        if row.sale_id is not None:
            raise Conflict("This was used in a sale; give back the sale.", code="not-reversible")
        if scope.device and now - row.effective_at > UNDO:
            raise Conflict("A device takes a reward back for two minutes; these are over.", code="undo-over")
        member = members.members_by_id(tx, [row.member_id])[row.member_id]
        programme = ctx.programme(tx, member.version_id)
        tier = members.lock_member(tx, member.id)
        booking = counter_booking(scope, member, row.rule_id, REASON, row.receipt or "", tier, now)
        booking = replace(booking, sale_id=row.sale_id)
        purse = ledger.purses(tx, member.id)[row.currency]
        giving_back.undo_reward(tx, member.programme_id, member.id, row.public_id, row.params, booking)
        posted = correcting.reverse(tx, booking, purse, row.id, lambda: new_id("ent"))
        balances = {p.code: p.amount for p in ledger.purses(tx, member.id).values()}
        made = conversions.settle(ctx, tx, programme, member.version_id, booking, balances)
        after = standing.settle_tier(ctx, tx, programme, member.id, tier, [*posted, *made.posted])
        # A correction is silent: nobody's phone rings for it.
        cards.changed(tx, member.id, (), now)
        made.ring(tx, member.id, now)
        paid = rewards.entry(tx, row.public_id)
        returned = giving_back.handed(ctx.programme(tx, paid.version_id), paid)
        entries, balances, more = made.told(posted, balances, {"returned": [returned] if returned else []})
        facts = facts_of(member, entry, entries, tier, after, balances, now, **more)
        hooks.tell(ctx, tx, hooks.UNREDEEMED, member.programme_id, scope.merchant_id, now, facts)
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer
