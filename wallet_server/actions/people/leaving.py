"""Owns the ends of a card: the merchant cancels one, a member leaves; and a further one for who has none.

A card that is over is told so once, without a sound: its phones fetch a last version that is void and names no service,
and never ask again. What was collected stays in the books; what whoever leaves has without an end ends then, and the
night books it off; what they owe is borne by the merchant. Where a vendor keeps what it was given, whoever leaves takes
everything of their own along.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.people import standing_letters
from wallet_server.actions.people.standing_words import STANDING
from wallet_server.actions.purse import coupons
from wallet_server.errors import NotFound
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import issues, passes
from wallet_server.records.people import erasing, members, recovery
from wallet_server.records.people.members import PROMOTIONS, MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import engagement, lots, overdrawing
from wallet_server.records.purse.ledger import Booking
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.records.vendors import vendors

LEFT = "left"
"""The source of the consent that ends when its member leaves."""
BORNE = "forgive.left"
"""Why nobody owes any more what a member owed."""


def cancel(ctx: Context, scope: Scope, member: str, card: str) -> Facts:
    """This copy is over from now on; doing it again changes nothing. What its phone shows recovers nothing either,
    unless the member has another card. Raises `NotFound` for a stranger's member or card."""
    with ctx.change() as tx:
        found = members.member_by_public(tx, scope, member)
        row = passes.pass_by_public(tx, card)
        if row is None or row.member_id != found.id:
            raise NotFound("This member has no such card.", field="card")
        if row.state == passes.ACTIVE:
            members.lock_member(tx, found.id)
            if row.kind != passes.CARD:
                coupons.cancel(tx, found.id, ctx.now(), row.id)
            else:
                issues.revoke(tx, row.id, ctx.now())
            _retire(ctx, tx, [row.id])
            if row.kind == passes.CARD and not recovery.cards(tx, found.id):
                recovery.end_codes(tx, found.id, ctx.now())
            what = deeds.CARD_ENDED if row.kind == passes.CARD else deeds.COUPON_ENDED
            deeds.add(tx, scope, what, ctx.now(), about=found.public_id)
    ctx.ring()
    return {"member": member, "pass": card, "state": passes.RETIRED}


def limit(ctx: Context, scope: Scope, member: str, card: str, until: datetime | None) -> Facts:
    """This card is good until then, or without an end (None): a guest's, a season's. Its phone shows it as over from
    then on, and tills refuse it (`expired-card`). Raises `NotFound` for a stranger's member or card, and for a coupon,
    which has an end of its own."""
    with ctx.change() as tx:
        found = members.member_by_public(tx, scope, member)
        row = passes.pass_by_public(tx, card)
        if row is None or row.member_id != found.id or row.kind != passes.CARD:
            raise NotFound("This member has no such card.", field="card")
        members.lock_member(tx, found.id)
        if passes.lock_passes(tx, [row.id])[0].state != passes.ACTIVE:
            raise NotFound("This card was replaced or cancelled.", field="card")
        issues.limit(tx, row.id, until)
        passes.stale(tx, row.id)
        jobs.put(tx, [jobs.Put(cards.REFRESH, str(row.id), jobs.SERVICE, ctx.now())])
        deeds.add(tx, scope, deeds.CARD_LIMITED, ctx.now(), about=found.public_id)
    ctx.ring()
    return {"member": member, "pass": card, "good_until": None if until is None else until.isoformat()}


def leave(ctx: Context, scope: Scope, member: str) -> Facts:
    """The member leaves: every card is over, nothing is sent or collected any more; doing it again changes nothing.

    Raises `NotFound` for a stranger's.
    """
    with ctx.change() as tx:
        found = members.member_by_public(tx, scope, member)
        at = _hold(tx, found.id)
        if at is None:
            at = ctx.now()
            members.record_consent(tx, found.id, PROMOTIONS, False, LEFT, at)
            if standing_letters.wants(tx, found.id):
                members.record_consent(tx, found.id, STANDING, False, LEFT, at)
            members.set_left(tx, found.id, at)
            engagement.set_birthday(tx, found.id, None)
            coupons.cancel(tx, found.id, at)
            lots.end(tx, found.id, at)
            _bear(tx, found, at)
            recovery.end_codes(tx, found.id, at)
            erasing.forget(tx, found.id, ctx.clock())
            deeds.add(tx, scope, deeds.LEFT, at, about=found.public_id)
            _retire(ctx, tx, recovery.copies(tx, found.id), _kept(ctx, tx, found.id))
    ctx.ring()
    return {"member": member, "left_at": at.isoformat()}


def _bear(tx: Tx, member: MemberRow, at: datetime) -> None:
    """What the member owes is borne by the merchant that it is owed to: nobody will pay it, and it would be less of
    what others have."""
    for one in overdrawing.owing(tx, member.id):
        booking = Booking(
            public_id=new_id("ent"),
            programme_id=member.programme_id,
            member_id=member.id,
            merchant_id=one.merchant_id,
            programme_version_id=one.programme_version_id,
            rule_id=one.rule_id,
            reason=BORNE,
            params={"entry": one.entry},
            state={"tier": member.tier},
            effective_at=at,
            recorded_at=at,
        )
        overdrawing.forgive(tx, booking, one.purse, one.debt, booking.public_id, BORNE)


def _hold(tx: Tx, member_id: int) -> datetime | None:
    """Hold the member; when they left, where another was quicker."""
    try:
        members.lock_member(tx, member_id)
    except NotFound:
        return members.left_at(tx, member_id)
    return None


def _retire(ctx: Context, tx: Tx, over: Sequence[int], emptied: Sequence[int] = ()) -> None:
    """These passes are `over`, and those are to be `emptied`. Locks all passes, then publications, then jobs, each in
    the order of their keys."""
    both = sorted({*over, *emptied})
    passes.lock_passes(tx, both)
    for key in sorted(over):
        passes.retire_pass(tx, key)
    for key in sorted(emptied):
        passes.ring_again(tx, key, new_tag=False)
    jobs.put(tx, [jobs.Put(cards.REFRESH, str(key), jobs.SERVICE, ctx.now()) for key in both])


def _kept(ctx: Context, tx: Tx, member_id: int) -> list[int]:
    """Cards where a vendor keeps what it was given: those that were over before have to be emptied, too."""
    return vendors.put_of(tx, member_id, [name for name in ctx.wallets if ctx.pushes(name)])


def issue(ctx: Context, scope: Scope, member: str, wish: Asked) -> tuple[Facts, bool]:
    """A further copy for a member: (member and pass ids, whether this is a replay). Raises `NotFound` for a stranger's
    and for one who left."""

    def act(tx: Tx) -> Facts:
        found = members.member_by_public(tx, scope, member)
        members.lock_member(tx, found.id)
        if not recovery.codes_of(tx, [found.id]):
            cards.give_recovery_code(ctx, tx, found.id, found.public_id, ctx.now())
        row = issue_pass(ctx, tx, programmes.programme_by_id(tx, found.programme_id), found.id, ctx.now())
        return {"member": member, "pass": row.public_id}

    return once(ctx, wish, act)
