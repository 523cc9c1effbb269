"""Owns one batch of pushes: what is sent when, what is sent again, when to stop, and whom to believe.

Everything has an end: three tries for a target, three broken connections in a row without a hundred answers between
them, twenty answers in a row that say that APNs is unwell. What is then left comes back later, none of it sent.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from wallet_server.wallets.apple.apns_answers import (
    WINDOW,
    Alarm,
    Complaint,
    Fate,
    Kind,
    Outcome,
    Standing,
    Target,
    is_token,
    sort,
)
from wallet_server.wallets.apple.apns_exchange import Exchange
from wallet_server.wallets.apple.apns_link import Fault, Link, Phase, Reply, Shot

TRIES = 3
STRIKES = 3
SOUND_ANSWERS = 100
UNWELL_IN_A_ROW = 20
MUCH = 2_000  # sends, of all calls, for which one connection more is worth its handshake
FAR_SECONDS = 0.02  # nearer than that, 500 streams carry more than this process can send
READY_LIMIT = 1_000
REMEMBERED = 32_768
LAST_LIMIT = 10_000  # devices put off to the end of a batch; further ones are rung in their turn

TURN_SECONDS = 1.0
RECONNECT_SECONDS = 0.1
BUSY_SECONDS = 60.0
BACKOFF_SECONDS = 2.0
BACKOFF_LIMIT_SECONDS = 300.0
RETRY_AFTER_LIMIT_SECONDS = 3_600
ALARM_SECONDS = 900.0


_CERTIFICATE = "Check the pass type certificate."
_KEY = (
    "Check the push key (.p8): it must be of the team that the pass type belongs to, and not revoked in Apple's "
    "portal. `wallet-server setup apple token remove` goes back to the certificate."
)
_NOT_TRUSTED = (
    "It was this server that refused: check its clock, its trusted roots (ca-certificates) and any proxy on the way."
)
_REMEDIES = {
    "InvalidProviderToken": _KEY,
    "MissingProviderToken": _KEY,
    "ExpiredProviderToken": "A fresh provider token is called expired: check the clock of this machine.",
    "BadCertificateEnvironment": "The certificate is for another environment; passes need one of production.",
}


@dataclass(frozen=True)
class _Stop:
    """Why nothing more is sent, and what that makes of everything left."""

    fate: Fate
    seconds: float
    why: str
    alarm: Alarm | None = None

    def outcome(self, target: Target) -> Outcome:
        """Of a target that was not reached. An alarm rests the whole credential, so that its end needs no spreading."""
        seconds = self.seconds if self.alarm is not None else _jitter(self.seconds)
        return Outcome(target, self.fate, seconds if self.fate is Fate.LATER else 0.0, self.why, alarm=self.alarm)

    def accused(self, target: Target) -> Outcome:
        """Of one that was refused itself."""
        return Outcome(target, Fate.ACCUSED, why=self.why, alarm=self.alarm)


class Batch:
    """The targets of one call on their way through one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        standing: Standing,
        targets: Iterable[Target],
        connections: int,
        renew: Callable[[], list[str] | None] = lambda: None,
    ) -> None:
        """`renew` gives headers with a fresh provider token after one was called expired; None where it cannot."""
        self._renew = renew
        self._exchange = exchange
        self._standing = standing
        self._connections = connections
        self._source = _distinct(targets)
        self._exhausted = False
        self._again: deque[Shot] = deque()
        self._ready: list[Outcome] = []
        self._held: deque[tuple[int, Outcome]] = deque()
        self._last: deque[Target] = deque()  # suspected devices, while there are others
        self._last_turn = False
        self._answers = 0
        self._sound = 0  # answers since a connection broke
        self._strikes = 0
        self._unwell = 0
        self._stop: _Stop | None = None

    def run(self) -> Iterator[Outcome]:
        while True:
            self._load()
            if self._ready:
                ready, self._ready = self._ready, []
                yield from ready
            if not self._exchange.in_flight and (self._stop or not self._waiting):
                break
            self._exchange.turn(self._patience())
            for link in self._exchange.links:
                self._hear(link)
        if self._stop is None:
            yield from (self._believed(outcome) for _, outcome in self._held)
            return
        yield from (self._stop.outcome(shot.target) for shot in self._again)
        yield from (self._stop.outcome(target) for target in self._last)
        yield from (self._stop.outcome(target) for target in self._source)

    @property
    def _waiting(self) -> bool:
        return not self._exhausted or bool(self._again or self._last)

    def _load(self) -> None:
        """Send as much as the connections take."""
        if self._stop is not None:
            return
        now = time.monotonic()
        full = True
        for link in self._exchange.links:
            for _ in range(link.room(now)):
                shot = self._next()
                if shot is None:
                    return
                link.send(shot, now)
            full = full and link.phase is Phase.OPEN and link.latency >= FAR_SECONDS
        links = len(self._exchange.links)
        if full and links < self._connections and self._exchange.answered >= MUCH * links:
            self._exchange.grow()

    def _patience(self) -> float:
        """How long to wait for the network: until the next connection may be tried again, and not at all when there
        is something to do."""
        if self._exchange.in_flight:
            return TURN_SECONDS
        rest = min(link.rest_until for link in self._exchange.links) - time.monotonic()
        return min(TURN_SECONDS, max(0.0, rest))

    def _next(self) -> Shot | None:
        if self._again:
            return self._again.popleft()
        for target in self._source:
            if is_token(target.token):
                if target.suspected and len(self._last) < LAST_LIMIT:
                    self._last.append(target)
                    continue
                return Shot(target)
            self._ready.append(Outcome(target, Fate.SUSPECT, why="the push token is not hexadecimal"))
            if len(self._ready) >= READY_LIMIT:
                return None
        self._exhausted = True
        # When the others have been answered: the living are told before the likely dead are tried.
        self._last_turn = self._last_turn or not self._exchange.in_flight
        return Shot(self._last.popleft()) if self._last and self._last_turn else None

    def _hear(self, link: Link) -> None:
        """What has come of this link's shots, in its order; those that were taken one after the other together."""
        taken: list[Target] = []
        for reply in link.replies():
            if isinstance(reply, Shot):
                taken.append(reply.target)
                continue
            if taken:
                self._took(taken)
                taken = []
            if reply.status == 0:
                self._unanswered(reply, link)
            else:
                self._answered(1)
                self._complained(reply, link, sort(reply.status, reply.body))
                self._believe()
        if taken:
            self._took(taken)

    def _took(self, targets: Sequence[Target]) -> None:
        self._answered(len(targets))
        self._unwell = 0
        self._standing.took(targets)
        told = Fate.TOLD
        self._ready += [Outcome(target, told) for target in targets]
        self._believe()

    def _answered(self, count: int) -> None:
        self._answers += count
        self._exchange.answered += count
        self._sound += count
        if self._sound >= SOUND_ANSWERS:
            self._strikes = 0

    def _believe(self) -> None:
        while self._held and self._held[0][0] + WINDOW <= self._answers:
            self._ready.append(self._believed(self._held.popleft()[1]))

    def _unanswered(self, reply: Reply, link: Link) -> None:
        if reply.fault is Fault.MISSET:
            remedy = _NOT_TRUSTED if "verify failed" in reply.text else "Check the certificate and its key."
            sentence = f"The TLS connection to APNs was refused ({reply.text}). {remedy}"
            self._halt(Alarm("configuration", sentence))
        elif reply.broke:
            self._broken(reply, link)
        if reply.fault in (Fault.TIMEOUT, Fault.MISSET) or reply.shot.tries >= TRIES:
            self._give(self._later(reply.shot.target, self._backoff(), reply.text or "APNs did not answer in time"))
        else:
            self._again.append(reply.shot)

    def _broken(self, reply: Reply, link: Link) -> None:
        """A connection ended. The first one is replaced at once (APNs says GOAWAY now and then), later ones after a
        rest; a new connection on which nothing at all is answered within the timeout is a service that is away."""
        self._sound = 0
        self._strikes += STRIKES if reply.proving and reply.fault is Fault.TIMEOUT else 1
        if self._strikes >= STRIKES:
            self._give_up(f"APNs cannot be reached ({reply.text})")
        elif self._strikes > 1:
            link.rest_until = time.monotonic() + _jitter(RECONNECT_SECONDS * 2**self._strikes)

    def _complained(self, reply: Reply, link: Link, said: Complaint) -> None:
        target = reply.shot.target
        if said.kind is Kind.WRONG_TOPIC:
            # Everybody's answer under a wrong certificate; a stray device's (or a prankster's) where others are taken.
            if not (self._standing.proven or target.suspected):
                self._ready.append(self._misset(reply, said).accused(target))
                return
            said = Complaint(Kind.BAD_TOKEN, said.reason)
        if said.kind is Kind.SPENT and self._may_go_again(reply.shot, link):
            self._again.append(reply.shot)
        elif said.kind in (Kind.MISSET, Kind.SPENT):
            self._ready.append(self._misset(reply, said).outcome(target))
        elif said.kind is Kind.BUSY:
            self._give(self._later(target, BUSY_SECONDS, said.reason, reply.retry_after))
        elif said.kind is Kind.UNWELL:
            self._unwell += 1
            link.retire()
            self._give(self._later(target, self._backoff(), said.reason, reply.retry_after))
            if self._unwell >= UNWELL_IN_A_ROW or (reply.proving and self._unwell >= STRIKES):
                self._give_up(f"APNs is unwell ({reply.status} {said.reason})", reply.retry_after)
        else:
            self._refused(target, said)

    def _may_go_again(self, shot: Shot, link: Link) -> bool:
        """Whether there are newer headers than this one went with: those of a token that others have renewed already,
        or one that is renewed now."""
        if self._stop is not None or shot.tries >= TRIES:
            return False
        if shot.headers is not link.headers:
            return True
        fresh = self._renew()
        if fresh is not None:
            self._exchange.prepare(fresh)
        return fresh is not None

    def _refused(self, target: Target, said: Complaint) -> None:
        """The answer blames the device. It is held back until a window of further answers shows that it was not
        everybody's."""
        alarm = self._standing.refused(said.kind, target)
        if alarm is not None:
            self._halt(alarm)
        if said.kind is Kind.BAD_TOKEN:
            outcome = Outcome(target, Fate.SUSPECT, why=said.reason)
        elif said.gone_at is not None and said.gone_at > target.registered_at:
            outcome = Outcome(target, Fate.DEAD, why=said.reason, gone_at=said.gone_at)
        else:  # it has registered again since, so this is old news (Apple: compare the timestamp)
            self._give(Outcome(target, Fate.TOLD, why=said.reason, gone_at=said.gone_at))
            return
        if self._stop is not None:
            self._ready.append(self._stop.accused(target))
        else:
            self._held.append((self._answers, outcome))

    def _believed(self, outcome: Outcome) -> Outcome:
        if outcome.fate is Fate.DEAD and self._standing.doubt:
            return outcome._replace(fate=Fate.ACCUSED)
        return outcome

    def _misset(self, reply: Reply, said: Complaint) -> _Stop:
        sentence = (
            f"APNs refused the request ({reply.status} {said.reason}). {_REMEDIES.get(said.reason, _CERTIFICATE)}"
        )
        return self._halt(Alarm("configuration", sentence))

    def _halt(self, alarm: Alarm) -> _Stop:
        """Stop and shout. Whoever was refused before is not forgotten either: it may have been for the same reason."""
        if self._stop is None or self._stop.alarm is None:
            fate = Fate.LATER if alarm.kind == "tokens" else Fate.REFUSED
            self._stop = _Stop(fate, ALARM_SECONDS, alarm.sentence, alarm)
        while self._held:
            self._ready.append(self._stop.accused(self._held.popleft()[1].target))
        return self._stop

    def _give_up(self, why: str, retry_after: int = 0) -> None:
        if self._stop is None:
            self._stop = _Stop(Fate.LATER, retry_after or self._backoff(), why)
            self._standing.gave_up()
            while self._held:
                self._ready.append(self._believed(self._held.popleft()[1]))

    def _give(self, outcome: Outcome) -> None:
        if self._stop is not None and self._stop.alarm is not None and outcome.fate is not Fate.TOLD:
            outcome = self._stop.outcome(outcome.target)
        self._ready.append(outcome)

    def _later(self, target: Target, seconds: float, why: str, retry_after: int = 0) -> Outcome:
        rest = min(retry_after, RETRY_AFTER_LIMIT_SECONDS)
        return Outcome(target, Fate.LATER, rest + _jitter(seconds if rest == 0 else 1.0), why)

    def _backoff(self) -> float:
        return min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2.0 ** min(self._standing.failures, 10))


def _jitter(seconds: float) -> float:
    """Half to one and a half times as long, so that what failed together does not come back together."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, hides nothing


def _distinct(targets: Iterable[Target]) -> Iterator[Target]:
    """Targets without those whose token came before, as far as two bounded sets remember."""
    recent: set[str] = set()
    older: set[str] = set()
    for target in targets:
        token = target.token.lower()
        if token in recent or token in older:
            continue
        recent.add(token)
        if len(recent) >= REMEMBERED:
            older, recent = recent, set()
        yield target
