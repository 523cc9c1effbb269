"""Owns the plain parts of a simulated phone: its habits, its cards, the record of what happened."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wallet_server.sandbox.passes import Pass, Trust
from wallet_server.sandbox.phones.webservice import WebClient

Key = tuple[str, str]  # pass type, serial: what Wallet knows a pass by


@dataclass(frozen=True)
class Retry:
    """How often a request is tried and how long the pauses may grow; each is drawn between half and whole.

    Apple documents no policy. With these numbers a phone gives up after about a minute, and asks again when
    something wakes it: a push, coming back online, a reboot. Retry-After is not read: nothing says that iOS does.
    """

    attempts: int = 8
    first_seconds: float = 0.5
    limit_seconds: float = 30.0


@dataclass(frozen=True)
class Throttle:
    """After so many pushes within the window the phone stops fetching, as is reported of phones under test."""

    pushes: int = 30
    window_seconds: float = 1800.0


@dataclass(frozen=True)
class Behaviour:
    """The habits of a phone. `head_every` n sends a HEAD before each nth fetch; 0 never does.

    `debounce_seconds` is the pause in which further pushes for the same pass type become one question.
    """

    debounce_seconds: float = 0.2
    retry: Retry = Retry()
    throttle: Throttle | None = None
    head_every: int = 0
    time_zone: str = "UTC"


@dataclass(frozen=True)
class Event:
    """Something that happened on a phone, in words, with the pass it concerns."""

    at: datetime
    kind: str
    text: str
    key: Key | None = None


@dataclass
class Card:
    """A pass in the wallet and the phone's own notes about it.

    `owed`: the server listed it and it has not been fetched yet. `updated_at` is monotonic seconds.
    """

    file: Pass
    last_modified: str | None = None
    registered: bool = False
    refused: bool = False
    owed: bool = False
    notifications: bool = True
    automatic_updates: bool = True
    updated_at: float | None = None

    @property
    def key(self) -> Key:
        return self.file.pass_type, self.file.serial


@dataclass
class Settings:
    """The switches in the phone's settings; each card has its own two besides."""

    notifications: bool = True
    automatic_updates: bool = True


@dataclass(frozen=True)
class Sample:
    """One update: the first push that announced it and the moment the new pass was in the wallet, monotonic seconds."""

    device_id: str
    key: Key
    pushed_at: float
    updated_at: float


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class World:
    """What a phone needs of its surroundings: the network, the trusted root, time, and somebody to tell."""

    web: WebClient
    trust: Trust
    tell: Callable[[str, Event], None]
    measure: Callable[[Sample], None]
    spawn: Callable[[Coroutine[Any, Any, None]], Any]
    monotonic: Callable[[], float]
    now: Callable[[], datetime] = field(default=_utc_now)
