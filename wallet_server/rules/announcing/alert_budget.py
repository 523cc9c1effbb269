"""Owns how many alerts a card may still raise: three in any 24 hours, what happens at the counter first.

Google: three notifying messages and three notifying updates for each pass in 24 hours; it leaves open whether they
share them, so one allowance serves both ("Trigger push notifications").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

MOST = 3
WINDOW = timedelta(hours=24, minutes=1)
"""A day, and a minute for two clocks and a slow answer: the vendor counts from when it took an alert."""
FOR_THE_COUNTER = 1
"""Alerts that news and messages leave to what happens at the counter."""
COUNTER = frozenset({"points", "tier"})
"""The facets that a sale, a reward or a reversal changes."""


def left(spent: Iterable[datetime], what: str, now: datetime) -> int:
    """How many more alerts of this kind (a facet, or anything else for a message) may go out just now: those spent are
    of one card, by times (UTC) at which the vendor took them."""
    lately = sum(now - WINDOW < at for at in spent)
    return max(0, MOST - lately - (0 if what in COUNTER else FOR_THE_COUNTER))
