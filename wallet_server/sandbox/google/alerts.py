"""Owns which changes ring a phone, and how often in a day: three times for each object and for each class.

Which fields ring is what Google lists for loyalty passes ("trigger push notifications"). Whether messages and updates
share the three, and whether those of a class count for its objects, is not on record: here all count together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

MOST = 3
WINDOW = timedelta(hours=24)

RINGING: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "loyaltyObject": (("loyaltyPoints", "balance"), ("secondaryLoyaltyPoints", "balance")),
    "loyaltyClass": (("rewardsTier",), ("secondaryRewardsTier",), ("programName",)),
}


def rung_by(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """The first field that changed and rings, as a dotted path."""
    for path in RINGING.get(kind, ()):
        if _at(before, path) != _at(after, path):
            return ".".join(path)
    return None


def left(spent: deque[datetime], now: datetime) -> int:
    """How many alerts are left today; forgets those of yesterday."""
    while spent and spent[0] <= now - WINDOW:
        spent.popleft()
    return MOST - len(spent)


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
