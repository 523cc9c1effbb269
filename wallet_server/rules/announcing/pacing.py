"""Owns the pace of a mass change: how many cards may be told in a second, by what the server has just shown it can do.

Phones that are told come back within seconds and each wants a freshly signed card: faster than the server can serve
them nothing is won, and whoever stands at a till waits behind them. So the pace grows by a quarter each second while
the server is at ease, and falls back below what it serves as soon as requests begin to wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOOK_BACK = 2
"""Whole seconds that are looked at: one alone would follow every hiccup."""
FIRST = 100
GROWTH = 1.25
CROWDED = 2.0
EASE = 0.75
STEPS = 4


@dataclass(frozen=True)
class Second:
    """One whole second of all processes together: cards told, cards fetched, and requests in hand on average."""

    told: int
    served: int
    in_hand: float


def per_second(before: Sequence[Second], servers: int, ceiling: int) -> int:
    """How many cards may be told in this second, after the `LOOK_BACK` seconds before it (the latest last).

    `servers` is the number of server processes: each does one thing at a time without anybody waiting. Never below
    one card, and never above `ceiling`.
    """
    seen = before[-LOOK_BACK:]
    if not seen:
        return max(1, min(FIRST, ceiling))
    in_hand = sum(s.in_hand for s in seen) / len(seen)
    if in_hand > CROWDED * servers:
        served = sum(s.served for s in seen) / len(seen)
        return max(1, min(ceiling, int(served * EASE)))
    told = max(s.told for s in seen)
    return max(1, min(ceiling, max(FIRST, int(told * GROWTH))))


def allowance(rate: int, told: int, into: float) -> int:
    """How many may be told just now, `into` (0 to 1) a second of which `told` have been: spread over it in quarters, so
    that a second's share does not go out in its first moment, and no batch is so small that its transactions cost more
    than its cards."""
    quarters = min(STEPS, int(into * STEPS) + 1)
    return max(0, rate * quarters // STEPS - told)
