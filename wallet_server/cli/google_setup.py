"""Owns the commands that lead to cards in Google Wallet: step by step with a person, or the last step at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wallet_server.actions.context import Context
from wallet_server.actions.operating import operator
from wallet_server.actions.vendors import google_accounts
from wallet_server.actions.vendors.google_accounts import ServiceAccount
from wallet_server.cli.opening import open_context
from wallet_server.errors import Invalid, WalletError

TRIES = 5
Found = TypeVar("Found")
PATH = click.Path(path_type=Path, dir_okay=False)
STEPS = """\
Cards in Google Wallet need an issuer of your own at Google and a service account that speaks for it. Both are free.
1. Open https://pay.google.com/business/console, sign in, choose "Google Wallet API" and accept its terms. The number
   beside your name there is your issuer id.
2. Open https://console.cloud.google.com, make a project, and enable the "Google Wallet API" in it.
3. There, under IAM & Admin > Service accounts, make one (it needs no role). Under Keys choose Add key > JSON: a file is
   downloaded. It is a secret: show it to nobody.
4. Back in the console of step 1, under Users, invite the e-mail address of the service account as a Developer.
   Without that, Google answers "permission denied"."""
DEMO = """\
A new issuer is in demo mode: its cards say [TEST ONLY], and only you, the people under Users and the test accounts that
you name there can save them. When your card looks as you wish, ask for publishing access in the same console."""


@click.group(invoke_without_command=True)
@click.pass_context
def google(click_context: click.Context) -> None:
    """Cards in Google Wallet, step by step, each step checked."""
    if click_context.invoked_subcommand is None:
        walk()


@google.command()
@click.option("--issuer", required=True, help="The issuer id, from the Pay & Wallet Console.")
@click.option("--service-account", "file", type=PATH, required=True, help="The JSON file of the service account.")
@click.option("--programme", help="Public id of the programme whose new cards it issues.")
def install(issuer: str, file: Path, programme: str | None) -> None:
    """Check a service account and put it into the vault; one of the same issuer is replaced."""
    account = google_accounts.read(issuer, _content(file))
    ctx = open_context()
    try:
        _install(ctx, account, programme)
    finally:
        ctx.database.close()


@google.command("list")
def show() -> None:
    """The issuers that the vault holds, and who speaks for them."""
    ctx = open_context()
    try:
        for row in google_accounts.all_accounts(ctx):
            click.echo(f"{row.pass_type}  {row.team}, {google_accounts.owner(ctx, row)}")
    finally:
        ctx.database.close()


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as handle:
            return handle.read(google_accounts.MOST_BYTES + 1)
    except OSError as fault:
        raise Invalid(f"The file {file} cannot be read: {fault.strerror}.") from fault


def _install(ctx: Context, account: ServiceAccount, programme: str | None) -> None:
    done = google_accounts.install(ctx, account, google_accounts.claim_of(ctx, programme))
    verb = "is there already" if not done.changed else "is replaced" if done.renewed else "is installed"
    click.echo(f"The account {done.team} of the issuer {done.pass_type} {verb}; its key is sealed in the vault.")
    if programme is not None:
        click.echo(f"New cards of {programme} in Google Wallet are issued by it.")
    click.echo(DEMO)


def walk() -> None:
    """Lead a person through it."""
    click.echo(STEPS)
    ctx = open_context()
    try:
        _install(ctx, _ask(), _ask_for_programme(ctx))
    finally:
        ctx.database.close()
    click.echo("Look whether Google takes it, now and whenever you like, with: wallet-server doctor")


def _ask() -> ServiceAccount:
    issuer = _until("Your issuer id", str, google_accounts.issuer_of)
    return _until("The downloaded JSON file", PATH, lambda file: google_accounts.read(issuer, _content(file)))


def _until(question: str, kind: Any, judge: Callable[[Any], Found]) -> Found:
    """Ask until the answer is judged good, a few times."""
    for _ in range(TRIES):
        try:
            return judge(click.prompt(question, type=kind))
        except WalletError as fault:
            click.echo(fault.sentence)
        click.echo("Let us try again.")
    raise Invalid("It did not work this time; nothing was installed. Start again whenever you like.")


def _ask_for_programme(ctx: Context) -> str | None:
    there = operator.programmes(ctx)
    if not there:
        return None
    for number, (public_id, name) in enumerate(there, 1):
        click.echo(f"{number}. {name} ({public_id})")
    asked = "Whose new cards does it issue? (0: of every programme that has no other)"
    number = click.prompt(asked, type=click.IntRange(0, len(there)))
    return there[number - 1][0] if number else None
