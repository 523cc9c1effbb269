"""Owns the one to four connections with the same credential, and the wait for all of them, by epoll."""

from __future__ import annotations

import select
import ssl
import time

from wallet_server.wallets.apple import apns_road
from wallet_server.wallets.apple.apns_link import Link
from wallet_server.wallets.apple.apns_road import Dial

EVENTS_AT_ONCE = 16


class Exchange:
    """One to four connections with the same credential, for one caller at a time."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._tls: ssl.SSLContext | None = None
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Link, int]] = {}
        self.links = [Link(self, dial)]
        self.answered = 0  # pushes, since the first call

    @property
    def in_flight(self) -> int:
        return sum(link.in_flight for link in self.links)

    def tls(self) -> ssl.SSLContext:
        """The settings of TLS, made once. Raises `Away` for a certificate that cannot be used."""
        if self._tls is None:
            self._tls = apns_road.context(self._dial)
        return self._tls

    def grow(self) -> None:
        """One connection more."""
        link = Link(self, self._dial)
        link.headers = self.links[0].headers
        self.links.append(link)

    def prepare(self, headers: list[str]) -> None:
        """The request headers of everything that is sent from now on."""
        for link in self.links:
            link.headers = headers

    def watch(self, link: Link, descriptor: int, mask: int) -> None:
        """Wait for this on a link's descriptor; for nothing when the mask is 0."""
        before = self._watched.get(descriptor)
        if mask == 0:
            if before is not None:
                del self._watched[descriptor]
                self._epoll.unregister(descriptor)
        elif before is None:
            self._watched[descriptor] = link, mask
            self._epoll.register(descriptor, mask)
        elif before[1] != mask:
            self._watched[descriptor] = link, mask
            self._epoll.modify(descriptor, mask)

    def turn(self, longest: float) -> None:
        """Send what waits and hear what comes: waits for the network up to `longest` seconds, less when something is
        to be given up before that or has come to an end already."""
        for link in self.links:
            link.flush()
        now, wait = time.monotonic(), longest
        for link in self.links:
            deadline = link.deadline
            if deadline is not None:
                wait = min(wait, deadline - now)
            if link.has_replies:
                wait = 0.0
        for descriptor, _ in self._epoll.poll(max(0.0, wait), EVENTS_AT_ONCE):
            watched = self._watched.get(descriptor)
            if watched is not None:
                watched[0].act()
        now = time.monotonic()
        for link in self.links:
            deadline = link.deadline
            if deadline is not None and deadline <= now:
                link.expire(now)

    def close(self) -> None:
        for link in self.links:
            link.close()
        self._epoll.close()
