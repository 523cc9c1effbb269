"""Owns the command that moves every stored secret to the current key."""

from __future__ import annotations

import click

from wallet_server.actions import credentials as vault
from wallet_server.actions import local_tls
from wallet_server.cli.opening import open_context


@click.command()
def rotate() -> None:
    """Encrypt everything stored under the current key; afterwards the older keys may go."""
    ctx = open_context()
    click.echo(f"{vault.rotate_secrets(ctx) + local_tls.reseal(ctx)} secrets were encrypted anew.")
