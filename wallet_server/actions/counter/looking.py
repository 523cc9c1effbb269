"""Owns the look-up: who holds a card, what they have, and what may be used or given at this till now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wallet_server.actions.announcing.offers import MAX_DAYS
from wallet_server.actions.context import Context
from wallet_server.actions.counter import prompting, rotating
from wallet_server.actions.counter.prompting import Offered
from wallet_server.actions.counter.scanning import holder_of, in_place
from wallet_server.actions.purse import catalogue, gathering, vouchers
from wallet_server.actions.purse.vouchers import Usable
from wallet_server.records.announcing import announcements
from wallet_server.records.announcing.announcements import NewsRow
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import ledger
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Basket
from wallet_server.rules.baskets.deals import deals_of
from wallet_server.rules.baskets.rating import Needs
from wallet_server.rules.counter import scans
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Deal

LONGEST = timedelta(days=MAX_DAYS)


@dataclass(frozen=True)
class Holder:
    """Who holds a card, as the till may know it: no personal data. `coupon_pass` where the code is a coupon's; `left`
    is what bounds the rewards that are bounded, `gestures` those that the cashier may give. Of what is not the
    newest issue, `card_spends` is false where another card is in its place.

    `vouchers` are good now, whatever the basket; `deals` are the programme's that hold for this member here and now, as
    far as that can be said without a basket; `news` what this merchant announced to the member and still stands. `at`
    is the moment of all this, in `zone` by the store's clock."""

    member: str
    programme: str
    tier: str | None
    language: str
    balances: Mapping[str, int]
    promotions: bool
    card_current: bool
    programme_version: Programme
    at: datetime
    zone: str
    coupon_pass: int | None = None
    left: Mapping[str, catalogue.Left] = field(default_factory=dict)
    gestures: Sequence[Offered] = ()
    card_spends: bool = True
    vouchers: Sequence[Usable] = ()
    deals: Sequence[Deal] = ()
    news: Sequence[NewsRow] = ()


def look_up(ctx: Context, scope: Scope, code: str) -> Holder:
    """Who holds this card or coupon. Raises as `scanning.holder_of` does."""
    # A number that changes is taken when it is looked up: it may have gone by the time of the sale.
    with ctx.change() if rotating.rotates(code) or scans.guessable(code) else ctx.look() as tx:
        member = holder_of(ctx, tx, scope, code)
        now = ctx.now()
        purses = ledger.amounts(tx, [member.id]).get(member.id, {})
        consent = members.consents_of(tx, member.id).get(members.PROMOTIONS)
        programme = ctx.programme(tx, member.version_id)
        return Holder(
            member=member.public_id,
            programme=member.programme_public_id,
            tier=member.tier,
            language=member.language,
            balances=purses,
            promotions=bool(consent and consent[0]),
            card_current=member.code_current,
            programme_version=programme,
            at=now,
            zone=scope.zone,
            coupon_pass=member.coupon_pass,
            left=catalogue.left(tx, programme, member.programme_id, member.id, now, scope.zone),
            gestures=prompting.offered(tx, scope, member, programme, now),
            card_spends=in_place(member),
            vouchers=vouchers.usable(ctx, tx, member.id, now) if in_place(member) else (),
            deals=_on_now(tx, scope, member, programme, now),
            news=announcements.told(tx, member.id, scope.merchant_id, now - LONGEST, now),
        )


def _on_now(tx: Tx, scope: Scope, member: MemberRow, programme: Programme, now: datetime) -> Sequence[Deal]:
    deals = deals_of(programme)
    if not deals:
        return ()
    state = gathering.state_of(tx, deals.needs(Needs()), member, now, scope.zone)
    return deals.on_now(Basket((), now, scope.zone, scope.store), state)
