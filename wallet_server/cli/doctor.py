"""Owns the command that looks at an installation and says of each thing what to do."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from wallet_server.actions.operating import doctor as physician
from wallet_server.actions.operating import safekeeping
from wallet_server.actions.operating.doctor import Finding
from wallet_server.cli import PARTS, load
from wallet_server.errors import WalletError
from wallet_server.installation import build_context
from wallet_server.records.database import open_database
from wallet_server.settings import Settings

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@click.option("--card", metavar="ID", help="Look at one card alone: a member's id (mem_…) or a pass's (pass_…).")
@click.option("--books", is_flag=True, help="Audit the books too; long on a large installation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(card: str | None, books: bool, as_json: bool) -> None:
    """Look at settings, database, secrets, certificates, programmes and delivery; with --card, at why the phones of one
    card did not follow. Changes nothing; exit 1 on errors."""
    if card is not None:
        if books:
            raise click.UsageError("--card goes without --books.")
        sys.exit(0 if load(PARTS["card doctor"])(card, as_json) else 1)
    findings = _look(books)
    worst = physician.worst(findings)
    if as_json:
        click.echo(json.dumps({"worst": worst, "findings": [asdict(one) for one in findings]}, ensure_ascii=False))
    else:
        for one in findings:
            click.echo(f"{click.style(f'{one.level:8}', fg=COLOURS[one.level])}{one.check:12} {one.sentence}")
    sys.exit(1 if worst == "error" else 0)


def _look(books: bool) -> list[Finding]:
    try:
        settings = Settings.from_env()
    except WalletError as fault:
        return [physician.refused("settings", fault)]
    findings = physician.examine_settings(settings) + physician.examine_database(settings)
    if physician.new_here(settings):
        return [physician.welcome(settings), *findings]
    if any(one.check == "database" and one.level == "error" for one in findings):
        return findings
    if safekeeping.keys_missing(settings) is not None:
        # Going on would make fresh keys, which open none of what is stored.
        sentence = "There is a database but no secret keys: put back the keys that belong to it."
        return [*findings, Finding("secrets", "error", sentence)]
    return findings + _inside(settings, books)


def _inside(settings: Settings, books: bool) -> list[Finding]:
    database = open_database(settings)
    try:
        return physician.examine(build_context(settings, database), books=books)
    except WalletError as fault:
        return [physician.refused("installation", fault)]
    finally:
        database.close()
