"""Owns the order in which what tills bring from a time without a network is applied, and what of it may be applied now.

Everything has one place in the order of all: when it happened by the server's clock, then till, device and the device's
own number. It is applied once no device that may still be waited for could bring something with an earlier place. So in
whatever portions, copies and interleavings it comes, the same is applied in the same order; and whatever is missing is
waited for so long and no longer (`Patience`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, order=True)
class Turn:
    """The place of an event in the order of all."""

    at: datetime
    till: str
    device: str
    sequence: int


@dataclass(frozen=True)
class Waiting:
    """An event that was received and not applied yet; `at` is when it happened, by the server's clock."""

    sequence: int
    at: datetime


@dataclass(frozen=True)
class Device:
    """What is known of one. `horizon` is when it last had brought everything; `floor` the place in time of the last of
    it that was applied; `next_sequence` the first number that is missing, and `missing_since` when the first came that
    is numbered higher. One that has `ended` brings nothing any more; `more`: more of it waits than is listed here."""

    till: str
    device: str
    horizon: datetime
    next_sequence: int
    ended: bool = False
    floor: datetime | None = None
    waiting: tuple[Waiting, ...] = ()
    missing_since: datetime | None = None
    more: bool = False


@dataclass(frozen=True)
class Patience:
    """For how long is waited for something, as of the time `at`.

    A device is waited for since it last had brought everything, whether it is silent since or goes on being heard of
    with a number missing; its own later numbers wait for that one since the first of them came. So nothing waits for
    longer than the window after it came.
    """

    window: timedelta
    at: datetime

    def is_over(self, since: datetime) -> bool:
        """Whether something that is missing since then is waited for no more."""
        return since + self.window <= self.at

    def others_wait(self, device: Device) -> bool:
        """Whether what others brought waits for this device."""
        return not device.ended and not self.is_over(device.horizon)

    def waits_itself(self, device: Device) -> bool:
        """Whether what this device brought beyond a gap waits for the number that is missing."""
        return not device.ended and (device.missing_since is None or not self.is_over(device.missing_since))


def skew(clock: datetime | None, now: datetime) -> timedelta:
    """How far a device's clock is ahead of ours, which shows `now`; none where it did not say. What its message took to
    come counts as being behind: less than a second, mostly."""
    return timedelta(0) if clock is None else clock - now


def happened(said: datetime, ahead: timedelta, since: datetime, now: datetime) -> datetime:
    """When something happened by our clock: what the device says, less what its clock is `ahead`, and never before it
    last had brought everything (`since`) nor after `now`."""
    try:
        corrected = said - ahead
    except OverflowError:
        corrected = since
    return min(max(corrected, since), now)


def next_sequence(first_missing: int, received: Iterable[int]) -> int:
    """The first number that is missing, once these were received too."""
    have = set(received)
    while first_missing in have:
        first_missing += 1
    return first_missing


def turns(device: Device, patience: Patience) -> list[Turn]:
    """The places of what one device brought, up to the first gap; beyond it once that is waited for no more.

    In the order of its own numbers, whatever its clock did meanwhile: nothing of it is before something that it
    numbered lower.
    """
    found: list[Turn] = []
    last = device.floor
    for one in sorted(device.waiting, key=lambda one: one.sequence):
        if one.sequence >= device.next_sequence and patience.waits_itself(device):
            break
        last = one.at if last is None else max(last, one.at)
        found.append(Turn(last, device.till, device.device, one.sequence))
    return found


def ready(devices: Sequence[Device], patience: Patience) -> list[Turn]:
    """What may be applied now, in this order."""
    queues = {one.device: turns(one, patience) for one in devices}
    bars = {one.device: bar for one in devices if (bar := _bar(one, queues[one.device], patience)) is not None}
    found: list[Turn] = []
    for turn in sorted(turn for queue in queues.values() for turn in queue):
        place = (turn.at, turn.till, turn.device)
        if any(place >= bar for device, bar in bars.items() if device != turn.device):
            break
        found.append(turn)
    return found


def _bar(device: Device, queue: Sequence[Turn], patience: Patience) -> tuple[datetime, str, str] | None:
    """The earliest place that something of this device may have which is not among these; None where nobody waits."""
    if device.more and queue and len(queue) == len(device.waiting):
        return queue[-1].at, device.till, device.device  # what is not listed comes right after, however old
    if not patience.others_wait(device):
        return None
    known = [device.horizon, *(turn.at for turn in queue[-1:]), *([device.floor] if device.floor else [])]
    return max(known), device.till, device.device


def waits_for(devices: Sequence[Device], patience: Patience) -> datetime | None:
    """When the next of what is waited for will be waited for no more; None where nobody waits for anything."""
    ends = [one.horizon + patience.window for one in devices if patience.others_wait(one)]
    gaps = [one.missing_since + patience.window for one in devices if one.missing_since and patience.waits_itself(one)]
    return min([*ends, *gaps], default=None)
