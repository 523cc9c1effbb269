"""Owns the command that says what a draft of a programme would change for its members."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from wallet_server.actions.operating import operator
from wallet_server.actions.programme import dry_run as trying
from wallet_server.actions.programme.simulating import read_document
from wallet_server.cli.opening import open_context

EVERYBODY, TOLD = 10**12, 50_000


@click.command("dry-run")
@click.argument("programme")
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--merchant", help="Who asks (mer_…), where several take part in the programme.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def dry_run(programme: str, document: Path, merchant: str | None, as_json: bool) -> None:
    """Say what publishing a document (TOML or JSON) would change for all members of a programme (prog_…): tiers up and
    down and who would lose one, units that could no longer be spent, and what is owed. Changes nothing."""
    ctx = open_context()
    try:
        scope = operator.scope_in(ctx, programme, merchant)
        found = trying.run(ctx, scope, programme, read_document(document), EVERYBODY, _so_far)
    finally:
        ctx.database.close()
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2) if as_json else "\n".join(_lines(found)))


def _so_far(looked_at: int) -> None:
    if looked_at and looked_at % TOLD == 0:
        click.echo(f"{looked_at:,} members", err=True)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    tiers = found["tiers"]
    yield f"{found['members']:,} members, version {found['version']}."
    yield f"Tiers: {tiers['up']:,} up, {tiers['down']:,} down, {tiers['down_later']:,} down once they are looked at."
    for one in tiers["moves"]:
        yield f"  {one['tier'] or '-'} -> {one['tier_then'] or '-'}: {one['members']:,}"
    for one in tiers["losing"]:
        yield f"  {one['member']} would lose {one['tier'] or '-'} for {one['tier_then'] or '-'}"
    for one in found["stuck"]:
        yield f"Stuck: {one['units']:,} {one['currency']} of {one['members']:,} members ({one['why']})."
    for one in found["liability"]:
        yield (
            f"Worth of {one['units']:,} {one['currency']}: {one['minor']:,} now, {one['minor_then']:,} then "
            f"({one['change_minor']:+,} in minor units)."
        )
