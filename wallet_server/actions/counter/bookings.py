"""Owns what every write of the counter has in common: the entry that it books, and the facts that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import new_id
from wallet_server.actions.once import Facts
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import ledger, pending
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Award

UNDO = timedelta(minutes=2)
"""How long a paired device may take a redemption back: the minute that its page shows, and as much for the network."""


def counter_booking(
    scope: Scope, member: MemberRow, rule: str, reason: str, reference: str, tier: str | None, now: datetime
) -> Booking:
    """An entry made at a counter at this moment, under the till's own `reference`."""
    return Booking(
        public_id=new_id("ent"),
        programme_id=member.programme_id,
        member_id=member.id,
        merchant_id=scope.merchant_id,
        store_id=scope.store_id,
        till_id=scope.till_id,
        receipt=reference,
        programme_version_id=member.version_id,
        rule_id=rule,
        reason=reason,
        params={"receipt": reference},
        state={"tier": tier},
        effective_at=now,
        recorded_at=now,
    )


def awards_of(earned: Sequence[Award], said: Booking, purses: Mapping[str, ledger.Purse]) -> list[ledger.Award]:
    """What rules gave, as it is booked: `said` holds what all of it has in common (who, where, when, the version, the
    state), and each award adds its own id, rule, reason and figures."""
    common = vars(said)
    return [
        ledger.Award(
            # A sale asks for two: a `replace` costs twice as much.
            Booking(
                **common
                | {
                    "public_id": new_id("ent"),
                    "rule_id": award.rule_id,
                    "reason": award.reason,
                    "params": {**award.params, **said.params},
                }
            ),
            purses[award.currency],
            award.amount,
            award.expires_at,
            pending.still(award.pending_until, said.recorded_at),
        )
        for award in earned
    ]


def facts_of(
    member: MemberRow,
    subject: str,
    posted: Sequence[Posted],
    before: str | None,
    after: str | None,
    balances: Mapping[str, int],
    now: datetime,
    **more: Any,
) -> Facts:
    """What a write answers, about `subject` (a sale, an entry): what was booked, and what the member has after it."""
    return {
        "id": subject,
        "member": member.public_id,
        "programme": member.programme_public_id,
        "version": member.version,
        "entries": [
            {
                "id": p.public_id,
                "currency": p.currency,
                "amount": p.amount,
                "rule": p.rule_id,
                "reason": p.reason,
                "params": dict(p.params),
            }
            for p in posted
        ],
        "balances": dict(balances),
        "tier_before": before,
        "tier": after,
        "recorded_at": now.isoformat(),
        **more,
    }
