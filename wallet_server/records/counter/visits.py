"""Owns what the books say of a member's visits: when a rule last counted one, and which touches are none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.purse.ledger import EARN
from wallet_server.records.schema import ledger_entries, sales

_EARNED = ledger_entries.alias("earned")
TOUCH = sa.and_(
    sales.c.amount_minor == 0,
    sales.c.state["visits"].as_string().is_not(None),
    ~sa.exists().where(_EARNED.c.sale_id == sales.c.id),
)
"""Of a sale: a card scanned again during a visit that was counted before; without an amount it is no sale, and no visit
of its own. The row stays, as the till sent it."""

_undone = ledger_entries.alias("undone")
_when = ledger_entries.c.effective_at
_NEAREST = (
    sa.select(
        ledger_entries.c.rule_id,
        sa.func.max(sa.case((_when <= b("at"), _when))).label("before"),
        sa.func.min(sa.case((_when > b("at"), _when))).label("after"),
    )
    .outerjoin(_undone, _undone.c.reverses_id == ledger_entries.c.id)
    .where(
        ledger_entries.c.member_id.in_(line_of(b("member"))),
        ledger_entries.c.rule_id.in_(b("rules", expanding=True)),
        ledger_entries.c.kind == EARN,
        _when > b("since"),
        _when < b("until"),
        _undone.c.id.is_(None),
    )
    .group_by(ledger_entries.c.rule_id)
)


def nearest(tx: Tx, member_id: int, rules: Sequence[str], at: datetime, span: timedelta) -> dict[str, datetime]:
    """Rule id to the time nearest to `at`, less than `span` away, at which it counted a sale that was not reversed.

    The member is locked, so that two tills do not both find none.
    """
    asked = {"member": member_id, "rules": list(rules), "at": at, "since": at - span, "until": at + span}
    found = {}
    for row in tx.execute(_NEAREST, asked):
        times = [when for when in (row.before, row.after) if when is not None]
        found[row.rule_id] = min(times, key=lambda when: abs(at - when))
    return found


_GIVEN = (
    sa.select(ledger_entries.c.id)
    .where(ledger_entries.c.member_id.in_(line_of(b("member"))), ledger_entries.c.rule_id == b("rule"))
    .limit(1)
)


def ever(tx: Tx, member_id: int, rule: str) -> bool:
    """Whether this rule ever gave this member anything, even if it was taken back since."""
    return tx.execute(_GIVEN, {"member": member_id, "rule": rule}).first() is not None
