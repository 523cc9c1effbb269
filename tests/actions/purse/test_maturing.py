"""What comes by time: awards on their way can be spent, members are warned before units run out, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.phone import Phone
from tests.world import Holder, World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import cards
from wallet_server.errors import Conflict
from wallet_server.records.passes import passes
from wallet_server.records.purse import pending
from wallet_server.records.purse.pending import Waiting
from wallet_server.rules.passes.card import Card
from wallet_server.rules.programme.program_default import default_document


def cashback() -> Mapping[str, Any]:
    """5 % of what is spent, in money, two weeks later."""
    base = default_document("Boulangerie")
    noun = {"fr": {"one": "euro", "other": "euros"}, "en": {"one": "euro", "other": "euros"}}
    pot = {"code": "pot", "kind": "money", "names": noun, "pending_days": 14, "expires_after_months": 3}
    return {
        **base,
        "currencies": [pot, base["currencies"][1]],
        "balance_currency": "pot",
        "earn": [{"id": "five", "currency": "pot", "per": {"amount_minor": 100, "points": 5}}, base["earn"][1]],
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database(request.param), tmp_path, document=cashback()) as made:
        yield made


def waiting(world: World, holder: Holder) -> Waiting:
    with world.ctx.look() as tx:
        return pending.waiting(tx, [holder.member_id]).get(holder.member_id, {}).get("pot", Waiting())


def shown(world: World, holder: Holder) -> Card:
    """The card by the books."""
    with world.ctx.look() as tx:
        (row,) = passes.passes_by_id(tx, [holder.pass_id])
        return cards.by_the_books(world.ctx, tx, row, passes.published(tx, [row.id])[row.id])[0]


def on_back(world: World, holder: Holder, key: str) -> str | None:
    return next((one.text["fr"] for one in shown(world, holder).details if one.key == key), None)


def balance(world: World, holder: Holder) -> int:
    return till.look_up(world.ctx, world.till, holder.code).balances["pot"]


def test_what_is_earned_can_be_spent_after_its_days_and_runs_out_as_if_it_could_at_once(world: World) -> None:
    holder = world.enrol()
    upkeep.schedule(world.ctx)
    facts = world.sell(holder, 4000)
    assert [(e["currency"], e["amount"]) for e in facts["entries"]] == [("pot", 200), ("status", 40)]
    assert (facts["balances"]["pot"], waiting(world, holder).pending) == (0, 200)
    assert on_back(world, holder, "pending") == "2,00\u00a0€ à partir du 2 décembre 2026"
    with pytest.raises(Conflict):
        world.redeem(holder, 1)
    world.clock.forward(days=13, hours=23)
    world.work()
    assert balance(world, holder) == 0
    world.clock.forward(hours=1)
    world.work()
    assert (balance(world, holder), waiting(world, holder), on_back(world, holder, "pending")) == (200, Waiting(), None)
    world.redeem(holder, 50)
    world.clock.forward(days=79)
    world.work()
    assert balance(world, holder) == 0, "three months after it was earned, not after it could be spent"
    assert upkeep.book_faults(world.ctx) == []


def test_what_waits_is_taken_back_first_and_is_not_confirmed_after_that(world: World) -> None:
    holder = world.enrol()
    upkeep.schedule(world.ctx)
    old = world.sell(holder, 1000)
    world.clock.forward(days=15)
    world.work()
    world.redeem(holder, 30)
    fresh = world.sell(holder, 4000)
    facts, _ = till.reverse_sale(world.ctx, world.till, old["id"], None)
    # 20 of its own are there still; the 30 that were spent are taken from what is on its way.
    assert [(e["amount"], e["reason"]) for e in facts["entries"] if e["currency"] == "pot"] == [
        (-30, "reverse.sale"),
        (-20, "reverse.sale"),
    ]
    assert (facts["balances"]["pot"], waiting(world, holder).pending) == (0, 170)
    till.reverse_sale(world.ctx, world.till, fresh["id"], None)
    assert (balance(world, holder), waiting(world, holder).pending) == (-30, 0)
    world.clock.forward(days=15)
    world.work()
    assert (balance(world, holder), upkeep.book_faults(world.ctx)) == (-30, [])


@pytest.mark.slow
def test_members_are_warned_once_for_each_day_that_is_named_and_not_when_nothing_is_left(world: World) -> None:
    holder, spender = world.enrol(), world.enrol()
    phones = [Phone(world, holder).add(), Phone(world, spender, "library-2", "cd" * 32).add()]
    upkeep.schedule(world.ctx)
    for one in (holder, spender):
        world.sell(one, 4000)
    world.clock.forward(days=20)
    world.work()
    world.redeem(spender, 200)
    world.work()
    heard: list[tuple[str, int]] = []
    for days in (40, 1, 1, 1, 1, 19, 1, 1, 1, 1, 8):
        world.clock.forward(days=days)
        world.work()
        for number, phone in enumerate(phones):
            before = len(phone.heard)
            phone.pull()
            if "news" in phone.heard[before:]:
                heard.append((world.clock().date().isoformat(), number))
    assert heard == [("2027-01-19", 0), ("2027-02-11", 0)], "30 and 7 days before, where something is left"
    assert on_back(world, holder, "expiring") is None, "it has run out"
    assert upkeep.book_faults(world.ctx) == []


def test_the_warning_stands_on_the_card_until_it_is_spent(world: World) -> None:
    holder = world.enrol()
    upkeep.schedule(world.ctx)
    world.sell(holder, 4000)
    world.clock.forward(days=62)
    world.work()
    world.clock.forward(days=1)
    world.work()
    assert on_back(world, holder, "expiring") == "2,00\u00a0€ expirent le 18 février 2027"
    news = shown(world, holder).news
    assert news is not None
    assert news.text["fr"] == "2,00\u00a0€ expirent le 18 février 2027."
    world.redeem(holder, 150)
    assert on_back(world, holder, "expiring") == "0,50\u00a0€ expirent le 18 février 2027"
    world.redeem(holder, 50)
    assert (on_back(world, holder, "expiring"), shown(world, holder).news) == (None, None)
