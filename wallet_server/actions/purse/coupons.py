"""Owns coupons: given for joining, used once at a till, taken back, cancelled with their member, and run out.

Each is shown by a pass of its own, which has its own code, token and life beside the card. What becomes of a coupon is
decided while its member is held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import rotating
from wallet_server.actions.counter.bookings import UNDO, counter_booking
from wallet_server.actions.counter.dated import undated
from wallet_server.actions.counter.scanning import holder_of
from wallet_server.actions.counter.till import at_till
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.passes import cards
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.purse import conversions, standing, vouchers
from wallet_server.actions.purse.vouchers import Gift, event_of, show_anew
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict
from wallet_server.records import jobs, parties
from wallet_server.records.counter import sales
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members, recovery
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.purse import coupons
from wallet_server.records.purse.coupons import COUPON, CouponRow
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import vendors
from wallet_server.rules.counter import codes
from wallet_server.rules.counter import coupons as rules
from wallet_server.rules.passes.card import Texts

SLICE = 100
"""Coupons noted as expired in one transaction."""


@dataclass(frozen=True)
class Coupon:
    """A coupon as a till may know it: `minimum_minor` is the smallest basket that it is good for, `current` is false
    for a code whose pass was replaced by another."""

    id: str
    title: Texts
    terms: Texts
    state: str
    valid_to: datetime | None
    used_at: datetime | None
    value_minor: int | None
    money: str
    current: bool
    minimum_minor: int = 0


@dataclass(frozen=True)
class Using:
    """A coupon at the till: `reference` is the till's own number for it, once a business day; `amount_minor` what the
    basket comes to, where that is known."""

    code: str
    reference: str
    amount_minor: int | None = None


def welcome(
    ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, home_store_id: int | None, now: datetime
) -> PassRow | None:
    """The coupon that the programme promises to whoever joins now, as a pass beside the card; None where it promises
    none. It is owed by who owes the units for joining: the merchant of the member's store, else that which has taken
    part for longest."""
    if ctx.programme(tx, row.version_id).welcome_coupon is None:
        return None
    home = parties.stores_by_id(tx, [] if home_store_id is None else [home_store_id])
    issuer = home[0].merchant_id if home else programmes.first_merchant(tx, row.id)
    gift = Gift(rules.WELCOME, None, row.version_id, issuer)
    return vouchers.give(ctx, tx, row, member_id, gift, now)[1]


def bring_along(ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, now: datetime) -> None:
    """What was good on a lost phone goes on beside the new card: a fresh pass with a fresh code for each coupon."""
    for coupon in vouchers.good(tx, member_id, now):
        show_anew(ctx, tx, row, coupon, now)


def cancel(tx: Tx, member_id: int, now: datetime, shown_by: int | None = None) -> None:
    """The coupons of a member who is held, or the one that this pass shows, are good for nothing any more."""
    for coupon in coupons.issued(tx, member_id) if shown_by is None else coupons.of_passes(tx, [shown_by]).values():
        if coupon.state == rules.ISSUED and shown_by in (None, coupon.pass_id):
            coupons.change(tx, coupon.id, event_of(rules.VOID, coupon.value_minor, now), rules.VOID)


def good(tx: Tx, member_id: int, now: datetime) -> list[PassRow]:
    """The passes of a member's coupons that can be used, oldest first."""
    ids = [coupon.pass_id for coupon in vouchers.good(tx, member_id, now)]
    return [row for row in passes.passes_by_id(tx, ids) if row.state == passes.ACTIVE] if ids else []


def beside_in(
    ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, wallet: str, now: datetime, most: int
) -> list[PassRow]:
    """Copies of a member's good coupons, the newest `most`, in another wallet whose credentials `row` names; made where
    there are none. The member is held."""
    found: list[PassRow] = []
    for coupon in vouchers.good(tx, member_id, now, most):
        there = [key for key, name in coupons.elsewhere(tx, coupon.id).items() if name == wallet]
        if there:
            found += passes.passes_by_id(tx, there[-1:])
        else:
            show = partial(coupons.show, tx, coupon.id)
            found.append(issue_pass(ctx, tx, row, member_id, now, COUPON, show))
    return found


