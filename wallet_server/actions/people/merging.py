"""Owns making one of two members: whoever had a card of plastic and one on the phone, or joined twice.

Every unit moves with its dates, and every pass and code goes on working for the one who is kept. What was booked is
never changed: it stays under the one who was merged, and counts for the other from now on. It cannot be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.bookings import counter_booking
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict, Invalid, NotFound, WalletError
from wallet_server.records.database import Tx
from wallet_server.records.people import members, merging, recovery
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger, metrics
from wallet_server.records.purse import standing as standings
from wallet_server.records.purse.ledger import Booking
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.programme.program import Ladder, Programme
from wallet_server.rules.tiers import standing as standing_rules
from wallet_server.rules.tiers.metrics import measured, needed
from wallet_server.rules.tiers.standing import Standing
from wallet_server.rules.tiers.tiers import level_for, rank

BY_MEMBER, PLASTIC = "by-member", "plastic"
REASONS = ("joined-twice", PLASTIC, "lost-card", "other")
"""What staff may say that they are one for; no free text, as it is never erased."""
RULE, REASON = "merge", "merge.member"
CHOOSING = timedelta(minutes=15)
_OFFER = "merge-offer"


def by_staff(
    ctx: Context, scope: Scope, kept: str, merged: str, reason: str, staff_id: int | None, wish: Asked
) -> tuple[Facts, bool]:
    """Somebody of the merchant says that two members are one: (what moved, whether this is a replay). Raises `NotFound`
    for a stranger's, `Conflict` (`same-member`, `other-programme`) and `Invalid` (`unknown-reason`)."""
    if reason not in REASONS:
        raise Invalid(f"The reason is one of {', '.join(REASONS)}.", code="unknown-reason", field="reason")

    def act(tx: Tx) -> Facts:
        one, other = _row(tx, scope, kept), _row(tx, scope, merged)
        facts = join(ctx, tx, one.id, other.id, reason, staff_id, scope.merchant_id)
        deeds.add(tx, scope, deeds.MERGED, ctx.now(), about=facts["member"], detail=f"{facts['merged']}, {reason}")
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _row(tx: Tx, scope: Scope, public_id: str) -> MemberRow:
    return members.member_by_public(tx, scope, public_id)


def offer(ctx: Context, member_id: int, other_id: int) -> str:
    """A token by which a member who proved both may make them one, for a quarter of an hour."""
    until = (ctx.clock() + CHOOSING).timestamp()
    return ctx.keyring.seal(orjson.dumps([member_id, other_id, until]), _OFFER)


def by_member(ctx: Context, token: str, member_id: int) -> Facts:
    """The member, whose card's page this is, takes up the offer. Raises `NotFound` (`offer-over`)."""
    try:
        kept, merged, until = orjson.loads(ctx.keyring.open(token[:2000], _OFFER))
    except (WalletError, ValueError) as fault:
        raise _over() from fault
    if kept != member_id or until < ctx.clock().timestamp():
        raise _over()
    with ctx.change() as tx:
        facts = join(ctx, tx, kept, merged, BY_MEMBER, None, None)
    ctx.ring()
    return facts


def _over() -> NotFound:
    return NotFound("This offer is over; prove the address once more.", code="offer-over")


