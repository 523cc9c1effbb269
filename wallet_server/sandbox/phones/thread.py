"""Owns a fleet for callers that have no event loop: the same phones, driven from plain threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self, TypeVar

from wallet_server.sandbox.phones.fleet import Fleet
from wallet_server.sandbox.phones.phone import Phone

T = TypeVar("T")
START_SECONDS = 30.0


class FleetThread:
    """Runs a fleet in a thread with a loop of its own. Use as `with FleetThread(lambda: Fleet(root_pem)) as fleet`.

    `run` takes any coroutine of a phone or the fleet; `call` runs a plain function on the loop.
    """

    def __init__(self, make: Callable[[], Fleet]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="phones", daemon=True)
        self._fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        if self._fleet is None:
            raise RuntimeError("the fleet is used as `with FleetThread(...)`")
        return self._fleet

    def __enter__(self) -> Self:
        self._thread.start()
        self._fleet = self.run(self._begin(), START_SECONDS)
        return self

    async def _begin(self) -> Fleet:
        return await self._make().__aenter__()

    def __exit__(self, *exc: object) -> None:
        try:
            if self._fleet is not None:
                self.run(self._fleet.__aexit__(), START_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_SECONDS)
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], timeout_seconds: float = 60.0) -> T:
        """Run a coroutine on the loop of the fleet and wait for it. Raises TimeoutError."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_seconds)
        except TimeoutError:
            future.cancel()
            raise

    def call(self, function: Callable[..., T], *args: object, **named: object) -> T:
        """Run a plain function on the loop, where all phones live."""

        async def on_loop() -> T:
            return function(*args, **named)

        return self.run(on_loop())

    def add_phone(self, language: str = "en", name: str = "") -> Phone:
        return self.call(self.fleet.add_phone, language, name)

    def open(self, phone: Phone, url: str) -> None:
        """Tap a link on the phone; see Phone.open."""
        self.run(phone.open(url))

    def push(self, token: str, topic: str, expires_at: float | None = None) -> bool:
        """Fleet.push, from another thread, as an APNs server there would call it."""
        return self.run(self.fleet.push(token, topic, expires_at))

    def on_push(self, token: str, topic: str, headers: Mapping[str, str], payload: bytes = b"") -> None:
        """The hook of an APNs server in any other thread: hands the push over and does not wait."""
        asyncio.run_coroutine_threadsafe(self.fleet.on_push(token, topic, headers, payload), self._loop)

    def settle(self, timeout_seconds: float = 30.0) -> None:
        self.run(self.fleet.settle(timeout_seconds), timeout_seconds + 5)

    def until(self, phone: Phone, condition: Callable[[Phone], bool], timeout_seconds: float = 10.0) -> None:
        """Wait until the condition holds for the phone. Raises TimeoutError."""
        self.run(phone.until(condition, timeout_seconds), timeout_seconds + 5)
