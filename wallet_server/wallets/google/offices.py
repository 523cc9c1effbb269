"""Owns the way to each issuer: its account, its connections, its share of the rate, and what was learned of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from wallet_server.errors import Misconfigured
from wallet_server.wallets.google.api import HURRIED_SECONDS, Account, Session, Where
from wallet_server.wallets.google.issuers import Failures, Rates, Turn
from wallet_server.wallets.google.pushing import Push

PATIENCE_SECONDS = 20.0
"""How long one batch waits for its issuer's rate: well within its lease."""
BATCH_SECONDS = 30.0
"""How long into a batch a card may still be begun: the last one has to be through within the lease."""
MOST_SESSIONS = 512
"""Accounts whose connections and token are kept; the one that was used least recently goes first."""


class Capabilities(Protocol):
    """What was learned of an issuer."""

    def locations(self, issuer: str) -> bool | None:
        """Whether its cards may name places; None: not known."""
        ...

    def learn(self, issuer: str, allowed: bool) -> None: ...


@dataclass(frozen=True)
class Batch:
    """Cards that are put there in one go: about how many, until when another may be begun (seconds, monotonic), whether
    somebody waits for them, and the turn of each set of credentials."""

    pending: int
    ends: float
    hurried: bool = False
    turns: dict[int, Turn] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether no further card is to be begun."""
        return time.monotonic() > self.ends


@dataclass(frozen=True)
class Patience:
    """Seconds that a batch waits for its issuer's rate, and after which no further card is begun."""

    rate: float = PATIENCE_SECONDS
    batch: float = BATCH_SECONDS


class Offices:
    """Every issuer's; shared by threads. `accounts` raises `Misconfigured` where there is none."""

    def __init__(
        self,
        accounts: Callable[[int], Account],
        where: Where,
        rates: Rates,
        capabilities: Capabilities,
        patience: Patience,
    ) -> None:
        self._accounts, self._where, self._rates = accounts, where, rates
        self._capabilities, self._patience = capabilities, patience
        self._failures = Failures()
        self._sessions: dict[tuple[str, str, int], Session] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            sessions = [*self._sessions.values()]
            self._sessions.clear()
        for session in sessions:
            session.close()

    def account(self, credential_set: int, issuer: str) -> Account:
        """The service account of a set. Raises `Misconfigured` where it is another issuer's."""
        account = self._accounts(credential_set)
        if account.issuer_id != issuer:
            raise Misconfigured(
                f"This card is of issuer {issuer}, but its service account is for {account.issuer_id}. Put the account "
                "of that issuer back.",
                code="google-credentials",
            )
        return account

    def session(self, credential_set: int, issuer: str | None = None) -> tuple[Account, Session]:
        """The account, and its connections. Raises `Misconfigured`."""
        account = self._accounts(credential_set) if issuer is None else self.account(credential_set, issuer)
        key = (account.issuer_id, account.email, account.version)
        with self._lock:
            session = self._sessions.pop(key, None) or Session(account, self._where)
            self._sessions[key] = session
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
        return account, session

    def batch(self, pending: int, hurried: bool = False) -> Batch:
        """A batch of about so many calls that begins now."""
        return Batch(pending, time.monotonic() + self._patience.batch, hurried)

    def turn_in(self, batch: Batch, credential_set: int, account: Account) -> Turn:
        """The one turn that the cards of a set have in a batch."""
        with self._lock:
            turn = batch.turns.get(credential_set)
            if turn is None:
                turn = batch.turns[credential_set] = self._turn(account, batch.pending, batch.hurried)
            return turn

    def push(self, session: Session, pending: int, hurried: bool = False) -> Push:
        """For about so many calls by themselves."""
        return self.push_in(session, self._turn(session.account, pending, hurried), hurried)

    def push_in(self, session: Session, turn: Turn, hurried: bool = False) -> Push:
        """For one card of a batch."""
        issuer = session.account.issuer_id

        def learn(allowed: bool) -> None:
            if self._capabilities.locations(issuer) is not allowed:
                self._capabilities.learn(issuer, allowed)

        return Push(session, turn, learn, hurried=hurried)

    def places(self, issuer: str) -> bool:
        """Whether this issuer's cards may name places, as far as is known."""
        return self._capabilities.locations(issuer) is not False

    def _turn(self, account: Account, pending: int, hurried: bool) -> Turn:
        patience = min(self._patience.rate, HURRIED_SECONDS) if hurried else self._patience.rate
        return Turn(account.issuer_id, account.email, self._rates, self._failures, pending, patience)
