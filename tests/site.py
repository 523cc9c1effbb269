"""Owns a merchant's own site, as the tests of what stands in foreign pages need one: a page on an origin of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """One page, with what stands in `body`; `origin` is where it is found."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.body = ""
        self.origin = f"http://127.0.0.1:{server.server_port}"

    def page(self) -> bytes:
        return f'<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1>{self.body}</main>'.encode()


@contextmanager
def served() -> Iterator[Site]:
    """The site, while it is served."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(site.page() if self.path == "/" else b"")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
