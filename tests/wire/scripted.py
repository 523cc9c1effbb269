"""Owns servers of other kinds than the sandbox's: one over TLS that says what a test wants it to say; and the wait for
a program that is one."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from wallet_server.sandbox.authority import Authority

WHILE_SECONDS = 20
Script = Callable[[ssl.SSLSocket], None]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


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
