"""Owns what the books say of a member before something is rated: what a rule gave within a span, how many sales count,
and the birthday."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.counter.visits import TOUCH
from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.purse.ledger import EARN
from wallet_server.records.schema import (
    corrections,
    ledger_entries,
    ledger_postings,
    members,
    sale_reversals,
)
from wallet_server.records.schema import sales as sale_table

_TAKEN_BACK = (
    sa.select(sa.func.coalesce(sa.func.sum(corrections.c.amount), 0))
    .where(corrections.c.corrects_id == ledger_entries.c.id)
    .scalar_subquery()
)
_OF_RULE = (
    sa.select(sa.func.coalesce(sa.func.sum(ledger_postings.c.amount - _TAKEN_BACK), 0))
    .join(ledger_postings, sa.and_(ledger_postings.c.entry_id == ledger_entries.c.id, ledger_postings.c.amount > 0))
    .where(
        ledger_entries.c.member_id.in_(line_of(b("member"))),
        ledger_entries.c.rule_id == b("rule"),
        ledger_entries.c.kind == EARN,
    )
)
_WITHIN = _OF_RULE.where(ledger_entries.c.effective_at >= b("since"), ledger_entries.c.effective_at < b("until"))


def within(tx: Tx, member_id: int, rule: str, window: tuple[datetime, datetime] | None) -> int:
    """The units that a rule gave a member in a window (from, until), less what was taken back of them since; None for
    all time. The member is locked, so that two tills do not both find room."""
    asked = {"member": member_id, "rule": rule}
    if window is None:
        return int(tx.execute(_OF_RULE, asked).scalar_one())
    return int(tx.execute(_WITHIN, asked | {"since": window[0], "until": window[1]}).scalar_one())


_SALES = (
    sa.select(sa.func.count())
    .select_from(sale_table)
    .where(
        sale_table.c.member_id.in_(line_of(b("member"))),
        ~sa.exists().where(sale_reversals.c.sale_id == sale_table.c.id),
        ~TOUCH,
    )
)


def sales(tx: Tx, member_id: int) -> int:
    """How many sales of a member count: those apart that were reversed."""
    return int(tx.execute(_SALES, {"member": member_id}).scalar_one())


def birthday(tx: Tx, member_id: int) -> str | None:
    """A member's birthday as MM-DD, where it was told."""
    told: str | None = tx.execute(sa.select(members.c.birthday).where(members.c.id == member_id)).scalar()
    return told
