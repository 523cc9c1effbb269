"""Owns how often rewards were given, to all and to one member, and how often a hint was offered and taken.

The stock is a counter for each reward that has one, moved by a guarded UPDATE: whoever asks at the same time, it never
passes what the programme says. What one member had is counted in the books, under the member's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.people.lineage import line_of
from wallet_server.records.schema import (
    currencies,
    deal_hints,
    ledger_entries,
    ledger_postings,
    reward_stock,
    till_hints,
)

RULE = "reward"
"""The rule of the entries that pay for rewards."""

_UNDONE = ledger_entries.alias("undone")
_OF = (reward_stock.c.programme_id == b("programme"), reward_stock.c.reward == b("code"))
_TAKE = (
    sa.update(reward_stock)
    .where(*_OF, reward_stock.c.given < b("stock"))
    .values(given=reward_stock.c.given + 1)
    .returning(reward_stock.c.given)
)
_GIVE_BACK = sa.update(reward_stock).where(*_OF, reward_stock.c.given > 0).values(given=reward_stock.c.given - 1)


def take(tx: Tx, programme_id: int, reward: str, stock: int) -> bool:
    """Count a reward as given, unless `stock` of it were; its row is held until the end."""
    if stock <= 0:
        return False
    key = {"programme": programme_id, "code": reward, "stock": stock}
    if tx.execute(_TAKE, key).scalar() is not None:
        return True
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    first = make(reward_stock).values(programme_id=programme_id, reward=reward, given=0).on_conflict_do_nothing()
    tx.execute(first)
    return tx.execute(_TAKE, key).scalar() is not None


def give_back(tx: Tx, programme_id: int, reward: str) -> None:
    """One is there again; nothing where none was counted."""
    tx.execute(_GIVE_BACK, {"programme": programme_id, "code": reward})


_GIVEN = sa.select(reward_stock.c.reward, reward_stock.c.given).where(reward_stock.c.programme_id == b("programme"))


def given(tx: Tx, programme_id: int) -> dict[str, int]:
    """Reward to how many of it were given; one that was never given is missing."""
    return {r.reward: r.given for r in tx.execute(_GIVEN, {"programme": programme_id})}


def uses(tx: Tx, member_id: int, reward: str, window: tuple[datetime, datetime] | None) -> int:
    """How often a member had this reward within the window (the end excluded; None: ever), reversals apart."""
    query = sa.select(sa.func.count()).where(
        ledger_entries.c.member_id.in_(line_of(member_id)),
        ledger_entries.c.rule_id == RULE,
        ledger_entries.c.kind == "burn",
        ledger_entries.c.params["reward"].as_string() == reward,
        ~sa.exists().where(_UNDONE.c.reverses_id == ledger_entries.c.id),
    )
    if window is not None:
        query = query.where(ledger_entries.c.effective_at >= window[0], ledger_entries.c.effective_at < window[1])
    return int(tx.execute(query).scalar_one())


@dataclass(frozen=True)
class Paid:
    """An entry that paid for something: its key, its rule and the version, the currency, what it was about, whether it
    was undone."""

    id: int
    rule_id: str
    version_id: int
    currency: str
    params: Mapping[str, Any]
    reversed: bool


_PAID = (
    sa.select(
        ledger_entries.c.id,
        ledger_entries.c.rule_id,
        ledger_entries.c.programme_version_id,
        ledger_entries.c.params,
        currencies.c.code,
        sa.exists().where(_UNDONE.c.reverses_id == ledger_entries.c.id).label("reversed"),
    )
    .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
    .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
    .where(ledger_entries.c.public_id == b("public_id"))
    .limit(1)
)


def entry(tx: Tx, public_id: str) -> Paid:
    """The entry of this public id, which is in the books."""
    r = tx.execute(_PAID, {"public_id": public_id}).one()
    return Paid(r.id, r.rule_id, r.programme_version_id, r.code, r.params, bool(r.reversed))


@dataclass(frozen=True)
class HintDay:
    """How often one piece more was offered on a day, and how often it was taken."""

    day: date
    deal: str
    offered: int
    taken: int


def _count(tx: Tx, programme_id: int, deal: str, day: date, column: str) -> None:
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    start = {"offered": 0, "taken": 0} | {column: 1}
    add = make(deal_hints).values(programme_id=programme_id, deal=deal, day=day, **start)
    more = {column: deal_hints.c[column] + 1}
    tx.execute(add.on_conflict_do_update(index_elements=["programme_id", "deal", "day"], set_=more))


def offer(
    tx: Tx, programme_id: int, till_id: int, member_id: int, hints: Mapping[str, int], day: date, now: datetime
) -> None:
    """A till was told of these hints: deal to the pieces that it gives already. The same one told again to the same
    customer counts once."""
    before = {r.deal: r for r in tx.execute(sa.select(till_hints).where(till_hints.c.till_id == till_id))}
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    for deal, pieces in sorted(hints.items()):
        old = before.get(deal)
        if old is not None and (old.member_id, old.given, old.day) == (member_id, pieces, day):
            continue
        values = {"member_id": member_id, "given": pieces, "day": day, "at": now}
        keep = make(till_hints).values(till_id=till_id, deal=deal, **values)
        tx.execute(keep.on_conflict_do_update(index_elements=["till_id", "deal"], set_=values))
        _count(tx, programme_id, deal, day, "offered")


def settle(tx: Tx, programme_id: int, till_id: int, member_id: int, gave: Mapping[str, int], since: datetime) -> None:
    """The sale that a till's hints were about: those by which more pieces were given (deal to how many) were taken.
    Hints from before `since` were about another sale."""
    mine = sa.and_(till_hints.c.till_id == till_id, till_hints.c.member_id == member_id)
    found = tx.execute(sa.select(till_hints).where(mine).order_by(till_hints.c.deal)).all()
    if not found:
        return
    for r in found:
        if r.at >= since and gave.get(r.deal, 0) > r.given:
            _count(tx, programme_id, r.deal, r.day, "taken")
    tx.execute(sa.delete(till_hints).where(mine))


def hint_days(tx: Tx, programme_id: int, since: date, most: int = 1000) -> Sequence[HintDay]:
    """The counters from this day on, the newest first."""
    query = (
        sa.select(deal_hints)
        .where(deal_hints.c.programme_id == programme_id, deal_hints.c.day >= since)
        .order_by(deal_hints.c.day.desc(), deal_hints.c.deal)
        .limit(most)
    )
    return [HintDay(r.day, r.deal, r.offered, r.taken) for r in tx.execute(query)]
