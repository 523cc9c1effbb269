"""Owns the command that replays a sales file through a draft of a programme."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from wallet_server.actions.programme import simulating
from wallet_server.actions.programme.presets import preset, presets
from wallet_server.actions.programme.simulating import READING, Simulated, Wish
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.rules.simulation import HABITS, Habit, Report, words
from wallet_server.rules.simulation.pictures import pictures
from wallet_server.rules.simulation.sales_columns import FIELDS
from wallet_server.rules.simulation.sales_file import Reject
from wallet_server.rules.simulation.written import document
from wallet_server.web import sheets

SHOWN_REJECTS = 10
WHY = {
    "date": {"fr": "pas de date lisible", "en": "no readable date"},
    "time": {"fr": "pas d’heure lisible", "en": "no readable time"},
    "amount": {"fr": "pas de montant lisible", "en": "no readable amount"},
    "price": {"fr": "pas de prix lisible", "en": "no readable price"},
    "quantity": {"fr": "pas de quantité lisible", "en": "no readable quantity"},
    "tax": {"fr": "pas de taxe lisible, ou plus que le montant", "en": "no readable tax, or more than the amount"},
    "short": {"fr": "trop peu de colonnes", "en": "too few columns"},
    "long": {
        "fr": "plus de cellules que de colonnes ; mettez entre guillemets les montants qui ont une virgule",
        "en": "more cells than columns; put amounts that hold a comma in quotation marks",
    },
    "quote": {"fr": "un guillemet n’est pas fermé", "en": "a quotation mark is not closed"},
    "too-large": {"fr": "un nombre est trop grand", "en": "a number is too large"},
}
DOING = {
    simulating.READING: {"fr": "lecture des lignes", "en": "reading lines"},
    simulating.REPLAYING: {"fr": "clients rejoués", "en": "replaying customers"},
}


@click.command()
@click.argument("sales", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("programme")
@click.option("--map", "mapped", multiple=True, metavar="FIELD=COLUMN",
              help=f"Which column is what, where the guess is wrong: {', '.join(FIELDS)}. A name, or a number from 1; "
              "nothing after the = where the file has none. May be said several times.")  # fmt: skip
@click.option("--zone", default="UTC", show_default=True, help="The time zone of the tills, such as Europe/Paris.")
@click.option("--redeem", type=click.Choice(HABITS), default="soon", show_default=True,
              help="What members do with what they earn: take a reward soon, save for the dearest, never.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, simulating.MOST_JOBS), default=1, show_default=True,
              help="Processes that share the customers.")  # fmt: skip
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Of the report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document, in both languages.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="A folder for the pictures, as SVG.")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path),
              help="A CSV file for every line that was left out, with its number and why.")  # fmt: skip
def simulate(
    sales: Path,
    programme: str,
    mapped: tuple[str, ...],
    zone: str,
    redeem: Habit,
    jobs: int,
    language: str,
    as_json: bool,
    out: Path | None,
    rejects: Path | None,
) -> None:
    """Replay the sales of the past (SALES, a CSV file of any till) through a draft (PROGRAMME, a TOML or JSON document,
    or the name of a preset): what it would have cost, what it would have given to whom, and what to think about.

    The columns that are guessed are shown. No line is dropped in silence. Nothing is stored anywhere.
    """
    draft = _draft(programme)
    console = Console(stderr=as_json, highlight=False, width=None if os.isatty(1) else 120)
    columns = dict(_pair(one) for one in mapped)
    found = _with_progress(Wish(sales, draft, columns, zone, redeem, jobs), language)
    if rejects is not None:
        _write_rejects(rejects, found.rejects, language)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in pictures(found.report, draft, language).items():
            (out / name).write_text(text, "utf-8")
    if as_json:
        click.echo(orjson.dumps(_document(found, draft), option=orjson.OPT_INDENT_2).decode())
        return
    _show(console, found, draft, language, rejects)
    if out is not None:
        console.print(f"{'Images' if language == 'fr' else 'Pictures'}: {out}")


def _draft(programme: str) -> Programme:
    """A document of that path, else the preset of that name."""
    file = Path(programme)
    if file.is_file():
        return simulating.read_programme(file)
    if programme in presets():
        return parse(preset(programme))
    names = ", ".join(presets())
    raise click.UsageError(f"There is no file and no preset called {programme}. Presets: {names}.")


def _pair(text: str) -> tuple[str, str]:
    name, sign, column = text.partition("=")
    if not sign:
        raise click.UsageError(f"Write --map FIELD=COLUMN, such as --map date=Datum; “{text}” has no “=”.")
    return name.strip(), column


def _with_progress(wish: Wish, language: str) -> Simulated:
    bars = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bars, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(DOING[what][language], total=of)
            progress.update(tasks[what], completed=done, total=of)

        tell(READING, 0, 1)
        return simulating.simulate(wish, tell)


def _write_rejects(file: Path, rejects: Sequence[Reject], language: str) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        write = csv.writer(opened)
        write.writerow(("line", "why", "reason", "text"))
        write.writerows((one.line, one.why, WHY[one.why][language], sheets.cell(one.text)) for one in rejects)


def _document(found: Simulated, draft: Programme) -> dict[str, object]:
    return {
        "file": {
            "columns": dict(found.columns.said()),
            "rows": found.rows,
            "left_out": len(found.rejects),
            "rejects": [{"line": one.line, "why": one.why, "text": one.text} for one in found.rejects[:SHOWN_REJECTS]],
        },
        **document(found.report, found.warnings, draft),
    }


# ---------------------------------------------------------------------- the report as text


def _show(console: Console, found: Simulated, draft: Programme, language: str, rejects: Path | None) -> None:
    french, report = language == "fr", found.report
    said = ", ".join(f"{field} = {name}" for field, name in found.columns.said())
    console.print(f"{'Colonnes' if french else 'Columns'}: {said}", markup=False)
    read = f"{found.rows - len(found.rejects):,} / {found.rows:,}"
    console.print(f"{'Lignes lues' if french else 'Lines read'}: {read}", markup=False)
    _show_rejects(console, found.rejects, language, rejects)
    console.print(words.HABIT_WORDS[report.habit][language], style="italic")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, text in words.figures(report, draft, language):
        table.add_row(name, text)
    console.print(table)
    _show_tiers(console, report, draft, language)
    _show_months(console, report, draft, language)
    if report.portrait is not None:
        console.print(words.portrait_sentence(report.portrait, language))
        for trait in report.portrait.traits:
            console.print(f"  • {words.trait_sentence(trait, draft.money, language)}", markup=False)
    for one in found.warnings:
        console.print(f"⚠ {words.warning_sentence(one, draft, language)}", style="bold yellow", markup=False)


def _show_rejects(console: Console, rejects: Sequence[Reject], language: str, file: Path | None) -> None:
    if not rejects:
        return
    french = language == "fr"
    console.print(f"{'Lignes laissées de côté' if french else 'Lines left out'}: {len(rejects):,}", style="bold red")
    for one in rejects[:SHOWN_REJECTS]:
        # What a terminal would obey is shown as a dot.
        text = "".join(sign if sign.isprintable() else "·" for sign in one.text[:80])
        console.print(f"  {one.line}: {WHY[one.why][language]}: {text}", markup=False)
    if len(rejects) > SHOWN_REJECTS:
        where = file or "--rejects"
        console.print(f"  … {'toutes dans' if french else 'all of them in'} {where}", markup=False)


def _show_tiers(console: Console, report: Report, draft: Programme, language: str) -> None:
    if not report.tiers or draft.ladder is None:
        return
    french = language == "fr"
    heads = ("Statut", "Membres", "L’atteignent", "Leur chiffre") if french else ("Tier", "Members", "Reach it", "Buy")
    table = Table(*heads, box=None, pad_edge=False)
    for tier in report.tiers:
        level = draft.ladder.level(tier.code)
        name = tier.code if level is None else level.names.get(language) or tier.code
        money = words.money_of(tier.turnover_minor, draft.money, language)
        table.add_row(name, f"{tier.members:,}", f"{tier.reached:,}", money)
    console.print(table)


def _show_months(console: Console, report: Report, draft: Programme, language: str) -> None:
    french = language == "fr"
    heads = ("Mois", "Chiffre d’affaires", "Donné", "Dû à la fin") if french else ("Month", "Turnover", "Given", "Owed")
    table = Table(*heads, box=None, pad_edge=False)
    for one in report.months:
        amounts = (one.turnover_minor, one.given_minor, one.owed_minor)
        table.add_row(
            f"{one.year}-{one.month:02d}", *(words.money_of(minor, draft.money, language) for minor in amounts)
        )
    console.print(table)
