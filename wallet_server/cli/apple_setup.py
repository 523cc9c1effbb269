"""Owns the commands that lead to real Apple certificates: step by step with a person, or one step at a time."""

from __future__ import annotations

from pathlib import Path

import click

from wallet_server.actions.context import Context
from wallet_server.actions.operating import operator
from wallet_server.actions.vendors import apple_setup
from wallet_server.cli import apple_vault, google_setup
from wallet_server.cli.opening import open_context
from wallet_server.errors import Invalid, WalletError
from wallet_server.wallets.apple.papers import Papers, Upload

FOLDER = Path("certs")
TRIES = 5
MARKS = {"error": "wrong", "warning": "take care", "notice": "note"}
PATH = click.Path(path_type=Path, dir_okay=False)
FOLDER_PATH = click.Path(path_type=Path, file_okay=False)


@click.group()
def setup() -> None:
    """Prepare for real cards."""


@setup.group(invoke_without_command=True)
@click.option("--folder", type=FOLDER_PATH, default=FOLDER, show_default=True, help="Where keys and requests lie.")
@click.pass_context
def apple(click_context: click.Context, folder: Path) -> None:
    """Apple certificates, step by step; every step is checked, and none overwrites anything."""
    click_context.obj = folder
    if click_context.invoked_subcommand is None:
        walk(folder)


setup.add_command(google_setup.google)
for command in (apple_vault.show, apple_vault.back, apple_vault.token):
    apple.add_command(command)


@apple.command()
@click.option("--email", required=True, help="Of your Apple developer account.")
@click.option("--name", default="Wallet card", show_default=True, help="What the key is for; names its files.")
@click.pass_obj
def request(folder: Path, email: str, name: str) -> None:
    """Make a private key and the request to upload at Apple's portal."""
    _request(folder, email, name)


def _request(folder: Path, email: str, name: str) -> None:
    files = apple_setup.make(folder, name, email)
    click.echo(f"The private key is {files.key}: keep a copy in a safe place, and show it to nobody.")
    click.echo(apple_setup.PORTAL.format(request=files.request))


@apple.command()
@click.option("--certificate", type=PATH, help="pass.cer from the portal (or .pem).")
@click.option("--key", type=PATH, help="The key of the request.")
@click.option("--p12", type=PATH, help="In place of both: an export from Keychain Access.")
@click.option("--wwdr", type=PATH, help="Worldwide Developer Relations - G4 (.cer or .pem), unless it is known here.")
@click.option("--password-file", type=PATH, help="A file with the password of the key or the .p12.")
@click.option("--pass-type", help="What you expect it to be for.")
@click.option("--team", help="The team that you expect.")
@click.option("--programme", help="Public id of the programme whose new cards it signs.")
def install(
    certificate: Path | None,
    key: Path | None,
    p12: Path | None,
    wwdr: Path | None,
    password_file: Path | None,
    pass_type: str | None,
    team: str | None,
    programme: str | None,
) -> None:
    """Check a certificate and put it into the vault; one of the same pass type is renewed."""
    if (p12 is None) == (certificate is None) or (p12 is not None and key is not None):
        raise click.UsageError("Give --certificate and --key, or --p12.")
    given = Upload(
        certificate=_read(certificate, "certificate"),
        key=_read(key, "private key"),
        p12=_read(p12, ".p12 export"),
        wwdr=_read(wwdr, "WWDR intermediate"),
        password=_read(password_file, "password").strip() or None,
    )
    ctx = open_context()
    try:
        papers = _say(ctx, given, pass_type, team)
        if papers is None:
            raise Invalid("It was not installed.")
        _install(ctx, papers, programme)
    finally:
        ctx.database.close()


def _read(path: Path | None, what: str) -> bytes:
    return b"" if path is None else apple_setup.read(path, what)


def _say(ctx: Context, given: Upload, pass_type: str | None, team: str | None) -> Papers | None:
    papers, findings = apple_setup.look_at(ctx, given, pass_type or None, team or None)
    for one in findings:
        click.echo(f"{MARKS[one.severity]}: {one.sentence}")
    return papers


def _install(ctx: Context, papers: Papers, programme: str | None) -> None:
    done = apple_setup.install(ctx, papers, programme)
    verb = "renewed" if done.renewed else "installed"
    click.echo(f"The certificate for {done.pass_type} of team {done.team} is {verb}; its key is sealed in the vault.")
    if programme is not None:
        click.echo(f"New cards of {programme} are signed by it.")


# --- with a person ---------------------------------------------------------------------------------------------


def walk(folder: Path) -> None:
    """Lead a person through it; what was made before is taken up again."""
    click.echo("Real cards need a certificate of your own from Apple. This makes the key, waits for you, and checks.")
    name = click.prompt("A name for the key", default="Wallet card")
    files = apple_setup.files_of(folder, name)
    if files.key.exists():
        click.echo(f"Going on with {files.key}.")
        click.echo(apple_setup.PORTAL.format(request=files.request))
    else:
        _request(folder, click.prompt("E-mail of your Apple developer account"), name)
    pass_type = click.prompt("Your pass type (empty: not sure)", default="", show_default=False)
    team = click.prompt("Your team id (empty: not sure)", default="", show_default=False)
    ctx = open_context()
    try:
        _install(ctx, _ask_for_papers(ctx, files.key, pass_type, team), _ask_for_programme(ctx))
    finally:
        ctx.database.close()
    click.echo("Look again whenever you like, with: wallet-server doctor")


def _ask_for_papers(ctx: Context, key: Path, pass_type: str, team: str) -> Papers:
    for _ in range(TRIES):
        certificate = click.prompt("The downloaded certificate (pass.cer)", type=PATH)
        wwdr = click.prompt("The downloaded intermediate (AppleWWDRCAG4.cer)", type=PATH)
        try:
            given = Upload(
                certificate=apple_setup.read(certificate, "certificate"),
                key=apple_setup.read(key, "private key"),
                wwdr=apple_setup.read(wwdr, "WWDR intermediate"),
            )
            papers = _say(ctx, given, pass_type, team)
            if papers is not None:
                return papers
        except WalletError as fault:
            click.echo(fault.sentence)
        click.echo("Let us try again.")
    raise Invalid("It did not work this time; nothing was installed. The key is kept: start again whenever you like.")


def _ask_for_programme(ctx: Context) -> str | None:
    there = operator.programmes(ctx)
    if not there:
        click.echo("There is no programme yet; the first one takes this certificate by itself.")
        return None
    for number, (public_id, name) in enumerate(there, 1):
        click.echo(f"{number}. {name} ({public_id})")
    asked = "Whose new cards does it sign? (0: of every programme that has no certificate)"
    number = click.prompt(asked, type=click.IntRange(0, len(there)))
    return there[number - 1][0] if number else None
