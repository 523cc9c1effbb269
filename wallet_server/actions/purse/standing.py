"""Owns what a change of a member's figures does to the tier, and what of it may raise an alert, whoever booked it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import stale
from wallet_server.actions.people import standing_letters
from wallet_server.actions.telling import hooks
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.purse import metrics
from wallet_server.records.purse import standing as standings
from wallet_server.records.purse.ledger import Posted
from wallet_server.rules.passes.card import Facet
from wallet_server.rules.programme.program import Ladder, Programme
from wallet_server.rules.tiers import standing as rules
from wallet_server.rules.tiers.metrics import measured, needed
from wallet_server.rules.tiers.standing import AT_ONCE, Standing
from wallet_server.rules.tiers.tiers import level_for, rank

MOMENT = timedelta(microseconds=1)
MOST_LOOKS = 400
"""Days on which a standing was to be looked at and was not: yearly ones of a clock that was moved, and to spare."""
MISSED = timedelta(days=1)
"""Every night looks: what has been due for longer was missed."""


def settle_tier(
    ctx: Context, tx: Tx, programme: Programme, member_id: int, before: str | None, posted: Sequence[Posted]
) -> str | None:
    """The tier after these entries (in the order of booking) and whatever else was written, stored and told when it is
    another; the member is locked."""
    after = by_balance(ctx, tx, programme, member_id, before, posted)
    return by_figures(ctx, tx, programme, member_id, after)


def by_balance(
    ctx: Context, tx: Tx, programme: Programme, member_id: int, before: str | None, posted: Sequence[Posted]
) -> str | None:
    """The same for entries that are only foreseen. Where tiers rest on more than a balance, they are left alone."""
    ladder = programme.ladder
    moved = next((p for p in reversed(posted) if ladder and p.currency == ladder.currency), None)
    if ladder is None or moved is None or measured(ladder):
        return before
    return _stand(ctx, tx, ladder, member_id, before, level_for(ladder, moved.balance).code)


def by_figures(ctx: Context, tx: Tx, programme: Programme, member_id: int, before: str | None) -> str | None:
    """The tier by all that is written of a member; costs nothing where tiers rest on a balance alone."""
    ladder = programme.ladder
    if ladder is None or not measured(ladder):
        return before
    found = metrics.of_members(tx, needed(ladder), [member_id], ctx.now())[member_id]
    return _stand(ctx, tx, ladder, member_id, before, level_for(ladder, found).code)


def after_sale(
    ctx: Context, tx: Tx, programme: Programme, member_id: int, before: str | None, *, earned: bool
) -> str | None:
    """The same once a sale is stored, whose cards are stale already if it `earned` something: its figures move the
    gauge also where it did not."""
    if programme.ladder is None or not measured(programme.ladder):
        return before
    after = by_figures(ctx, tx, programme, member_id, before)
    if after != before or not earned:
        stale.changed(tx, member_id, loud(programme, (), before, after), ctx.now())
    return after


def _stand(ctx: Context, tx: Tx, ladder: Ladder, member_id: int, before: str | None, deserved: str) -> str | None:
    """Look at a member's standing where more than the tier may have to be known for it."""
    if deserved == before and ladder.review.kind == AT_ONCE and not ladder.review.grace_days:
        return before
    stored = standings.of_members(tx, [member_id]).get(member_id)
    after = restand(ctx, tx, ladder, member_id, before, stored, deserved).level
    if rank(ladder, after) > rank(ladder, before):
        standing_letters.rose(ctx, tx, member_id, after)
    return after


def restand(
    ctx: Context,
    tx: Tx,
    ladder: Ladder,
    member_id: int,
    before: str | None,
    stored: Standing | None,
    deserved: str,
    *,
    changed: bool = False,
) -> Standing:
    """The standing from now on of a member who is locked: `before` is the tier that shows, `stored` what was written of
    it (`changed`: what is to be), `deserved` what the figures reach. Each day on which it was to be looked at and was
    not is made good first, in their order. Written and told when it is another."""
    now = ctx.now()
    person = metrics.people(tx, [member_id])[member_id]
    begun = after = stored or rules.beginning(before, person.since)

    def reached(at: datetime) -> str:
        found = metrics.of_people(tx, needed(ladder), {member_id: person}, at, at + MOMENT)
        return level_for(ladder, found[member_id]).code

    def looked(standing: Standing, deserved: str, at: datetime) -> Standing:
        due = rules.judged_at(ladder, standing, deserved, at)
        return rules.settle(ladder, standing, deserved, None if due is None else reached(due), person, at)

    for _ in range(MOST_LOOKS):
        due = after.due_at
        if due is None or due > now - MISSED:
            break
        after = looked(after, reached(due), due)
    after = looked(after, deserved, now)
    if after != begun or changed:
        _write(ctx, tx, member_id, before, after, now)
    return after


def _write(ctx: Context, tx: Tx, member_id: int, before: str | None, after: Standing, now: datetime) -> None:
    """Whoever listens is told where it is another tier than `before`."""
    standings.keep(tx, member_id, after)
    if after.level != before:
        members.set_tier(tx, member_id, after.level)
        hooks.tell_of_member(ctx, tx, hooks.TIER, member_id, now, {"before": before, "after": after.level})


def loud(programme: Programme, posted: Sequence[Posted], before: str | None, after: str | None) -> list[Facet]:
    """What the member is to be alerted to after these entries: the balance on the card, and a higher tier."""
    facets: list[Facet] = []
    if any(p.currency == programme.balance_currency for p in posted):
        facets.append("points")
    if before != after and rank(programme.ladder, after) > rank(programme.ladder, before):
        facets.append("tier")
    return facets
