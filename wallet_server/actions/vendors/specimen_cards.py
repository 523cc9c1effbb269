"""Owns the cards by which a version of a programme is judged before it is published: in every status and coupon."""

from __future__ import annotations

from collections.abc import Iterator

from wallet_server.actions.context import Context
from wallet_server.records import parties
from wallet_server.records.database import Tx
from wallet_server.rules.counter.coupons import promises
from wallet_server.rules.passes.card import Card
from wallet_server.rules.passes.compose import Holding, Slip, Store, compose, compose_coupon
from wallet_server.rules.programme.program import Programme


def cards_of(ctx: Context, tx: Tx, programme_id: int, programme: Programme) -> Iterator[Card]:
    """As its members would get them, with the shops that take part."""
    stores = tuple(
        Store(s.name, s.latitude, s.longitude, s.texts, s.public_id)
        for s in parties.stores_of_programme(tx, programme_id)
    )
    link = f"{ctx.settings.base_url}/card/specimen"
    news = dict.fromkeys(programme.languages, "…")
    levels = [level.code for level in programme.ladder.levels] if programme.ladder else [None]
    home = stores[0] if stores else None
    several = {currency.code: 2 for currency in programme.currencies}  # a unit is named otherwise than for none or one
    for tier, balances in [*((tier, {}) for tier in levels), (levels[0], several)]:
        yield compose(programme, Holding(balances, tier, news, home, stores, 1, False, link, link), ctx.now())[0]
    slip = Slip("issued", None, None, home, stores, 1, False, link, ctx.now())
    promised = (programme.welcome_coupon, *promises(programme).values())
    for promise in promised:
        if promise is not None:
            yield compose_coupon(programme, promise, slip)
