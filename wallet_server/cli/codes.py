"""Owns the commands for the keys that codes on cards are signed with."""

from __future__ import annotations

import click

from wallet_server.actions import code_keys
from wallet_server.actions.code_keys import CodeKey
from wallet_server.actions.operating import operator
from wallet_server.cli.opening import open_context


@click.command()
@click.argument("merchant")
def keys(merchant: str) -> None:
    """List the keys that sign the codes on the cards of this MERCHANT's account, the oldest first.

    Public halves alone: with them anybody may verify a code, see docs/scanning.md.
    """
    ctx = open_context()
    found = code_keys.listed(ctx, operator.scope_of(ctx, merchant))
    for key in found:
        click.echo(f"{key.id:>2}  {key.public_key}  {_since(key)}")
    if not found:
        click.echo("There is none yet: the first card makes one.")


@click.command()
@click.argument("merchant")
@click.option("--at-once", is_flag=True, help="Sign with it now: tills that are offline do not know it yet.")
def rotate(merchant: str, at_once: bool) -> None:
    """Make a new key for the codes on the cards of this MERCHANT's account.

    It signs two days from now, when every till has its public half; what older keys signed is good as before.
    """
    ctx = open_context()
    key = code_keys.rotate(ctx, operator.scope_of(ctx, merchant), at_once=at_once)
    click.echo(f"Key {key.id} was made ({key.public_key}); it {_since(key)}.")


def _since(key: CodeKey) -> str:
    if key.signs:
        return f"signs since {key.signs_from:%Y-%m-%d %H:%M} UTC"
    return f"signs from {key.signs_from:%Y-%m-%d %H:%M} UTC on, until the next one"
