"""Owns what is done with vouchers while their member is held: given, taken in a sale, given back, cancelled.

A voucher is a coupon, whatever it was given for. Its pass stands beside the card with a code of its own; the card names
it on its back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.bookings import UNDO, by_rule
from wallet_server.actions.passes import cards, unlinking
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.passes.notices import zone_of
from wallet_server.actions.purse import beside
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import recovery
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.purse import coupons
from wallet_server.records.purse.coupons import COUPON, CouponRow, Event, NewCoupon
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import coupons as rules
from wallet_server.rules.programme.program import Promise

MOST_SHOWN = 200
"""Coupons of one member that are shown, or shown anew, at once; a till takes the others by their ids still."""


@dataclass(frozen=True)
class Gift:
    """A voucher to give: why, which promise of which version (None: that for joining), which merchant (its key) owes
    it, and of which entry's units it is."""

    source: str
    promise: str | None
    version_id: int
    issuer_id: int
    entry: str | None = None


def give(
    ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, gift: Gift, now: datetime
) -> tuple[NewCoupon, PassRow]:
    """A voucher and the pass that shows it. Raises `LookupError` where the version has no such promise."""
    programme = ctx.programme(tx, gift.version_id)
    promise = rules.promise_of(programme, gift.promise)
    new = NewCoupon(
        public_id=new_id("cou"),
        programme_id=row.id,
        member_id=member_id,
        programme_version_id=gift.version_id,
        source=gift.source,
        money=programme.money.iso,
        value_minor=promise.value_minor,
        issued_at=now,
        valid_to=rules.last_instant(now, promise.valid_days, zone_of(tx, member_id)),
        issuer_id=gift.issuer_id,
        promise=gift.promise,
        entry=gift.entry,
    )
    event = event_of(rules.ISSUED, promise.value_minor, now)
    said = {"voucher": new.public_id, "source": new.source, "currency": new.money, "value_minor": new.value_minor}
    said |= {"valid_to": rules.written(new.valid_to)}
    hooks.tell_of_member(ctx, tx, hooks.ISSUED, member_id, now, said)
    shown = issue_pass(ctx, tx, row, member_id, now, COUPON, lambda pass_id: coupons.add(tx, new, pass_id, event))
    _bring(ctx, tx, row, member_id, shown.id, now)
    return new, shown


def _bring(ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, pass_id: int, now: datetime) -> None:
    """Beside the card at each vendor who has it, what this pass shows."""
    if ctx.pushed:
        beside.bring(ctx, tx, row, member_id, coupons.of_passes(tx, [pass_id])[pass_id].id, now)


def event_of(kind: str, value_minor: int | None, now: datetime, prefix: str = "cev") -> Event:
    """What becomes of a coupon at this moment."""
    return Event(new_id(prefix), kind, rules.effect(kind, value_minor), now)


def at_counter(scope: Scope, event: Event, receipt: str | None) -> Event:
    """The same at this till, under the till's own number."""
    return replace(
        event, receipt=receipt, merchant_id=scope.merchant_id, store_id=scope.store_id, till_id=scope.till_id
    )


def current(tx: Tx, coupon: CouponRow, pass_id: int) -> bool:
    """Whether this pass shows the coupon still: the newest file does, and every good copy in another wallet."""
    return coupon.pass_id == pass_id or pass_id in coupons.elsewhere(tx, coupon.id)


def demand_current(tx: Tx, coupon: CouponRow, pass_id: int) -> None:
    """Raises `Conflict` (`coupon-replaced`)."""
    if not current(tx, coupon, pass_id):
        raise Conflict(
            "This coupon was replaced by a newer one; ask for that one.", code="coupon-replaced", field="code"
        )


def good(tx: Tx, member_id: int, now: datetime, most: int = MOST_SHOWN) -> list[CouponRow]:
    """The newest `most` coupons that a member can use, the oldest of them first."""
    issued = coupons.issued(tx, member_id)
    able = (one for one in issued if rules.standing(one.state, one.valid_to, now) == rules.ISSUED)
    return [*islice(able, most)][::-1]


@dataclass(frozen=True)
class Usable:
    """A voucher that the member can use now; `fits` says whether the basket, where there is one, is large enough."""

    id: str
    promise: Promise
    valid_to: datetime | None
    fits: bool = True


def usable(ctx: Context, tx: Tx, member_id: int, now: datetime) -> list[Usable]:
    """What `good` finds, as the till may know it; what ends first before the rest."""
    found = []
    for one in good(tx, member_id, now):
        promise = rules.promise_of(ctx.programme(tx, one.version_id), one.promise)
        found.append(Usable(one.public_id, promise, one.valid_to))
    return sorted(found, key=lambda one: (one.valid_to is None, one.valid_to or now))