def join(
    ctx: Context, tx: Tx, kept_id: int, merged_id: int, reason: str, staff_id: int | None, merchant_id: int | None
) -> Facts:
    """Make one of them, in the caller's transaction; doing it again changes nothing. The entries are under
    `merchant_id` (None: the programme's first). Raises `Conflict` (`same-member`, `other-programme`) and `NotFound` for
    one who left.
    """
    both = members.members_by_id(tx, [kept_id, merged_id])
    if kept_id == merged_id:
        raise Conflict("This is the same member already.", code="same-member")
    kept, merged = both[kept_id], both[merged_id]
    if kept.programme_id != merged.programme_id:
        raise Conflict("They are members of two programmes; each keeps its own card.", code="other-programme")
    hold_both(tx, kept_id, merged_id)
    # Who comes second finds that it is done.
    if merging.of_merged(tx, merged_id) == kept_id:
        return _facts(kept, merged, {})
    if merging.of_merged(tx, kept_id) == merged_id:
        raise Conflict("This is the same member already.", code="same-member")
    for key in (kept_id, merged_id):
        members.lock_member(tx, key)
    now = ctx.now()
    both = members.members_by_id(tx, [kept_id, merged_id])
    kept, merged = both[kept_id], both[merged_id]
    said = _said(tx, kept, merged, merchant_id, now)
    moved = merging.bring_units(tx, said, kept_id, merged_id)
    stood = standings.of_members(tx, [kept_id, merged_id])
    recovery.end_codes(tx, merged_id, now)
    merging.bring_belongings(tx, kept_id, merged_id)
    merging.bring_dates(tx, kept_id, merged_id)
    merging.add(tx, new_id("mrg"), kept.programme_id, kept_id, merged_id, reason, staff_id, now)
    members.set_left(tx, merged_id, now)
    programme = ctx.programme(tx, kept.version_id)
    together = ledger.amounts(tx, [kept_id]).get(kept_id, {})
    made = conversions.settle(ctx, tx, programme, kept.version_id, said(), together)
    _stand(ctx, tx, programme, kept, merged, stood, now)
    cards.changed(tx, kept_id, ["news"] if made.vouchers else (), now)
    facts = _facts(kept, merged, moved)
    hooks.tell(ctx, tx, hooks.MERGED, kept.programme_id, None, now, facts)
    return facts


def hold_both(tx: Tx, one_id: int, other_id: int) -> None:
    """Hold two members in the order of their keys, before either is held alone: of two who hold the same two, each in
    an order of its own, neither would go on."""
    for key in sorted({one_id, other_id}):
        members.hold(tx, key)


def _facts(kept: MemberRow, merged: MemberRow, moved: dict[str, int]) -> Facts:
    return {"member": kept.public_id, "merged": merged.public_id, "moved": moved}


def _said(tx: Tx, kept: MemberRow, merged: MemberRow, merchant_id: int | None, now: datetime) -> Callable[[], Booking]:
    merchant = merchant_id or programmes.first_merchant(tx, kept.programme_id)
    scope = Scope(0, merchant, "", "", "", frozenset())
    like = counter_booking(scope, kept, RULE, REASON, "", kept.tier, now)
    like = replace(like, receipt=None, params={"merged": merged.public_id, "kept": kept.public_id})
    return lambda: replace(like, public_id=new_id("ent"))


def _stand(
    ctx: Context,
    tx: Tx,
    programme: Programme,
    kept: MemberRow,
    merged: MemberRow,
    stood: dict[int, Standing],
    now: datetime,
) -> None:
    """The better of the two standings, looked at by the rules over the history of both."""
    ladder = programme.ladder
    if ladder is None:
        return
    each = {}
    for row in (kept, merged):
        begun = standing_rules.beginning(row.tier, row.joined_at)
        each[row.id] = stood.get(row.id, begun)
    better = _better(ladder, each[kept.id], each[merged.id])
    deserved = _deserved(tx, programme, ladder, kept.id, now)
    stored = stood.get(kept.id)
    standing.restand(ctx, tx, ladder, kept.id, kept.tier, better, deserved, changed=better != stored)


def _better(ladder: Ladder, one: Standing, other: Standing) -> Standing:
    earned = max((one, other), key=lambda each: rank(ladder, each.earned))
    given = max((one, other), key=lambda each: rank(ladder, each.given))
    return replace(
        earned, given=given.given, given_source=given.given_source, given_until=given.given_until, level=one.level
    )


def _deserved(tx: Tx, programme: Programme, ladder: Ladder, member_id: int, now: datetime) -> str:
    if measured(ladder):
        return level_for(ladder, metrics.of_members(tx, needed(ladder), [member_id], now)[member_id]).code
    stands = ledger.amounts(tx, [member_id]).get(member_id, {})
    return level_for(ladder, stands.get(ladder.currency or programme.balance_currency, 0)).code
