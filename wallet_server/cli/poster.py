"""Owns the command that writes a store's poster to a file."""

from __future__ import annotations

from pathlib import Path

import click

from wallet_server.actions.operating import operator
from wallet_server.actions.programme import poster as posting
from wallet_server.cli.opening import open_context
from wallet_server.web.poster import SIZES, drawn, unprintable
from wallet_server.web.rendering import Press


@click.command()
@click.argument("programme")
@click.option("--store", help="Public id of the store (sto_…); need not be named where there is only one.")
@click.option("--size", type=click.Choice(sorted(SIZES)), default="a4", show_default=True, help="The paper.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file; by default poster-SIZE.pdf.")
@click.option("--merchant", help="Whose store (mer_…), where several take part in the programme.")
def poster(programme: str, store: str | None, size: str, out: Path | None, merchant: str | None) -> None:
    """Write the poster by which people join at a store, as PDF; PROGRAMME is its public id (prog_…)."""
    ctx = open_context()
    try:
        scope = operator.scope_in(ctx, programme, merchant)
        stores = {key: name for one in posting.posters(ctx, scope) if one.programme == programme
                  for key, name in one.stores}  # fmt: skip
        if store is None and len(stores) != 1:
            named = ", ".join(f"{key} ({name})" for key, name in stores.items())
            raise click.UsageError(f"Say which store, with --store: {named or 'there is none'}.")
        sheet = posting.poster(ctx, scope, store or next(iter(stores)), programme)
        file = out or Path(f"poster-{size}.pdf")
        file.write_bytes(drawn(sheet, size, Press().words, ctx.now()))
        click.echo(f"{file}: {sheet.store}, {sheet.link}")
        if lost := unprintable(sheet):
            click.echo(f"These characters cannot be printed and are left out: {lost}", err=True)
    finally:
        ctx.database.close()
