"""Owns one simulated iPhone: what its owner does with it, and what it does when a push arrives.

Where Apple documents nothing, the phone takes the side that is less kind to the server, and says so:

- The update tag is taken over as soon as a list answers, as its name ("last updated, as told to me") suggests. The
  phone remembers by itself which listed passes it still owes itself, so a fetch that fails is repeated and no update
  is lost by the simulation; but a server whose tag runs ahead of a pass that it did not list loses that update here.
- A pass that fails verification is dropped and logged, and not asked for again until it is listed again.
- After registering, the phone does not ask for changes: a change between download and registration needs a push.
- A freshly added pass has no Last-Modified, so its first fetch is unconditional.
- With automatic updates off the registration stays and pushes are ignored.
- A restored phone keeps its device id and starts up as after a reboot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from wallet_server.sandbox.passes import Pass, PassRefused, open_pass
from wallet_server.sandbox.passes.wording import zone_of
from wallet_server.sandbox.phones.links import LinkRefused, fetch_passes
from wallet_server.sandbox.phones.lockscreen import Alert, alert_text, title_of
from wallet_server.sandbox.phones.model import Behaviour, Card, Event, Key, Sample, Settings, World
from wallet_server.sandbox.phones.updates import Listing, LogBook, insist, log_unchanged, read_listing
from wallet_server.sandbox.phones.webservice import Answer

KEPT_EVENTS = 200
KEPT_ALERTS = 50
MAX_CARDS = 500


class Phone:
    """One simulated iPhone. Made by `Fleet.add_phone`; all methods run on the loop of the fleet."""

    def __init__(self, device_id: str, push_token: str, world: World, behaviour: Behaviour) -> None:
        self.device_id = device_id
        self.push_token = push_token
        self.language = "en"
        self.name = ""
        self.settings = Settings()
        self.is_online = True
        self.cards: dict[Key, Card] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.lock_screen: deque[Alert] = deque(maxlen=KEPT_ALERTS)
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self.last_push_at: float | None = None
        self.last_update_at: float | None = None
        self._world = world
        self._behaviour = behaviour
        self.zone = zone_of(behaviour.time_zone)
        self._log = LogBook(world, device_id)
        self._fetching = asyncio.Lock()
        self._wanted: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._missed: set[str] = set()
        self._held: dict[str, float | None] = {}
        self._leaving: list[Pass] = []
        self._pushed_at: dict[str, float] = {}
        self._push_times: deque[float] = deque(maxlen=10_000)
        self._fetches = 0
        self._changed = asyncio.Event()

    # What the owner does

    async def open(self, url: str) -> Pass:
        """Tap a link that answers a .pkpass or .pkpasses, or a page that offers one, and add what is in it; the first
        of several is returned. Raises LinkRefused, PassRefused."""
        try:
            files = await fetch_passes(self._world.web, url, self.language, self._world.trust)
        except LinkRefused as refused:
            self._note("error", f"the link gave no pass: {refused.came}")
            raise
        except PassRefused as error:
            self._note("refused", error.reason)
            raise
        added = [await self.add(raw) for raw in files]
        return added[0]

    async def add(self, raw: bytes) -> Pass:
        """Verify a .pkpass, put it in the wallet and register for its updates. Raises PassRefused.

        The same serial of the same type is overwritten. Returns when the registration was answered or given up.
        """
        try:
            file = open_pass(raw, self._world.trust)
        except PassRefused as error:
            self._note("refused", error.reason)
            raise
        key = (file.pass_type, file.serial)
        if key not in self.cards and len(self.cards) >= MAX_CARDS:
            raise PassRefused("archive", f"This phone holds {MAX_CARDS} passes already.")
        old = self.cards.get(key)
        card = Card(file)
        if old is not None:
            card.notifications, card.automatic_updates = old.notifications, old.automatic_updates
        self.cards[key] = card
        self._note("added", f"{title_of(file, self.language)} added", key)
        await self._register(card)
        return file

    async def remove(self, key: Key) -> None:
        """Throw a card away: it is gone at once, and the server is told when it can be reached."""
        card = self.cards.pop(key, None)
        if card is None:
            return
        self._note("removed", "card removed", key)
        if card.file.web_service:
            await self._unregister(card.file)

    async def pull_to_refresh(self, key: Key) -> None:
        """Pull down on the back of a card: it is fetched at once, without asking what changed."""
        card = self.cards.get(key)
        if card is not None and card.file.web_service:
            await self._fetch(card, listed=False, pushed_at=None)

    async def reboot(self) -> None:
        """Start up: finish owed registrations, then ask for changes of every pass type."""
        self._push_times.clear()
        await self.online()
        tasks = [self._wake(pass_type) for pass_type in self._pass_types()]
        await asyncio.gather(*(task for task in tasks if task))

    async def restored(self, push_token: str) -> None:
        """Come back from a backup with a new push token. Called by the fleet, which knows who has which token."""
        self.push_token = push_token
        self._held.clear()
        self._note("restored", "restored from a backup, with a new push token")
        for card in self.cards.values():
            card.registered = card.refused = False
        await self.reboot()

    def offline(self) -> None:
        """Lose the network. Pushes are kept for the phone, the last one per pass type."""
        if self.is_online:
            self.is_online = False
            self._note("offline", "offline")

    async def online(self) -> None:
        """Find the network again: owed registrations first, then kept pushes and questions that failed."""
        if not self.is_online:
            self.is_online = True
            self._note("online", "online")
        leaving, self._leaving = self._leaving, []
        for file in leaving:
            await self._unregister(file)
        for card in list(self.cards.values()):
            if not card.registered and not card.refused:
                await self._register(card)
        held, self._held = self._held, {}
        now = self._world.now().timestamp()
        for topic, expires_at in held.items():
            if expires_at is None or expires_at > now:
                self.receive_push(topic, expires_at)
        for pass_type in list(self._missed):
            self._wake(pass_type)

    def set_automatic_updates(self, on: bool) -> None:
        """The switch in the settings. Turning it on asks for every pass type and ends throttling."""
        self.settings.automatic_updates = on
        self._switched_updates(on)

    def set_card_updates(self, key: Key, on: bool) -> None:
        """The same switch on the back of one card."""
        self.cards[key].automatic_updates = on
        self._switched_updates(on)

    def _switched_updates(self, on: bool) -> None:
        self._note("settings", f"automatic updates {'on' if on else 'off'}")
        if on:
            self._push_times.clear()
            for pass_type in self._pass_types():
                self._wake(pass_type)

    async def until(self, condition: Callable[[Phone], bool], timeout_seconds: float = 10.0) -> None:
        """Wait until something that happened on the phone makes the condition true. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while not condition(self):
                await self._changed.wait()

    # What the phone does by itself

    def receive_push(self, topic: str, expires_at: float | None = None) -> None:
        """A push arrives for a pass type. `expires_at` in Unix seconds: 0 is not kept for a phone without network."""
        if not self.is_online:
            if expires_at is None or expires_at > self._world.now().timestamp():
                self._held[topic] = expires_at
            return
        now = self._world.monotonic()
        self.last_push_at = now
        self._note("push", f"push for {topic}")
        throttle = self._behaviour.throttle
        if throttle is not None:
            self._push_times.append(now)
            if sum(1 for at in self._push_times if at > now - throttle.window_seconds) > throttle.pushes:
                self._note("throttled", "too many pushes: the phone does not fetch")
                return
        if topic in self._pass_types():
            self._pushed_at.setdefault(topic, now)
            self._wake(topic)

    def _pass_types(self) -> set[str]:
        """The pass types that are updated: with a web service, automatic updates not switched off."""
        if not self.settings.automatic_updates:
            return set()
        return {card.file.pass_type for card in self.cards.values() if card.automatic_updates and card.file.web_service}

    def _wake(self, pass_type: str) -> asyncio.Task[None] | None:
        self._wanted.add(pass_type)
        if pass_type not in self._running and self.is_online:
            self._running[pass_type] = self._world.spawn(self._refresh(pass_type))
        return self._running.get(pass_type)

    async def _refresh(self, pass_type: str) -> None:
        """After the debounce, ask every server of this pass type what changed, once; then again if pushed meanwhile."""
        try:
            await asyncio.sleep(self._behaviour.debounce_seconds)
            self._wanted.discard(pass_type)
            self._missed.discard(pass_type)
            pushed_at = self._pushed_at.pop(pass_type, None)
            bases = {card.file.web_service for card in self.cards.values() if card.file.pass_type == pass_type}
            for base in sorted(base for base in bases if base):
                if not await self._ask(base, pass_type, pushed_at):
                    self._missed.add(pass_type)
                    if pushed_at is not None:
                        self._pushed_at.setdefault(pass_type, pushed_at)
        finally:
            del self._running[pass_type]
        if pass_type in self._wanted:
            self._wake(pass_type)

    async def _ask(self, base: str, pass_type: str, pushed_at: float | None) -> bool:
        """List and fetch. False when the server could not be asked for everything, so it is owed."""
        tag = self.tags.get((base, pass_type))
        answer = await self._insist(lambda: self._world.web.serials(base, self.device_id, pass_type, tag))
        if answer is None:
            return False
        listing = read_listing(answer)
        if isinstance(listing, str):
            what = f"for device {self.device_id}, pass type {pass_type}, last updated {tag or '(null)'}"
            self._complain(base, f"Get serial #s task ({what}) encountered error: {listing}")
            return not answer.worth_retrying
        self._note("list", f"{len(listing.serials)} changed since {tag or 'ever'}")
        self._take_listing(base, pass_type, listing, tag)
        complete = True
        for card in list(self.cards.values()):
            owed = card.owed and card.file.pass_type == pass_type and card.file.web_service == base
            if owed and card.automatic_updates:
                complete = await self._fetch(card, listed=True, pushed_at=pushed_at) and complete
        return complete

    def _take_listing(self, base: str, pass_type: str, listing: Listing, tag: str | None) -> None:
        if listing.serials and listing.tag == tag:
            self._complain(
                base,
                f"Response to 'What changed?' request included {len(listing.serials)} serial numbers but the "
                f"lastUpdated tag ({tag}) remained the same.",
            )
        for serial in listing.serials:
            card = self.cards.get((pass_type, serial))
            if card is None:
                self._complain(base, f"Update requested for unregistered serial number '{serial}'.")
            else:
                card.owed = True
        if listing.tag is not None:
            self.tags[base, pass_type] = listing.tag

    async def _fetch(self, card: Card, listed: bool, pushed_at: float | None) -> bool:
        """Get one pass, if it changed. False when the server gave no usable answer, so it is still owed."""
        async with self._fetching:
            base, since = card.file.web_service, card.last_modified
            if base is None or self.cards.get(card.key) is not card:
                return True
            self._fetches += 1
            every = self._behaviour.head_every
            web, key, token = self._world.web, card.key, card.file.token
            if every and self._fetches % every == 0 and self.is_online:
                head = await web.fetch(base, key, token, since, method="HEAD")
                self._note("head", f"HEAD answered {head.status}", key)
            answer = await self._insist(lambda: web.fetch(base, key, token, since))
            if answer is None or self.cards.get(key) is not card:
                return answer is not None
            task = (
                f"Get pass task (pass type {key[0]}, serial number {key[1]}, if-modified-since {since or '(null)'}; "
                f"with web service url {base})"
            )
            self._note("get", f"pass answered {answer.status}", key)
            if answer.worth_retrying:
                self._complain(base, f"{task} encountered error: Unexpected response code {answer.status}")
                return False
            card.owed = False
            if answer.status == 200:
                await self._receive(card, answer, base, task, listed, pushed_at)
            elif answer.status == 304:
                if listed:
                    self._complain(base, str(log_unchanged(key[1], None, listed)))
            elif answer.status == 401:
                self._complain(base, f"{task} encountered error: Authentication failure")
            else:
                self._complain(base, f"{task} encountered error: Unexpected response code {answer.status}")
            return True

    async def _receive(
        self, card: Card, answer: Answer, base: str, task: str, listed: bool, pushed_at: float | None
    ) -> None:
        """A pass came: verify it, compare it, show what iOS would show."""
        old, since = card.file, card.last_modified
        try:
            new = open_pass(answer.body, self._world.trust)
            if (new.pass_type, new.serial) != card.key:
                raise PassRefused("identity", "It is a pass of another type or serial number.")
            if new.web_service and new.token != old.token:
                raise PassRefused("identity", "Its authenticationToken changed, which it must never do.")
        except PassRefused as error:
            self._note("refused", error.reason, card.key)
            self._complain(base, f"{task} encountered error: Received invalid pass data ({error.reason})")
            return
        modified = answer.headers.get("Last-Modified")
        if modified is None:
            self._complain(
                base,
                f"Server returned the pass data for serial number '{new.serial}' but did not provide a "
                "'last-modified' header.",
            )
        card.last_modified = modified
        if new.digest == old.digest:
            if line := log_unchanged(new.serial, since, listed):
                self._complain(base, line)
            return
        card.file = new
        card.updated_at = self.last_update_at = self._world.monotonic()
        if pushed_at is not None:
            self._world.measure(Sample(self.device_id, card.key, pushed_at, card.updated_at))
        self._show(card, old, new)
        if new.web_service != old.web_service:
            await self._moved(card, new)

    def _show(self, card: Card, old: Pass, new: Pass) -> None:
        text = alert_text(old, new, self.language, self.zone)
        shown = text is not None and self.settings.notifications and card.notifications
        self._note("updated", "card updated" if shown else "card updated silently", card.key)
        if shown and text is not None:
            self.lock_screen.append(Alert(self._world.now(), title_of(new, self.language), text, *card.key))
            self._note("alert", text, card.key)

    async def _moved(self, card: Card, new: Pass) -> None:
        card.registered = card.refused = False
        if new.web_service:
            await self._register(card)
        else:
            self._note("silent", "the pass names no web service any more: never asked for again", card.key)

    async def _register(self, card: Card) -> None:
        base, file = card.file.web_service, card.file
        if base is None:
            return
        web, key, push_token = self._world.web, card.key, self.push_token
        answer = await self._insist(lambda: web.register(base, self.device_id, key, file.token, push_token))
        if answer is None:
            return
        card.registered = answer.status in (200, 201)
        card.refused = not card.registered and not answer.worth_retrying
        self._note("register", f"registration answered {answer.status or answer.reason}", key)
        if not card.registered:
            fault = "Authentication failure" if answer.status == 401 else f"Unexpected response code {answer.status}"
            self._complain(
                base,
                f"Register task (for device {self.device_id}, pass type {key[0]}, serial number {key[1]}; "
                f"with web service url {base}) encountered error: {fault}",
            )

    async def _unregister(self, file: Pass) -> None:
        base, key = file.web_service, (file.pass_type, file.serial)
        if base is None:
            return
        web = self._world.web
        answer = await self._insist(lambda: web.unregister(base, self.device_id, key, file.token))
        if answer is None or answer.worth_retrying:
            self._leaving.append(file)
        else:
            self._note("unregister", f"unregistration answered {answer.status}", key)

    async def _insist(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer | None:
        return await insist(attempt, self._behaviour.retry, lambda: self.is_online, self._failed)

    def _failed(self, reason: str) -> None:
        self._note("error", reason)

    def _complain(self, base: str, line: str) -> None:
        self._note("log", line)
        self._log.write(base, line)

    def _note(self, kind: str, text: str, key: Key | None = None) -> None:
        event = Event(self._world.now(), kind, text, key)
        self.events.append(event)
        self._world.tell(self.device_id, event)
        self._changed.set()
        self._changed = asyncio.Event()
