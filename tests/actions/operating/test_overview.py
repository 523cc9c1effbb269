"""The day of a shop, in its own zone: who came, what was sold, given and redeemed, and what was undone again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.conftest import NewDatabase
from tests.phone import Phone
from tests.world import World, founded
from wallet_server.actions import keys, overview
from wallet_server.actions.counter import till
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.records import parties
from wallet_server.records.overview import Day, Moved, days
from wallet_server.records.parties import StoreRow
from wallet_server.rules.programme.program_default import default_document


def test_a_day_in_numbers(world: World) -> None:
    regular, other = world.enrol(), world.enrol(promotions=True)
    Phone(world, other).add()
    world.sell(regular, 1250)
    world.sell(regular, 3050)
    undone = world.sell(other, 9900)
    till.reverse_sale(world.ctx, world.till, undone["id"], None)
    spent = world.redeem(regular, 20)
    till.reverse_entry(world.ctx, world.till, spent["id"], None)
    world.redeem(regular, 12)
    world.announce()
    world.work()
    found = overview.today(world.ctx, world.merchant)
    assert found.day == date(2026, 11, 18)
    assert found.came == 1, "a sale that was reversed brought nobody"
    (guest,) = found.guests
    assert (guest.visit.member, guest.visit.times) == (regular.member, 1), "all at one moment"
    assert len(guest.card) == 4
    assert guest.card in regular.code
    assert found.sales == Day(2, 1, {"EUR": 4300})
    assert found.moved["points"] == Moved(given=42, redeemed=12, rewards=1)
    assert (found.joined, found.sent, found.tickets) == (2, 1, 0)
    assert (len(found.fortnight), found.fortnight[-1]) == (14, (found.day, found.sales))
    assert (found.published, found.begun) == (True, True)


def test_what_becomes_a_voucher_by_itself_is_no_reward_that_somebody_took(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    both = {"fr": "Bon", "en": "Voucher"}
    bon = {
        "id": "bon",
        "currency": "points",
        "units": 20,
        "voucher": {"title": both, "terms": both, "value_minor": 100},
    }
    document = default_document("Boulangerie") | {"conversions": [bon]}
    with founded(new_database("sqlite"), tmp_path, document=document) as world:
        holder = world.enrol()
        world.sell(holder, 5000)
        world.redeem(holder, 3)
        assert overview.today(world.ctx, world.merchant).moved["points"] == Moved(given=50, redeemed=43, rewards=1)


def test_what_is_taken_back_is_no_visit_and_no_gift(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    yesterday, kept = world.sell(holder, 1000), world.sell(holder, 5000)
    spent = world.redeem(holder, 10)
    world.clock.forward(days=1)
    till.look_up(world.ctx, world.till, other.code)
    till.reverse_sale(world.ctx, world.till, yesterday["id"], None)
    till.reverse_entry(world.ctx, world.till, spent["id"], None)
    found = overview.today(world.ctx, world.merchant)
    assert (found.came, found.guests, dict(found.moved)) == (0, (), {}), "what was undone was of yesterday"
    first = world.sell(holder, 1000)
    world.clock.forward(minutes=1)
    last = world.redeem(holder, 5)
    world.clock.forward(minutes=1)
    till.reverse_sale(world.ctx, world.till, first["id"], None)
    found = overview.today(world.ctx, world.merchant)
    assert [(guest.visit.times, guest.visit.at) for guest in found.guests] == [
        (1, world.clock() - timedelta(minutes=1))
    ]
    assert found.moved["points"] == Moved(given=0, redeemed=5, rewards=1)
    till.reverse_entry(world.ctx, world.till, last["id"], None)
    assert overview.today(world.ctx, world.merchant).came == 0
    assert kept["balances"]["points"] == 60


def test_the_last_visit_is_told_with_its_own_store(world: World) -> None:
    wish = world.wish("add-store")
    store, _ = programs.add_store(world.ctx, world.merchant, NewStore("Gare"), wish)
    made, _ = programs.add_till(world.ctx, world.merchant, store["store"], "9", world.wish("add-till"))
    holder = world.enrol()
    for scope, name in ((keys.authenticate(world.ctx, made["key"]), "Gare"), (world.till, "Centre")):
        world.clock.forward(minutes=20)
        world.sell(holder, 300, scope=scope)
        (guest,) = overview.today(world.ctx, world.merchant).guests
        assert guest.visit.store == name
    assert guest.visit.times == 2


def test_the_day_begins_at_midnight_of_the_store_and_not_of_the_server(world: World) -> None:
    holder = world.enrol()
    world.clock.at = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)  # 23:30 in Paris
    world.sell(holder, 1000)
    world.clock.forward(hours=1)  # half past midnight in Paris, still the 18th in UTC
    found = overview.today(world.ctx, world.merchant)
    assert found.day == date(2026, 11, 19)
    assert (found.came, found.sales, found.moved) == (0, Day(0, 0, {}), {})
    assert found.fortnight[-2][1].sales == 1
    world.sell(holder, 500)
    assert overview.today(world.ctx, world.merchant).came == 1


def test_each_visit_counts_to_the_day_of_its_own_store(world: World) -> None:
    """Half past midnight in Paris is half past seven in the evening before in Fort-de-France."""
    ctx, clock = world.ctx, world.clock
    wish = world.wish("store")
    island = programs.add_store(ctx, world.merchant, NewStore("Fort-de-France", "America/Martinique"), wish)[0]
    key = str(programs.add_till(ctx, world.merchant, str(island["store"]), "1", world.wish("till"))[0]["key"])
    there = keys.authenticate(ctx, key)
    paris, martinique, both = world.enrol(), world.enrol(), world.enrol()
    clock.at = datetime(2026, 11, 18, 3, 30, tzinfo=UTC)  # 04:30 on the 18th in Paris, 23:30 on the 17th over there
    world.sell(martinique, 9900, scope=there)
    clock.at = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)  # 23:30 and 18:30, both on the 18th
    world.sell(paris, 1000)
    world.sell(both, 2000, scope=there)
    found = overview.today(ctx, world.merchant)
    assert (found.day, found.elsewhere, found.came) == (date(2026, 11, 18), (), 2)
    assert found.sales == Day(2, 2, {"EUR": 3000})
    clock.forward(hours=1)  # 00:30 on the 19th in Paris, 19:30 on the 18th over there
    world.sell(martinique, 400, scope=there)
    world.sell(both, 500)
    found = overview.today(ctx, world.merchant)
    (store,) = [one.name for one in stores(world) if one.zone == "Europe/Paris"]
    assert found.elsewhere == ((date(2026, 11, 19), (store,)), (date(2026, 11, 18), ("Fort-de-France",)))
    assert found.sales == Day(3, 2, {"EUR": 2900}), "2000 and 400 over there, 500 in Paris"
    assert found.moved["points"] == Moved(given=29, redeemed=0, rewards=0)
    assert {one.visit.member: (one.visit.store, one.visit.times) for one in found.guests} == {
        martinique.member: ("Fort-de-France", 1),
        both.member: (store, 2),
    }
    assert [(day.day, one.sales) for day, one in found.fortnight[-3:]] == [(17, 1), (18, 3), (19, 1)]


def stores(world: World) -> list[StoreRow]:
    with world.ctx.look() as tx:
        return parties.stores_of(tx, world.merchant)


def test_before_the_first_sale_everything_is_nothing(world: World) -> None:
    found = overview.today(world.ctx, world.merchant)
    assert (found.came, found.guests, found.joined, found.begun, found.paired) == (0, (), 0, False, False)
    assert found.published


def test_a_stranger_sees_nothing_of_it(world: World) -> None:
    world.sell(world.enrol(promotions=True), 1000)
    world.announce()
    world.work()
    stranger = replace(world.merchant, merchant_id=10**6)
    found = overview.today(world.ctx, stranger)
    assert (found.came, found.sales.sales, found.joined, found.sent, dict(found.moved)) == (0, 0, 0, 0, {})
    with world.ctx.look() as tx:
        assert days(tx, stranger, found.day, found.day) == {}
