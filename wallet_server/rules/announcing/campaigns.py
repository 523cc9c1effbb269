"""Owns how long it takes until cards that are pushed have all been told, one by one, at the rate of their issuer.

What a card costs is what the vendor's interface asks for: news that ring are a look and a message (so that none is sent
twice), and one request more where older news stand there; what goes silently is one request, like any other change.
"""

from __future__ import annotations

from dataclasses import dataclass

LOUD, ANEW, SILENT = 2, 1, 1
SOON_SECONDS = 3600.0
"""Card by card is no matter if everybody is told within the hour."""


@dataclass(frozen=True)
class Work:
    """So many cards, among them those that show news already, and those that will be told silently."""

    cards: int
    with_news: int = 0
    silent: int = 0

    @property
    def requests(self) -> int:
        """How many requests they cost in all; `with_news` are none of the silent ones."""
        return LOUD * (self.cards - self.silent) + ANEW * self.with_news + SILENT * self.silent


def seconds(work: Work, waiting: int, per_second: float) -> float:
    """Until the last of them is told, behind `waiting` other requests."""
    return (work.requests + max(0, waiting)) / per_second


def in_time(work: Work, waiting: int, per_second: float, within_seconds: float) -> int:
    """How many of them are told within so many seconds."""
    if work.cards == 0:
        return 0
    left = max(0.0, within_seconds * per_second - max(0, waiting))
    return min(work.cards, int(left * work.cards / work.requests))
