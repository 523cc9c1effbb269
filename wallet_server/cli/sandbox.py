"""Owns `wallet-server sandbox`: the product with everything it speaks to, on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import shlex
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_names, local_tls
from wallet_server.actions.programme import demo
from wallet_server.cli.opening import open_context
from wallet_server.cli.trusting import show_trust
from wallet_server.errors import WalletError
from wallet_server.sandbox import stand
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer
from wallet_server.sandbox.letterboxes import Letterboxes
from wallet_server.sandbox.stand import Vendors
from wallet_server.sandbox.supervisor import ServerFailed
from wallet_server.settings import Settings

GOOGLE_ISSUER = "3388000000022000001"
"""The number under which the simulated Google knows the demonstration shop."""
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only where --beyond-loopback asks for it


@dataclass(frozen=True)
class Product:
    """The product as this sandbox runs it. `trusted` is what the simulated phones trust, over https alone."""

    data: Path
    host: str
    port: int
    database: str
    coalesce: float
    trusted: ssl.SSLContext | None

    @property
    def shown_host(self) -> str:
        """The address that others see in links."""
        return lan_address() if self.host == EVERY_ADDRESS else self.host

    @property
    def base_url(self) -> str:
        return f"{'https' if self.trusted else 'http'}://{self.shown_host}:{self.port}"

    @property
    def phones_url(self) -> str:
        return f"http://{self.shown_host}:{self.port + 1}"

    def environment(self, authority: Authority, vendors: Vendors) -> dict[str, str]:
        """The variables of its server."""
        given = {
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_DATA_DIR": str(self.data),
            "WALLET_HOST": self.host,
            "WALLET_PORT": str(self.port),
            "WALLET_BASE_URL": self.base_url,
            "WALLET_PHONES_URL": self.phones_url,
            "WALLET_APNS_URL": vendors.apns,
            "WALLET_APNS_CA": authority.root_pem.decode(),
            "WALLET_COALESCE_SECONDS": str(self.coalesce),
            "WALLET_TLS": "local" if self.trusted else "off",
        }
        given |= self._of_google(vendors.google) if vendors.google else {}
        given |= letter_settings(vendors.letters) if vendors.letters else {}
        return given | ({"WALLET_DATABASE_URL": self.database} if self.database else {})

    def _of_google(self, google: GoogleServer) -> dict[str, str]:
        """Save links lead to the page of the phones: a browser knows its address, and it asks for no trust."""
        return {
            "WALLET_GOOGLE_ISSUER": GOOGLE_ISSUER,
            "WALLET_GOOGLE_SERVICE_ACCOUNT": json.dumps(google.issue_account(GOOGLE_ISSUER)),
            "WALLET_GOOGLE_API_URL": google.address,
            "WALLET_GOOGLE_TOKEN_URL": google.token_url,
            "WALLET_GOOGLE_SAVE_URL": f"{self.phones_url}/gp/v/save",
            "WALLET_GOOGLE_ROOTS_URL": google.keys_url,
            "WALLET_GOOGLE_CA": google.trust_pem.decode(),
        }

    def prepare(self, authority: Authority, vendors: Vendors) -> dict[str, str]:
        """Set up the demonstration shop; its addresses and keys."""
        given = self.environment(authority, vendors)
        ctx = open_context(Settings.from_env(given))
        certificate, key = authority.pass_certificate(demo.PASS_TYPE, demo.TEAM)
        facts = demo.demonstrate(ctx, self.data / "sandbox.json", certificate, key, authority.wwdr_pem)
        trust = _trust(ctx, self.trusted)
        console = demo.console_secret(ctx, facts)
        ctx.database.close()
        keep_settings(self.data / "sandbox.env", given)
        return {**_links(self.base_url, self.phones_url, facts, console), **trust}


def letter_settings(boxes: Letterboxes) -> dict[str, str]:
    """The variables by which the product sends its letters to these boxes."""
    return {
        "WALLET_SMTP_HOST": "localhost",
        "WALLET_SMTP_PORT": str(boxes.smtp_port),
        "WALLET_SMTP_USER": boxes.user,
        "WALLET_SMTP_PASSWORD": boxes.password,
        "WALLET_SMTP_FROM": "cards@sandbox.example",
        "WALLET_SMTP_CA": boxes.trust_pem.decode(),
        "WALLET_SMS_URL": boxes.sms_url,
        "WALLET_SMS_KEY": boxes.key,
        "WALLET_SMS_FROM": "SANDBOX",
        "WALLET_SMS_CA": boxes.trust_pem.decode(),
    }


def keep_settings(file: Path, given: Mapping[str, str]) -> None:
    """Write the variables of the server for a shell to read, so that further commands speak to this sandbox and not to
    Apple and Google. What is secret stands in the vault already and is left out."""
    kept = {name: value for name, value in given.items() if name != "WALLET_GOOGLE_SERVICE_ACCOUNT"}
    kept.pop("WALLET_GOOGLE_ISSUER", None)  # says nothing without it
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(kept.items())]
    file.touch(mode=0o600)
    file.write_text("".join(lines))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--port", default=8080, show_default=True, help="Port of the product; the phones are on the next one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Data folder.")
@click.option("--database", default="", help="A PostgreSQL address; by default SQLite in the data folder.")
@click.option("--coalesce", default=30.0, show_default=True, help="WALLET_COALESCE_SECONDS.")
@click.option("--https", "secure", is_flag=True, help="Serve https with a certificate of its own (WALLET_TLS=local).")
@click.option("--beyond-loopback", is_flag=True, help="Allow an address that other machines can reach.")
@click.option("--phones", default=1, show_default=True, help="Simulated iPhones at the start.")
@click.option("--androids", default=1, show_default=True, help="Simulated Android phones at the start.")
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
    androids: int,
) -> None:
    """Try the product: server, worker, Apple's push service, Google Wallet and phones of both, all on this machine."""
    if not (beyond_loopback or _is_loopback(host)):
        raise click.ClickException(
            "The sandbox's keys are for this machine alone. To reach it from your own phone, ask for it with "
            "--beyond-loopback, on a network that you trust."
        )
    trusted = ssl.create_default_context() if secure else None
    product = Product(data.absolute(), host, port, database, coalesce, trusted)
    command = [sys.executable, "-m", "wallet_server", "run"]
    ready = _print_line if as_json else _welcome
    plan = stand.Plan(
        product.data,
        host,
        port,
        phones,
        beyond_loopback,
        command,
        product.environment,
        product.prepare,
        ready,
        trusted,
        _still_starting,
        androids,
        _without_google,
    )
    try:
        asyncio.run(stand.serve(plan))
    except WalletError as fault:
        raise click.ClickException(fault.sentence) from fault
    except ServerFailed as fault:
        raise click.ClickException(f"{fault}\nAll that it wrote is in {product.data / 'server.log'}.") from fault


def _still_starting() -> None:
    click.echo("The server is still starting; on a busy machine this takes a while. Stop with Ctrl-C.", err=True)


def _without_google(sentence: str) -> None:
    click.echo(sentence, err=True)


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
    local_tls.prepare(ctx, local_names.this_machine())
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