def of_member(tx: Tx, member_id: int, public_id: str) -> CouponRow:
    """The member's voucher of this public id. Raises `Conflict` (`not-a-coupon`)."""
    found = coupons.by_public(tx, public_id)
    if found is None or found.member_id != member_id:
        raise Conflict("This member has no such voucher.", code="not-a-coupon", field="vouchers")
    return found


@contextmanager
def by_promise(tx: Tx, member: MemberRow, coupon: CouponRow) -> Iterator[None]:
    """What is refused of a coupon inside says by which promise of which version, and which language the member
    reads."""
    with by_rule(member, coupon.promise or rules.WELCOME):
        try:
            yield
        except Conflict as refused:
            refused.facts["version"] = programmes.version(tx, coupon.version_id).number
            raise


def take(tx: Tx, scope: Scope, coupon: CouponRow, use_id: str, receipt: str, now: datetime) -> None:
    """Note that a good coupon is used, under this public id. Its passes are told by `tell`."""
    if coupon.promise is not None:
        hold(tx, coupon.member_id)  # passes before jobs: `tell` wants the cards too
    # Whoever may take it back at a touch must still reach the phone until then.
    over_at = now + UNDO if scope.device else now
    event = replace(event_of(rules.USED, coupon.value_minor, now), public_id=use_id)
    coupons.change(tx, coupon.id, at_counter(scope, event, receipt), rules.USED, now, over_at)
    unlinking.await_end(tx, coupon.id, over_at)


def hold(tx: Tx, member_id: int) -> None:
    """Hold every pass of a member who is held, in the order of their keys: coupons and cards are then told together."""
    passes.lock_passes(tx, recovery.copies(tx, member_id))


def tell(tx: Tx, coupon: CouponRow, now: datetime) -> None:
    """Its passes first, in the order of their keys, and then the jobs, in the order of theirs. A card that names it on
    its back is told too."""
    shown = {coupon.pass_id, *coupons.elsewhere(tx, coupon.id)}
    if coupon.promise is not None:
        hold(tx, coupon.member_id)
    ids = sorted(shown)
    for pass_id in ids:
        passes.stale(tx, pass_id)
    naming = passes.bump(tx, coupon.member_id, 0) if coupon.promise is not None else []
    puts = [jobs.Put(cards.REFRESH, str(key), jobs.COUNTER, max(now, quiet or now)) for key, quiet in naming]
    jobs.put(tx, [*puts, *(jobs.Put(cards.REFRESH, str(pass_id), jobs.COUNTER, now) for pass_id in ids)])


def show_anew(ctx: Context, tx: Tx, row: ProgrammeRow, coupon: CouponRow, now: datetime) -> None:
    """A fresh pass with a fresh code for what is good still."""
    issue_pass(ctx, tx, row, coupon.member_id, now, COUPON, partial(coupons.show, tx, coupon.id))
    beside.bring(ctx, tx, row, coupon.member_id, coupon.id, now)


def give_back(ctx: Context, tx: Tx, scope: Scope, coupon: CouponRow, receipt: str | None, now: datetime) -> Event:
    """A used coupon of a member who is held can be used again. The phone gets it back as long as it listens; later a
    fresh pass stands on the member's page."""
    event = at_counter(scope, event_of(rules.UNDONE, coupon.value_minor, now), receipt)
    coupons.change(tx, coupon.id, event, rules.ISSUED)
    if coupon.promise is not None:
        hold(tx, coupon.member_id)  # before those of this one alone: `tell` wants the cards too
    held = {one.id: one for one in passes.lock_passes(tx, [coupon.pass_id, *coupons.elsewhere(tx, coupon.id)])}
    row = programmes.programme_by_id(tx, coupon.programme_id)
    if held[coupon.pass_id].state == passes.ACTIVE:
        tell(tx, coupon, now)
        beside.bring(ctx, tx, row, coupon.member_id, coupon.id, now)
        unlinking.await_end(tx, coupon.id, now)
    else:
        show_anew(ctx, tx, row, coupon, now)
        if coupon.promise is not None:
            cards.changed(tx, coupon.member_id, (), now)
    return event


def cancel_made_of(tx: Tx, member_id: int, entries: Collection[str], now: datetime) -> list[CouponRow]:
    """Cancel the vouchers that were made of the units of these entries (public ids) and that nobody has used or let run
    out; the member is held. What was cancelled; their passes are told."""
    made = coupons.made_of(tx, member_id, entries)
    good = [one for one in made if rules.standing(one.state, one.valid_to, now) == rules.ISSUED]
    for one in good:
        coupons.change(tx, one.id, event_of(rules.VOID, one.value_minor, now), rules.VOID)
    if good:
        hold(tx, member_id)
        shown = sorted({key for one in good for key in (one.pass_id, *coupons.elsewhere(tx, one.id))})
        for key in shown:
            passes.retire_pass(tx, key)
        naming = passes.bump(tx, member_id, 0)
        jobs.put(tx, [jobs.Put(cards.REFRESH, str(key), jobs.COUNTER, now) for key in (*shown, *dict(naming))])
    return good
