"""Owns the commands that show what delivery has to do and run again what it gave up."""

from __future__ import annotations

import click

from wallet_server.actions import outbox
from wallet_server.cli.opening import open_context
from wallet_server.rules.passes.reasons import in_words


@click.command("list")
@click.option("--dead", is_flag=True, help="Those that were given up.")
def show(dead: bool) -> None:
    """Waiting or dead jobs, the longest due first."""
    ctx = open_context()
    for letter in outbox.letters(ctx, dead=dead):
        click.echo(
            f"{letter.kind}\t{letter.key}\tlane {letter.lane}\tdue {letter.due_at:%Y-%m-%d %H:%M:%S}Z"
            f"\t{letter.failures} failures\t{in_words(letter.last_error or '')}"
        )
    tally = outbox.counts(ctx)
    click.echo(f"{tally['due']} due, {tally['waiting']} waiting, {tally['dead']} dead")


@click.command()
@click.option("--kind", help="Only jobs of this kind.")
def retry(kind: str | None) -> None:
    """Run dead jobs again."""
    click.echo(f"{outbox.revive(open_context(), kind)} jobs run again.")
