"""Owns what `doctor --card` prints: what the server knows of one card on a time line, then what is to be said of it."""

from __future__ import annotations

import json

import click

from wallet_server.actions.operating import doctor as physician
from wallet_server.actions.operating import safekeeping
from wallet_server.actions.passes import pass_doctor
from wallet_server.actions.passes.pass_doctor import Chart
from wallet_server.errors import Misconfigured
from wallet_server.installation import build_context
from wallet_server.records.database import open_database
from wallet_server.settings import Settings
from wallet_server.web.console.wording import Wording
from wallet_server.web.diagnosed import Reader
from wallet_server.web.rendering import Press

COLOURS = {"error": "red", "warning": "yellow", "wait": "cyan", "note": "blue", "ok": "green", "hint": "bright_black"}


def examine(card: str, as_json: bool) -> bool:
    """Print the chart of a member's or a pass's public id, in English and UTC; whether nothing has to be mended.

    Raises `NotFound`, and `Misconfigured` where there is nothing to look at: looking migrates no database and makes no
    keys.
    """
    settings = Settings.from_env()
    _expect_an_installation(settings)
    database = open_database(settings)
    try:
        chart = pass_doctor.examine_any(build_context(settings, database), card)
    finally:
        database.close()
    reader = Reader(Press().words["en"], Wording("en"))
    if as_json:
        click.echo(json.dumps(reader.document(chart), ensure_ascii=False))
    else:
        _print(chart, reader)
    return not any(one.level == "error" for found in chart.cards if found.state == "active" for one in found.diagnoses)


def _expect_an_installation(settings: Settings) -> None:
    if physician.new_here(settings):
        raise Misconfigured(f"Nothing stands at {settings.data_dir} yet: there is no card to look at.")
    for one in physician.examine_database(settings):
        if one.level == "error":
            raise Misconfigured(one.sentence)
    missing = safekeeping.keys_missing(settings)
    if missing is not None:
        raise Misconfigured(missing)


def _print(chart: Chart, reader: Reader) -> None:
    for card in chart.cards:
        click.echo(click.style(f"{card.pass_id} of {chart.member}: {card.state}", bold=True))
        for moment in reader.moments(card, chart.at):
            click.echo(f"  {moment.at:%Y-%m-%d %H:%M:%S}  {'(to come) ' if moment.ahead else ''}{moment.says}")
        click.echo()
        for one in reader.sentences(card):
            click.echo(f"  {click.style(f'{one.level:8}', fg=COLOURS[one.level])} {one.code}: {one.says}")
            click.echo(f"  {'':8} {one.do}")
        click.echo()
