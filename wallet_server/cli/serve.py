"""Owns `wallet-server run`: it starts the server processes and watches over them, with https where it is asked for.

This process imports no page and no route; the server processes do.
"""

from __future__ import annotations

import sys

import click
from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server import Server

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_names, local_tls
from wallet_server.actions.vendors import given_papers, google_accounts
from wallet_server.cli import PARTS, load
from wallet_server.cli.opening import open_context
from wallet_server.cli.renewing import renewing
from wallet_server.cli.staff import show_setup
from wallet_server.cli.trusting import show_trust
from wallet_server.settings import FILES, LOCAL, Settings

STOP_SECONDS = 25
"""How long requests that are being answered may take to end when the server is stopped. A browser that holds a
connection with half a request would hold the stop as long."""
SANDBOX_STOP_SECONDS = 5
"""The same where somebody waits at a terminal, and nothing is lost but a demonstration's request."""
OVERLAP_SECONDS = 15
"""How long a server process that is replaced answers beside its successor, which may need as long to begin on a busy
machine: whoever came between the two would find nobody."""


@click.command()
def run() -> None:
    """Serve, with the embedded worker unless WALLET_WORKER is none."""
    settings = Settings.from_env()
    ctx = open_context(settings)
    given_papers.take_in(ctx)
    google_accounts.take_in(ctx)
    identity = local_tls.prepare(ctx, local_names.this_machine()) if settings.tls == LOCAL else None
    show_setup(ctx)
    ctx.database.close()
    server = Server(
        "wallet_server.cli.serving:serving",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        factory=True,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=OVERLAP_SECONDS,
        workers_kill_timeout=SANDBOX_STOP_SECONDS if settings.sandbox else STOP_SECONDS,
        ssl_cert=identity.file if identity else settings.tls_certificate if settings.tls == FILES else None,
        ssl_key=identity.file if identity else settings.tls_key if settings.tls == FILES else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    if identity is None:
        server.serve()
        return
    plainly = load(PARTS["plain door"])
    with plainly(ctx, identity), renewing(ctx):
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
        if "." not in name:
            click.echo(
                f"The local certificate does not cover {name}: a name without a dot may be all of a top-level domain. "
                "Give WALLET_BASE_URL one that ends in .local.",
                err=True,
            )
            continue
        click.echo(
            f"The local certificate does not cover {name}. To cover it, remove the folder "
            f"{ctx.settings.data_dir / 'tls'} and start again; every device must then trust the new one.",
            err=True,
        )
