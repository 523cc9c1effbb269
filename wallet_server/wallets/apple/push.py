"""Owns ringing iPhones: the pushes that tell a device that one of its passes changed, and what their answers mean.

`Bell` rings devices of one credential; `ring_all` turns the wallet's stale cards into rings and their outcomes into
reports. A push carries nothing (Apple: an empty JSON dictionary), so sending one twice does no harm and a lost one may
be sent again. Sources: Apple, "Adding a Web Service to Update Passes", "Sending notification requests to APNs".
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from wallet_server.errors import Misconfigured
from wallet_server.wallets.apple.apns_answers import Alarm, Fate, Outcome, Standing, Target
from wallet_server.wallets.apple.apns_batch import Batch
from wallet_server.wallets.apple.apns_exchange import Exchange
from wallet_server.wallets.apple.apns_road import Dial
from wallet_server.wallets.apple.provider_token import Provider
from wallet_server.wallets.port import Handle, Later, Refused, Report, Shown, Stale, Verdict

__all__ = ["Alarm", "Bell", "BellSettings", "Credentials", "Fate", "Outcome", "Target", "ring_all"]

APPLE = "https://api.push.apple.com"
APPLE_PORTS = (None, 443, 2197)
PUSH_KIND = "apns"

IDLE_EXCHANGES = 4  # per credential: one for each worker thread that rings at the same time
CREDENTIALS_KEPT = 64  # credentials whose connections are kept open
STANDINGS_KEPT = 4_096  # credentials whose last answers are remembered: a few kilobytes each
SYSTEM_TRUST = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS
)


@dataclass(frozen=True)
class BellSettings:
    """`depth`: most streams in flight on one connection (APNs may allow fewer); `connections`: most connections of one
    call; `push_type` and `priority` as in APNs' headers (a push type of None sends none; `background` goes with 5);
    `expiration_seconds`: how long APNs keeps a push for a phone that is off, never 0."""

    depth: int = 1_000
    connections: int = 4
    timeout_seconds: float = 15.0
    push_type: str | None = "background"
    priority: int = 5
    expiration_seconds: int = 2 * 24 * 3600


class Credential(Protocol):
    """What rings a pass type's devices: the certificate that signs its passes, and the key, in memory; or, in their
    place, a provider of tokens of the same team."""

    @property
    def certificate_pem(self) -> bytes: ...
    @property
    def key_pem(self) -> bytes: ...
    @property
    def pass_type(self) -> str: ...
    @property
    def provider(self) -> Provider | None: ...


Credentials = Callable[[int], Credential]

_OWN = "credentials:"  # begins a reason of which the push service knows nothing: it was not asked


class Bell:
    """Rings devices through APNs and keeps its connections between calls. Safe from several threads: each call takes
    whole connections out of a pool for its duration (a connection is for one thread at a time, and a lock around a
    shared one would make the counter's ring wait for a campaign's)."""

    def __init__(
        self,
        settings: BellSettings | None = None,
        *,
        address: str = APPLE,
        trust_pem: bytes | None = None,
        sandbox: bool = False,
    ) -> None:
        """Raises `Misconfigured` for an address or a trust root that is not Apple's, unless `sandbox`, and for settings
        that APNs would refuse. Without `trust_pem` the system's collection of roots is trusted."""
        self._settings = settings or BellSettings()
        _check(self._settings, address, trust_pem, sandbox)
        self._address, self._trust, self._sandbox = address.rstrip("/"), trust_pem, sandbox
        self._trust_file = None if trust_pem is not None else _system_trust()
        self._standings: OrderedDict[bytes, Standing] = OrderedDict()
        self._idle: OrderedDict[bytes, list[Exchange]] = OrderedDict()  # what waits for a credential's next call
        self._lock = threading.Lock()
        self._closed = False

    def ring(
        self,
        certificate_pem: bytes,
        key_pem: bytes,
        topic: str,
        targets: Iterable[Target],
        at: datetime,
        provider: Provider | None = None,
    ) -> Iterator[Outcome]:
        """Ring each target once and yield what became of it, in any order; `at` (UTC) is now. Targets are pulled as
        they are needed: a million cost no more memory than a thousand. A token that comes again within the last 65,536
        is passed over without an outcome. Never raises for an answer or a network fault: a batch that must stop (a
        wrong setting, too many refusals) gives everything that is left the same outcome, with its `alarm`. Take the
        outcomes as they come: while nobody asks for the next one nothing is sent. Targets that are suspected are
        rung when the others have been answered. A `provider` opens the service in the certificate's place."""
        headers = self._headers(topic, at)
        if provider is None:
            key = hashlib.sha256(b"\0".join((certificate_pem, key_pem, topic.encode()))).digest()
            standing, exchange = self._take(key, certificate_pem, key_pem)
            batch = Batch(exchange, standing, targets, self._settings.connections)
        else:
            tokens = _Tokens(provider, headers, at, provider.bearer(at))
            headers = tokens.headers
            key = hashlib.sha256(f"token\0{provider.name}\0{topic}".encode()).digest()
            standing, exchange = self._take(key, None, None)
            batch = Batch(exchange, standing, targets, self._settings.connections, tokens.renew)
        exchange.prepare(headers)
        whole = False
        try:
            yield from batch.run()
            whole = True
        finally:
            self._give_back(key, exchange, whole)

    def close(self) -> None:
        """Close the connections that wait; those in use are closed when their call ends."""
        with self._lock:
            self._closed = True
            idle = [exchange for waiting in self._idle.values() for exchange in waiting]
            self._idle.clear()
        for exchange in idle:
            exchange.close()

    def _headers(self, topic: str, at: datetime) -> list[str]:
        settings = self._settings
        # Up to the next hour: the same bytes for all calls within it, so that the connections keep what they built.
        until = int((at + timedelta(seconds=settings.expiration_seconds)).timestamp()) // 3600 * 3600 + 3600
        headers = [f"apns-topic: {topic}", f"apns-expiration: {until}", f"apns-priority: {settings.priority}"]
        if settings.push_type is not None:
            headers.append(f"apns-push-type: {settings.push_type}")
        return [*headers, "content-type: application/json"]

    def _take(self, key: bytes, certificate_pem: bytes | None, key_pem: bytes | None) -> tuple[Standing, Exchange]:
        with self._lock:
            if self._closed:
                raise RuntimeError("this bell has been closed")
            standing = self._standings.setdefault(key, Standing())
            self._standings.move_to_end(key)
            if len(self._standings) > STANDINGS_KEPT:
                self._standings.popitem(last=False)
            waiting = self._idle.get(key)
            exchange = waiting.pop() if waiting else None
        if exchange is None:
            exchange = Exchange(
                Dial(
                    address=self._address,
                    certificate_pem=certificate_pem,
                    key_pem=key_pem,
                    trust=self._trust,
                    trust_file=self._trust_file,
                    timeout_seconds=self._settings.timeout_seconds,
                    depth=self._settings.depth,
                    direct=self._sandbox,
                )
            )
        return standing, exchange

    def _give_back(self, key: bytes, exchange: Exchange, whole: bool) -> None:
        surplus = [exchange]
        with self._lock:
            if whole and not self._closed:
                waiting = self._idle.setdefault(key, [])
                self._idle.move_to_end(key)
                if len(waiting) < IDLE_EXCHANGES:
                    waiting.append(surplus.pop())
                if len(self._idle) > CREDENTIALS_KEPT:
                    surplus += self._idle.popitem(last=False)[1]
        for one in surplus:
            one.close()


