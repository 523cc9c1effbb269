"""Owns the order in which what tills bring from a time without a network is applied, and what of it may be applied now.

Everything has one place in the order of all: when it happened by the server's clock, then till, device and the device's
own number. It is applied once no device that may still be waited for could bring something with an earlier place. So in
whatever portions, copies and interleavings it comes, the same is applied in the same order.
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
    it that was applied; `next_sequence` the first number that is missing. Nobody waits for one that is `closed`."""

    till: str
    device: str
    horizon: datetime
    next_sequence: int
    closed: bool = False
    floor: datetime | None = None
    waiting: tuple[Waiting, ...] = ()


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


def turns(device: Device) -> list[Turn]:
    """The places of what one device brought, up to the first gap; beyond it once nobody waits for the device.

    In the order of its own numbers, whatever its clock did meanwhile: nothing of it is before something that it
    numbered lower.
    """
    found: list[Turn] = []
    last = device.floor
    for one in sorted(device.waiting, key=lambda one: one.sequence):
        if one.sequence >= device.next_sequence and not device.closed:
            break
        last = one.at if last is None else max(last, one.at)
        found.append(Turn(last, device.till, device.device, one.sequence))
    return found


def ready(devices: Sequence[Device]) -> list[Turn]:
    """What may be applied now, in this order."""
    queues = {one.device: turns(one) for one in devices}
    bars = {one.device: _bar(one, queues[one.device]) for one in devices if not one.closed}
    found: list[Turn] = []
    for turn in sorted(turn for queue in queues.values() for turn in queue):
        place = (turn.at, turn.till, turn.device)
        if any(place >= bar for device, bar in bars.items() if device != turn.device):
            break
        found.append(turn)
    return found


def _bar(device: Device, queue: Sequence[Turn]) -> tuple[datetime, str, str]:
    """The earliest place that something may have which this device did not bring yet."""
    known = [device.horizon, *(turn.at for turn in queue[-1:]), *([device.floor] if device.floor else [])]
    return max(known), device.till, device.device


def waits_for(devices: Sequence[Device], window: timedelta, heard: Sequence[datetime]) -> datetime | None:
    """When the next of these devices (last `heard` of then) is not waited for any more; None where nobody waits for
    any."""
    ends = [at + window for one, at in zip(devices, heard, strict=True) if not one.closed]
    return min(ends, default=None)
