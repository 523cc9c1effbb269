"""Owns the command line, thin over app and actions."""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import json
import secrets
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from wallet_server import __version__
from wallet_server.actions import credentials as vault
from wallet_server.actions import demo, local_tls, outbox, upkeep
from wallet_server.actions.context import Context
from wallet_server.cli.announce import announce
from wallet_server.cli.apple_setup import setup
from wallet_server.cli.doctor import doctor
from wallet_server.cli.found import found
from wallet_server.cli.opening import Commands, bells_folder, open_context
from wallet_server.cli.poster import poster
from wallet_server.cli.safekeeping import backup, move, restore
from wallet_server.cli.serve import run, serving, show_trust
from wallet_server.cli.staff import staff
from wallet_server.delivery.engine import Engine
from wallet_server.errors import Misconfigured, WalletError
from wallet_server.records.database import upgrade
from wallet_server.records.envelope import new_key_line
from wallet_server.settings import Settings

__all__ = ["PASS_TYPE", "TEAM", "main", "open_context", "serving"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Loyalty cards in phone wallets, and the books behind them."""


for command in (run, found, backup, restore, move, doctor, setup, announce, staff, poster):
    main.add_command(command)


@main.command()
def worker() -> None:
    """Deliver in a process of its own; several may run at once. SIGTERM finishes what was begun."""
    ctx = open_context()
    engine = Engine(ctx, bells_folder(ctx.settings))
    working = engine.start()
    ctx.ring = working.ring
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo("delivering")
    stop.wait()
    sys.exit(0 if engine.stop() else 1)


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest migration."""
    upgrade(Settings.from_env().database)
    click.echo("The database is up to date.")


@main.group("secrets")
def secret_keys() -> None:
    """The keys that encrypt secrets at rest."""


@secret_keys.command("new")
def secrets_new() -> None:
    """Print a fresh key line; put it first in WALLET_SECRET_KEYS, keep the old ones, then run `secrets rotate`."""
    click.echo(new_key_line(f"k{secrets.token_hex(3)}"))


@secret_keys.command("rotate")
def secrets_rotate() -> None:
    """Encrypt everything stored under the current key; afterwards the older keys may go."""
    ctx = open_context()
    click.echo(f"{vault.rotate_secrets(ctx) + local_tls.reseal(ctx)} secrets were encrypted anew.")


@main.group("jobs")
def jobs() -> None:
    """What delivery has to do."""


@jobs.command("list")
@click.option("--dead", is_flag=True, help="Those that were given up.")
def jobs_list(dead: bool) -> None:
    """Waiting or dead jobs, the longest due first."""
    ctx = open_context()
    for letter in outbox.letters(ctx, dead=dead):
        click.echo(
            f"{letter.kind}\t{letter.key}\tlane {letter.lane}\tdue {letter.due_at:%Y-%m-%d %H:%M:%S}Z"
            f"\t{letter.failures} failures\t{letter.last_error or ''}"
        )
    tally = outbox.counts(ctx)
    click.echo(f"{tally['due']} due, {tally['waiting']} waiting, {tally['dead']} dead")


@jobs.command("retry")
@click.option("--kind", help="Only jobs of this kind.")
def jobs_retry(kind: str | None) -> None:
    """Run dead jobs again."""
    click.echo(f"{outbox.revive(open_context(), kind)} jobs run again.")


@main.command()
def audit() -> None:
    """Prove the books: entries, balances and lots agree, and the trial balance is zero. Exit 1 if they do not."""
    ctx = open_context()
    for line in upkeep.trial_balance(ctx):
        click.echo(f"{line.programme}\t{line.currency}\t{line.owner_kind}:{line.purpose}\t{line.amount}")
    found = upkeep.book_faults(ctx)
    for sentence in found:
        click.echo(sentence, err=True)
    click.echo("The books are true." if not found else f"{len(found)} faults.")
    sys.exit(1 if found else 0)


EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only where --beyond-loopback asks for it
PASS_TYPE, TEAM = "pass.sandbox.loyalty", "SANDBOX001"


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--port", default=8080, show_default=True, help="Port of the product; the phones are on the next one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Data folder.")
@click.option("--database", default="", help="A PostgreSQL address; by default SQLite in the data folder.")
@click.option("--coalesce", default=30.0, show_default=True, help="WALLET_COALESCE_SECONDS.")
@click.option("--https", "secure", is_flag=True, help="Serve https with a certificate of its own (WALLET_TLS=local).")
@click.option("--beyond-loopback", is_flag=True, help="Allow an address that other machines can reach.")
@click.option("--phones", default=1, show_default=True, help="Simulated iPhones at the start.")
def sandbox(
    as_json: bool,
    port: int,
    host: str,
    data: Path,
    database: str,
    coalesce: float,
    secure: bool,
    beyond_loopback: bool,
    phones: int,
) -> None:
    """Try the product: server, worker, Apple's push service and iPhones, all on this machine."""
    stand = optional("wallet_server.sandbox.stand", "sandbox")
    data = data.absolute()
    if not (beyond_loopback or _is_loopback(host)):
        raise click.ClickException(
            "The sandbox's keys are for this machine alone. To reach it from your own phone, ask for it with "
            "--beyond-loopback, on a network that you trust."
        )
    shown_host = lan_address() if host == EVERY_ADDRESS else host
    phones_url = f"http://{shown_host}:{port + 1}"
    base_url = f"{'https' if secure else 'http'}://{shown_host}:{port}"
    trusted = ssl.create_default_context() if secure else None

    def environment(authority: Any, apns: str) -> dict[str, str]:
        given = {
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_DATA_DIR": str(data),
            "WALLET_HOST": host,
            "WALLET_PORT": str(port),
            "WALLET_BASE_URL": base_url,
            "WALLET_APNS_URL": apns,
            "WALLET_APNS_CA": authority.root_pem.decode(),
            "WALLET_COALESCE_SECONDS": str(coalesce),
            "WALLET_TLS": "local" if secure else "off",
        }
        return given | ({"WALLET_DATABASE_URL": database} if database else {})

    def prepare(authority: Any, apns: str) -> dict[str, str]:
        ctx = open_context(Settings.from_env(environment(authority, apns)))
        certificate, key = authority.pass_certificate(PASS_TYPE, TEAM)
        facts = demo.demonstrate(ctx, data / "sandbox.json", certificate, key, authority.wwdr_pem)
        trust = _trust(ctx, trusted)
        console = demo.console_secret(ctx, facts)
        ctx.database.close()
        return {**_links(base_url, phones_url, facts, console), **trust}

    command = [sys.executable, "-m", "wallet_server", "run"]
    ready = _print_line if as_json else _welcome
    plan = stand.Plan(data, host, port, phones, beyond_loopback, command, environment, prepare, ready, trusted)
    try:
        asyncio.run(stand.serve(plan))
    except WalletError as fault:
        raise click.ClickException(fault.sentence) from fault


def _links(base_url: str, phones_url: str, facts: Mapping[str, Any], console: str) -> dict[str, str]:
    shown = urlencode({"join": facts["join_code"], "phones": phones_url, "console": console})
    return {
        "first_page": f"{base_url}/?{shown}#key={facts['till_key']}",
        "base_url": base_url,
        "openapi_url": f"{base_url}/openapi/openapi.json",
        "join_url": f"{base_url}/join/{facts['join_code']}",
        "phones_url": phones_url,
        "till_url": f"{base_url}/till#key={facts['till_key']}",
        "merchant_key": facts["merchant_key"],
        "till_key": facts["till_key"],
        "programme": facts["programme"],
    }


def _trust(ctx: Context, trusted: ssl.SSLContext | None) -> dict[str, str]:
    """Over https: the simulated phones trust the product's certificate from the start, and people are told how to."""
    if trusted is None:
        return {}
    local_tls.prepare(ctx, local_tls.this_machine())
    authority = local_tls.authority_of(ctx)
    if authority is None:
        return {}
    trusted.load_verify_locations(cadata=authority.der)
    return {"trust_url": ctx.settings.trust_address or "", "trust_fingerprint": authority.fingerprint}


def _print_line(links: Mapping[str, str]) -> None:
    click.echo(json.dumps(dict(links)))
    sys.stdout.flush()


def _welcome(links: Mapping[str, str]) -> None:
    click.echo("\nThe sandbox is ready. Start on this page:\n")
    click.secho(f"  {links['first_page']}\n", bold=True)
    for name in ("phones_url", "join_url", "till_url", "openapi_url", "merchant_key"):
        click.echo(f"  {name:<13} {links[name]}")
    if "trust_url" in links:
        show_trust(links["trust_url"], links["trust_fingerprint"])
    click.echo("\nStop it with Ctrl-C.")
    if sys.stdout.isatty():
        click.launch(links["first_page"])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def lan_address() -> str:
    """This machine's address on its network, as its routes have it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


EXTRAS = {"sandbox": "The sandbox needs a few more packages: pip install 'wallet-server[sandbox]'."}


def optional(name: str, extra: str) -> Any:
    """A module of an optional extra, or a sentence that names the extra."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if (fault.name or "").startswith("wallet_server"):
            raise
        raise Misconfigured(EXTRAS[extra]) from fault
