"""Owns the stamp card: how many of its boxes are filled, what waits to be redeemed, and what both say in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_server.rules.passes.card import Stamps
from wallet_server.rules.programme.program import Programme, Reward
from wallet_server.rules.programme.program_checks import STAMP_BOXES
from wallet_server.rules.sentences import progress_sentence, reward_sentence, waiting_sentence


def stamps(programme: Programme, balances: Mapping[str, int]) -> Stamps | None:
    """The stamp card of a member; None where the card shows no stamps, or no reward has as many as boxes can be drawn.

    Of several rewards the dearest says how many boxes there are. A balance that fills whole cards shows the last of
    them full; the next stamp begins a new one, and the full ones wait in `ready` until they are redeemed.
    """
    last = _last(programme)
    if last is None:
        return None
    balance = max(0, balances.get(last.cost.currency, 0))
    total = last.cost.units
    filled = total if balance and balance % total == 0 else balance % total
    return Stamps(
        filled=filled,
        total=total,
        ready=balance // total,
        label={tag: reward_sentence(last, programme, tag) for tag in programme.languages},
        sentence={tag: _sentence(programme, balance, tag) for tag in programme.languages},
    )


def _last(programme: Programme) -> Reward | None:
    shown = programme.currency(programme.balance_currency)
    if shown.kind != "stamps":
        return None
    own = [r for r in programme.rewards if r.cost.currency == shown.code and r.cost.units in STAMP_BOXES]
    return max(own, key=lambda reward: reward.cost.units, default=None)


def _sentence(programme: Programme, balance: int, language: str) -> str:
    """The dearest reward that the member can have now, else what is missing for the next."""
    own = sorted(
        (r for r in programme.rewards if r.cost.currency == programme.balance_currency), key=lambda r: r.cost.units
    )
    had = [reward for reward in own if reward.cost.units <= balance]
    if had:
        return waiting_sentence(had[-1], balance // had[-1].cost.units, programme, language)
    return progress_sentence(own[0], own[0].cost.units - balance, programme, language)


@dataclass(frozen=True)
class Chance:
    """A reward and a member: how often it can be had now (`ready`), and how many units are missing for the next time
    where it cannot (`missing`, else 0)."""

    reward: Reward
    missing: int
    ready: int


def chances(programme: Programme, balances: Mapping[str, int]) -> tuple[Chance, ...]:
    """Every reward of the programme as it stands for a member, in the order of the programme."""
    found = []
    for reward in programme.rewards:
        balance = balances.get(reward.cost.currency, 0)
        ready = max(0, balance) // reward.cost.units
        found.append(Chance(reward, 0 if ready else reward.cost.units - balance, ready))
    return tuple(found)
