"""Owns a TLS server that says what a test wants it to say, and no more."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from wallet_server.sandbox.authority import Authority

WHILE_SECONDS = 20
Script = Callable[[ssl.SSLSocket], None]


@contextmanager
def server(authority: Authority, script: Script) -> Iterator[str]:
    """A TLS server that lets `script` do as it likes with each connection; gives its address."""
    context = authority.server_context()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(raw: socket.socket) -> None:
        raw.settimeout(WHILE_SECONDS)
        with suppress(OSError, struct.error), context.wrap_socket(raw, server_side=True) as connection:
            script(connection)

    def listen() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
