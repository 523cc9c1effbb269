"""Owns what Google would refuse of a programme's cards, asked before its version is published.

Without it every card of a version would be refused one by one, long after whoever wrote it had gone home.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import specimen_cards
from wallet_server.errors import Fault, Invalid
from wallet_server.records.database import Tx
from wallet_server.records.vendors import vendors
from wallet_server.records.vendors.credentials import GOOGLE
from wallet_server.rules.programme.program import Programme
from wallet_server.wallets.google import checking
from wallet_server.wallets.google.sentences import Broken


@dataclass(frozen=True)
class Judged:
    """What Google would refuse, and what small phones cut."""

    faults: tuple[Broken, ...] = ()
    warnings: tuple[Broken, ...] = ()


def judge(ctx: Context, tx: Tx, programme_id: int, programme: Programme) -> Judged:
    """The cards of a version that may be published, in every status, and all its coupons; nothing where no issuer at
    Google gives them out."""
    if not ctx.pushes(GOOGLE) or vendors.issuer_of(tx, programme_id, GOOGLE) is None:
        return Judged()
    faults: dict[Broken, None] = {}
    warnings: dict[Broken, None] = {}
    name = vendors.account_of(tx, programme_id)
    for card in specimen_cards.cards_of(ctx, tx, programme_id, programme):
        design = ctx.designs.get(card.design, card.design_version)
        wrong, long = checking.judge(card, design, name)
        faults |= dict.fromkeys(wrong)
        # The number of the card is the product's own, and is seen whole among the details.
        warnings |= dict.fromkeys(one for one in long if not one.path.endswith(".accountId"))
    return Judged(tuple(faults), tuple(warnings))


def demand(ctx: Context, tx: Tx, programme_id: int, programme: Programme) -> None:
    """Raises `Invalid` (`invalid-card`) with everything that Google would refuse."""
    found = judge(ctx, tx, programme_id, programme).faults
    if found:
        faults = [Fault(f"google.{one.path}", one.sentence) for one in found]
        sentence = "Google Wallet would refuse these cards; mend what is told and publish again."
        raise Invalid(sentence, code="invalid-card", faults=faults)
