"""Owns one simulated Android app that reads Apple's passes, such as WalletPasses: Apple's protocol under a scheme of
its own, and no push that we could send.

What is documented (walletpasses.io/developer): the word AndroidPass before the token, a push token that looks like
Apple's, a user agent that begins with WalletPasses. What an app does unasked is nowhere written down: this one fetches
a card when its owner opens it, and asks for all of them when its timer says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from wallet_server.sandbox.passes import Pass, PassRefused, Trust, open_pass
from wallet_server.sandbox.phones.links import fetch_pass
from wallet_server.sandbox.phones.model import Key
from wallet_server.sandbox.phones.updates import read_listing
from wallet_server.sandbox.phones.webservice import Line, WebClient

SCHEME = "AndroidPass"
AGENT = "WalletPasses/2.0 (Linux; U; Android 15; sandbox)"
MAX_CARDS = 100


@dataclass
class Kept:
    """A card in the app; `modified` is the Last-Modified of what it holds."""

    file: Pass
    modified: str | None = None
    registered: bool = False

    @property
    def key(self) -> Key:
        """Pass type and serial number."""
        return self.file.pass_type, self.file.serial


class AndroidApp:
    """One app on one phone. Use as `async with AndroidApp(root_pem) as app`."""

    def __init__(
        self,
        root_pem: bytes,
        *,
        line: Line = Line(),  # noqa: B008 - frozen
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.device_id, self.push_token = secrets.token_hex(16), secrets.token_hex(32)
        self.cards: dict[Key, Kept] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self._trust = Trust(root_pem, now)
        self._web = WebClient(line, SCHEME, AGENT)

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._web.__aexit__()

    async def open(self, url: str, language: str = "en") -> Kept:
        """Tap a link to a pass: it is kept and registered. Raises LinkRefused, PassRefused."""
        file = open_pass(await fetch_pass(self._web, url, language), self._trust)
        if len(self.cards) >= MAX_CARDS:
            raise PassRefused("archive", f"This app holds {MAX_CARDS} passes already.")
        card = Kept(file)
        self.cards[card.key] = card
        if file.web_service:
            answer = await self._web.register(file.web_service, self.device_id, card.key, file.token, self.push_token)
            card.registered = answer.status in (200, 201)
        return card

    async def look(self, key: Key) -> int:
        """The owner opens the card: it is fetched; the status of the answer (0: none came, or nobody to ask)."""
        card = self.cards[key]
        base = card.file.web_service
        if not base:
            return 0
        answer = await self._web.fetch(base, key, card.file.token, card.modified)
        if answer.status == 200:
            card.file = open_pass(answer.body, self._trust)
            card.modified = answer.headers.get("Last-Modified")
        return answer.status

    async def poll(self) -> int:
        """The app's own timer: ask each server what changed and fetch that; how many cards came anew."""
        came = 0
        for base, pass_type in sorted({(c.file.web_service or "", c.file.pass_type) for c in self.cards.values()}):
            if not base:
                continue
            answer = await self._web.serials(base, self.device_id, pass_type, self.tags.get((base, pass_type)))
            listing = read_listing(answer)
            if isinstance(listing, str):
                await self.report(
                    base, f"Get serial #s task (for device {self.device_id}) encountered error: {listing}"
                )
                continue
            if listing.tag is not None:
                self.tags[base, pass_type] = listing.tag
            for serial in listing.serials:
                if (pass_type, serial) in self.cards:
                    came += await self.look((pass_type, serial)) == 200
        return came

    async def remove(self, key: Key) -> int:
        """The owner throws the card away; the status of the answer."""
        card = self.cards.pop(key)
        base = card.file.web_service
        if not base:
            return 0
        return (await self._web.unregister(base, self.device_id, key, card.file.token)).status

    async def report(self, base: str, line: str) -> int:
        """Write a line into the server's log; the status of the answer."""
        return (await self._web.log(base, [line])).status