def shown_by(ctx: Context, pass_id: int) -> Coupon:
    """The coupon behind a code that was scanned."""
    with ctx.look() as tx:
        return _told(ctx, tx, coupons.of_passes(tx, [pass_id])[pass_id], pass_id, ctx.now())


def _told(ctx: Context, tx: Tx, coupon: CouponRow, pass_id: int, now: datetime) -> Coupon:
    promise = rules.promise_of(ctx.programme(tx, coupon.version_id), coupon.promise)
    return Coupon(
        coupon.public_id,
        promise.title,
        promise.terms,
        rules.standing(coupon.state, coupon.valid_to, now),
        coupon.valid_to,
        coupon.used_at,
        coupon.value_minor,
        coupon.money,
        vouchers.current(tx, coupon, pass_id),
        promise.minimum_minor,
    )


def use(ctx: Context, scope: Scope, wanted: Using, key: str | None) -> tuple[Facts, bool]:
    """Take a coupon: (what was used, whether this is a replay). Whoever asks at the same time, one has it.

    Raises `Conflict`: `not-a-coupon`, `coupon-used`, `coupon-expired`, `coupon-void`, `coupon-replaced`,
    `basket-needed`, `basket-too-small`, and `redemption-undone` when this very use was reversed since.
    """
    at_till(scope)
    now = ctx.now()
    body: dict[str, str | int] = {"code": codes.stem(rotating.bare(wanted.code)), "reference": wanted.reference}
    if wanted.amount_minor is not None:
        body["amount_minor"] = wanted.amount_minor
    name, echoes = undated(scope, "coupon", wanted.reference, now)
    wish = asked(scope, "use-coupon", body, key, name, echoes=echoes)

    def act(tx: Tx) -> Facts:
        member = holder_of(ctx, tx, scope, wanted.code)
        if member.coupon_pass is None:
            raise Conflict("This is no coupon but a card; scan the coupon.", code="not-a-coupon", field="code")
        rotating.demand_fresh(ctx, tx, scope, wanted.code)
        members.lock_member(tx, member.id)
        coupon = coupons.of_passes(tx, [member.coupon_pass])[member.coupon_pass]
        with vouchers.by_promise(tx, member, coupon):
            rules.demand_good(coupon.state, coupon.valid_to, now)
            programme = ctx.programme(tx, coupon.version_id)
            least = rules.promise_of(programme, coupon.promise).minimum_minor
            rules.demand_enough(least, wanted.amount_minor, programme.money)
        vouchers.demand_current(tx, coupon, member.coupon_pass)
        use_id = new_id("use")
        vouchers.take(tx, scope, coupon, use_id, wanted.reference, now)
        vouchers.tell(tx, coupon, now)
        used = replace(coupon, state=rules.USED, used_at=now)
        facts = _facts(use_id, member.public_id, member.programme_public_id, _told(ctx, tx, used, coupon.pass_id, now))
        hooks.tell(ctx, tx, hooks.USED, member.programme_id, scope.merchant_id, now, facts)
        return facts

    facts, replayed = once(ctx, wish, act)
    if replayed:
        _still_stands(ctx, scope, facts["id"])
    ctx.ring()
    return facts, replayed


def _facts(use_id: str, member: str, programme: str, coupon: Coupon) -> Facts:
    return {"id": use_id, "member": member, "programme": programme, "coupon": told(coupon)}


def told(coupon: Coupon) -> Facts:
    """A coupon as an answer holds it."""
    return {
        **vars(coupon),
        "title": dict(coupon.title),
        "terms": dict(coupon.terms),
        "valid_to": rules.written(coupon.valid_to),
        "used_at": rules.written(coupon.used_at),
    }


def _still_stands(ctx: Context, scope: Scope, use_id: str) -> None:
    with ctx.look() as tx:
        if not coupons.use_in(tx, scope, use_id).last:
            sentence = "This use was reversed since; send it under a new number to use the coupon again."
            raise Conflict(sentence, code="redemption-undone")


