"""Owns the command that migrates the database ahead of a start."""

from __future__ import annotations

import click

from wallet_server.records.database import upgrade
from wallet_server.settings import Settings


@click.command("upgrade")
def upgrade_database() -> None:
    """Bring the database to the newest migration."""
    upgrade(Settings.from_env().database)
    click.echo("The database is up to date.")
