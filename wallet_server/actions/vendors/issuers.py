"""Owns what a wallet that cards are pushed to asks of this installation: accounts, the shared rate, what an issuer is
allowed, and where everybody can fetch a picture."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import pushed
from wallet_server.actions.programme import assets
from wallet_server.actions.vendors import google_accounts
from wallet_server.errors import Misconfigured, NotFound, Unavailable
from wallet_server.records.vendors import credentials, issuers
from wallet_server.wallets.google.api import Account

KEPT = timedelta(seconds=10)
"""How long a process goes on with what it knows of an account."""
BUSY_SECONDS = 0.5
FORGIVEN = timedelta(days=30)
"""An issuer that was not allowed something is asked again after this: Google may have granted it."""


@dataclass(frozen=True)
class _Held:
    looked_at: datetime
    account: Account
    public_id: str


class Accounts:
    """Service accounts by the key of their set, opened; a change is noticed `KEPT` later."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._held: dict[int, _Held] = {}
        self._lock = threading.Lock()

    def __call__(self, set_id: int) -> Account:
        """Raises `Misconfigured` when it cannot be used: only the cards of its issuer suffer."""
        return self._of(set_id).account

    def callback_url(self, set_id: int) -> str | None:
        """Where Google tells of the cards of this set that were saved and removed."""
        return pushed.callback_url(self._ctx, self._of(set_id).public_id)

    def _of(self, set_id: int) -> _Held:
        now = self._ctx.now()
        held = self._held.get(set_id)
        if held is not None and timedelta(0) <= now - held.looked_at < KEPT:
            return held
        with self._lock:
            try:
                with self._ctx.look() as tx:
                    row = credentials.credential_set(tx, set_id)
            except NotFound as fault:
                raise Misconfigured("The service account of this card is gone from the vault.") from fault
            if held is None or held.account.version != row.version:
                account = Account(row.pass_type, row.team, google_accounts.key_of(self._ctx, row), row.version)
            else:
                account = held.account
            held = self._held[set_id] = _Held(now, account, row.public_id)
            return held


class SharedRates:
    """`WALLET_GOOGLE_REQUESTS_PER_SECOND` for each issuer, over all processes together."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def take(self, issuer: str, want: int) -> tuple[int, float]:
        """Up to `want` requests that may be made now, and seconds until it is worth asking for more."""
        per_second = float(self._ctx.settings.google_requests_per_second)
        try:
            with self._ctx.change() as tx:
                return issuers.draw(tx, issuer, want, per_second, self._ctx.now())
        except Unavailable:
            return 0, BUSY_SECONDS


class Learned:
    """What was learned of issuers, by all processes; each looks again after a while."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[str, tuple[datetime, bool | None]] = {}

    def locations(self, issuer: str) -> bool | None:
        """Whether its cards may name places; None: not known, or long ago."""
        now = self._ctx.now()
        known = self._known.get(issuer)
        if known is None or not timedelta(0) <= now - known[0] < KEPT:
            with self._ctx.look() as tx:
                allowed, at = issuers.locations(tx, issuer)
            if allowed is False and (at is None or now - at >= FORGIVEN):
                allowed = None
            known = self._known[issuer] = now, allowed
        return known[1]

    def learn(self, issuer: str, allowed: bool) -> None:
        if self.locations(issuer) is allowed:
            return
        now = self._ctx.now()
        with self._ctx.change() as tx:
            issuers.learn_locations(tx, issuer, allowed, now)
        self._known[issuer] = now, allowed


class PictureStore:
    """Pictures under the address of their content, as `/asset/` serves them."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def __call__(self, body: bytes, media_type: str) -> str:
        """Keep this PNG; the public address of it."""
        if media_type != assets.PNG:
            raise Misconfigured(f"A picture for a wallet is a PNG, not {media_type}; this is a fault of the server.")
        return f"{self._ctx.settings.base_url}/asset/{assets.keep_made(self._ctx, body)}.png"
