"""Owns the Context: what every use case needs, put together once by the composition root."""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from wallet_server.actions.tally import Tally
from wallet_server.actions.telling.couriers import Couriers
from wallet_server.actions.telling.listeners import Listeners
from wallet_server.actions.times import Times
from wallet_server.channels.port import Channel
from wallet_server.channels.posting import Poster
from wallet_server.records.clocks import ahead
from wallet_server.records.database import Database, Tx
from wallet_server.records.envelope import Keyring
from wallet_server.records.programme import programmes
from wallet_server.rules.baskets.rating import Rater
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.settings import Settings
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings, Kept
from wallet_server.wallets.google.roots import Roots
from wallet_server.wallets.logos import Shares
from wallet_server.wallets.port import Wallet

_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = _ALPHABET * 8
"""What each byte becomes: the letter of its last five bits."""
MAX_CACHED_VERSIONS = 1000
MOST_PRESSES = 2
"""Members who wait for a vendor at once, each with a thread of the server: the tills need the others."""
MAX_CACHED_BYTES = 64 * 1024 * 1024


def new_id(prefix: str) -> str:
    """A public id: the prefix and 100 random bits, in an alphabet that reads well aloud."""
    return f"{prefix}_" + secrets.token_bytes(20).translate(_LETTERS).decode()


class Shelf:
    """Bytes kept by key, the least recently used thrown away beyond a bound; safe between threads. They may have a name
    too, by which one learns whether any are kept."""

    def __init__(self, most_bytes: int = MAX_CACHED_BYTES) -> None:
        self._most, self._held = most_bytes, 0
        self._items: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._names: dict[tuple[object, ...], object] = {}
        self._keys: dict[object, tuple[object, ...]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        with self._lock:
            body = self._items.get(key)
            if body is not None:
                self._items.move_to_end(key)
            return body

    def put(self, key: tuple[object, ...], body: bytes, name: object = None) -> None:
        with self._lock:
            old = self._items.pop(key, b"")
            self._items[key] = body
            if name is not None:
                self._names[key], self._keys[name] = name, key
            self._held += len(body) - len(old)
            while self._held > self._most and self._items:
                last, gone = self._items.popitem(last=False)
                self._held -= len(gone)
                named = self._names.pop(last, None)
                if self._keys.get(named) == last:
                    del self._keys[named]

    def holds(self, name: object) -> bool:
        """Whether the newest bytes of this name are kept; they may be those of an older version."""
        return name in self._keys


@dataclass
class Context:
    """Settings, database, keys, wallets, the clock (UTC) and the doorbell that wakes delivery after a commit.

    `notes` takes what phones hold (see `actions.passes.noting`); None: it is written at once.

    `designs` are those of the wallets; `drafted` draws cards that nobody has yet, apart from the wallets' own drawings,
    so that somebody who tries many colours does not drive those out. `google_roots` are the keys that Google signs its
    callbacks with. `presses` is how many members at once may wait for a vendor in this process. `listeners`, `couriers`
    and `poster` are of the messages to merchants' own systems: who wants any, who carries them, and how; `channels` of
    the letters to people, by the kind of address that each reaches. `times` knows
    whose time is ahead of `clock`. In `training` nothing is kept (see `rehearsing`).
    """

    settings: Settings
    database: Database
    keyring: Keyring
    clock: Callable[[], datetime]
    ring: Callable[[], None] = lambda: None
    notes: Callable[[int, int], None] | None = None
    wallets: Mapping[str, Wallet] = field(default_factory=dict)
    signed: Shelf = field(default_factory=Shelf)
    designs: Designs = field(default_factory=lambda: Designs({}))
    drafted: Drawings = field(default_factory=lambda: Drawings(64))
    tally: Tally = field(default_factory=Tally)
    logo_colours: Kept[str, Shares] = field(default_factory=lambda: Kept(64))
    google_roots: Roots | None = None
    presses: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_PRESSES))
    times: Times = field(default_factory=Times)
    listeners: Listeners = field(default_factory=Listeners)
    couriers: Couriers = field(default_factory=Couriers)
    poster: Poster = field(default_factory=lambda: Poster(sandbox=False))
    channels: Mapping[str, Channel] = field(default_factory=dict)
    training: bool = False
    told: Kept[tuple[str, int], Programme] = field(default_factory=lambda: Kept(MAX_CACHED_VERSIONS))
    _versions: OrderedDict[int, Rater] = field(default_factory=OrderedDict)

    def now(self) -> datetime:
        """The time of this call, UTC: everybody's (`clock`), or that of the account whose work is being done."""
        return self.clock() + ahead()

    def real(self, at: datetime) -> datetime:
        """Everybody's time of an instant in that of the account whose work is being done."""
        return at - ahead()

    def change(self) -> AbstractContextManager[Tx]:
        """A transaction that writes; see `records.database.Database.change`. In training it is rolled back."""
        return self.database.rehearse() if self.training else self.database.change()

    def rehearsing(self) -> Context:
        """The same installation for one who practises: every change runs whole and is rolled back, nobody is rung."""
        return replace(self, training=True, ring=lambda: None)

    def look(self) -> AbstractContextManager[Tx]:
        """A transaction that reads; see `records.database.Database.look`."""
        return self.database.look()

    def pushes(self, wallet: str) -> bool:
        """Whether this wallet is given cards, where others are rung and fetch them."""
        known = self.wallets.get(wallet)
        return known is not None and known.pushes_cards

    @property
    def pushed(self) -> tuple[str, ...]:
        """The wallets that are given cards."""
        return tuple(name for name in self.wallets if self.pushes(name))

    def programme(self, tx: Tx, version_id: int) -> Programme:
        """A parsed programme version (versions never change, so they are kept)."""
        return self.rater(tx, version_id).programme

    def rater(self, tx: Tx, version_id: int) -> Rater:
        """What rates by a programme version; kept as the version is."""
        rater = self._versions.get(version_id)
        if rater is None:
            rater = Rater(parse(json.loads(programmes.version(tx, version_id).document)))
            self._versions[version_id] = rater
            while len(self._versions) > MAX_CACHED_VERSIONS:
                self._versions.popitem(last=False)
        return rater

    def link(self, purpose: str, public_id: str) -> str:
        """A long-lived link on a card: the pass's public id and an authenticator for this purpose alone."""
        return f"{self.settings.base_url}/{purpose}/{public_id}.{self.keyring.sign(purpose, public_id)}"
