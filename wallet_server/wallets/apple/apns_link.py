"""Owns the connections to APNs: many pushes on each, as many as it announces.

A new connection may have one stream until APNs announces more, and more may be announced and taken back at any time.
So the first send of each connection goes alone, and all that are on their way together leave in one write. Frames are
`apns_frames`', the socket and TLS are `apns_road`'s; this file decides when to connect, how deep to go, and what each
end of a connection means for what was on it.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from wallet_server.wallets.apple import apns_headers
from wallet_server.wallets.apple.apns_answers import Target
from wallet_server.wallets.apple.apns_frames import NO_ERROR, REFUSED, UNPROCESSED, Broken, Fields, Frames
from wallet_server.wallets.apple.apns_headers import Template
from wallet_server.wallets.apple.apns_road import Away, Dial, Fault, Road

__all__ = ["Dial", "Fault", "Link", "Phase", "Reply", "Shot"]

SHALLOW = 100  # streams in flight that keep a connection busy when answers take no time
STREAMS_PER_SECOND = 20_000  # what one connection is worth: the depth that reaches it grows with the latency
IDLE_SECONDS = 60.0  # a connection that was silent for longer may be gone: its next send goes alone again
REFUSALS_IN_A_ROW = 100  # streams that a connection may refuse to take before it is no good


class Phase(Enum):
    COLD = "cold"  # no connection
    PROVING = "proving"  # one send at a time, until APNs has taken one
    OPEN = "open"
    DRAINING = "draining"  # nothing new; once the rest is answered or lost, COLD


class Shot:
    """One target on its way, how often it has been tried, and the headers and the time that it went with last."""

    __slots__ = ("headers", "sent_at", "target", "tries")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tries = 0
        self.headers: list[str] | None = None
        self.sent_at = 0.0


class Reply(NamedTuple):
    """What came of a shot that was not taken: a status, or 0 and the fault. `broke` says that this one ended its
    connection."""

    shot: Shot
    status: int
    body: bytes = b""
    retry_after: int = 0
    fault: Fault | None = None
    text: str = ""
    proving: bool = False
    broke: bool = False


class Ground(Protocol):
    """What a connection stands on: the settings of TLS, and whoever waits for its socket."""

    def tls(self) -> ssl.SSLContext: ...
    def watch(self, link: Link, descriptor: int, mask: int) -> None: ...


class Link:
    """One connection to APNs, and the next one when that ends."""

    def __init__(self, ground: Ground, dial: Dial) -> None:
        self._ground, self._dial = ground, dial
        parts = urlsplit(dial.address)
        self._authority = parts.netloc
        self._prefix = dial.address.split(parts.netloc, 1)[1] + "/3/device/"
        self._road: Road | None = None
        self._frames: Frames[Shot] | None = None
        self._pending: deque[Shot] = deque()
        self._replies: list[Shot | Reply] = []
        self._templates: dict[int, Template] = {}
        self._latency = 0.0
        self._probe: Shot | None = None
        self._probed_at = self._heard_at = 0.0
        self._refusals = 0
        self._blamed = False  # whether somebody has been told that this connection ended
        self._headers: list[str] = []
        self.phase = Phase.COLD
        self.rest_until = 0.0

    @property
    def headers(self) -> list[str]:
        return self._headers

    @headers.setter
    def headers(self, headers: list[str]) -> None:
        if headers != self._headers:
            self._templates.clear()
        self._headers = headers

    @property
    def in_flight(self) -> int:
        """Shots whose reply has not been taken."""
        return self._under_way + len(self._replies)

    @property
    def _under_way(self) -> int:
        return len(self._pending) + (len(self._frames.streams) if self._frames is not None else 0)

    @property
    def latency(self) -> float:
        """Seconds an answer takes when nothing is queued before it: measured on sends that found the connection empty,
        above all on the one that goes alone. Under load the wait in the queue would ask for a deeper queue, without
        end; so from then on it falls at once and rises slowly."""
        return self._latency

    @property
    def deadline(self) -> float | None:
        """When something must be given up (monotonic)."""
        first = self._oldest()
        due = [] if first is None else [first.sent_at + self._dial.timeout_seconds]
        if self._road is not None and self._road.deadline is not None:
            due.append(self._road.deadline)
        return min(due, default=None)

    @property
    def has_replies(self) -> bool:
        return bool(self._replies)

    def room(self, now: float) -> int:
        """How many more may be sent at this moment."""
        if self.phase is Phase.OPEN and not self._under_way:
            self.act()  # it may have ended, or been told something, while nobody looked
            if self._frames is not None and self._frames.exhausted:
                self.retire()
        if self.phase is Phase.OPEN and self._frames is not None:
            busy = self._under_way
            if not busy and now - self._heard_at > IDLE_SECONDS:
                self.phase = Phase.PROVING
                return 1
            wanted = min(max(SHALLOW, int(self._latency * STREAMS_PER_SECOND)), self._dial.depth) - busy
            # With nothing on its way one may always wait here for room: it has its time, and nobody else has to look.
            return max(min(wanted, self._frames.room - len(self._pending)), 0 if busy else 1)
        if self.phase is Phase.DRAINING or self.in_flight or now < self.rest_until:
            return 0
        return 1

    def send(self, shot: Shot, now: float) -> None:
        """Take one more, if there was `room` at this moment (monotonic)."""
        shot.tries += 1
        shot.headers = self._headers
        shot.sent_at = now
        self._pending.append(shot)
        if self.phase is Phase.COLD:
            self.phase = Phase.PROVING
            self._blamed = False
            try:
                self._road = Road(self._dial, self._ground.tls(), self._watch)
            except Away as away:
                self._end(away)

    def flush(self) -> None:
        """Let go what waits, as far as APNs and the network take it."""
        road, frames = self._road, self._frames
        if road is None or frames is None:
            return
        pending = self._pending
        if pending and not road.clogged:
            now, templates = time.monotonic(), self._templates
            if not frames.streams:
                self._probe, self._probed_at = pending[0], now
            for _ in range(min(frames.room, len(pending))):
                shot = pending.popleft()
                token = shot.target.token.lower().encode()
                template = templates.get(len(token)) or self._template(len(token))
                frames.post(shot, template, token)
        out = frames.take()
        if out:
            road.write(out)
            if road.fault is not None:
                self._end(road.fault)

    def act(self) -> None:
        """Hear what has come."""
        road = self._road
        if road is None:
            return
        heard = road.act()
        if self._frames is None and road.ready:
            self._frames = Frames()
        if heard and self._frames is not None:
            try:
                self._frames.feed(heard)
            except Broken as broken:
                self._settle()
                self._end(Away(f"it breaks the protocol: {broken}"), broken.code)
                return
            self._settle()
        if road.fault is not None and self._road is road:
            self._end(road.fault)
        elif self._road is road:
            self.flush()

    def expire(self, now: float) -> None:
        """Give up what has waited for too long."""
        if self._road is not None:
            self._road.expire(now)
            if self._road.fault is not None:
                self._end(self._road.fault)
        while (shot := self._oldest()) is not None and shot.sent_at + self._dial.timeout_seconds <= now:
            if self._frames is not None and self._frames.streams:
                self._frames.cancel(next(iter(self._frames.streams)))
            else:
                self._pending.popleft()
            self._failed(shot, Fault.TIMEOUT, f"no answer within {self._dial.timeout_seconds:g} seconds", ends=True)
        if self.phase is Phase.DRAINING and not self._under_way:
            self._go_cold()

    def replies(self) -> Sequence[Shot | Reply]:
        """What has come in since the last time: a shot that was taken, or what came of another."""
        got, self._replies = self._replies, []
        if self.phase is Phase.DRAINING and not self._under_way:
            self._go_cold()
        return got

    def retire(self) -> None:
        """Use this connection for nothing new, and connect afresh once the rest is answered."""
        self._blamed = True
        self._drain()
        if not self._under_way:
            self._go_cold()

    def close(self) -> None:
        self._pending.clear()
        self._go_cold()

    def _oldest(self) -> Shot | None:
        frames = self._frames
        if frames is not None and frames.streams:
            return next(iter(frames.streams.values()))
        return self._pending[0] if self._pending else None

    def _template(self, length: int) -> Template:
        made = apns_headers.templates(self._authority, self._prefix, self._headers, length)
        self._templates[length] = made
        return made

    def _watch(self, descriptor: int, mask: int) -> None:
        self._ground.watch(self, descriptor, mask)

    # --- what comes of shots -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Make replies of what the frames say has ended."""
        frames = self._frames
        if frames is None:
            return
        ended, frames.ended = frames.ended, []
        if ended:
            now = self._heard_at = time.monotonic()
            add = self._replies.append
            for shot, status, body, fields, code in ended:
                if shot is self._probe and status:
                    self._measure(now - self._probed_at)
                if status == 200:
                    if self.phase is Phase.PROVING:
                        self.phase = Phase.OPEN
                    self._refusals = 0
                    add(shot)
                elif status:
                    self._refusals = 0
                    add(self._answered(shot, status, body, fields))
                else:
                    self._unanswered(shot, code)
        if frames.goodbye is not None:
            self._drain()

    def _measure(self, took: float) -> None:
        self._probe = None
        self._latency = took if self.phase is Phase.PROVING else min(took, self._latency * 1.25 + 0.001)

    def _answered(self, shot: Shot, status: int, body: bytes, fields: Fields) -> Reply:
        rest = apns_headers.retry_after(fields, datetime.now(UTC))
        return Reply(shot, status, body, rest, proving=self.phase is Phase.PROVING)

    def _unanswered(self, shot: Shot, code: int) -> None:
        if code == UNPROCESSED:
            said = self._frames.farewell if self._frames is not None else ""
            self._failed(shot, Fault.UNSENT, f"it said goodbye {said}".strip(), ends=True)
        elif code == REFUSED and self._refusals < REFUSALS_IN_A_ROW:
            self._refusals += 1
            self._failed(shot, Fault.LOST, "it refused the stream", ends=False)
        else:
            self._failed(shot, Fault.LOST, f"it reset the stream with code {code}", ends=True)

    def _failed(self, shot: Shot, fault: Fault, text: str, *, ends: bool) -> None:
        """No answer to this shot; `ends` when its connection is of no more use."""
        proving = self.phase is Phase.PROVING
        if fault is Fault.UNSENT and proving:
            fault = Fault.LOST
        if fault is Fault.UNSENT:
            shot.tries -= 1
        if fault is Fault.LOST and proving and self._frames is not None:
            text = f"it closes connections without an answer, as it would for a certificate it rejects: {text}"
        broke = ends and not self._blamed
        self._replies.append(Reply(shot, 0, fault=fault, text=text, proving=proving, broke=broke))
        if ends:
            self._blamed = True
            self._drain()

    def _drain(self) -> None:
        """Nothing new; what has not left comes back."""
        proving = self.phase is Phase.PROVING
        self.phase = Phase.DRAINING
        while self._pending:
            shot = self._pending.popleft()
            if not proving:
                shot.tries -= 1
            fault = Fault.LOST if proving else Fault.UNSENT
            self._replies.append(Reply(shot, 0, fault=fault, text="the connection ended before this was sent"))

    def _end(self, away: Away, code: int = NO_ERROR) -> None:
        """The connection is gone: so is what was on it."""
        lost = list(self._frames.streams.values()) if self._frames is not None else []
        if self.phase is Phase.PROVING:
            lost += self._pending
            self._pending.clear()
        for number, shot in enumerate(lost):
            self._failed(shot, away.fault, away.text, ends=number == 0 or away.fault is Fault.MISSET)
        self._go_cold(code)

    def _go_cold(self, code: int = NO_ERROR) -> None:
        """Nothing of the old connection (a socket that went silent, a limit) lives on."""
        road, frames = self._road, self._frames
        if self.phase is not Phase.COLD:
            self._drain()
        self._road = self._frames = None
        if road is not None:
            if frames is not None and road.fault is None:
                frames.close(code)
                road.write(frames.take())
            road.close()
        self.phase = Phase.COLD
        self._latency, self._probe, self._refusals = 0.0, None, 0
