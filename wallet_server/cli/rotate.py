"""Owns the command that moves every stored secret to the current key."""

from __future__ import annotations

import sys

import click

from wallet_server.actions.operating import local_tls
from wallet_server.actions.vendors import credentials as vault
from wallet_server.cli.opening import open_context
from wallet_server.errors import Misconfigured


@click.command()
def rotate() -> None:
    """Encrypt everything stored under the current key; afterwards the older keys may go.

    What cannot be opened is named at the end (exit 1); everything else is done all the same.
    """
    ctx = open_context()
    done = vault.rotate_secrets(ctx)
    renewed, damaged, named = done.renewed, done.damaged, list(done.named)
    try:
        renewed += local_tls.reseal(ctx)
    except Misconfigured as fault:
        damaged += 1
        named.append(f"The key of the local https authority: {fault.sentence}")
    click.echo(f"{renewed} secrets were encrypted anew.")
    if not damaged:
        return
    for sentence in named:
        click.echo(sentence, err=True)
    if damaged > len(named):
        click.echo(f"... and {damaged - len(named)} more.", err=True)
    click.echo(
        f"{damaged} secrets could not be opened and were left as they are; all others are done. Keep the older keys "
        "until these are mended.",
        err=True,
    )
    sys.exit(1)
