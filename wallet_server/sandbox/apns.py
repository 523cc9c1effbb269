"""Owns the sandbox's Apple Push Notification service: real HTTP/2 over TLS on loopback, as strict as the real one.

A client certificate of the sandbox's authority opens it, and its UID is the only topic; where keys are registered, a
provider token signed by one of them does too, for the pass types of its team. A new connection may have one
stream in flight; after its first accepted notification 500, after a refused one a single one again until the next is
accepted; whoever overruns that is dropped. It can be told, live, to answer anything, slowly, or not at all.
Sources: Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs"; RFC 9113.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ipaddress
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar

from wallet_server.sandbox.apns_streams import NO_ID, Answer, Connection, Counts, Request, is_uuid
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.provider_tokens import TokenKeys

PAYLOAD_LIMIT = 4096
COLLAPSE_ID_LIMIT = 64
ORDERS_LIMIT = 200_000
CONNECTIONS_LIMIT = 2_000
TOLD_REASONS_LIMIT = 100

_PATH = re.compile(r"/3/device/(.*)")
_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){1,100}")
_PUSH_TYPES = frozenset(
    ("alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk")
)

__all__ = ["Answer", "ApnsServer", "Counts"]

Known = bool | datetime
OnPush = Callable[[str, str, Mapping[str, str], bytes], Awaitable[None] | None]
Result = TypeVar("Result")


class ApnsServer:
    """An APNs server. `on_push(token, topic, headers, payload)` is told of each accepted notification (an awaitable it
    returns is run beside the answer); `known_tokens(token)` says True, False (400 BadDeviceToken) or since when the
    device is gone (410 Unregistered); None knows every token. Both are called in the server's event loop."""

    def __init__(
        self,
        authority: Authority,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        streams: int = 500,
        on_push: OnPush | None = None,
        known_tokens: Callable[[str], Known] | None = None,
        beyond_loopback: bool = False,
        token_keys: TokenKeys | None = None,
    ) -> None:
        """With `token_keys`, whoever has no certificate may come with a token. Raises ValueError when `host` is not a
        loopback address, unless `beyond_loopback` asks for it."""
        if not (beyond_loopback or ipaddress.ip_address(host).is_loopback):
            raise ValueError(f"the sandbox's APNs server listens on loopback only, not on {host}")
        self.host, self.port, self.streams = host, port, streams
        self.counts = Counts()
        self._context = authority.server_context(certificate_required=token_keys is None)
        self._token_keys = token_keys
        self._on_push, self._known_tokens = on_push, known_tokens
        self._order: Answer | None = None
        self._orders: dict[str, Answer] = {}
        self._goodbye_after: int | None = None
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections: set[Connection] = set()
        self._deliveries: set[asyncio.Future[None]] = set()

    @property
    def address(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def start(self) -> None:
        """Listens; with port 0 the system chooses one, which is kept for life. Raises OSError when it is taken."""
        self._loop = asyncio.get_running_loop()
        self._listener = await self._loop.create_server(
            lambda: Connection(self), self.host, self.port, ssl=self._context, backlog=1_000
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuses connections and cuts those that stand. `start` brings it back on the same port."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.hang_up()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def tell(self, answer: Answer | None, token: str | None = None) -> None:
        """From now on answer so, to this token or to all; None takes the order back. An answer of status 200 judges as
        usual and only changes the pace. Safe from any thread."""
        if token is None:
            self._order = answer
        elif answer is None:
            self._orders.pop(token.lower(), None)
        elif len(self._orders) < ORDERS_LIMIT:
            self._orders[token.lower()] = answer

    def say_goodbye(self, after: int = 0) -> None:
        """GOAWAY on the connection that carries the next request but `after`: that request is the last one it answers,
        later ones are ignored, and the connection ends when the earlier ones are answered. Safe from any thread."""
        self._goodbye_after = after

    def hang_up(self) -> None:
        """Cuts every connection without a word. In the server's own thread; from another one `hang_up_soon`."""
        for connection in list(self._connections):
            connection.cut()

    def hang_up_soon(self) -> None:
        """`hang_up`, from any thread, without waiting for it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.hang_up)

    # What a connection asks of its server.

    def joined(self, connection: Connection) -> bool:
        """Counts a new connection; False when there are too many."""
        self.counts.connections += 1
        if len(self._connections) >= CONNECTIONS_LIMIT:
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def is_last(self) -> bool:
        """Whether the request that has just arrived is the one to say goodbye after."""
        if self._goodbye_after is None:
            return False
        self._goodbye_after = self._goodbye_after - 1 if self._goodbye_after > 0 else None
        return self._goodbye_after is None

    def judge(self, request: Request, topic: str) -> Answer:
        """The answer to one complete request on a connection whose certificate stands for `topic` (or has none)."""
        refusal = None
        if not topic and self._token_keys is not None:
            topic = request.headers.get("apns-topic", "")
            refusal = _unopened(self._token_keys, request, topic)
            self.counts.by_token += refusal is None
        answer, token = (refusal, "") if refusal is not None else self._sort(request, topic)
        if answer.status != 200:
            reason = answer.reason if len(self.counts.refused) < TOLD_REASONS_LIMIT else "(others)"
            self.counts.refused[reason or str(answer.status)] += 1
        elif not answer.silent:
            self.counts.accepted += 1
            self._deliver(token, topic, request)
        return answer

    def _sort(self, request: Request, topic: str) -> tuple[Answer, str]:
        path = _PATH.fullmatch(request.path)
        if path is None:
            return Answer(404, "BadPath"), ""
        token = path[1].lower()
        order = self._orders.get(token) or self._order or Answer()
        fault = _fault(request, token, topic)
        if fault is not None:
            return fault, token
        if order.status != 200 or order.silent:
            return order, token
        known = True if self._known_tokens is None else self._known_tokens(token)
        if isinstance(known, datetime):
            return Answer(410, "Unregistered", timestamp=known, delay_seconds=order.delay_seconds), token
        if not known:
            return Answer(400, "BadDeviceToken", delay_seconds=order.delay_seconds), token
        return order, token

    def _deliver(self, token: str, topic: str, request: Request) -> None:
        if self._on_push is None:
            return
        headers = {name: value for name, value in request.headers.items() if name.startswith("apns-")}
        waiting = self._on_push(token, topic, headers, bytes(request.body))
        if inspect.isawaitable(waiting):
            delivery = asyncio.ensure_future(_all_of(waiting))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[ApnsServer]:
        """Runs the server in an event loop of its own thread, for callers without one; stops it at the end."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="sandbox-apns", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result(timeout=20)
            yield self
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result(timeout=20)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=20)
            if not thread.is_alive():
                loop.close()

    def run(self, order: Coroutine[Any, Any, Result]) -> Result:
        """Runs `server.stop()` or `server.start()` in the server's loop, from another thread, and waits for it."""
        if self._loop is None:
            raise RuntimeError("the server has not been started")
        return asyncio.run_coroutine_threadsafe(order, self._loop).result(timeout=20)


async def _all_of(waiting: Awaitable[None]) -> None:
    await waiting


def _unopened(keys: TokenKeys, request: Request, topic: str) -> Answer | None:
    """The refusal of a request without a certificate; None when its token opens this topic."""
    reason = keys.fault(request.headers.get("authorization", ""), topic)
    return None if reason is None else Answer(400 if "Topic" in reason else 403, reason)


def _fault(request: Request, token: str, topic: str) -> Answer | None:
    """What APNs finds wrong with a request before it looks at the device, in Apple's own words."""
    headers = request.headers
    checks = (
        (request.method == "POST", 405, "MethodNotAllowed"),
        (token != "", 400, "MissingDeviceToken"),
        (_TOKEN.fullmatch(token) is not None, 400, "BadDeviceToken"),
        (headers.get("apns-topic", topic) == topic, 400, "TopicDisallowed"),
        (len(request.body) <= PAYLOAD_LIMIT, 413, "PayloadTooLarge"),
        (len(request.body) > 0, 400, "PayloadEmpty"),
        (is_uuid(headers.get("apns-id", NO_ID)), 400, "BadMessageId"),
        (headers.get("apns-expiration", "0").isdigit(), 400, "BadExpirationDate"),
        (headers.get("apns-priority", "10") in ("1", "5", "10"), 400, "BadPriority"),
        (headers.get("apns-push-type", "alert") in _PUSH_TYPES, 400, "InvalidPushType"),
        (len(headers.get("apns-collapse-id", "").encode()) <= COLLAPSE_ID_LIMIT, 400, "BadCollapseId"),
    )
    return next((Answer(status, reason) for right, status, reason in checks if not right), None)
