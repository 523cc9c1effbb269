"""Owns what an answer of APNs means for a device, and the judgement when many refusals mean a wrong setting instead.

Source: Apple, "Handling notification responses from APNs" (status codes, reasons, the timestamp of a 410 in
milliseconds). Pure but for the lock: no network, no clock.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

WINDOW = 200
OWNERS_TAKEN = 3  # after an alarm: so many customers' notifications taken show that the setting is right,
ENOUGH_TAKEN = 20  # or so many of however few
MOST_TOKEN_BYTES = 100  # Apple: the length may change, do not hard-code it


def is_token(text: str) -> bool:
    """Whether APNs may have given this to a device: bytes in hexadecimal digits, of either case."""
    try:
        size = len(bytes.fromhex(text))
    except ValueError:
        return False
    return 0 < size <= MOST_TOKEN_BYTES and len(text) == 2 * size  # else there is white space in it


class Target(NamedTuple):
    """One device to ring. `ref` is the caller's own key; `registered_at` is UTC. `owner` says whose device it is (any
    number): refusals of one owner's devices count once, so that one customer's junk cannot stop everybody's batch.
    `suspected`: it was refused before and has taken nothing since; it is rung after the others, and a further refusal
    of it raises no alarm."""

    token: str
    registered_at: datetime
    ref: int = 0
    owner: int | None = None
    suspected: bool = False

    def __repr__(self) -> str:
        """Without the token, which must not come into a log."""
        return f"Target(ref={self.ref}, owner={self.owner}, suspected={self.suspected})"

    @property
    def blamed(self) -> int | str:
        """Who counts for a refusal of this device."""
        return self.token.lower() if self.owner is None else self.owner


class Fate(Enum):
    """What became of one target."""

    TOLD = "told"
    DEAD = "dead"  # gone for good, and APNs knows it since after the registration
    SUSPECT = "suspect"  # refused in a way that a wrong setting would cause too
    ACCUSED = "accused"  # refused as well, but when a wrong setting was the likelier reason
    LATER = "later"
    REFUSED = "refused"  # a person must change something first


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a batch was stopped: `tokens` (too many devices refused at once) or `configuration`. For the operator."""

    kind: str
    sentence: str


class Outcome(NamedTuple):
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
    SPENT = "spent"  # the provider token is too old, says APNs: another one is worth a try
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
    if reason == "ExpiredProviderToken":
        return Complaint(Kind.SPENT, reason)
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


class _Answer(NamedTuple):
    """One answer of the window: what it blames, and whose device. A tuple, because one is made for every push."""

    kind: Kind | None
    owner: int | str


_TAKEN = _Answer(None, "")


class Standing:
    """The last 200 answers under one credential, over all calls and threads, and whether they look like a wrong
    setting.

    A wrong certificate or environment makes APNs refuse every device in the same words as a dead one. So when the
    devices of more than `owners_refused` owners are refused within the window (or more than `devices_gone` answer 410,
    which no healthy base does) an alarm is raised, and the count begins anew. A device that is suspected already never
    counts: else the same few dead ones would rest a small shop's pushes for ever.
    """

    def __init__(self, owners_refused: int = 4, devices_gone: int = WINDOW // 2) -> None:
        self._owners_refused = owners_refused
        self._devices_gone = devices_gone
        self._window: deque[_Answer] = deque()
        self._refused: Counter[int | str] = Counter()
        self._gone = 0
        self._taken = 0
        self._owners_taken: set[int | str] | None = None  # who was told since an alarm, while that is too few
        self._taken_since = 0
        self._failures = 0
        self._lock = threading.Lock()

    @property
    def doubt(self) -> bool:
        """Whether an alarm stands, so that a 410 is not taken at its word: until the notifications of three owners, or
        twenty of any, have been taken."""
        return self._owners_taken is not None

    @property
    def proven(self) -> bool:
        """Whether APNs took something under this credential within the window (and since an alarm)."""
        return self._taken > 0

    @property
    def failures(self) -> int:
        """How many calls in a row gave up without a single notification taken."""
        return self._failures

    def gave_up(self) -> None:
        with self._lock:
            self._failures += 1

    def took(self, targets: Sequence[Target]) -> None:
        """APNs took the notifications for these devices."""
        with self._lock:
            self._failures = 0
            if self._taken < WINDOW:  # else all of the window is such already, as nearly always
                for _ in targets[-WINDOW:]:
                    self._push(_TAKEN)
            if self._owners_taken is not None:
                self._owners_taken.update(target.blamed for target in targets)
                self._taken_since += len(targets)
                if len(self._owners_taken) >= OWNERS_TAKEN or self._taken_since >= ENOUGH_TAKEN:
                    self._owners_taken = None

    def refused(self, kind: Kind, target: Target) -> Alarm | None:
        """Count a refusal that blames the device; the alarm if this one was too many."""
        if target.suspected:
            return None
        with self._lock:
            self._push(_Answer(kind, target.blamed))
            if len(self._refused) <= self._owners_refused and self._gone <= self._devices_gone:
                return None
            sentence = (
                f"APNs refused the devices of {len(self._refused)} cards and called {self._gone} devices gone within "
                f"{len(self._window)} answers. A wrong certificate or environment looks like that, so the batch was "
                "stopped and no device forgotten. Check the pass type certificate of this credential set."
            )
            self._begin_anew()
            return Alarm("tokens", sentence)

    def _begin_anew(self) -> None:
        self._window.clear()
        self._refused.clear()
        self._gone = self._taken = self._taken_since = 0
        self._owners_taken = set()

    def _push(self, answer: _Answer) -> None:
        self._window.append(answer)
        self._count(answer, 1)
        if len(self._window) > WINDOW:
            self._count(self._window.popleft(), -1)

    def _count(self, answer: _Answer, by: int) -> None:
        if answer.kind is None:
            self._taken += by
        elif answer.kind is Kind.GONE:
            self._gone += by
        else:
            self._refused[answer.owner] += by
            if self._refused[answer.owner] <= 0:
                del self._refused[answer.owner]
