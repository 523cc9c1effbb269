"""Owns the Android phones of a sandbox: they live beside the simulated Google, in its loop, and outlive a restart."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import orjson

from wallet_server.sandbox.google import links
from wallet_server.sandbox.google.links import NoSaveLink
from wallet_server.sandbox.google.phone import AndroidPhone, Held, Notification, SaveRefused
from wallet_server.sandbox.google.server import GoogleServer
from wallet_server.sandbox.google.shelf import Change, class_kind
from wallet_server.sandbox.phones.webservice import Names

MAX_PHONES = 10_000
MAX_PICTURE_BYTES = 2 * 1024 * 1024
KEPT_PICTURES = 200
REQUEST_SECONDS = 20.0
FLUSH_SECONDS = 1.0
FILE = "androids.json"
Result = TypeVar("Result")
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")


class AndroidFleet:
    """All Android phones of a server. Use as `async with AndroidFleet(google)`, in the server's loop, while the server
    runs. `changes` counts everything that happened, `counters` by kind; `listener`, if set, hears of each. `tls` is
    what the phones trust besides the system's roots, `names` the names (to addresses) that they alone know."""

    def __init__(
        self,
        google: GoogleServer,
        *,
        folder: Path | None = None,
        tls: ssl.SSLContext | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.google = google
        self.phones: dict[str, AndroidPhone] = {}
        self.counters: Counter[str] = Counter()
        self.changes = 0
        self.listener: Callable[[AndroidPhone, str], None] | None = None
        self._folder, self._tls, self._names = folder, tls, dict(names or {})
        self._kept = b""
        self._pictures: dict[str, tuple[str, bytes]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls or True, resolver=Names(self._names)),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        if self._folder is not None:
            with suppress(OSError, ValueError, KeyError, TypeError):
                self._take(orjson.loads((self._folder / FILE).read_bytes()))
        self.google.shelf.listeners.append(self._heard)
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.google.shelf.listeners.remove(self._heard)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.keep()
        if self._session is not None:
            await self._session.close()

    @contextmanager
    def in_thread(self) -> Iterator[AndroidFleet]:
        """For callers outside the server's loop, while `google.in_thread()` runs. Coroutines of phones go through
        `google.run(phone.open(url))`, everything else through `call`."""
        self.google.run(self.__aenter__())
        try:
            yield self
        finally:
            self.google.run(self.__aexit__())

    def call(self, deed: Callable[..., Result], *args: object) -> Result:
        """Run a plain function, such as `fleet.add_phone` or `phone.remove`, in the server's loop, from another
        thread, and wait for it."""

        async def in_loop() -> Result:
            return deed(*args)

        return self.google.run(in_loop())

    def add_phone(self, language: str = "en", name: str = "") -> AndroidPhone:
        """A new phone with an account of its own. Raises ValueError when the fleet is full."""
        if len(self.phones) >= MAX_PHONES:
            raise ValueError(f"A fleet holds at most {MAX_PHONES} phones.")
        phone = self._enter(secrets.token_hex(16))
        phone.language, phone.name = language, name
        self.told(phone, "added")
        return phone

    def remove_phone(self, device_id: str) -> None:
        """Throw a phone into the sea. Google is not told: its account still holds the passes."""
        self.told(self.phones.pop(device_id), "discarded")

    async def follow(self, url: str, language: str) -> str:
        """The JWT of the save link behind an address. Raises SaveRefused."""
        try:
            return await links.follow(self._open_session(), url, language)
        except NoSaveLink as fault:
            raise SaveRefused(str(fault)) from fault

    async def picture(self, url: str) -> tuple[str, bytes] | None:
        """Media type and bytes of a picture of a card, as Google would fetch it; None when there is none."""
        known = self._pictures.get(url)
        if known is not None:
            return known
        try:
            async with self._open_session().get(url) as answer:
                raw = await answer.content.read(MAX_PICTURE_BYTES + 1)
                if answer.status != 200 or answer.content_type not in PICTURES or len(raw) > MAX_PICTURE_BYTES:
                    return None
                found = answer.content_type, raw
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None
        if len(self._pictures) >= KEPT_PICTURES:
            self._pictures.clear()
        self._pictures[url] = found
        return found

    def told(self, phone: AndroidPhone, kind: str) -> None:
        """Something happened on a phone."""
        self.changes += 1
        self.counters[kind] += 1
        if self.listener is not None:
            self.listener(phone, kind)

    def keep(self) -> None:
        """Write the phones into the folder, if there is one and something changed."""
        if self._folder is None:
            return
        content = orjson.dumps([_picture(phone) for phone in self.phones.values()])
        if content == self._kept:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"{FILE}.part"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(self._folder / FILE)
        self._kept = content

    async def _keep(self) -> None:
        while self._folder is not None:
            await asyncio.sleep(FLUSH_SECONDS)
            self.keep()

    def _heard(self, change: Change) -> None:
        shelf = self.google.shelf
        if change.kind.endswith("Object"):
            stored = shelf.find(change.kind, change.id)
            holders = dict.fromkeys(stored.holders) if stored else {}
        else:
            holders = {holder: None for one in shelf.members(change.id) for holder in one.holders}
        for holder in holders:
            phone = self.phones.get(holder)
            if phone is not None:
                phone.hear(change)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the fleet is used as `async with AndroidFleet(...)`")
        return self._session

    def _enter(self, device_id: str) -> AndroidPhone:
        phone = self.phones[device_id] = AndroidPhone(self, device_id)
        return phone

    def _take(self, pictures: list[dict[str, Any]]) -> None:
        for one in pictures[:MAX_PHONES]:
            phone = self._enter(one["id"])
            phone.name, phone.language, phone.is_online = one["name"], one["language"], one["online"]
            phone.notifications = one["notifications"]
            for kind, object_id, notifications in one["cards"]:
                stored = self.google.shelf.find(kind, object_id)
                if stored is not None:
                    above = self.google.shelf.find(class_kind(kind), stored.class_id)
                    held = Held(kind, dict(stored.body), dict(above.body) if above else {}, notifications)
                    phone.cards[object_id] = held
            for at, *rest in one["lock_screen"]:
                phone.lock_screen.append(Notification(datetime.fromisoformat(at), *rest))


def _picture(phone: AndroidPhone) -> dict[str, Any]:
    return {
        "id": phone.device_id,
        "name": phone.name,
        "language": phone.language,
        "online": phone.is_online,
        "notifications": phone.notifications,
        "cards": [[held.kind, held.id, held.notifications] for held in phone.cards.values()],
        "lock_screen": [[one.at.isoformat(), one.title, one.text, one.object_id] for one in phone.lock_screen],
    }
