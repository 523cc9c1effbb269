"""Owns which patterns at the tills look odd, from how many on, and how a sale and a reward make a round trip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

SCANS, GESTURES, REFUNDS, REFUSALS, ROUND_TRIPS, MINUTES = (
    "scans", "gestures", "refunds", "refusals", "round_trips", "minutes",
)  # fmt: skip
PATTERNS = (SCANS, GESTURES, REFUNDS, REFUSALS, ROUND_TRIPS)
"""Sales of one member in a day; gestures, goods taken back, gestures that a budget refused, and rewards right after the
sale that earned them, of one cashier in a day."""
PLAIN: Mapping[str, int] = {SCANS: 9, GESTURES: 5, REFUNDS: 5, REFUSALS: 3, ROUND_TRIPS: 5, MINUTES: 10}
"""From how many on a pattern is told; `minutes` is how soon after a sale its reward makes a round trip."""
LEAST, MOST = 1, 1000


def limits(kept: Mapping[str, object]) -> dict[str, int]:
    """The merchant's own numbers, and the product's for the rest."""
    found = dict(PLAIN)
    for name, value in kept.items():
        if name in found and isinstance(value, int) and LEAST <= value <= MOST:
            found[name] = value
    return found


Deed = tuple[int, int, str, datetime]
"""Who did what for whom, and when: cashier, member, `earned` or `burned`."""
EARNED, BURNED = "earned", "burned"


def round_trips(deeds: Iterable[Deed], minutes: int) -> dict[int, int]:
    """Cashier to how often they spent for a member what they had let the member earn at most so many minutes before.
    The deeds are in the order of their times."""
    last: dict[tuple[int, int], datetime] = {}
    found: dict[int, int] = defaultdict(int)
    for cashier, member, what, at in deeds:
        if what == EARNED:
            last[cashier, member] = at
        elif (earned := last.pop((cashier, member), None)) and at - earned <= timedelta(minutes=minutes):
            found[cashier] += 1
    return dict(found)
