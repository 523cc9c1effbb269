"""Owns what is seen of the phones while baskets are replayed: when each showed how many points."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.replay.phones import Android, Carried, points_of
from benchmarks.replay.tills import Answered
from tests.stories.stage import shown
from wallet_server.sandbox.google import GoogleServer
from wallet_server.sandbox.google.shelf import Change
from wallet_server.sandbox.phones.fleet import Fleet, Notice


@dataclass(frozen=True)
class Showing:
    """From this moment (monotonic seconds) on, a phone showed so many points."""

    at: float
    points: int


Seen = dict[str, list[Showing]]


@contextmanager
def watching(fleet: Fleet, phones: Iterable[Carried], google: GoogleServer) -> Iterator[Seen]:
    """Every showing of every phone by device id, from now until the block ends."""
    seen: Seen = {}
    androids = {phone.card: phone for phone in phones if isinstance(phone, Android)}

    def changed(change: Change) -> None:
        # The phones heard of it before: they began to listen before this did.
        phone = androids.get(change.id)
        points = None if phone is None else points_of(phone.phone.cards[phone.card].body)
        if phone is not None and points is not None:
            seen.setdefault(phone.device_id, []).append(Showing(time.monotonic(), points))

    def heard(notice: Notice) -> None:
        if notice.event.kind == "updated":
            points = int(shown(fleet.phones[notice.device_id], "points"))
            seen.setdefault(notice.device_id, []).append(Showing(time.monotonic(), points))

    with fleet.subscribe() as subscription:
        # A subscription keeps a bounded queue and loses what its reader is too slow for; here nothing may be lost.
        subscription.put = heard  # type: ignore[method-assign]
        google.shelf.listeners.append(changed)
        try:
            yield seen
        finally:
            google.shelf.listeners.remove(changed)


@dataclass(frozen=True)
class Latencies:
    """Seconds from a sale's answer at the till to the phone showing it: of every sale that earned points, and of
    those that no coalescing window held back."""

    every: Sequence[float]
    unheld: Sequence[float]


def latencies(
    answers: Sequence[Answered], phones: Mapping[int, Carried], seen: Mapping[str, Sequence[Showing]], window: float
) -> Latencies:
    """Join sales and showings; `window` is the coalescing window in seconds, `answers` in the order they came.

    A sale counts as unheld when, as it was sent, its phone showed every earlier sale and had not changed for a whole
    window: then the product owes it a refresh at once.
    """
    every: list[float] = []
    unheld: list[float] = []
    earlier_shown: dict[int, float] = {}
    for answer in answers:
        showings = seen.get(phones[answer.household].device_id, ())
        at = next((s.at for s in showings if s.points >= answer.points), None)
        if not answer.earned or at is None:
            continue
        took = max(0.0, at - answer.answered_at)
        every.append(took)
        before = bisect_right(showings, answer.begun_at, key=lambda s: s.at)
        changed_at = showings[before - 1].at if before else float("-inf")
        if max(changed_at + window, earlier_shown.get(answer.household, 0.0)) <= answer.begun_at:
            unheld.append(took)
        earlier_shown[answer.household] = at
    return Latencies(every, unheld)
