"""Owns the commands of the safety net: backup, restore, move."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from wallet_server.actions.operating import proofs, safekeeping
from wallet_server.actions.operating.safekeeping import Manifest
from wallet_server.actions.programme import programs
from wallet_server.cli.opening import Bars, open_context
from wallet_server.settings import Settings

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=FILE)
def backup(file: Path) -> None:
    """Write everything that the database holds into FILE, as it stands at one moment; the server may run on.

    The authority for https on the local network is put in with it, its key sealed.
    """
    settings = Settings.from_env()
    file = file.absolute()
    with Bars() as bars:
        manifest = safekeeping.backup(settings, file, datetime.now(UTC), bars)
    click.echo(f"{file} holds {_amount(manifest)}, SHA-256 {safekeeping.file_digest(file)}.")
    click.echo(safekeeping.where_keys_are(settings))


def _amount(manifest: Manifest) -> str:
    return f"{manifest.rows} rows of {len(manifest.parts)} tables (migration {manifest.revision})"


@click.command()
@click.argument("file", type=FILE)
@click.option("--verify", is_flag=True, help="Read everything back, prove the books, open a sample of the secrets.")
def restore(file: Path, verify: bool) -> None:
    """Fill the configured database, which must be empty, with the backup FILE. Nothing is ever overwritten.

    With --verify, a database that holds this very backup already is compared and proven as it stands.
    """
    settings = Settings.from_env()
    with Bars() as bars:
        manifest = safekeeping.restore(settings, file.absolute(), verify=verify, watch=bars)
    click.echo(f"{_amount(manifest)} of {manifest.created_at} are restored{' and compared' if verify else ''}.")
    click.echo(safekeeping.where_https_is(settings, manifest))
    if (sentence := safekeeping.keys_missing(settings)) is not None:
        click.echo(f"{sentence} Then run this again with --verify, which proves what is here and tells the phones.")
        return
    sound = not verify or _prove(settings)
    ctx = open_context(settings)
    programs.tell_every_phone(ctx)
    ctx.database.close()
    click.echo("When the server starts, every phone is told to fetch its card anew.")
    if not sound:
        click.echo(
            "The restored database is what the backup holds, so what is said above was so before: it can be used, and "
            "mended in place. Look again with `wallet-server doctor --books`.",
            err=True,
        )
        sys.exit(1)


def _prove(settings: Settings) -> bool:
    """Says what was looked at; whether all of it is well."""
    ctx = open_context(settings)
    try:
        found = proofs.prove(ctx)
    finally:
        ctx.database.close()
    for proof in found:
        click.echo(proof.sentence, err=not proof.true)
    return all(proof.true for proof in found)


@click.command()
@click.option("--to", "url", prompt="Address of the empty database", help="Such as postgresql://user@host/wallet.")
def move(url: str) -> None:
    """Copy the configured database into an empty one and prove it there. Stop the server first: what is written
    to the old database afterwards stays there. Without --to the address is asked for."""
    settings = Settings.from_env()
    there = replace(settings, database_url=Settings.from_env({"WALLET_DATABASE_URL": url}).database)
    with Bars() as bars:
        manifest = safekeeping.move(settings, there.database, bars)
    click.echo(f"{_amount(manifest)} were copied and compared.")
    sound = _prove(there)
    if not sound:
        click.echo(
            "The copy counts: it is row by row what the old database holds, so what is said above is so there too. "
            "Mend it in the new one, or here and move again into another empty one.",
            err=True,
        )
    click.echo(
        "Now set WALLET_DATABASE_URL to the address that you gave, keep the secret keys as they are, and start the "
        "server. The old database is left as it is: remove it once phones update."
    )
    sys.exit(0 if sound else 1)
