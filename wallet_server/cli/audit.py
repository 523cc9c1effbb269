"""Owns the command that proves the books."""

from __future__ import annotations

import sys

import click

from wallet_server.actions.operating import upkeep
from wallet_server.cli.opening import open_context


@click.command()
def audit() -> None:
    """Prove the books: entries, balances and lots agree, the trial balance is zero, and what has run out is booked
    off. Exit 1 if not."""
    ctx = open_context()
    for line in upkeep.trial_balance(ctx):
        click.echo(f"{line.programme}\t{line.currency}\t{line.owner_kind}:{line.purpose}\t{line.amount}")
    found = [*upkeep.book_faults(ctx), *upkeep.unbooked(ctx)]
    for sentence in found:
        click.echo(sentence, err=True)
    click.echo("The books are true." if not found else f"{len(found)} faults.")
    sys.exit(1 if found else 0)
