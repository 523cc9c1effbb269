"""Owns token authentication at the push service: installing a team's key, and the token that all processes share.

Apple counts how often a provider makes itself a new token, so one is kept, sealed, beside its key: neither a second
process nor a restart signs another before its time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.vendors import credentials, push_keys
from wallet_server.records.vendors.credentials import CredentialRow
from wallet_server.records.vendors.push_keys import PushKeyRow
from wallet_server.wallets.apple.intermediates import doubtful
from wallet_server.wallets.apple.provider_token import LEAST_AGE, RENEWED_AFTER, Provider, PushKey

Keys = tuple[PushKeyRow, ...]


def install(ctx: Context, raw: bytes, kid: str, team: str) -> list[str]:
    """Keep a team's key and let it open the push service for every pass type of that team, no other; returns those.
    A certificate whose intermediate is not known to be Apple's merely claims the team, and is left out.

    Raises `Misconfigured` for a key that is none, or a team that has no certificate here.
    """
    loaded = PushKey.load(raw, kid, team)
    now = ctx.now()
    with ctx.change() as tx:
        own = [row for row in credentials.all_sets(tx) if row.team == team and not _claimed(ctx, row)]
        if not own:
            raise Misconfigured(
                f"No certificate of team {team} is installed. A key opens the pass types of its own team alone: "
                "install the certificate first, it still signs the cards."
            )
        sealed = ctx.keyring.seal(loaded.key_pem, f"push-key:{team}")
        key_id = push_keys.put(tx, new_id("pkey"), team, kid, sealed, now)
        for row in own:
            credentials.use_push_key(tx, row.id, key_id)
    return [row.pass_type for row in own]


def _claimed(ctx: Context, row: CredentialRow) -> bool:
    return doubtful(row.chain.encode(), ctx.settings.apple_intermediates, sandbox=ctx.settings.sandbox)


def remove(ctx: Context, team: str) -> None:
    """Forget a team's key: its certificates open the push service again. Raises `NotFound`."""
    with ctx.change() as tx:
        found = next((row for row in push_keys.all_keys(tx) if row.team == team), None)
        if found is None:
            raise NotFound(f"There is no push key of team {team}.")
        push_keys.remove(tx, found.id)


def all_keys(ctx: Context) -> Keys:
    """Every key, without its secret in the clear."""
    with ctx.look() as tx:
        return tuple(push_keys.all_keys(tx))


@dataclass(frozen=True)
class _Token:
    text: str
    made_at: datetime


class SharedToken:
    """Implements `wallets.apple.provider_token.Provider` over the row of a key. Safe between threads."""

    def __init__(self, ctx: Context, row: PushKeyRow, key: PushKey) -> None:
        self._ctx = ctx
        self._id, self._team, self._kid = row.id, row.team, row.kid
        self._key = key
        self._held: _Token | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return f"{self._team}/{self._kid}"

    def bearer(self, at: datetime) -> str:
        held = self._held
        if held is not None and at - held.made_at < RENEWED_AFTER:
            return held.text
        with self._lock, self._ctx.change() as tx:
            kept = self._kept(tx)
            if kept is None or at - kept.made_at >= RENEWED_AFTER:
                kept = self._sign(tx, at)
            self._held = kept
        return kept.text

    def renewed(self, at: datetime, refused: str) -> str | None:
        with self._lock, self._ctx.change() as tx:
            kept = self._kept(tx)
            if kept is None or (kept.text == refused and at - kept.made_at >= LEAST_AGE):
                kept = self._sign(tx, at)
            self._held = kept
        return None if kept.text == refused else kept.text

    def _kept(self, tx: Tx) -> _Token | None:
        """What was signed last, here or by another process."""
        row = push_keys.key(tx, self._id, lock=True)
        if row is None or row.kid != self._kid:
            return self._held  # the key was removed or replaced: whoever has it loaded goes on with it for seconds
        if row.token_cipher is None or row.token_at is None:
            return None
        try:
            text = self._ctx.keyring.open(row.token_cipher, f"push-token:{self._team}").decode()
        except Misconfigured:
            return None  # sealed under a secret key that is gone: only a token, and another can be signed
        return _Token(text, row.token_at)

    def _sign(self, tx: Tx, at: datetime) -> _Token:
        fresh = _Token(self._key.sign(at), at)
        sealed = self._ctx.keyring.seal(fresh.text.encode(), f"push-token:{self._team}")
        push_keys.keep_token(tx, self._id, self._kid, sealed, at)
        return fresh


def provider(ctx: Context, key_id: int, team: str) -> Provider:
    """What opens the push service for the pass types of this team. Raises `Misconfigured` for a key of another team,
    or one that cannot be opened."""
    with ctx.look() as tx:
        row = push_keys.key(tx, key_id)
    if row is None or row.team != team:
        raise Misconfigured(f"The push key of team {team} is gone: `wallet-server setup apple token` installs one.")
    secret = ctx.keyring.open(row.key_cipher, f"push-key:{row.team}")
    return SharedToken(ctx, row, PushKey.load(secret, row.kid, row.team))
