"""Owns what is said of a card that is drafted before it is published: what speaks against it, and what it would change.

The threshold of a first tier is judged by the baskets that the shop has had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from wallet_server.actions.context import Context
from wallet_server.actions.once import Facts
from wallet_server.actions.programme import dry_run
from wallet_server.actions.programme.designing import Desk
from wallet_server.records.programme import drafts, programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.passes import card_form
from wallet_server.rules.passes.card_form import Reading
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Per, Visit
from wallet_server.rules.simulation import advice
from wallet_server.rules.simulation.words import warning_sentence

LATELY = timedelta(days=365)
FEWEST = 20
"""Sales without which an average says nothing."""


@dataclass(frozen=True)
class Report:
    """What publishing the draft would change (`dry_run.run`), and what speaks against it, in sentences."""

    reading: Reading
    changes: Facts
    advice: tuple[str, ...]


def report(ctx: Context, scope: Scope, found: Desk, language: str) -> Report | None:
    """Of the draft in a form; None where nothing is drafted, nothing published yet, or a field is not right."""
    if found.document is None or found.typed is None or not found.drafted:
        return None
    reading = card_form.read(found.typed, found.document, language)
    if reading.faults:
        return None
    changes = dry_run.run(ctx, scope, found.programme, reading.document)
    return Report(reading, changes, advised(ctx, scope, found.programme, reading.programme, language))


def advised(ctx: Context, scope: Scope, public_id: str, programme: Programme, language: str) -> tuple[str, ...]:
    """What speaks against a draft of this programme (public id), in sentences; nothing, where nothing does."""
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, public_id)
        sales, mean_minor = drafts.mean_basket(tx, row.id, ctx.now() - LATELY)
    low = advice.first_tier_low(programme, mean_minor, _earned(programme, mean_minor)) if sales >= FEWEST else None
    warned = (*((low,) if low is not None else ()), *advice.of_draft(programme))
    return tuple(warning_sentence(one, programme, language) for one in warned)


def _earned(programme: Programme, mean_minor: Fraction) -> Fraction | None:
    """What an average basket earns of the units that tiers count in, by the rules that ask for nothing else; None where
    there is no such rule."""
    if programme.ladder is None:
        return None
    ways = [one.way for one in programme.earn if one.currency == programme.ladder.currency and one.when is None]
    units = [one.rate * mean_minor for one in ways if isinstance(one, Per)]
    units += [Fraction(one.units) for one in ways if isinstance(one, Visit) and mean_minor >= one.minimum_minor]
    return sum(units, Fraction(0)) if units else None
