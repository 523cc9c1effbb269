"""Owns what of the catalogue can be had now: stock, how often one member may have a reward, and the giving of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from wallet_server.errors import Conflict, Invalid
from wallet_server.records.database import Tx
from wallet_server.records.purse import rewards
from wallet_server.rules.baskets.occasions import window
from wallet_server.rules.programme.program import Programme, Reward


@dataclass(frozen=True)
class Left:
    """How often a reward can still be had: by all (`stock`), by this member (`limit`, and from when on again); None
    where it is not bounded."""

    stock: int | None = None
    limit: int | None = None
    until: datetime | None = None

    @property
    def most(self) -> int | None:
        """How often at most, None for ever so often."""
        known = [count for count in (self.stock, self.limit) if count is not None]
        return min(known) if known else None


def left(tx: Tx, programme: Programme, programme_id: int, member_id: int, at: datetime, zone: str) -> dict[str, Left]:
    """Reward to what is left of it, of those that are bounded; costs no statement where none is."""
    bounded = [one for one in programme.rewards if one.stock is not None or one.limit is not None]
    given = rewards.given(tx, programme_id) if any(one.stock is not None for one in bounded) else {}
    found = {}
    for one in bounded:
        stock = None if one.stock is None else max(0, one.stock - given.get(one.code, 0))
        limit, until = _limit(tx, one, member_id, at, zone)
        found[one.code] = Left(stock, limit, until)
    return found


def _limit(tx: Tx, reward: Reward, member_id: int, at: datetime, zone: str) -> tuple[int | None, datetime | None]:
    if reward.limit is None:
        return None, None
    if reward.limit.window == "sale":
        return reward.limit.count, None
    span = window(reward.limit.window, at, zone)
    had = rewards.uses(tx, member_id, reward.code, span)
    return max(0, reward.limit.count - had), None if span is None else span[1]


def known(programme: Programme, code: str) -> Reward:
    """The reward of this code. Raises `Invalid` (`unknown-reward`)."""
    reward = programme.reward(code)
    if reward is None:
        raise Invalid(f"This programme has no reward called {code}.", code="unknown-reward", field="reward")
    return reward


def demand(
    tx: Tx, programme_id: int, member_id: int, wanted: Mapping[str, tuple[Reward, int]], at: datetime, zone: str
) -> None:
    """Whether a member who is held may have these rewards, so many times each. Raises `Conflict` (`out-of-stock`,
    `limit-reached`)."""
    stocked = any(reward.stock is not None for reward, _ in wanted.values())
    given = rewards.given(tx, programme_id) if stocked else {}
    for code, (reward, times) in wanted.items():
        if reward.stock is not None and given.get(code, 0) + times > reward.stock:
            raise _out_of_stock(reward)
        limit, until = _limit(tx, reward, member_id, at, zone)
        if limit is not None and times > limit:
            raise _limit_reached(reward, until)


def claim(
    tx: Tx, programme: Programme, programme_id: int, member_id: int, code: str, at: datetime, zone: str
) -> dict[str, str | int]:
    """Give one of these rewards to a member who is held; what its entry says of it. Raises as `known`, `demand` and
    `take` do."""
    wanted = {code: (known(programme, code), 1)}
    demand(tx, programme_id, member_id, wanted, at, zone)
    take(tx, programme_id, wanted)
    return said(wanted[code][0])


def said(reward: Reward) -> dict[str, str | int]:
    """What the entry of a reward says of it: its code, and whether it was counted in the stock."""
    return {"reward": reward.code} | ({"stocked": 1} if reward.stock is not None else {})


def take(tx: Tx, programme_id: int, wanted: Mapping[str, tuple[Reward, int]]) -> None:
    """Count these as given, in the order of their codes: until the end whoever wants the same waits. Raises `Conflict`
    (`out-of-stock`)."""
    for _, (reward, times) in sorted(wanted.items()):
        if reward.stock is not None:
            for _ in range(times):
                if not rewards.take(tx, programme_id, reward.code, reward.stock):
                    raise _out_of_stock(reward)


def give_back(tx: Tx, programme_id: int, codes: Iterable[str]) -> None:
    """What was given comes back: it is in stock again. How often a member had it follows from the books."""
    for code in sorted(codes):
        rewards.give_back(tx, programme_id, code)


def _out_of_stock(reward: Reward) -> Conflict:
    sentence = "This reward has all been given; offer the member another one."
    return Conflict(sentence, code="out-of-stock", field="reward", facts={"reward": reward.code})


def _limit_reached(reward: Reward, until: datetime | None) -> Conflict:
    facts: dict[str, str | int] = {"reward": reward.code}
    sentence = "This member has had this reward as often as it is given."
    if until is not None:
        facts["until"] = until.isoformat()
        sentence = "This member has had this reward as often as it is given for now; it can be had again later."
    return Conflict(sentence, code="limit-reached", field="reward", facts=facts)
