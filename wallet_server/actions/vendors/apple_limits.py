"""Owns what Apple's rules forbid of a programme's cards, asked before its version is published.

Without it a version could be published of which no card can be signed: whoever joins gets none, and every phone that
comes back is turned away, long after whoever wrote it had gone home.
"""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import specimen_cards
from wallet_server.errors import Fault, Invalid
from wallet_server.records.database import Tx
from wallet_server.rules.passes.card import ALERT_ORDER, Alert
from wallet_server.rules.programme.program import Programme
from wallet_server.wallets.apple import checking


def demand(ctx: Context, tx: Tx, programme_id: int, programme: Programme) -> None:
    """Raises `Invalid` (`invalid-card`) with everything that would keep a card from being signed, at rest and in a
    version that rings."""
    alerts = None, *(Alert(facet, {}) for facet in ALERT_ORDER)
    found = {
        (fault.path, fault.sentence): None
        for card in specimen_cards.cards_of(ctx, tx, programme_id, programme)
        for alert in (alerts if card.kind == "card" else alerts[:1])
        for fault in checking.card_faults(card, ctx.designs.get(card.design, card.design_version), alert)
    }
    if found:
        faults = [Fault(f"apple.{path}", sentence) for path, sentence in found]
        sentence = f"No card of this version could be signed: {faults[0].sentence} Mend what is told and publish again."
        raise Invalid(sentence, code="invalid-card", faults=faults)
