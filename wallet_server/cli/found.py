"""Owns `wallet-server found`: the first merchant of an installation, with a store, a till, keys and a programme."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click

from wallet_server.actions.operating import doctor as physician
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.actions.staff import OWNER, team
from wallet_server.actions.vendors import credentials as vault
from wallet_server.cli.opening import open_context
from wallet_server.errors import Invalid
from wallet_server.rules.programme.program_default import default_document

MAX_DOCUMENT_BYTES = 1_000_000


@click.command()
@click.argument("name")
@click.option("--store", help="Name of the first store; by default the merchant's name.")
@click.option("--zone", default="Europe/Paris", show_default=True, help="The store's time zone.")
@click.option("--at", nargs=2, type=float, help="The store's latitude and longitude, in degrees.")
@click.option(
    "--document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The programme, as JSON or TOML; by default one point per euro and three tiers.",
)
@click.option("--test", is_flag=True, help="To try things out: an account whose clock can be moved.")
def found(
    name: str, store: str | None, zone: str, at: tuple[float, float] | None, document: Path | None, test: bool
) -> None:
    """Found a merchant; prints its keys this once.

    Its cards are signed by the platform's newest certificate. Where there is none yet, cards can be issued once the
    programme has one: `wallet-server setup apple`.
    """
    wanted = default_document(name) if document is None else _read(document)
    programs.read_document(wanted)  # all faults before anything is written
    ctx = open_context()
    latitude, longitude = at or (None, None)
    founded = programs.found(ctx, name, NewStore(store or name, zone, latitude, longitude), test=test)
    papers = vault.newest_of_platform(ctx)
    made = programs.create_programme(ctx, founded.account_id, founded.merchant_id, wanted, papers)
    facts = {
        "merchant": founded.merchant,
        "store": founded.store,
        "till": founded.till,
        "programme": made["programme"],
        "console_url": team.invite_by_operator(ctx, founded.merchant, OWNER),
        "join_url": f"{ctx.settings.base_url}/join/{made['join_code']}",
        "merchant_key": founded.merchant_key,
        "till_key": founded.till_key,
    }
    click.echo(json.dumps(facts, indent=2))
    click.echo(
        "Keep the two keys now: they are stored as hashes and cannot be shown again. Whoever opens console_url first, "
        "within 7 days, becomes the owner in the browser.",
        err=True,
    )
    for one in physician.public_address(ctx.settings):
        if one.level != "ok":
            click.echo(f"join_url and console_url lead nowhere from a phone yet. {one.sentence}", err=True)


def _read(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    try:
        if len(raw) > MAX_DOCUMENT_BYTES:
            raise ValueError("it is too large")
        read = tomllib.loads(raw.decode()) if path.suffix == ".toml" else json.loads(raw)
        if not isinstance(read, dict):
            raise ValueError("it is not an object")
    except ValueError as fault:
        raise Invalid(f"{path.name} cannot be read as a programme: {fault}.", code="unreadable-document") from fault
    return read
