"""Owns the command that announces: a dry run that counts, a question, and only then the announcement."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import click

from wallet_server.actions.announcing import offers
from wallet_server.actions.announcing.offers import Announcement
from wallet_server.actions.context import Context
from wallet_server.actions.keys import Scope
from wallet_server.actions.once import asked
from wallet_server.actions.operating import operator
from wallet_server.cli.opening import open_context

WHY = {
    "shown": "are told now, on a phone",
    "no-phone": "see it on the web card alone: their card is in no phone",
    "unringable": "see it when their app next asks: their phone cannot be rung",
    "waiting:quiet-hours": "will see it after their quiet hours",
    "waiting:per-day": "will see it later: they heard something today",
    "waiting:per-week": "will see it later: they heard enough this week",
    "skipped:no-consent": "did not opt in",
    "skipped:not-reachable": "have no live card any more",
    "skipped:announcing-off": "are left out: the programme allows no announcement",
}


@click.command()
@click.option("--programme", help="Public id of the programme (prog_…).")
@click.option("--text", "texts", multiple=True, metavar='LANGUAGE="TEXT"', help="What to say; once for each language.")
@click.option("--tier", help="Only members of this tier.")
@click.option("--days", default=7, show_default=True, help="How long it stays on the card.")
@click.option("--merchant", help="Who speaks (mer_…), where several take part in the programme.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--recall", metavar="ID", help="Take an announcement (ann_…) back; cards lose it without a sound.")
def announce(
    programme: str | None,
    texts: tuple[str, ...],
    tier: str | None,
    days: int,
    merchant: str | None,
    yes: bool,
    recall: str | None,
) -> None:
    """Say something to everybody who wants to hear it, or take it back."""
    if recall is None and (programme is None or not texts):
        raise click.UsageError("Give --programme and at least one --text, or --recall.")
    if recall is not None and (programme is not None or texts):
        raise click.UsageError("--recall goes alone.")
    ctx = open_context()
    try:
        if recall is not None:
            scope = operator.scope_behind(ctx, recall)
            offers.recall(ctx, scope, recall, asked(scope, "recall", {}, str(uuid4())))
            click.echo(f"{recall} is taken back; cards that show it lose it within moments.")
        elif programme is not None:
            wanted = Announcement(_by_language(texts), tier, ctx.now() + timedelta(days=days))
            _announce(ctx, operator.scope_in(ctx, programme, merchant), programme, wanted, yes)
    finally:
        ctx.database.close()


def _by_language(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        language, equals, words = text.partition("=")
        if not equals or language in found:
            raise click.UsageError('Write each text once as LANGUAGE="TEXT", such as --text fr="Bonjour".')
        found[language] = words
    return found


def _announce(ctx: Context, scope: Scope, programme: str, wanted: Announcement, yes: bool) -> None:
    made, _ = offers.draft(ctx, scope, programme, wanted, asked(scope, "draft", {}, str(uuid4())))
    announcement = str(made["announcement"])
    tally = offers.foretold(ctx, scope, announcement)
    click.echo("Of the members asked for,")
    for outcome, number in sorted(tally.items()):
        click.echo(f"{number:>8} {WHY.get(outcome, outcome)}")
    if not (yes or click.confirm("Announce it?")):
        click.echo(f"Nobody hears it; {announcement} stays a draft.")
        return
    offers.confirm(ctx, scope, announcement, asked(scope, "confirm", {}, str(uuid4())))
    click.echo(f"{announcement} is on its way. Take it back with: wallet-server announce --recall {announcement}")
