"""Owns the commands for people: the first owner's link, an invitation, and a new password for who is locked out."""

from __future__ import annotations

import click

from wallet_server.actions.context import Context
from wallet_server.actions.staff import OWNER, ROLES, founding, team
from wallet_server.cli.opening import open_context


def show_setup(ctx: Context) -> None:
    """While there is no account: where the first owner begins. On the terminal alone; a log never has it."""
    link = founding.first_link(ctx)
    if link is not None:
        click.echo("\nThere is no shop yet. Whoever opens this page founds it; the link works once, for 24 hours:\n")
        click.secho(f"  {link}\n", bold=True)


@click.group()
def staff() -> None:
    """The people who sign in to the console."""


@staff.command()
@click.argument("email")
@click.option("--lost", is_flag=True, help="Their second factor is lost: opening the link forgets it, too.")
def reset(email: str, lost: bool) -> None:
    """Print a link by which somebody chooses a new password; it works once, for 24 hours."""
    ctx = open_context()
    try:
        click.echo(team.reset_by_operator(ctx, email, lost=lost))
    finally:
        ctx.database.close()


@staff.command()
@click.argument("merchant")
@click.option("--role", type=click.Choice(ROLES), default=OWNER, show_default=True, help="What they may do.")
def invite(merchant: str, role: str) -> None:
    """Print a link by which somebody joins a merchant's team; it works once, for 7 days."""
    ctx = open_context()
    try:
        click.echo(team.invite_by_operator(ctx, merchant, role))
    finally:
        ctx.database.close()
