"""Owns warning members before units run out: once for each of the days that their programme names, outside its quiet
hours, and not at all where nothing is left or the units were given later than that.

Whoever missed a night is warned in the next three; a later warning takes the place of an earlier one that was missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards
from wallet_server.actions.passes.notices import zone_of
from wallet_server.actions.telling import hooks
from wallet_server.errors import WalletError
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.purse import standing, warnings
from wallet_server.records.purse.warnings import Ending
from wallet_server.rules.announcing.announcing import AnnouncePolicy, Limits, Wait, decide
from wallet_server.rules.programme.program import Programme

SLICE = 200
CATCH_UP = timedelta(days=3)
_UNREADABLE = (WalletError, ValueError, LookupError, TypeError, AttributeError)
_log = structlog.get_logger("warning")

After = tuple[datetime, int] | None


def days(ctx: Context, tx: Tx) -> list[int]:
    """How many days before an end members of any programme are warned, the most first."""
    found: set[int] = set()
    for key in standing.programmes_published(tx):
        programme = _readable(ctx, tx, programmes.programme_by_id(tx, key).version_id)
        if programme is not None:
            found |= {day for one in programme.currencies if one.expires_after_months for day in one.warn_days}
    return sorted(found, reverse=True)


def _readable(ctx: Context, tx: Tx, version_id: int) -> Programme | None:
    try:
        return ctx.programme(tx, version_id)
    except _UNREADABLE as fault:
        _log.error("nobody warned", version=version_id, why=f"{type(fault).__name__}: {fault}"[:300])
        return None


def warn_due(
    ctx: Context, tx: Tx, now: datetime, before: int, after: After = None, account_id: int | None = None
) -> After:
    """Warn of a slice of what runs out in `before` days, beyond `after`, of one account if it is named; the place of
    the last where there may be more. Locks the members in the order of their keys."""
    until = now + timedelta(days=before)
    begun = (now if account_id is not None else max(now, until - CATCH_UP), 0)
    found = warnings.ending(tx, after or begun, until, SLICE, account_id)
    rows = members.members_by_id(tx, sorted({one.member_id for one in found}))
    standings: dict[tuple[int, object], Ending] = {}
    for one in found:
        programme = _readable(ctx, tx, rows[one.member_id].version_id)
        if programme is not None and _wanted(programme, one, before):
            standings.setdefault((one.account_id, one.day), one)
    _warn(ctx, tx, now, before, sorted(standings.values(), key=lambda one: one.member_id), rows)
    return (found[-1].expires_at, found[-1].lot_id) if len(found) == SLICE else None


def _wanted(programme: Programme, one: Ending, before: int) -> bool:
    currency = next((known for known in programme.currencies if known.code == one.currency), None)
    if currency is None or not currency.spendable or before not in currency.warn_days:
        return False
    # Whoever is given something for a month is not told on the same day that it runs out in thirty.
    return one.earned_at < one.expires_at - timedelta(days=before)


def _warn(
    ctx: Context, tx: Tx, now: datetime, before: int, found: Sequence[Ending], rows: dict[int, MemberRow]
) -> None:
    told: list[int] = []
    for one in found:
        members.lock_member(tx, one.member_id)
        amount = warnings.left(tx, one.account_id, one.day)
        if amount and warnings.note(tx, one.account_id, one.day, before, amount, now):
            told.append(one.member_id)
            row = rows[one.member_id]
            said = {"member": row.public_id, "currency": one.currency, "amount": amount, "on": one.day.isoformat()}
            hooks.tell(ctx, tx, hooks.EXPIRING, row.programme_id, None, now, said | {"days": before})
    for at, ids in sorted(_turns(ctx, tx, dict.fromkeys(told), rows, now).items()):
        cards.changed_many(tx, ids, ("news",), at, pushed=ctx.pushed)


def _turns(
    ctx: Context, tx: Tx, told: Iterable[int], rows: dict[int, MemberRow], now: datetime
) -> dict[datetime, list[int]]:
    """When each of these members is told: outside the quiet hours."""
    turns: dict[datetime, list[int]] = {}
    for key in told:
        quiet = ctx.programme(tx, rows[key].version_id).announce.quiet
        said = decide(True, True, (), zone_of(tx, key), now, AnnouncePolicy(Limits(1, 1), quiet))
        turns.setdefault(said.until if isinstance(said, Wait) else now, []).append(key)
    return turns
