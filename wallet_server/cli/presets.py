"""Owns the command that lists and prints the programmes that are shipped."""

from __future__ import annotations

import click

from wallet_server.actions.programme import presets as shipping


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the programmes that are shipped, or print the one of this NAME as TOML, to be changed and published."""
    if name is not None:
        click.echo(shipping.shipped(name).text, nl=False)
        return
    names = shipping.presets()
    width = max(len(one) for one in names)
    for one in names:
        click.echo(f"{one:<{width}}  {shipping.shipped(one).about}")
