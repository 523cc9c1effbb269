"""Owns what a change of a member's balance does to the tier, and what of it may raise an alert, whoever booked it."""

from __future__ import annotations

from collections.abc import Sequence

from wallet_server.actions import hooks
from wallet_server.actions.context import Context
from wallet_server.records import members
from wallet_server.records.database import Tx
from wallet_server.records.ledger import Posted
from wallet_server.rules import tiers
from wallet_server.rules.card import Facet
from wallet_server.rules.program import Programme


def settle_tier(
    ctx: Context, tx: Tx, programme: Programme, member_id: int, before: str | None, posted: Sequence[Posted]
) -> str | None:
    """The tier after these entries (in the order of booking), stored and told when it is another; the member is
    locked."""
    ladder = programme.ladder
    moved = next((p for p in reversed(posted) if ladder and p.currency == ladder.currency), None)
    if ladder is None or moved is None:
        return before
    after = tiers.level_for(ladder, moved.balance).code
    if after != before:
        members.set_tier(tx, member_id, after)
        hooks.tell_of_member(ctx, tx, hooks.TIER, member_id, ctx.now(), {"before": before, "after": after})
    return after


def loud(programme: Programme, posted: Sequence[Posted], before: str | None, after: str | None) -> list[Facet]:
    """What the member is to be alerted to after these entries: the balance on the card, and a higher tier."""
    facets: list[Facet] = []
    if any(p.currency == programme.balance_currency for p in posted):
        facets.append("points")
    if before != after and _rank(programme, after) > _rank(programme, before):
        facets.append("tier")
    return facets


def _rank(programme: Programme, tier: str | None) -> int:
    levels = programme.ladder.levels if programme.ladder else ()
    return next((n for n, level in enumerate(levels) if level.code == tier), -1)
