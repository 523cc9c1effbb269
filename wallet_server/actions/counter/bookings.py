"""Owns what every write of the counter has in common: the entry that it books, and the facts that it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import new_id
from wallet_server.actions.once import Facts
from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger, pending
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Award, Rated

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


def held_back(rated: Rated, version: int) -> Facts:
    """What an answer says of the rules that gave nothing, by this version; nothing where each gave something."""
    said = [{"rule": rule, "version": version, "why": why} for rule, why in rated.withheld]
    return {"withheld": said} if said else {}


def numbers_of(tx: Tx, member: MemberRow, version_id: int) -> dict[int, int]:
    """The number of a version by its key, where it is another one than that which stands."""
    return {} if version_id == member.version_id else {version_id: programmes.version(tx, version_id).number}


@contextmanager
def by_rule(member: MemberRow, rule: str) -> Iterator[None]:
    """What the programme refuses inside says by which rule of which version, and which language the member reads."""
    try:
        yield
    except Conflict as refused:
        refused.facts = {"rule": rule, "version": member.version, "language": member.language, **refused.facts}
        raise


def facts_of(
    member: MemberRow,
    subject: str,
    posted: Sequence[Posted],
    before: str | None,
    after: str | None,
    balances: Mapping[str, int],
    now: datetime,
    versions: Mapping[int, int] | None = None,
    **more: Any,
) -> Facts:
    """What a write answers, about `subject` (a sale, an entry): what was booked, and what the member has after it.
    `versions` are the numbers of versions, by key, that something was booked under beside the one that stands."""
    numbers = {**(versions or {}), member.version_id: member.version}
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
                "version": numbers[p.version_id],
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
