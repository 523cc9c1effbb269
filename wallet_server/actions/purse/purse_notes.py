"""Owns what a card says of its member's units that cannot be spent yet or run out soon: lines on its back, and the
warning of an end as its news for a week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.records.announcing.announcements import NewsRow
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import pending, warnings
from wallet_server.records.purse.warnings import Warned
from wallet_server.rules.passes import purse_notes as rules
from wallet_server.rules.passes.card import Detail
from wallet_server.rules.passes.purse_notes import Aside
from wallet_server.rules.programme.program import Programme

LAST = timedelta(days=7)
PREFIX = "exp_"


@dataclass(frozen=True)
class Notes:
    """Member key to the lines on the back, and to the last warning."""

    on_back: Mapping[int, tuple[Detail, ...]]
    news: Mapping[int, NewsRow]


def of_members(ctx: Context, tx: Tx, rows: Mapping[int, MemberRow], now: datetime) -> Notes:
    """What the cards of these members say; days are those of UTC."""
    waiting = pending.waiting(tx, list(rows))
    warned = warnings.of_members(tx, list(rows), now)
    on_back, news = {}, {}
    for key in sorted({*waiting, *warned}):
        programme = ctx.programme(tx, rows[key].version_id)
        of_purse = waiting.get(key, {})
        on_back[key] = rules.details(
            programme,
            [Aside(code, one.pending, _day(one.next_at)) for code, one in sorted(of_purse.items())],
            [Aside(code, one.held) for code, one in sorted(of_purse.items())],
            list({(one.currency, one.day): _aside(one) for one in warned.get(key, ())}.values()),
        )
        fresh = [one for one in warned.get(key, ()) if one.warned_at > now - LAST]
        if fresh:
            news[key] = _said(programme, max(fresh, key=lambda one: (one.warned_at, -one.days_before)))
    return Notes(on_back, news)


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.astimezone(UTC).date()


def _aside(one: Warned) -> Aside:
    return Aside(one.currency, one.amount, one.day)


def _said(programme: Programme, one: Warned) -> NewsRow:
    ends = min(one.warned_at + LAST, datetime.combine(one.day, datetime.min.time(), UTC) + timedelta(days=1))
    return NewsRow(one.name, rules.ends_texts(programme, _aside(one)), ends, one.warned_at)


def stands(tx: Tx, name: str, now: datetime) -> bool:
    """Whether this warning may stay on a card."""
    one = warnings.named(tx, name)
    return one is not None and bool(one.amount) and one.warned_at > now - LAST and one.day >= now.astimezone(UTC).date()


def texts(ctx: Context, tx: Tx, name: str) -> Mapping[str, str] | None:
    """What it says, whatever became of it since."""
    one = warnings.named(tx, name)
    if one is None:
        return None
    version = members.members_by_id(tx, [one.member_id])[one.member_id].version_id
    return rules.ends_texts(ctx.programme(tx, version), _aside(one))
