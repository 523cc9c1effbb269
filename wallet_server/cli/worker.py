"""Owns the command that delivers in a process of its own."""

from __future__ import annotations

import signal
import sys
import threading

import click

from wallet_server.actions.tally import Keeper
from wallet_server.actions.vendors import given_papers, google_accounts
from wallet_server.cli.opening import bells_folder, open_context
from wallet_server.delivery.engine import Engine


@click.command()
def worker() -> None:
    """Deliver in a process of its own; several may run at once. SIGTERM finishes what was begun."""
    ctx = open_context()
    given_papers.take_in(ctx)
    google_accounts.take_in(ctx)
    keeper = Keeper(ctx.tally, ctx.database)
    keeper.start()
    engine = Engine(ctx, bells_folder(ctx.settings))
    working = engine.start()
    ctx.ring = working.ring
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo("delivering")
    stop.wait()
    done = engine.stop()
    keeper.stop()
    sys.exit(0 if done else 1)
