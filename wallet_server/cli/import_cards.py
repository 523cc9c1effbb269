"""Owns the command that takes over old cards of plastic from a file."""

from __future__ import annotations

from pathlib import Path

import click

from wallet_server.actions.operating import operator
from wallet_server.actions.people import imported, importing
from wallet_server.actions.people.importing import File
from wallet_server.cli.opening import open_context

WORDS = {
    "made": "new members",
    "linked": "linked to members who were certain",
    "doubtful": "doubtful: settle them in the console",
    "known": "known already",
    "dirty": "cannot be read",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--programme", required=True, help="Public id of the programme (prog_…).")
@click.option("--column", "columns", multiple=True, help="FIELD=NAME where a column is guessed wrong: points=solde.")
@click.option("--currency", help="Of what the points are; by default what the card shows.")
@click.option("--merchant", help="Whose cards (mer_…), where several take part in the programme.")
@click.option("--look", is_flag=True, help="Say what would become of each line, and change nothing.")
def import_cards(
    file: Path, programme: str, columns: tuple[str, ...], currency: str | None, merchant: str | None, look: bool
) -> None:
    """Take over old cards: FILE is a CSV with a header. Every sound number works at the till at once."""
    named = dict(one.partition("=")[::2] for one in columns)
    ctx = open_context()
    try:
        scope = operator.scope_in(ctx, programme, merchant)
        given = File(file.name, file.read_bytes(), named, currency)
        looked = importing.preview(ctx, scope, programme, given)
        click.echo("Columns: " + ", ".join(f"{field} = {name}" for field, name in looked.columns.items()))
        counts = dict(looked.counts)
        if not look:
            made = importing.take_over(ctx, scope, programme, given)
            made = importing.finish(ctx, made.public_id, scope)
            counts = imported.report(ctx, scope, made.public_id)[1]
            click.echo(f"{made.public_id}: {made.lines} lines, {counts['points']} points brought over.")
        for state, words in WORDS.items():
            click.echo(f"{counts[state]:>8}  {words}")
        for one in looked.dirty:
            click.echo(f"line {one.line}: {one.why}: {one.text[:100]}", err=True)
        for one in looked.noted:
            click.echo(f"line {one.line}: left out: {', '.join(one.notes)}", err=True)
    finally:
        ctx.database.close()
