"""Owns `wallet-server run`: the server processes, https where it is asked for, and the plain door beside it."""

from __future__ import annotations

import multiprocessing.util
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import click
import segno
from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server import Server

from wallet_server.actions import local_tls
from wallet_server.actions.context import Context
from wallet_server.app import create_app
from wallet_server.cli.opening import bells_folder, open_context
from wallet_server.cli.staff import show_setup
from wallet_server.delivery.engine import Doorbells, Embedded
from wallet_server.errors import Misconfigured
from wallet_server.settings import FILES, LOCAL, Settings
from wallet_server.web.pages import files
from wallet_server.web.trust import plain_door

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

PLAIN_THREADS = 16
PLAIN_SECONDS = 10.0


def serving() -> WSGIApplication:
    """What each server process runs: the application and, in one of them, the embedded worker."""
    settings = Settings.from_env()
    app = create_app(settings)
    ctx: Context = app.extensions["wallet"]
    bells = Doorbells(bells_folder(settings))
    ctx.ring = bells.ring
    if settings.worker == "embedded":
        embedded = Embedded(ctx, bells_folder(settings), bells)
        embedded.start()
        # Server processes end without running atexit; this is what multiprocessing runs instead.
        multiprocessing.util.Finalize(None, embedded.stop, exitpriority=10)
    return app


@click.command()
def run() -> None:
    """Serve, with the embedded worker unless WALLET_WORKER is none."""
    settings = Settings.from_env()
    ctx = open_context(settings)
    identity = local_tls.prepare(ctx, local_tls.this_machine()) if settings.tls == LOCAL else None
    show_setup(ctx)
    ctx.database.close()
    server = Server(
        "wallet_server.cli.serve:serving",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        factory=True,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=25,
        ssl_cert=identity.file if identity else settings.tls_certificate if settings.tls == FILES else None,
        ssl_key=identity.file if identity else settings.tls_key if settings.tls == FILES else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    if identity is None:
        server.serve()
        return
    with plainly(ctx, identity):
        tell(ctx, identity)
        server.serve()


def tell(ctx: Context, identity: local_tls.Identity) -> None:
    """Where devices learn to trust the certificate; with a QR code at the first start, and wherever a person looks."""
    authority = local_tls.authority_of(ctx)
    if authority is None:
        return
    if identity.first or sys.stdout.isatty():
        show_trust(ctx.settings.trust_address or "", authority.fingerprint)
    for name in identity.left_out:
        click.echo(
            f"The local certificate does not cover {name}. To cover it, remove the folder "
            f"{ctx.settings.data_dir / 'tls'} and start again; every device must then trust the new one.",
            err=True,
        )


def show_trust(address: str, fingerprint: str) -> None:
    """The address of the trust page, as text and as a QR code that a phone reads off the screen."""
    click.echo("\nOnce for each device: open this page on it and follow the steps. Then the till has the camera.\n")
    click.secho(f"  {address}\n", bold=True)
    if sys.stdout.isatty():
        segno.make(address, error="m", micro=False).terminal(compact=True)
    click.echo(f"\n  Fingerprint (SHA-256)  {fingerprint}\n")


# ---------------------------------------------------------------------- the plain door


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
