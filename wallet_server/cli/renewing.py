"""Owns the renewal of the local certificate for https while the server runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_names, local_tls
from wallet_server.errors import Misconfigured

LOOK_EVERY_SECONDS = 12 * 3600.0
ENDING_SECONDS = 10.0


@contextmanager
def renewing(ctx: Context) -> Iterator[None]:
    """Look twice a day. With a fresh certificate this process is sent SIGHUP, on which Granian starts fresh server
    processes, which read it, before it lets the old ones end what they are at."""
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(ctx, over), name="https-renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ENDING_SECONDS)


def _watch(ctx: Context, over: threading.Event) -> None:
    while not over.wait(LOOK_EVERY_SECONDS):
        try:
            renewed = local_tls.renew(ctx, local_names.this_machine())
        except Misconfigured as fault:
            _say(f"The certificate for https was not renewed: {fault.sentence}")
            continue
        if renewed:
            _say("The certificate for https was renewed; devices notice nothing.")
            os.kill(os.getpid(), signal.SIGHUP)
        elif (ends := local_tls.standing(ctx).authority_ends) and ends - ctx.now() < local_tls.RENEW_BEFORE:
            _say(
                f"The authority for https ends on {ends:%Y-%m-%d}: restart the server before, and have every device "
                "trust the one that the start makes."
            )


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
