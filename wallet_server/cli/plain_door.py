"""Owns the plain http door beside https: a small server for the trust page alone."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_tls
from wallet_server.errors import Misconfigured
from wallet_server.web.pages import files
from wallet_server.web.trust import plain_door

PLAIN_THREADS = 16
PLAIN_SECONDS = 10.0


class Handler(WSGIRequestHandler):
    """One request; a silent peer is let go, and nothing is written about who came."""

    timeout = PLAIN_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        return


class Door(socketserver.ThreadingMixIn, WSGIServer):
    """A small server for a few devices at a time: who comes beyond `PLAIN_THREADS` at once is turned away."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.BoundedSemaphore(PLAIN_THREADS)
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's own name, which may wait for a name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand it to a thread of its own while there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it, then give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away in the middle is no event."""


@contextmanager
def plainly(ctx: Context, identity: local_tls.Identity) -> Iterator[None]:
    """The plain http port of the trust page, while https is served. Raises `Misconfigured` when the port is taken."""
    port = urlsplit(ctx.settings.trust_address or "").port or 80
    try:
        door = Door(ctx.settings.host, port)
    except OSError as fault:
        raise Misconfigured(
            f"Port {port} cannot be used for the trust page: {fault}. Set WALLET_TRUST_PORT."
        ) from fault
    door.set_app(plain_door(ctx, files, identity.names))
    thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        door.shutdown()
        door.server_close()
        thread.join(PLAIN_SECONDS)
