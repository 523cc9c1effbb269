"""Owns the command that prints the books of a merchant's account as CSV."""

from __future__ import annotations

from datetime import datetime

import click

from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.operating import operator
from wallet_server.cli.opening import open_context
from wallet_server.web import sheets

LIABILITY, TRIAL = "liability", "trial-balance"


@click.command()
@click.argument("merchant")
@click.option(
    "--sheet", type=click.Choice([LIABILITY, TRIAL]), default=LIABILITY, show_default=True, help="Which of the two."
)
@click.option(
    "--as-of", "as_of", type=click.DateTime(["%Y-%m-%d"]), help="The end of this day in the shop's zone; now, if none."
)
def books(merchant: str, sheet: str, as_of: datetime | None) -> None:
    """Print what is owed to members, or the trial balance, of a merchant's account as CSV."""
    ctx = open_context()
    try:
        scope = operator.scope_of(ctx, merchant)
        moment = None if as_of is None else accounting.end_of(as_of.date(), accounting.zone(ctx, scope))
        if sheet == TRIAL:
            click.echo(sheets.trial_sheet(accounting.trial_balance(ctx, scope, Question(moment))), nl=False)
        else:
            click.echo(sheets.liability_sheet(accounting.report(ctx, scope, Question(moment))), nl=False)
    finally:
        ctx.database.close()
