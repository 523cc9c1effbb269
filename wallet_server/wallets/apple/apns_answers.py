"""Owns what an answer of APNs means for a device, and the judgement when many refusals mean a wrong setting instead.

Source: Apple, "Handling notification responses from APNs" (status codes, reasons, the timestamp of a 410 in
milliseconds). Pure but for the lock: no network, no clock.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

WINDOW = 200
TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){1,100}")  # Apple: the length may change, do not hard-code it


@dataclass(frozen=True, slots=True)
class Target:
    """One device to ring. `ref` is the caller's own key; `registered_at` is UTC. `owner` says whose device it is (any
    number): refusals of one owner's devices count once, so that one customer's junk cannot stop everybody's batch."""

    token: str = field(repr=False)
    registered_at: datetime
    ref: int = 0
    owner: int | None = None


class Fate(Enum):
    """What became of one target."""

    TOLD = "told"
    DEAD = "dead"  # gone for good, and APNs knows it since after the registration
    SUSPECT = "suspect"  # refused in a way that a wrong setting would cause too
    LATER = "later"
    REFUSED = "refused"  # a person must change something first


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a batch was stopped: `tokens` (too many devices refused at once) or `configuration`. For the operator."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target. `seconds` goes with LATER, `gone_at` (UTC) with a 410; `alarm` is set on everything
    that a stopped batch did not do or would not say."""

    target: Target
    fate: Fate
    seconds: float = 0.0
    why: str = ""
    gone_at: datetime | None = None
    alarm: Alarm | None = None


class Kind(Enum):
    """What an answer that is no 200 blames."""

    GONE = "gone"
    BAD_TOKEN = "bad token"  # noqa: S105 - a kind of answer, not a secret
    WRONG_TOPIC = "wrong topic"
    BUSY = "busy"
    UNWELL = "unwell"
    MISSET = "misset"


@dataclass(frozen=True, slots=True)
class Complaint:
    """An answer that is no 200, sorted."""

    kind: Kind
    reason: str
    gone_at: datetime | None = None


def sort(status: int, body: bytes) -> Complaint:
    """Sort an answer of APNs. What nobody has documented yet counts as a wrong setting when it is a 4xx (it stops and
    shouts, and forgets nobody) and as APNs being unwell otherwise."""
    reason, gone_at = _read(body)
    reason = reason or f"status {status}"
    if status == 410:
        return Complaint(Kind.GONE, reason, gone_at)
    if status == 429:
        return Complaint(Kind.BUSY, reason)
    if reason in ("BadDeviceToken", "MissingDeviceToken"):
        return Complaint(Kind.BAD_TOKEN, reason)
    if reason == "DeviceTokenNotForTopic":
        return Complaint(Kind.WRONG_TOPIC, reason)
    if not 400 <= status < 500 or reason == "IdleTimeout":
        return Complaint(Kind.UNWELL, reason)
    return Complaint(Kind.MISSET, reason)


def _read(body: bytes) -> tuple[str, datetime | None]:
    try:
        content = json.loads(body)
        reason = str(content.get("reason", ""))[:100]
        stamp = content.get("timestamp")
        return reason, datetime.fromtimestamp(int(stamp) / 1000, UTC) if stamp is not None else None
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        return "", None


class Standing:
    """The last 200 answers under one credential, over all calls and threads, and whether its refusals are believed.

    A wrong certificate or environment makes APNs refuse every device in the same words as a dead one. So when the
    devices of more than `owners_refused` owners are refused within the window (or more than `devices_gone` answer 410,
    which no healthy base does) an alarm is raised, and refusals are not believed again until a whole window has passed
    with few of them: the phones that such a setting refused first would else be forgotten one by one.
    """

    def __init__(self, owners_refused: int = 4, devices_gone: int = WINDOW // 2) -> None:
        self._owners_refused = owners_refused
        self._devices_gone = devices_gone
        self._window: deque[tuple[Kind, object] | None] = deque()
        self._refused: Counter[object] = Counter()
        self._gone = 0
        self._taken = 0
        self._doubt = False
        self._failures = 0
        self._lock = threading.Lock()

    @property
    def doubt(self) -> bool:
        return self._doubt

    @property
    def proven(self) -> bool:
        """Whether APNs took something under this credential within the window."""
        return self._taken > 0

    @property
    def failures(self) -> int:
        """How many calls in a row gave up without a single notification taken."""
        return self._failures

    def gave_up(self) -> None:
        with self._lock:
            self._failures += 1

    def took(self) -> None:
        with self._lock:
            self._failures = 0
            self._taken += 1
            self._push(None)

    def refused(self, kind: Kind, owner: object) -> Alarm | None:
        """Count a refusal that blames the device; the alarm if this one was too many."""
        with self._lock:
            if kind is Kind.GONE:
                self._gone += 1
            else:
                self._refused[owner] += 1
            self._push((kind, owner))
            if len(self._refused) <= self._owners_refused and self._gone <= self._devices_gone:
                return None
            sentence = (
                f"APNs refused the devices of {len(self._refused)} cards and called {self._gone} devices gone within "
                f"{len(self._window)} answers. A wrong certificate or environment looks like that, so the batch was "
                "stopped and no device forgotten. Check the pass type certificate of this credential set."
            )
            self._clear()
            self._doubt = True
            return Alarm("tokens", sentence)

    def _push(self, entry: tuple[Kind, object] | None) -> None:
        self._window.append(entry)
        if len(self._window) >= WINDOW:
            self._doubt = False
        if len(self._window) > WINDOW:
            self._drop(self._window.popleft())

    def _drop(self, entry: tuple[Kind, object] | None) -> None:
        if entry is None:
            self._taken -= 1
        elif entry[0] is Kind.GONE:
            self._gone -= 1
        else:
            self._refused[entry[1]] -= 1
            if self._refused[entry[1]] <= 0:
                del self._refused[entry[1]]

    def _clear(self) -> None:
        self._window.clear()
        self._refused.clear()
        self._gone = self._taken = 0
