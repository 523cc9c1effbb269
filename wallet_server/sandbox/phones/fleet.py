"""Owns a crowd of simulated iPhones in one event loop: one connection pool, who has which push token, what happened."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from wallet_server.sandbox.passes import Trust
from wallet_server.sandbox.phones.model import Behaviour, Event, Sample, World
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.sandbox.phones.store import PhoneStore
from wallet_server.sandbox.phones.webservice import Line, WebClient

MAX_PHONES = 100_000
KEPT_SAMPLES = 200_000
QUEUE_EVENTS = 256


@dataclass(frozen=True)
class Notice:
    """An event of one phone. `lost` counts the events this subscriber missed before it, because it was too slow."""

    device_id: str
    event: Event
    lost: int = 0


class Subscription:
    """A bounded stream of what happens. A slow reader loses the oldest events and is told how many."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(QUEUE_EVENTS)
        self._lost = 0

    def put(self, notice: Notice) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self._lost += 1
        self._queue.put_nowait(notice)

    async def next(self, timeout_seconds: float) -> Notice | None:
        """The next event, or None after that many seconds of silence."""
        try:
            notice = await asyncio.wait_for(self._queue.get(), timeout_seconds)
        except TimeoutError:
            return None
        return self._with_lost(notice)

    def next_now(self) -> Notice | None:
        """The next event if it is there already."""
        return None if self._queue.empty() else self._with_lost(self._queue.get_nowait())

    def _with_lost(self, notice: Notice) -> Notice:
        lost, self._lost = self._lost, 0
        return replace(notice, lost=lost) if lost else notice


class Fleet:
    """All phones of a process. Use as `async with`; `root_pem` is the certificate that the phones trust.

    With `folder` the phones are kept there as JSON and .pkpass files, and are there again after a restart.
    """

    def __init__(
        self,
        root_pem: bytes,
        *,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 - frozen
        line: Line = Line(),  # noqa: B008 - frozen
        folder: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self._behaviour = behaviour
        self._web = WebClient(line)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []
        self._phones: dict[str, Phone] = {}
        self._by_token: dict[str, Phone] = {}
        self._gone: dict[str, datetime] = {}
        self._store = PhoneStore(folder) if folder else None
        self._world = World(
            web=self._web,
            trust=Trust(root_pem, now),
            tell=self._heard,
            measure=self.samples.append,
            spawn=self.spawn,
            monotonic=time.monotonic,
            now=now,
        )

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        if self._store is not None:
            for device_id, push_token, fill in await asyncio.to_thread(self._store.load):
                fill(self._enter(device_id, push_token, self._behaviour))
            self._store.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._store is not None:
            await self._store.stop()
        await self._web.__aexit__()

    # Phones

    @property
    def phones(self) -> Mapping[str, Phone]:
        """All phones by device library id, in the order they were added."""
        return self._phones

    def add_phone(self, language: str = "en", name: str = "", behaviour: Behaviour | None = None) -> Phone:
        """A new phone out of the box. Raises ValueError when the fleet is full."""
        if len(self._phones) >= MAX_PHONES:
            raise ValueError(f"A fleet holds at most {MAX_PHONES} phones.")
        phone = self._enter(secrets.token_hex(16), secrets.token_hex(32), behaviour or self._behaviour)
        phone.language, phone.name = language, name
        return phone

    def _enter(self, device_id: str, push_token: str, behaviour: Behaviour) -> Phone:
        phone = Phone(device_id, push_token, self._world, behaviour)
        self._phones[device_id] = self._by_token[push_token] = phone
        return phone

    def remove_phone(self, device_id: str) -> None:
        """Throw a phone into the sea: nobody is told, its push token is dead from now on."""
        phone = self._phones.pop(device_id)
        self._retire(phone)
        phone.offline()
        if self._store is not None:
            self._store.forget(device_id)

    async def restore(self, device_id: str, push_token: str | None = None) -> None:
        """Restore a phone from its backup: the old push token is dead, every pass registers with the new one."""
        phone = self._phones[device_id]
        self._retire(phone)
        fresh = push_token or secrets.token_hex(32)
        self._by_token[fresh] = phone
        await phone.restored(fresh)

    # Pushes

    async def push(self, token: str, topic: str, expires_at: float | None = None) -> bool:
        """Hand a push to the phone with this token. False: no phone has it, which APNs calls Unregistered (410).

        `expires_at` is apns-expiration: Unix seconds, 0 for "now or never", None when the header was not sent.
        """
        self.counters["pushes"] += 1
        phone = self._by_token.get(token.lower())
        if phone is None:
            self.counters["unknown_tokens"] += 1
            return False
        phone.receive_push(topic, expires_at)
        return True

    async def on_push(self, token: str, topic: str, headers: Mapping[str, str], _payload: bytes = b"") -> None:
        """The hook of an APNs server in the same loop. The payload is ignored, as Wallet ignores it."""
        expiration = headers.get("apns-expiration", "")
        await self.push(token, topic, float(expiration) if expiration.isdigit() else None)

    def known_token(self, token: str) -> bool | datetime:
        """What APNs knows of a token: True, False (never seen), or since when its phone is gone."""
        token = token.lower()
        return token in self._by_token or self._gone.get(token, False)

    def _retire(self, phone: Phone) -> None:
        if self._by_token.pop(phone.push_token, None) is not None and len(self._gone) < MAX_PHONES:
            self._gone[phone.push_token] = self._world.now()

    # What happens

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Follow the events of all phones from now on."""
        subscription = Subscription()
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    async def settle(self, timeout_seconds: float = 30.0) -> None:
        """Wait until no phone has anything left to do. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while self._tasks:
                await asyncio.wait(set(self._tasks))

    def _heard(self, device_id: str, event: Event) -> None:
        self.counters[_COUNTED.get(event.kind, event.kind)] += 1
        if event.kind == "get" and event.text.endswith("304"):
            self.counters["not_modified"] += 1
        for subscription in self._subscriptions:
            subscription.put(Notice(device_id, event))
        phone = self._phones.get(device_id)
        if self._store is not None and phone is not None:
            self._store.mark(phone)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let a phone do something in the background; `settle` waits for it, the end of the fleet cancels it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.counters["crashes"] += 1
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a simulated phone failed", "exception": task.exception(), "task": task}
            )


_COUNTED = {
    "push": "received",
    "list": "lists",
    "get": "gets",
    "alert": "alerts",
    "error": "errors",
    "updated": "updates",
    "log": "complaints",
    "refused": "refusals",
}
