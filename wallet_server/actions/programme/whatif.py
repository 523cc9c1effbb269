"""Owns asking what a card would have cost: a till's file is read, replayed and forgotten; nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wallet_server.actions.context import Context
from wallet_server.errors import Invalid, TooMany
from wallet_server.records import limits
from wallet_server.records.scope import Scope
from wallet_server.rules.simulation import table_text, till_export, whatif
from wallet_server.rules.simulation.till_export import Export, Layout
from wallet_server.rules.simulation.whatif import Offer, Outcome, PointsCard, StampCard

MAX_BYTES = 10 * 1024 * 1024
PER_MINUTE = 12
"""Files of one merchant: each may take the processor for some seconds, and the tills work beside it."""
MOST_PAID, MOST_MINOR, MOST_POINTS = 100, 10_000_00, 1000


@dataclass(frozen=True)
class Answer:
    """How the file was read, and what the offer would have cost; `outcome` is None when no line could be read."""

    layout: Layout
    export: Export
    outcome: Outcome | None


def ask(ctx: Context, scope: Scope, body: bytes, layout: Layout | None, offer: Offer) -> Answer:
    """Replay an offer over a till's file; `layout` corrects what is guessed.

    Raises `Invalid` (`empty-export`, `export-too-large`, `unreadable-export`, `too-many-rows`) and `TooMany`.
    """
    if len(body) > MAX_BYTES:
        raise Invalid("This file has more than 10 MB; export a shorter time.", code="export-too-large", field="file")
    now = int(ctx.now().timestamp())
    with ctx.change() as tx:
        if limits.take(tx, f"what-if:{scope.merchant_id}", now // 60, 1) > PER_MINUTE:
            raise TooMany("That was quick; try again in a minute.", retry_after_seconds=60 - now % 60)
    text = table_text.text_of(body)
    wanted = layout or till_export.guess(text)
    export = till_export.read(text, wanted)
    purchases = whatif.purchases_of(export.rows)
    return Answer(wanted, export, whatif.replay(purchases, offer) if purchases else None)


def stamp_card(paid: int | None, gift_minor: int | None, minimum_minor: int | None) -> StampCard:
    """A stamp card as typed. Raises `Invalid` with its field."""
    if paid is None or not 1 <= paid <= MOST_PAID:
        raise Invalid(f"Write a number of purchases from 1 to {MOST_PAID}.", code="bad-paid", field="paid")
    if gift_minor is None or not 0 < gift_minor <= MOST_MINOR:
        raise Invalid("Write what the gift is worth, such as 3.50.", code="bad-gift", field="gift")
    if minimum_minor is None or not 0 <= minimum_minor <= MOST_MINOR:
        raise Invalid("Write the smallest purchase that counts, such as 2.00, or nothing.", code="bad-minimum",
                      field="minimum")  # fmt: skip
    return StampCard(paid, gift_minor, minimum_minor)


def points_card(per_major: Fraction | None, worth_major: Fraction | None) -> PointsCard:
    """Points as typed: for each euro, and what one is worth in euros. Raises `Invalid` with its field."""
    if per_major is None or not 0 < per_major <= MOST_POINTS:
        raise Invalid("Write how many points one euro gives, such as 1.", code="bad-points", field="points")
    if worth_major is None or not 0 < worth_major <= MOST_POINTS:
        raise Invalid("Write what one point is worth, such as 0.05.", code="bad-worth", field="worth")
    return PointsCard(per_major / 100, worth_major * 100)
