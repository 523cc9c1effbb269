"""Owns the command that prints a fresh secret key; it needs no database and no setting."""

from __future__ import annotations

import secrets

import click

from wallet_server.records.envelope import new_key_line


@click.command()
def new() -> None:
    """Print a fresh key line; put it first in WALLET_SECRET_KEYS, keep the old ones, then run `secrets rotate`."""
    click.echo(new_key_line(f"k{secrets.token_hex(3)}"))
