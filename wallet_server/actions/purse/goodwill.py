"""Owns gestures of goodwill: units or a voucher for an annoyance, with the reason that the member reads on the card.

The books keep what was given and a code; the words are kept beside them, and erased with the member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from wallet_server.actions.context import Context
from wallet_server.actions.counter.bookings import counter_booking, facts_of
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, standing, vouchers
from wallet_server.actions.purse.vouchers import Gift
from wallet_server.actions.telling import hooks
from wallet_server.errors import Invalid
from wallet_server.records.counter import gestures
from wallet_server.records.counter.gestures import Gesture
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.baskets import earning
from wallet_server.rules.counter import coupons as coupon_rules
from wallet_server.rules.programme.program import Programme

RULE, REASON = "goodwill", "earn.goodwill"
ACCOUNT = "goodwill"
"""The merchant's account that gestures come from."""


@dataclass(frozen=True)
class Given:
    """A gesture: `units` of a `currency` (None: that of the card), or the `voucher` of a conversion (its id) or of a
    reward (its code). `reason` is what the member reads, `code` what it is counted under, `complaint` the merchant's
    own reference."""

    reason: str
    code: str
    units: int | None = None
    currency: str | None = None
    voucher: str | None = None
    complaint: str | None = None


def give(ctx: Context, scope: Scope, member: str, given: Given, wish: Asked) -> tuple[Facts, bool]:
    """Make a gesture: (what was booked, whether this is a replay). Raises `Invalid` (`unknown-currency`,
    `unknown-voucher`) and `NotFound` for a stranger's member and for one who left."""

    def act(tx: Tx) -> Facts:
        found = members.member_by_public(tx, scope, member)
        held = replace(found, tier=members.lock_member(tx, found.id))
        programme, now = ctx.programme(tx, held.version_id), ctx.now()
        if given.voucher is None:
            code, said = given.currency or programme.balance_currency, {"code": given.code}
            facts = book_units(ctx, tx, scope, held, programme, code, given.units or 0, said, now)
        else:
            facts = book_voucher(ctx, tx, scope, held, programme, given.voucher, now)
        note = Gesture(held.id, facts["id"], given.reason, given.complaint, scope.principal, now)
        gestures.add(tx, note)
        hooks.tell(ctx, tx, hooks.GOODWILL, held.programme_id, scope.merchant_id, now, facts | {"code": given.code})
        deeds.add(tx, scope, deeds.GOODWILL, now, about=held.public_id, detail=given.code)
        return facts

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def book_units(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    member: MemberRow,
    programme: Programme,
    code: str,
    units: int,
    said: Mapping[str, str],
    now: datetime,
) -> Facts:
    """Units of a currency from the merchant's goodwill account; the member is held. Raises `Invalid`
    (`unknown-currency`)."""
    if all(one.code != code for one in programme.currencies):
        raise Invalid(f"This programme has no currency called {code}.", code="unknown-currency", field="currency")
    ledger.open_all_purses(tx, member.programme_id, member.id)
    purses = ledger.purses(tx, member.id, scope.merchant_id)
    purse = purses[code]
    source = ledger.contra_account(tx, member.programme_id, purse.currency_id, scope.merchant_id, ACCOUNT)
    booking = counter_booking(scope, member, RULE, REASON, "", member.tier, now)
    booking = replace(booking, receipt=None, params=dict(said))
    until = earning.expiry(programme, code, now)
    award = ledger.Award(booking, replace(purse, issued=source), units, until)
    posted = ledger.award(tx, [award])
    balances = {one.code: one.amount for one in purses.values()} | {code: posted[0].balance}
    made = conversions.settle(ctx, tx, programme, member.version_id, booking, balances)
    entries, balances, more = made.told(posted, balances, {})
    after = standing.settle_tier(ctx, tx, programme, member.id, member.tier, entries)
    cards.changed(tx, member.id, [*standing.loud(programme, entries, member.tier, after), "news"], now)
    return facts_of(member, booking.public_id, entries, member.tier, after, balances, now, **more)


def book_voucher(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    member: MemberRow,
    programme: Programme,
    called: str,
    now: datetime,
    made_of: str | None = None,
) -> Facts:
    """A voucher that the programme knows, as a gesture (`made_of`, by which it is cancelled again) of the caller's
    merchant; the member is held. Raises `Invalid` (`unknown-voucher`)."""
    known = coupon_rules.promises(programme)
    sources = (coupon_rules.CONVERSION, coupon_rules.REWARD)
    name = next((name for source in sources if (name := f"{source}:{called}") in known), None)
    if name is None:
        raise Invalid(f"This programme has no voucher called {called}.", code="unknown-voucher", field="voucher")
    row = programmes.programme_by_id(tx, member.programme_id)
    gift = Gift(coupon_rules.GOODWILL, name, member.version_id, scope.merchant_id, made_of)
    voucher, _ = vouchers.give(ctx, tx, row, member.id, gift, now)
    cards.changed(tx, member.id, ["news"], now)
    balances = ledger.amounts(tx, [member.id]).get(member.id, {})
    more: dict[str, Any] = {"vouchers": [voucher.public_id]}
    return facts_of(member, voucher.public_id, (), member.tier, member.tier, balances, now, **more)
