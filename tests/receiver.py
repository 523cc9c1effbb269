"""Owns a merchant's own system as webhooks reach it: an HTTP server on loopback that answers as it is told."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


@dataclass(frozen=True)
class Message:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> dict[str, Any]:
        return dict(orjson.loads(self.raw))


@dataclass
class Answer:
    """What is answered: after so many seconds, with these headers."""

    status: int = 200
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Receiver:
    """`messages` is everything that came, `answer` decides what each is told."""

    url: str
    messages: list[Message] = field(default_factory=list)
    answer: Callable[[Message], Answer] = lambda _message: Answer()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [one.body for one in self.messages]

    def kinds(self) -> list[str]:
        return [str(one["type"]) for one in self.bodies]


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that listens; with TLS where a context is given."""
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            message = Message(self.path, {k.lower(): v for k, v in self.headers.items()}, raw)
            said = found[0].answer(message)
            found[0].messages.append(message)
            time.sleep(said.seconds)
            try:
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.text.encode())))
                self.end_headers()
                self.wfile.write(said.text.encode())
            except OSError:  # whoever sent it has gone
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found.append(Receiver(f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}/hook"))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
