"""Owns the table of job kinds: which action works them. A kind that is not here is left for an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallet_server.actions import (
    allowances,
    cards,
    everybody,
    holders,
    holding,
    hooks,
    importing,
    letters,
    maturing,
    offers,
    offline_queue,
    one_time,
    posting,
    programs,
    refresh,
    reviewing,
    ringing,
    unlinking,
    upkeep,
    watching,
    webhooks,
    welcome,
)
from wallet_server.actions.context import Context
from wallet_server.actions.outbox import Lease

Action = Callable[[Context, list[Lease]], object]
"""Works a batch of leases of one kind and settles each; level-triggered, so that a repeat does no harm."""

OF_PASSES = (cards.REFRESH, refresh.RING)
"""Kinds whose keys are pass keys."""
KINDS: Mapping[str, Action] = {
    cards.REFRESH: refresh.refresh,
    refresh.RING: ringing.ring,
    programs.REPUBLISH: programs.republish,
    offers.WALK: offers.walk,
    offers.WAITERS: offers.ask_waiters,
    offers.UNSAY: offers.unsay,
    everybody.TELL: everybody.tell,
    everybody.ONE_BY_ONE: everybody.one_by_one,
    holders.HOLDERS: holders.walk,
    holding.LAPSE: holding.lapse,
    allowances.APPLY: offline_queue.walk,
    maturing.MATURE: maturing.walk,
    reviewing.REVIEW: reviewing.walk,
    welcome.OWED: welcome.bring,
    unlinking.OVER: unlinking.end,
    upkeep.NIGHTLY: upkeep.nightly,
    watching.LOOK: watching.look,
    hooks.DELIVER: posting.deliver,
    importing.WORK: importing.work,
    letters.SEND: letters.carry,
    one_time.ASKED: one_time.answer,
    webhooks.REPLAY: webhooks.walk,
}
