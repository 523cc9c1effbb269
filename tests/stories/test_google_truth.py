"""What stands at Google in the end: what the books say, whatever was lost, overtaken or over on the way there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.stories.test_google_faults import Street, opened
from wallet_server.actions import reversal
from wallet_server.records import alerts, vendors
from wallet_server.sandbox.google import Order


@pytest.fixture
def street(new_database: NewDatabase, tmp_path: Path) -> Iterator[Street]:
    with opened(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.mark.parametrize("verb", ["patch", "addmessage"])
def test_what_was_lost_and_then_taken_back_does_not_stay_at_google(street: Street, verb: str) -> None:
    world, (holder, card) = street.world, street.card(promotions=True)
    world.sell(holder, 1000)
    street.later(minutes=20)
    world.clock.forward(minutes=20)
    street.google.tell(Order(lost=True, times=1, verbs=frozenset({verb})))
    if verb == "patch":
        sale = world.sell(holder, 2000)
        world.work()
        assert street.points(card) == 30, "Google took it, though nobody heard so"
        reversal.reverse_sale(world.ctx, world.till, sale["id"], None)
    else:
        news = world.announce("Bonjour @prénom")
        world.work()
        assert street.body(card)["messages"]
        world.recall(news)
    for _ in range(2):
        street.later(minutes=20)
    assert (street.points(card), street.body(card).get("messages", [])) == (10, [])
    with world.ctx.look() as tx:
        own = vendors.card_of(tx, holder.member_id, "google") or 0
        spent = alerts.spent(tx, [own], world.clock() - timedelta(days=1))
    assert len(spent[own]) == 2, "what may have rung counts as rung"