class _Tokens:
    """The headers of one call that is opened by provider tokens. Its time goes on from `at`, when the call began."""

    def __init__(self, provider: Provider, plain: Sequence[str], at: datetime, bearer: str) -> None:
        self._provider, self._plain, self._at, self._bearer = provider, plain, at, bearer
        self._began = time.monotonic()

    @property
    def headers(self) -> list[str]:
        return [*self._plain, f"authorization: bearer {self._bearer}"]

    def renew(self) -> list[str] | None:
        """The headers with another token, after this one was called expired."""
        now = self._at + timedelta(seconds=time.monotonic() - self._began)
        fresh = self._provider.renewed(now, self._bearer)
        if fresh is None:
            return None
        self._bearer = fresh
        return self.headers


def _check(settings: BellSettings, address: str, trust_pem: bytes | None, sandbox: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https":
        raise Misconfigured(f"The push service is reached over https; {address} is not.")
    if not sandbox and (f"https://{parts.hostname}" != APPLE or parts.port not in APPLE_PORTS or parts.username):
        raise Misconfigured(
            f"{address} is not where Apple takes pushes for passes. Use {APPLE} (passes update over the production "
            "service only, never over api.sandbox.push.apple.com); another address is for the sandbox."
        )
    if not sandbox and trust_pem is not None:
        raise Misconfigured("Only the sandbox may trust a root of its own for the push service; remove that setting.")
    if settings.expiration_seconds < 3600:
        raise Misconfigured("A push must be kept for at least an hour, or phones that are off never hear of it.")
    if settings.priority not in (1, 5, 10) or (settings.push_type == "background" and settings.priority == 10):
        raise Misconfigured("APNs takes the priorities 1, 5 and 10, and background pushes only with 1 or 5.")
    if not (1 <= settings.depth <= 5_000 and 1 <= settings.connections <= 4 and settings.timeout_seconds > 0):
        raise Misconfigured("The bell wants 1 to 5,000 streams, 1 to 4 connections and a timeout above zero.")


def _system_trust() -> str:
    """The file of roots that this system trusts: an OpenSSL that came with Python knows only the place of the system
    it was built on. SSL_CERT_FILE, which OpenSSL honours, goes first."""
    places: tuple[str | None, ...] = (ssl.get_default_verify_paths().cafile, *SYSTEM_TRUST)
    for place in places:
        if place is not None and Path(place).is_file():
            return place
    raise Misconfigured("This system has no trusted root certificates. Install the package ca-certificates.")


@dataclass
class _Due:
    """One stale card while its devices are being rung."""

    stale: Stale
    waiting: int = 0
    verdict: Verdict = Shown()
    told: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    suspect: tuple[int, ...] = ()
    accused: tuple[int, ...] = ()

    def report(self) -> Report:
        return Report(
            self.stale.ref, self.verdict, self.stale.remote_state, self.told, self.dead, self.suspect, self.accused
        )

    def waits_for(self, handle: Handle) -> bool:
        """Whether this device's Later is the card's: one that is doubted holds back none that is not."""
        return not handle.suspected or all(h.suspected for h in self.stale.handles if h.kind == PUSH_KIND)


def ring_all(
    bell: Bell,
    credentials: Credentials,
    stale: Sequence[Stale],
    at: datetime,
    on_alarm: Callable[[int, Alarm], None] | None = None,
) -> Iterator[Report]:
    """Ring every APNs device of these cards, a device with several of them once; exactly one `Report` for each, in any
    order. The worst thing that happened to a card's devices is its verdict: Refused, then Later, then Shown; but a
    suspected device that comes later holds back no card that has another. Devices of another kind are not APNs'
    business and count as told. `credentials(credential_set)` may raise `Misconfigured`: that refuses the cards of that
    set alone. `on_alarm(credential_set, alarm)` hears of a stopped batch once."""
    groups: dict[int, list[Stale]] = {}
    for one in stale:
        groups.setdefault(one.credential_set, []).append(one)
    for credential_set, cards in groups.items():
        try:
            credential = credentials(credential_set)
        except Misconfigured as fault:
            yield from (Report(card.ref, Refused(f"{_OWN} {fault.sentence}"), card.remote_state) for card in cards)
            continue
        alarmed = False
        for found in _ring_group(bell, credential, cards, at):
            if isinstance(found, Report):
                yield found
            elif on_alarm is not None and not alarmed:
                alarmed = True
                on_alarm(credential_set, found)


def _ring_group(bell: Bell, credential: Credential, cards: Sequence[Stale], at: datetime) -> Iterator[Report | Alarm]:
    alone: dict[str, Stale] = {}  # by the token of the one device that holds them, which holds no other
    devices: dict[str, list[tuple[_Due, int]]] = {}
    targets: dict[str, Target] = {}
    for card in cards:
        if card.pass_type != credential.pass_type:
            why = f"The credential set {card.credential_set} is for {credential.pass_type}, not for {card.pass_type}."
            yield Report(card.ref, Refused(f"{_OWN} {why}"), card.remote_state)
            continue
        handles = card.handles
        if len(handles) == 1 and handles[0].kind == PUSH_KIND:
            token = handles[0].push_token.lower()
            if token not in targets:  # nearly all of a mass change
                alone[token] = card
                at_once = handles[0]
                targets[token] = Target(token, at_once.registered_at, len(targets), card.ref, at_once.suspected)
                continue
        due = _Due(card)
        for place, handle in enumerate(handles):
            if handle.kind != PUSH_KIND:
                continue
            token = handle.push_token.lower()
            first = targets.get(token)
            if first is None:
                targets[token] = _target(token, card, handle, len(targets))
                devices[token] = [(due, place)]
                due.waiting += 1
                continue
            if token in alone:
                devices[token] = [(_Due(alone.pop(token), 1), 0)]
            known = devices[token]
            due.waiting += all(other is not due for other, _ in known)
            known.append((due, place))
            if handle.registered_at < first.registered_at:
                targets[token] = first._replace(registered_at=handle.registered_at)
        if due.waiting == 0:
            yield due.report()
    if not targets:
        return
    opened_by = credential.certificate_pem, credential.key_pem, credential.pass_type
    for outcome in bell.ring(*opened_by, targets.values(), at, credential.provider):
        if outcome.alarm is not None:
            yield outcome.alarm
        token = outcome.target.token
        only = alone.get(token)
        if only is None:
            yield from _settle(outcome, devices[token])
        elif outcome.fate is Fate.TOLD and outcome.gone_at is None:
            yield Report(only.ref, _SHOWN, only.remote_state, (only.handles[0].ref,))
        else:
            yield from _settle(outcome, [(_Due(only, 1), 0)])


_SHOWN = Shown()


def _target(token: str, card: Stale, handle: Handle, number: int) -> Target:
    return Target(token, handle.registered_at, number, card.ref, handle.suspected)


def _settle(outcome: Outcome, devices: Sequence[tuple[_Due, int]]) -> Iterator[Report]:
    """Write an outcome into the cards of its device; report those that were waiting for nothing else."""
    for due, place in devices:
        handle = due.stale.handles[place]
        if outcome.fate is Fate.TOLD and outcome.gone_at is None:
            due.told += (handle.ref,)
        elif outcome.fate is Fate.SUSPECT:
            due.suspect += (handle.ref,)
        elif outcome.fate is Fate.ACCUSED:
            due.accused += (handle.ref,)
        elif outcome.fate is Fate.DEAD and outcome.gone_at is not None and outcome.gone_at > handle.registered_at:
            due.dead += (handle.ref,)
        elif outcome.fate is Fate.REFUSED:
            due.verdict = Refused(outcome.why)
        elif outcome.fate is Fate.LATER and due.waits_for(handle) and not isinstance(due.verdict, Refused):
            rest = due.verdict.seconds if isinstance(due.verdict, Later) else 0.0
            due.verdict = Later(max(rest, outcome.seconds), outcome.why)
    several = {id(due): due for due, _ in devices} if len(devices) > 1 else {0: devices[0][0]}
    for due in several.values():
        due.waiting -= 1
        if due.waiting == 0:
            yield due.report()