def undo(ctx: Context, scope: Scope, use_id: str, key: str | None) -> tuple[Facts, bool]:
    """Give a coupon back; a paired device may do so for two minutes (`reversal.UNDO`), any other key for good.

    The phone gets it back as long as it listens; later a fresh pass stands on the member's page. Raises `Conflict`
    (`already-reversed`, `not-reversible` for one that was used in a sale, `undo-over`) and `NotFound`.
    """
    now = ctx.now()
    wish = asked(scope, "undo-coupon", {"subject": use_id}, key, f"undo-coupon:{use_id}")

    def act(tx: Tx) -> Facts:
        coupon = coupons.by_id(tx, coupons.use_in(tx, scope, use_id).coupon_id)
        member = members.members_by_id(tx, [coupon.member_id])[coupon.member_id]
        tier = members.lock_member(tx, member.id)
        row = coupons.use_in(tx, scope, use_id)
        if not row.last:
            raise Conflict("This was already reversed.", code="already-reversed")
        if sales.took_coupon(tx, member.id, use_id, row.at):
            # What it took off would stay off.
            raise Conflict("This was used in a sale; give back the sale.", code="not-reversible")
        if scope.device and now - row.at > UNDO:
            raise Conflict("A device takes a coupon back for two minutes; these are over.", code="undo-over")
        vouchers.give_back(ctx, tx, scope, coupon, row.receipt, now)
        _pay_with(ctx, tx, scope, coupon.id, replace(member, tier=tier), row.receipt, now)
        back = coupons.by_id(tx, coupon.id)
        known = _told(ctx, tx, back, back.pass_id, now)
        facts = _facts(use_id, member.public_id, member.programme_public_id, known)
        hooks.tell(ctx, tx, hooks.UNUSED, member.programme_id, scope.merchant_id, now, facts)
        return facts | {"recorded_at": now.isoformat()}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _pay_with(
    ctx: Context, tx: Tx, scope: Scope, coupon_id: int, member: MemberRow, receipt: str | None, now: datetime
) -> None:
    """What goods that came back meanwhile left owed, or forgiven, is paid with a voucher that is good again."""
    like = counter_booking(scope, member, "", "", receipt or "", member.tier, now)
    posted = conversions.reclaim(ctx, tx, like, coupon_id)
    if posted:
        standing.settle_tier(ctx, tx, ctx.programme(tx, member.version_id), member.id, member.tier, posted)
        # A correction is silent: nobody's phone rings for it.
        cards.changed(tx, member.id, (), now)


def expire(tx: Tx, now: datetime, most: int = SLICE, account_id: int | None = None) -> int | None:
    """Note up to `most` coupons that have run out (of one account, if it is named); the last one's key when there may
    be more.

    Their phones are told once, without a sound and behind all else: they have greyed them by the date already, and stop
    asking. Holds the members in the order of their keys, then the passes in the order of theirs.
    """
    # The last second is still good.
    found = coupons.lapsed(tx, now - timedelta(seconds=1), most, account_id)
    for key in sorted({coupon.member_id for coupon in found}):
        members.lock_member(tx, key)
    lapsed = [one for one in (coupons.by_id(tx, row.id) for row in found) if one.state == rules.ISSUED]
    for one in lapsed:
        coupons.change(tx, one.id, event_of(rules.EXPIRED, one.value_minor, now), rules.EXPIRED)
    shown = [key for one in lapsed for key in (one.pass_id, *coupons.elsewhere(tx, one.id))]
    naming = {key for one in lapsed for key in _naming(tx, one)}
    on_back = sorted({one.member_id for one in lapsed if one.promise is not None})
    listing = {key for member in on_back for key in recovery.cards(tx, member)}
    over = [
        row.id
        for row in passes.lock_passes(tx, {*shown, *naming, *listing})
        if row.state == passes.ACTIVE and row.id not in naming | listing
    ]
    for key in over:
        passes.retire_pass(tx, key)
    for key in sorted(naming):
        passes.ring_again(tx, key, new_tag=False)
    for member in on_back:
        passes.bump(tx, member, 0)
    jobs.put(tx, [jobs.Put(cards.REFRESH, str(key), jobs.BULK, now) for key in (*over, *(naming | listing))])
    return found[-1].id if len(found) == most else None


def _naming(tx: Tx, coupon: CouponRow) -> list[int]:
    """The cards that name this coupon beside them, in wallets that cards are pushed to: nothing on them says so, so
    they are told again when it is over."""
    wallets = set(coupons.elsewhere(tx, coupon.id).values())
    found = [vendors.card_of(tx, coupon.member_id, wallet) for wallet in sorted(wallets)]
    return [key for key in found if key is not None]
