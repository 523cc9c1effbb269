"""Owns the table of job kinds: which action works them. A kind that is not here is left for an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallet_server.actions.announcing import everybody, offers
from wallet_server.actions.context import Context
from wallet_server.actions.counter import watching
from wallet_server.actions.offline import allowances, applying
from wallet_server.actions.operating import upkeep
from wallet_server.actions.outbox import Lease
from wallet_server.actions.passes import cards, refresh, ringing, unlinking, welcome
from wallet_server.actions.people import importing, letters, one_time
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import holding, maturing, reviewing
from wallet_server.actions.telling import hooks, posting, webhooks
from wallet_server.actions.vendors import holders

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
    allowances.APPLY: applying.walk,
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
