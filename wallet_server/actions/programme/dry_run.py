"""Owns what a draft of a programme would do to its members if it were published now. It writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wallet_server.actions.context import Context
from wallet_server.actions.once import Facts
from wallet_server.actions.programme.programs import keep_money, read_document
from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.programme import drafts, programmes
from wallet_server.records.programme.drafts import Span
from wallet_server.records.purse import ledger, metrics, pending
from wallet_server.records.purse import standing as standings
from wallet_server.records.purse.pending import Waiting
from wallet_server.records.scope import Scope
from wallet_server.rules.books.liability import Worth, rounded, worth
from wallet_server.rules.programme.program import Currency, Ladder, Programme
from wallet_server.rules.tiers import standing as rules
from wallet_server.rules.tiers.metrics import needed
from wallet_server.rules.tiers.tiers import level_for, rank

SLICE = 500
MOST = 5_000
"""Members that one call looks at. Where there are more, these are a sample: slices from all over the programme, from
its oldest members to its newest, and the answer says so."""
MOST_NAMED = 50


@dataclass
class _Tally:
    """What was counted so far: members by (tier now, tier then), those who will have it only until it is looked at,
    who loses something, and units by currency."""

    moves: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    later: int = 0
    losing: list[dict[str, str | None]] = field(default_factory=list)
    units: Counter[str] = field(default_factory=Counter)
    holders: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0


def run(
    ctx: Context,
    scope: Scope,
    public_id: str,
    document: Mapping[str, Any],
    most: int = MOST,
    told: Callable[[int], object] = lambda _looked_at: None,
) -> Facts:
    """What publishing this document would change: tiers up and down and who would lose one, units that could no longer
    be spent, and what is owed. Members are read in slices, each as it stands then; of more than `most` a sample is
    looked at. `told` hears how many so far. Raises `Invalid` with the faults of the document (other money than sales
    and vouchers stand in is one), `NotFound`, `Conflict` (`not-published`)."""
    draft, _, _ = read_document(document)
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, public_id)
        if not row.version_id:
            raise Conflict("This programme has not been published yet.", code="not-published")
        current = ctx.programme(tx, row.version_id)
        keep_money(tx, row.id, current, draft)
        everybody = drafts.span(tx, row.id)
    tally, last = _Tally(), 0
    for after in _starts(everybody, most):
        with ctx.look() as tx:
            ids = members.next_members(tx, row.id, max(after, last), min(SLICE, most - tally.looked_at))
            _count(ctx, tx, current, draft, ids, tally)
        tally.looked_at += len(ids)
        last = ids[-1] if ids else last
        told(tally.looked_at)
    return {
        "programme": row.public_id,
        "version": row.version,
        "members": tally.looked_at,
        "of": max(everybody.count, tally.looked_at),
        "complete": tally.looked_at >= everybody.count,
        "tiers": _tiers(current, draft, tally),
        "stuck": _stuck(current, draft, tally),
        "liability": _liability(current, draft, tally),
    }


def _starts(everybody: Span, most: int) -> Iterator[int]:
    """After which keys the slices begin: one after the other, or, of a sample, all over the programme."""
    slices = -(-min(everybody.count, most) // SLICE)
    if everybody.count <= most:
        yield from (0 for _ in range(slices))
        return
    wide = everybody.greatest - everybody.least + 1
    yield from (everybody.least - 1 + wide * number // slices for number in range(slices))


def _count(ctx: Context, tx: Tx, current: Programme, draft: Programme, ids: Sequence[int], tally: _Tally) -> None:
    if not ids:
        return
    waiting = pending.waiting(tx, ids)
    for key, owned in ledger.amounts(tx, ids).items():
        for code, amount in owned.items():
            waits = waiting.get(key, {}).get(code, Waiting())
            units = amount + waits.pending + waits.held
            tally.units[code] += units
            tally.holders[code] += units > 0
    now, tiers = ctx.now(), standings.tiers(tx, ids)
    ladder = draft.ladder
    if ladder is None:
        tally.moves.update((tier, None) for tier in tiers.values())
        return
    names = {key: member.public_id for key, member in members.members_by_id(tx, ids).items()}
    people, stored = metrics.people(tx, ids), standings.of_members(tx, ids)
    found = metrics.of_people(tx, needed(ladder), people, now)
    for key, tier in tiers.items():
        stands = stored.get(key) or rules.beginning(tier, people[key].since)
        deserved = level_for(ladder, found[key]).code
        then = rules.settle(ladder, stands, deserved, None, people[key], now)
        tally.moves[tier, then.level] += 1
        tally.later += rank(ladder, deserved) < rank(ladder, then.earned)
        if _order(current.ladder, ladder, tier) > rank(ladder, then.level) and len(tally.losing) < MOST_NAMED:
            tally.losing.append({"member": names[key], "tier": tier, "tier_then": then.level})


def _order(current: Ladder | None, draft: Ladder, tier: str | None) -> int:
    """The place of a tier of now in the draft's ladder; of one that is gone, its place in that of now."""
    known = rank(draft, tier)
    return known if known >= 0 else rank(current, tier)


def _tiers(current: Programme, draft: Programme, tally: _Tally) -> Mapping[str, Any]:
    up = down = 0
    for (before, after), count in tally.moves.items():
        old = rank(current.ladder, before) if draft.ladder is None else _order(current.ladder, draft.ladder, before)
        new = max(rank(draft.ladder, after), 0)
        up += count if new > max(old, 0) else 0
        down += count if new < old else 0
    return {
        "up": up,
        "down": down,
        "down_later": tally.later,
        "moves": [
            {"tier": before, "tier_then": after, "members": count}
            for (before, after), count in sorted(tally.moves.items(), key=lambda item: -item[1])
        ],
        "losing": tally.losing,
    }


def _kept(code: str, draft: Programme) -> Currency | None:
    return next((one for one in draft.currencies if one.code == code), None)


def _stuck(current: Programme, draft: Programme, tally: _Tally) -> list[Mapping[str, Any]]:
    """Units that could be spent and then could not."""
    stuck: list[Mapping[str, Any]] = []
    for one in current.currencies:
        kept = _kept(one.code, draft)
        same = kept is not None and (kept.kind, kept.iso, kept.exponent) == (one.kind, one.iso, one.exponent)
        why = None if same else "dropped" if kept is None else "changed"
        if same and kept is not None and one.spendable and not kept.spendable:
            why = "not-spendable"
        if why is not None and tally.units[one.code]:
            units, holders = tally.units[one.code], tally.holders[one.code]
            stuck.append({"currency": one.code, "why": why, "units": units, "members": holders})
    return stuck


def _liability(current: Programme, draft: Programme, tally: _Tally) -> list[Mapping[str, Any]]:
    """What the units that members have are worth, now and then; nothing where nobody says what one is worth."""
    owed: list[Mapping[str, Any]] = []
    for one in current.currencies:
        kept = _kept(one.code, draft)
        now = worth(current, one)
        then = None if kept is None else worth(draft, kept)
        if now is None and then is None:
            continue
        units = max(tally.units[one.code], 0)
        before, after = _minor(units, now), _minor(units, then)
        change = after - before
        owed.append(
            {"currency": one.code, "units": units, "minor": before, "minor_then": after, "change_minor": change}
        )
    return owed


def _minor(units: int, one: Worth | None) -> int:
    return 0 if one is None else rounded(units * one.rate)
