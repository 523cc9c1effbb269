"""What stands at Google in the end: what the books say, whatever was lost, overtaken or over on the way there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.stories.test_google_faults import OURS, Street, opened
from wallet_server.actions.context import MOST_PRESSES
from wallet_server.actions.counter import till
from wallet_server.actions.passes import saving
from wallet_server.actions.people import leaving, recovery
from wallet_server.actions.programme import programs
from wallet_server.actions.vendors import google_accounts
from wallet_server.errors import Unavailable
from wallet_server.records import limits
from wallet_server.records.passes import alerts, passes
from wallet_server.records.vendors import vendors
from wallet_server.sandbox.google import Order
from wallet_server.wallets.google import api
from wallet_server.wallets.google.pushing import Push
from wallet_server.wallets.port import Report, Stale


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
        till.reverse_sale(world.ctx, world.till, sale["id"], None)
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


@contextmanager
def meanwhile(street: Street, happens: Callable[[], None]) -> Iterator[None]:
    """Have this happen between the moment when a card is read and the one when it is put to Google, once."""
    wallet, left = street.world.ctx.wallets["google"], [happens]
    refresh = wallet.refresh

    def slow(stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        if left:
            left.pop()()
        yield from refresh(stale, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wallet, "refresh", slow)
        yield


def test_whoever_comes_last_to_google_leaves_no_older_card_there(street: Street) -> None:
    world, (holder, card) = street.world, street.card()

    def overtake() -> None:
        world.sell(holder, 5000)
        world.clock.forward(minutes=2)  # longer than a lease
        world.work()
        assert street.points(card) == 60

    world.clock.forward(minutes=1)
    world.sell(holder, 1000)
    with meanwhile(street, overtake):
        world.work()
    street.later(minutes=1)
    assert street.points(card) == 60


def test_a_press_on_the_button_that_the_worker_overtakes_leaves_no_older_card_there(street: Street) -> None:
    world, holder, leaver = street.world, street.world.enrol(), street.world.enrol(first_name="Ada")

    def overtake() -> None:
        world.sell(holder, 1000)
        street.later(minutes=1)

    def leave() -> None:
        leaving.leave(world.ctx, world.merchant, leaver.member)
        street.later(minutes=1)

    with meanwhile(street, overtake):
        card = street.save(holder.pass_public_id)
    with meanwhile(street, leave), pytest.raises(Unavailable):
        street.save(leaver.pass_public_id)
    street.later(minutes=1)
    assert street.points(card) == 10
    with world.ctx.look() as tx:
        (left,) = vendors.put_of(tx, leaver.member_id, ["google"])
        serial = passes.passes_by_id(tx, [left])[0].serial
    body = street.body(f"{OURS}.{serial}")
    assert (body["state"], "accountName" in body) == ("INACTIVE", False), "whoever left leaves nothing there"


def test_a_card_whose_insert_was_lost_is_inactive_once_it_is_replaced(street: Street) -> None:
    world, holder = street.world, street.world.enrol()
    street.card()
    street.google.tell(Order(lost=True, times=1, verbs=frozenset({"insert"})))
    with pytest.raises(Unavailable):
        street.save(holder.pass_public_id)
    with world.ctx.look() as tx:
        own = vendors.card_of(tx, holder.member_id, "google") or 0
        serial = passes.passes_by_id(tx, [own])[0].serial
    assert street.body(f"{OURS}.{serial}")["state"] == "ACTIVE", "Google took it, though nobody heard so"
    recovery.by_link(world.ctx, world.ctx.link("recover", holder.pass_public_id).rpartition("/")[2], "form")
    street.later(minutes=20)
    assert street.body(f"{OURS}.{serial}")["state"] == "INACTIVE"


def test_a_message_to_all_is_not_lost_to_a_recall_of_another_at_the_same_time(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, second, change = street.world, [], Push.change_class
    street.card(promotions=True)
    first = world.announce("Du pain chaud")
    world.work()

    def told() -> list[str]:
        above = street.body(f"{OURS}.{world.programme}", "loyaltyClass")
        return [one["id"] for one in above.get("messages", ())]

    assert told() == [first]
    world.clock.forward(days=2)

    def slow(push: Push, kind: str, identifier: str, patch: dict[str, Any]) -> Mapping[str, Any]:
        """Another worker comes between the look at the messages and their change."""
        monkeypatch.setattr(Push, "change_class", change)
        second.append(world.announce("Du pain froid"))
        world.work()
        return change(push, kind, identifier, patch)

    monkeypatch.setattr(Push, "change_class", slow)
    world.recall(first)
    world.work()
    street.later(seconds=2)
    assert told() == second != []


def test_after_a_restore_google_has_cards_and_class_as_the_books_have_them(street: Street) -> None:
    world, (holder, card) = street.world, street.card()
    world.sell(holder, 1000)
    street.later(minutes=1)
    above = f"{OURS}.{world.programme}"
    colour = street.body(above, "loyaltyClass")["hexBackgroundColor"]
    # As after a sale and a version that came after the backup.
    street.google.resources.patch("loyaltyObject", card, {"loyaltyPoints": {"balance": {"int": 99}}})
    fresh = {"hexBackgroundColor": "#123456", "reviewStatus": "UNDER_REVIEW"}
    street.google.resources.patch("loyaltyClass", above, fresh)
    programs.tell_every_phone(world.ctx)
    street.later(minutes=1)
    assert street.points(card) == 10
    assert street.body(above, "loyaltyClass")["hexBackgroundColor"] == colour


def test_cards_that_are_over_stop_at_a_google_that_is_away(street: Street) -> None:
    world, crowd = street.world, 16
    for holder in [street.card()[0] for _ in range(crowd)]:
        leaving.leave(world.ctx, world.merchant, holder.member)
    street.google.tell(Order(status=503))
    street.google.journal.clear()
    world.work()
    assert 3 <= len(street.google.journal) < crowd


def test_a_press_waits_neither_long_nor_behind_others_nor_for_an_issuer_that_rests(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ctx, google = street.world, street.world.ctx, street.google
    street.card()
    holder = world.enrol()
    google.journal.clear()
    (account,) = google_accounts.all_accounts(ctx)
    with ctx.change() as tx:
        limits.open_circuit(tx, f"google:{account.id}", world.clock() + timedelta(minutes=9), "away", world.clock())
    with pytest.raises(Unavailable):
        street.save(holder.pass_public_id)
    world.clock.forward(minutes=10)
    monkeypatch.setattr(saving, "PRESS_SECONDS", 0.0)
    for _ in range(MOST_PRESSES):
        assert ctx.presses.acquire(timeout=0)
    with pytest.raises(Unavailable):
        street.save(holder.pass_public_id)
    assert not google.journal, "nobody asked Google"
    for _ in range(MOST_PRESSES):
        ctx.presses.release()
    google.tell(Order(delay_seconds=3.0, times=1))
    with monkeypatch.context() as patch:
        patch.setattr(api, "HURRIED_SECONDS", 0.2)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            street.save(holder.pass_public_id)
        assert time.monotonic() - began < 2.5
    world.clock.forward(hours=1)
    assert street.points(street.save(holder.pass_public_id)) == 0
