"""Owns the commands for what is in the vault already: listing, going back a certificate, keys of the push service."""

from __future__ import annotations

import re
from pathlib import Path

import click

from wallet_server.actions.vendors import apple_setup, push_keys
from wallet_server.actions.vendors import credentials as vault
from wallet_server.cli.opening import open_context
from wallet_server.errors import Invalid
from wallet_server.wallets.apple.credentials import days_left, said_days

PATH = click.Path(path_type=Path, dir_okay=False)
_NAMED = re.compile(r"AuthKey_([A-Z0-9]{10})\.p8")


@click.command("list")
def show() -> None:
    """What the vault holds: certificates with the days they have left, what can be gone back to, push keys."""
    ctx = open_context()
    try:
        now, before, keys = ctx.now(), vault.previous(ctx), push_keys.all_keys(ctx)
        kids = {key.id: key.kid for key in keys}
        for row in vault.all_sets(ctx):
            opens = f"push key {kids[row.push_key_id]}" if row.push_key_id in kids else "its certificate"
            click.echo(f"{row.pass_type}  team {row.team}, {vault.name_of(ctx, row).rpartition(' of ')[2]}")
            click.echo(f"  {_days(days_left(row.not_after, now))}, until {row.not_after:%d %B %Y}; pushes by {opens}")
            if row.id in before:
                end = before[row.id].not_after
                click.echo(f"  the one before ends on {end:%d %B %Y}: `wallet-server setup apple back` returns to it")
        for key in keys:
            click.echo(f"push key {key.kid}  team {key.team}")
    finally:
        ctx.database.close()


def _days(left: int) -> str:
    return "EXPIRED" if left <= 0 else f"{said_days(left)} left"


@click.command()
@click.option("--pass-type", required=True, help="Whose certificate, such as pass.com.example.card.")
def back(pass_type: str) -> None:
    """Sign with the certificate before the present one; run it again to return."""
    ctx = open_context()
    try:
        ends = vault.swap_back(ctx, pass_type)
    finally:
        ctx.database.close()
    click.echo(
        f"Cards of {pass_type} are signed with the certificate before, which ends on {ends:%d %B %Y}. Running servers "
        f"take it within {vault.KEPT_SECONDS} seconds; the other one is kept."
    )


@click.group()
def token() -> None:
    """A push key (.p8) in the place of your own team's certificates, for ringing phones; cards are signed as before."""


@token.command("install")
@click.option("--key", type=PATH, required=True, help="AuthKey_<id>.p8 from Apple's portal.")
@click.option("--team", required=True, help="The team that it was made for.")
@click.option("--key-id", help="Its id, unless the name of the file says it.")
def install_token(key: Path, team: str, key_id: str | None) -> None:
    """Check a push key, seal it in the vault and ring phones with it; one of the same team is replaced."""
    named = _NAMED.fullmatch(key.name)
    kid = key_id or (named[1] if named else "")
    if not kid:
        raise Invalid("Give --key-id: ten capital letters and digits, shown beside the key in Apple's portal.")
    raw = apple_setup.read(key, "push key")
    ctx = open_context()
    try:
        opened = push_keys.install(ctx, raw, kid, team)
    finally:
        ctx.database.close()
    click.echo(f"The push key {kid} of team {team} is sealed in the vault; it rings the phones of {', '.join(opened)}.")


@token.command("remove")
@click.option("--team", required=True, help="Whose key.")
def remove_token(team: str) -> None:
    """Forget a team's push key: its certificates ring the phones again."""
    ctx = open_context()
    try:
        push_keys.remove(ctx, team)
    finally:
        ctx.database.close()
    click.echo(f"The push key of team {team} is forgotten; revoke it in Apple's portal if nobody else needs it.")
